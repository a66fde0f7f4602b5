import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torch_geometric.utils import scatter

from graphattn.aggregation import NormalizedSum
from graphattn.slots import Groups


def groups(index, size):
    return Groups(torch.as_tensor(index, dtype=torch.long), None, size, None)


@given(st.lists(st.integers(0, 4), max_size=12))
def test_kernels_are_divided_by_their_sum(index):
    torch.manual_seed(0)
    kernel = torch.rand(len(index), 2, dtype=torch.float64).add(0.1).requires_grad_()
    alpha = NormalizedSum().weigh(kernel, groups(index, 5))
    where = groups(index, 5).index
    truth = kernel / scatter(kernel, where, 0, 5)[where]
    assert_close(alpha, truth, rtol=1e-12, atol=1e-12)
    assert_close(*(torch.autograd.grad(out.sin().sum(), kernel)[0] for out in (alpha, truth)), rtol=1e-12, atol=1e-12)


def test_messages_are_added_up():
    message = torch.randn(3, 2, 4)
    heard = NormalizedSum().reduce(message, groups([2, 0, 2], 4))
    assert_close(heard, torch.stack([message[1], torch.zeros(2, 4), message[0] + message[2], torch.zeros(2, 4)]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_zero_and_extreme_kernels_stay_finite_and_add_up_to_one(dtype):
    kernel = torch.tensor([[0.0], [0.0], [1e4], [1e4], [0.0]], dtype=dtype, requires_grad=True)
    alpha = NormalizedSum().weigh(kernel, groups([0, 0, 1, 1, 1], 3))
    assert alpha.dtype == dtype
    assert alpha.flatten().tolist() == [0, 0, 0.5, 0.5, 0]
    (gradient,) = torch.autograd.grad(alpha.square().sum(), kernel)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(("kernel", "expected"), [(1e-30, 0.5), (1e-37, 0.0)])
def test_kernels_that_are_hardly_numbers_are_not_heard(kernel, expected):
    kernel = torch.full((2, 1), kernel, requires_grad=True)
    alpha = NormalizedSum().weigh(kernel, groups([0, 0], 1))
    assert alpha.flatten().tolist() == [expected, expected]
    (gradient,) = torch.autograd.grad(alpha[0].sum(), kernel)
    assert torch.isfinite(gradient).all()


def test_many_senders_in_bfloat16_add_up_to_one():
    alpha = NormalizedSum().weigh(torch.ones(4096, 1, dtype=torch.bfloat16), groups([0] * 4096, 1))
    assert alpha.double().sum() == pytest.approx(1, abs=1e-3)


def test_normalized_sum_without_scores_is_refused():
    with pytest.raises(ValueError, match="expected a score on every edge for NormalizedSum, got None"):
        NormalizedSum().weigh(None, groups([0], 1))
