"""Kernels for GAT's score, one number per head, ``leaky(q_i + k_j + b_ji)``.

Their layout is that of :mod:`graphattn.backends.numba.kernels`.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from graphattn.backends.numba.gatv2 import positive
from graphattn.backends.numba.kernels import node_of
from graphattn.backends.numba.lanes import MATH, add_all, add_to, compiled, place, read, spread, vector_of, width
from graphattn.backends.numba.memory import ask_ahead, get


def split(biased: bool):
    """GAT's score of an edge in as many heads as there are lanes, and its gradient; with a bias of the edge or without."""

    def inside(context, builder, arrays, values, vector):
        """``query[qt:] + key[kt:] + bias[bt:]``."""
        parts = [
            read(context, builder, array, values[2 * n], values[2 * n + 1], vector) for n, array in enumerate(arrays)
        ]
        both = builder.fadd(*parts[:2], flags=MATH)
        return builder.fadd(both, parts[2], flags=MATH) if biased else both

    def leaky(builder, x, y, slope, vector):
        less = builder.fmul(y, spread(builder, slope, vector), flags=MATH)
        return builder.select(positive(builder, x, vector), y, less)

    @intrinsic
    def score(typingctx, y, yt, query, qt, key, kt, bias, bt, slope, lanes):
        def generate(context, builder, signature, arguments):
            vector = vector_of(y, lanes)
            x = inside(context, builder, (query, key, bias), arguments[2:8], vector)
            pointer, align = place(context, builder, y, arguments[0], arguments[1], vector)
            builder.store(leaky(builder, x, x, arguments[8], vector), pointer, align=align)
            return context.get_dummy_value()

        at = types.intp
        return types.void(y, at, query, at, key, at, bias, at, y.dtype, lanes), generate

    @intrinsic
    def gradient(typingctx, y, yt, grad, gt, query, qt, key, kt, bias, bt, slope, lanes):
        def generate(context, builder, signature, arguments):
            vector = vector_of(y, lanes)
            x = inside(context, builder, (query, key, bias), arguments[4:10], vector)
            pointer, align = place(context, builder, grad, arguments[2], arguments[3], vector)
            within = leaky(builder, x, builder.load(pointer, align=align), arguments[10], vector)
            builder.store(within, pointer, align=align)
            return add_to(context, builder, y, arguments[0], arguments[1], within, vector)

        at = types.intp
        return types.void(y, at, grad, at, query, at, key, at, bias, at, y.dtype, lanes), generate

    return score, gradient


(_score, _gradient), (_biased_score, _biased_gradient) = split(False), split(True)


@compiled
def scores(low, high, lanes, heads, row_of, ptr, sender, number, query, key, bias, slope, out):
    """GAT's scores, ``out [E, H]``; ``query [N_i, H]``, ``key [N_j, H]``, ``bias [E, H]``."""
    for r in range(low, high):
        i = node_of(row_of, r) * heads
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            j, n = np.int64(get(sender, e)) * heads, np.int64(get(number, e)) * heads
            for h in range(0, heads, width(lanes)):
                if bias.size:
                    _biased_score(out, e * heads + h, query, i + h, key, j + h, bias, n + h, slope, lanes)
                else:
                    _score(out, e * heads + h, query, i + h, key, j + h, bias, n, slope, lanes)


@compiled
def to_receivers(
    low, high, lanes, heads, row_of, ptr, sender, number, query, key, bias, slope, grad, query_grad
):  # fmt: skip
    """Gradients of scores, ``grad [E, H]``, become those within the leaky ReLU, and their sum that of each row's query."""
    for r in range(low, high):
        i, at = node_of(row_of, r) * heads, r * heads
        query_grad[at : at + heads] = 0
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            g, j, n = e * heads, np.int64(get(sender, e)) * heads, np.int64(get(number, e)) * heads
            for h in range(0, heads, width(lanes)):
                if bias.size:
                    _biased_gradient(
                        query_grad, at + h, grad, g + h, query, i + h, key, j + h, bias, n + h, slope, lanes
                    )
                else:
                    _gradient(query_grad, at + h, grad, g + h, query, i + h, key, j + h, bias, n, slope, lanes)


@compiled
def to_senders(low, high, lanes, heads, ptr, place, grad, key_grad):
    """The gradient of each row's key, the sum of those of its edges."""
    for r in range(low, high):
        ask_ahead(grad, place, ptr[min(r + 2, high)], ptr[min(r + 3, high)], heads)
        key_grad[r * heads : (r + 1) * heads] = 0
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            add_all(key_grad, r * heads, grad.dtype.type(1), grad, np.int64(get(place, e)) * heads, heads, lanes)
