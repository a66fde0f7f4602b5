"""Softmax over the edges of a row in all heads at once: torch's, whatever the number of heads and edges."""

import numba
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from graphattn.backends.numba.kernels import give, heads_like, take
from graphattn.backends.numba.rows import STRIDE, period_of, pull_back, softmax


@numba.njit
def _weights(scores, ptr, heads, period, row, top, share):
    for r in range(ptr.size - 1):
        first, degree = ptr[r], ptr[r + 1] - ptr[r]
        take(scores, first, degree, heads, period, row)
        softmax(row, degree, heads, period, top, share)
        give(row, first, degree, heads, period, scores)


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
def _pulled(heard, pull, degree, heads, period, mean):
    pull_back(heard, pull, degree, heads, period, mean)


@pytest.mark.parametrize("heads", [1, 3, 8, 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_are_pulled_by_what_differs_from_the_mean(heads, dtype):
    degree, period = 9, period_of(heads)
    heard, pull = (np.random.default_rng(seed).normal(size=degree * period + STRIDE).astype(dtype) for seed in (0, 1))
    mean = np.zeros(max(period, STRIDE), dtype)
    mean[:heads] = np.arange(heads)
    rows = [array[: degree * period].reshape(degree, period)[:, :heads].copy() for array in (heard, pull)]
    _pulled(heard, pull, degree, heads, period, mean)
    truth = rows[0] * (rows[1] - np.arange(heads, dtype=dtype))
    np.testing.assert_allclose(pull[: degree * period].reshape(degree, period)[:, :heads], truth, rtol=1e-6)
    assert heads_like.py_func(heard, period).size >= STRIDE
