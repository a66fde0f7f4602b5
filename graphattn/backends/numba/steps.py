"""Kernels for attention in steps, where scores and weights of edges are kept, ``[E, H]``, but never channels of edges.

Each is a derivative of ``sum_e w_e (l_i . r_e)`` over edges grouped by receivers ``i``, with weights ``w [E, H]``, rows of
receivers ``l [N, H, C]``, and on each edge ``r_e`` a row of what is ``other``: senders or a table ``[T, H, C]``, or the edge's
own features ``[E, C]``, which have no heads. Their layout is that of :mod:`graphattn.backends.numba.kernels`; weights come in
the order of the groups.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.lanes import add_all, compiled, product
from graphattn.backends.numba.lanes import softmax as softmax_of


@compiled
def products(low, high, lanes, heads, ptr, other, left, right, out):
    """``out_e = l_i . r_e``; ``heads`` of what is other, 1 for features."""
    channels = left.size // max((ptr.size - 1) * out.shape[1], 1)
    for i in range(low, high):
        for e in range(ptr[i], ptr[i + 1]):
            for h in range(out.shape[1]):
                at = (np.int64(other[e]) * heads + h % heads) * channels
                out[e, h] = product(left, (i * out.shape[1] + h) * channels, right, at, channels, lanes)


@compiled
def sums(low, high, lanes, heads, ptr, other, place, weight, right, out):
    """``out_i = sum_e w_e r_e``; the weights of a row's edges stand at ``place``."""
    channels = out.size // max((ptr.size - 1) * weight.shape[1], 1)
    many = weight.shape[1]
    for i in range(low, high):
        out[i * many * channels : (i + 1) * many * channels] = 0
        for e in range(ptr[i], ptr[i + 1]):
            for h in range(many):
                at = (np.int64(other[e]) * heads + h % heads) * channels
                add_all(out, (i * many + h) * channels, weight[place[e], h], right, at, channels, lanes)


@compiled
def table_sums(low, high, lanes, starts, ptr, other, weight, left, parts):
    """``part_t = sum over edges of kind t of w_e l_i``: a part ``[T * H * C]`` for each range of rows, which add up."""
    heads = weight.shape[1]
    channels = left.size // max((ptr.size - 1) * heads, 1)
    part = parts[np.searchsorted(starts, low)]
    for i in range(low, high):
        for e in range(ptr[i], ptr[i + 1]):
            for h in range(heads):
                at = (np.int64(other[e]) * heads + h) * channels
                add_all(part, at, weight[e, h], left, (i * heads + h) * channels, channels, lanes)


@compiled
def feature_sums(low, high, lanes, ptr, other, weight, left, out):
    """``out_e = sum_h w_eh l_ih``, what each edge's features get."""
    heads = weight.shape[1]
    channels = left.size // max((ptr.size - 1) * heads, 1)
    for i in range(low, high):
        for e in range(ptr[i], ptr[i + 1]):
            at = np.int64(other[e]) * channels
            out[at : at + channels] = 0
            for h in range(heads):
                add_all(out, at, weight[e, h], left, (i * heads + h) * channels, channels, lanes)


@compiled
def softmax(low, high, ptr, score, lse, out):
    """The softmax of scores ``[E, H]`` over each row's edges."""
    top, total = np.empty(score.shape[1], out.dtype), np.empty(score.shape[1], out.dtype)
    for i in range(low, high):
        rows = out[ptr[i] : ptr[i + 1]]
        rows[:] = score[ptr[i] : ptr[i + 1]]
        softmax_of(rows, rows.shape[0], top, total, lse, i)


@compiled
def softmax_back(low, high, ptr, alpha, grad, out):
    """The gradient of the scores from that of their softmax."""
    mean = np.empty(alpha.shape[1], out.dtype)
    for i in range(low, high):
        mean[:] = 0
        for e in range(ptr[i], ptr[i + 1]):
            for h in range(alpha.shape[1]):
                mean[h] += alpha[e, h] * grad[e, h]
        for e in range(ptr[i], ptr[i + 1]):
            for h in range(alpha.shape[1]):
                out[e, h] = alpha[e, h] * (grad[e, h] - mean[h])
