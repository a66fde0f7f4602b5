import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torch_geometric.nn import aggr

from graphattn.aggregation import LogSumExp, Max, Mean, Min, Std, Sum, Variance
from graphattn.slots import Groups

F64 = torch.float64
SIZE = 5
EVERY = pytest.mark.parametrize(
    "aggregation", [Sum(), Mean(), Max(), Min(), Std(), Variance(), LogSumExp()], ids=lambda each: type(each).__name__
)
PYG = [
    (Sum, aggr.SumAggregation),
    (Mean, aggr.MeanAggregation),
    (Max, aggr.MaxAggregation),
    (Min, aggr.MinAggregation),
    (Std, aggr.StdAggregation),
    (Variance, aggr.VarAggregation),
]


def groups(index, size=SIZE):
    return Groups(torch.as_tensor(index, dtype=torch.long), None, size, None)


def assert_same(heard, truth, message):
    assert_close(heard, truth, rtol=1e-9, atol=1e-9)
    mine, its = (torch.autograd.grad(out.sin().sum(), message, materialize_grads=True)[0] for out in (heard, truth))
    assert_close(mine, its, rtol=1e-9, atol=1e-9)


@given(st.lists(st.integers(0, SIZE - 1), max_size=12), st.sampled_from(PYG), st.booleans())
def test_aggregations_are_pygs(index, which, ties):
    ours, theirs = which
    torch.manual_seed(0)
    message = torch.randint(-2, 3, (len(index), 2, 3)).double() if ties else torch.randn(len(index), 2, 3, dtype=F64)
    message.requires_grad_()
    where = groups(index)
    assert_same(ours().reduce(message, where), theirs()(message, where.index, dim_size=SIZE, dim=0), message)
    assert ours().weigh(None, where) is None


@given(st.lists(st.integers(0, SIZE - 1), max_size=12))
def test_log_sum_exp_is_torchs_of_each_receiver(index):
    torch.manual_seed(0)
    message = torch.randn(len(index), 2, 3, dtype=F64, requires_grad=True)
    where = groups(index)
    parts = [message[where.index == receiver] for receiver in range(SIZE)]
    truth = torch.stack([part.logsumexp(0) if part.size(0) else part.sum(0) for part in parts])
    assert_same(LogSumExp().reduce(message, where), truth, message)


def test_ties_share_the_gradient():
    for aggregation in (Max(), Min()):
        message = torch.ones(4, 1, 1, dtype=F64, requires_grad=True)
        aggregation.reduce(message, groups([0, 0, 0, 1])).sum().backward()
        assert_close(message.grad.flatten(), torch.tensor([1 / 3, 1 / 3, 1 / 3, 1], dtype=F64))


@EVERY
@pytest.mark.parametrize("index", [[], [0], [2, 2]])
def test_a_receiver_without_messages_hears_zero(aggregation, index):
    heard = aggregation.reduce(torch.rand(len(index), 1, 2) + 1, groups(index))
    silent = [receiver for receiver in range(SIZE) if receiver not in index]
    assert not heard[silent].any()
    assert aggregation.reduce(torch.zeros(0, 1, 2), groups([], 0)).shape == (0, 1, 2)


@EVERY
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_large_messages_stay_finite(aggregation, dtype):
    large = 1e4 if dtype != torch.float16 or not isinstance(aggregation, Variance) else 1e2
    message = torch.tensor([large, -large, large, -large, 0.0], dtype=dtype)[:, None, None].requires_grad_()
    heard = aggregation.reduce(message, groups([0, 0, 1, 2, 3]))
    heard.sum().backward()
    assert heard.dtype == dtype
    assert torch.isfinite(heard).all()
    assert torch.isfinite(message.grad).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_std_of_large_messages_that_lie_close_does_not_cancel(dtype):
    message = torch.tensor([4096.0, 4096 + 32.0], dtype=dtype)[:, None, None]
    assert Std().reduce(message, groups([0, 0]))[0].item() == 16
    assert Variance().reduce(message, groups([0, 0]))[0].item() == 256


def test_log_sum_exp_does_not_hear_minus_infinity():
    message = torch.tensor([-torch.inf, 1.0, -torch.inf, -torch.inf], dtype=F64)[:, None, None].requires_grad_()
    heard = LogSumExp().reduce(message, groups([0, 0, 1, 1], 3))
    assert heard.flatten().tolist() == [1, 0, 0]
    heard.sum().backward()
    assert message.grad.flatten().tolist() == [0, 1, 0, 0]


@EVERY
def test_gradients_are_those_of_differences(aggregation):
    message = torch.randn(6, 1, 2, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: aggregation.reduce(m, groups([0, 1, 1, 3, 3, 3])), message)
