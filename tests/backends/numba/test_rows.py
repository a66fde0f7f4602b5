"""Softmax over the edges of a row in all heads at once: torch's, whatever the number of heads and edges."""

import numba
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from graphattn.backends.numba.kernels import heads_like, move
from graphattn.backends.numba.rows import STRIDE, period_of, softmax, softmax_gradient


@numba.njit
def _weights(scores, ptr, heads, period, row, top, share):
    for r in range(ptr.size - 1):
        first, degree = ptr[r], ptr[r + 1] - ptr[r]
        move(row, 0, period, scores, first * heads, heads, degree, heads)
        softmax(row, degree, heads, period, top, share)
        move(scores, first * heads, heads, row, 0, period, degree, heads)


def weights(score, degrees):
    """The softmax of each row of ``score [E, H]``, in place."""
    heads, ptr = score.size(1), np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
    flat, period = score.reshape(-1).numpy(), period_of(heads)
    # Numbers that no head owns must not matter.
    row = np.full(max(degrees) * period + STRIDE, np.nan, flat.dtype)
    top, share = (np.zeros(max(period, STRIDE), flat.dtype) for _ in range(2))
    _weights(flat, ptr, heads, period, row, top, share)
    return torch.from_numpy(flat).view_as(score)


@pytest.mark.parametrize("heads", [1, 2, 3, 5, 8, 16, 17, 33])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softmax_is_torchs(heads, dtype):
    degrees = [1, 2, 15, 16, 17, 40]
    score = torch.randn(sum(degrees), heads, dtype=dtype) * 5
    score[0], score[3] = 1e4, -1e4
    truth = torch.cat([rows.double().softmax(0) for rows in score.split(degrees)])
    assert_close(weights(score.clone(), degrees), truth.to(dtype), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_no_number_stays_in_its_head_and_silence_weighs_nothing(dtype):
    score = torch.randn(5, 3, dtype=dtype)
    score[1, 0], score[:, 1] = torch.nan, -torch.inf
    found = weights(score.clone(), [5])
    assert found[:, 0].isnan().all()
    assert not found[:, 1].any()
    assert_close(found[:, 2], score[:, 2].softmax(0))


@numba.njit
def _gradient(weight, grad, degree, heads, period, mean):
    softmax_gradient(weight, grad, degree, heads, period, mean)


@pytest.mark.parametrize("heads", [1, 3, 8, 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_of_a_softmax_is_torchs(heads, dtype):
    degree, period, random = 9, period_of(heads), np.random.default_rng(0)
    score = torch.from_numpy(random.normal(size=(degree, heads)).astype(dtype)).requires_grad_()
    alpha, given = score.softmax(0), torch.from_numpy(random.normal(size=(degree, heads)).astype(dtype))
    # Numbers that no head owns must not matter.
    weight, grad = (np.full(degree * period + STRIDE, np.nan, dtype) for _ in range(2))
    for rows, known in ((weight, alpha), (grad, given)):
        rows[: degree * period].reshape(degree, period)[:, :heads] = known.detach().numpy()
    _gradient(weight, grad, degree, heads, period, np.zeros(max(period, STRIDE), dtype))
    found = torch.from_numpy(grad[: degree * period].reshape(degree, period)[:, :heads])
    assert_close(found, torch.autograd.grad(alpha, score, given)[0], rtol=1e-5, atol=1e-6)
    assert heads_like.py_func(weight, period).size >= STRIDE
