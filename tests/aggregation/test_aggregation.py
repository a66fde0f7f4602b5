import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torch_geometric.utils import scatter
from torch_geometric.utils import softmax as pyg_softmax

from graphattn.aggregation import Max, Mean, SoftmaxSum, Sum
from graphattn.slots import Groups


def groups(index, size):
    return Groups(torch.as_tensor(index, dtype=torch.long), None, size, None)


@given(st.lists(st.integers(0, 4), max_size=12), st.sampled_from([(Sum, "sum"), (Mean, "mean"), (Max, "max")]))
def test_reductions_equal_pyg_scatter(index, which):
    ours, theirs = which
    torch.manual_seed(0)
    message = torch.randint(-2, 3, (len(index), 2, 3)).double().requires_grad_()
    heard = ours().reduce(message, groups(index, 5))
    truth = scatter(message, groups(index, 5).index, 0, 5, theirs)
    assert_close(heard, truth)
    assert_close(*(torch.autograd.grad(out.sin().sum(), message)[0] for out in (heard, truth)))
    assert ours().weigh(None, groups(index, 5)) is None


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_softmax_equals_pyg_softmax(index):
    torch.manual_seed(0)
    score = torch.randn(len(index), 2, dtype=torch.float64, requires_grad=True)
    alpha = SoftmaxSum().weigh(score, groups(index, 5))
    truth = pyg_softmax(score, groups(index, 5).index, num_nodes=5)
    assert_close(alpha, truth, rtol=1e-12, atol=1e-12)
    assert_close(*(torch.autograd.grad(out.sin().sum(), score)[0] for out in (alpha, truth)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_extreme_scores_stay_finite_and_sum_to_one(dtype):
    score = torch.tensor([[1e4], [-1e4], [1e4], [-torch.inf], [0.0]], dtype=dtype)
    alpha = SoftmaxSum().weigh(score, groups([0, 0, 0, 0, 1], 2))
    assert alpha.dtype == dtype
    assert alpha.flatten().tolist() == [0.5, 0, 0.5, 0, 1]


def test_a_receiver_of_minus_infinities_hears_zero_and_its_gradient_is_finite():
    score = torch.tensor([[-torch.inf], [-torch.inf], [1.0]], requires_grad=True)
    alpha = SoftmaxSum().weigh(score, groups([0, 0, 1], 2))
    assert alpha.flatten().tolist() == [0, 0, 1]
    alpha.sum().backward()
    assert torch.isfinite(score.grad).all()


def test_many_senders_in_bfloat16_sum_to_one():
    alpha = SoftmaxSum().weigh(torch.zeros(4096, 1, dtype=torch.bfloat16), groups([0] * 4096, 1))
    assert alpha.double().sum() == pytest.approx(1, abs=1e-3)


def test_softmax_sum_without_scores_is_refused():
    with pytest.raises(ValueError, match="expected a score on every edge for SoftmaxSum, got None"):
        SoftmaxSum().weigh(None, groups([0], 1))
