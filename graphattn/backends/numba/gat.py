"""Kernels for GAT's score, one number per head, ``leaky(q_i + k_j + b_ji)``.

Their layout is that of :mod:`graphattn.backends.numba.kernels`.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.compiling import compiled, inner
from graphattn.backends.numba.kernels import node_of
from graphattn.backends.numba.vector import add, add_all, ask_ahead, get, load, select, store, width


@inner
def within(query, i, key, j, bias, n, lanes):
    """What the leaky ReLU looks at in as many heads as there are lanes; with a bias of the edge or without."""
    x = load(query, i, lanes) + load(key, j, lanes)
    return x + load(bias, n, lanes) if bias.size else x


@compiled
def scores(low, high, lanes, heads, row_of, ptr, sender, number, query, key, bias, slope, out):
    """GAT's scores, ``out [E, H]``; ``query [N_i, H]``, ``key [N_j, H]``, ``bias [E, H]``."""
    for r in range(low, high):
        i = node_of(row_of, r) * heads
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            j, n = np.int64(get(sender, e)) * heads, np.int64(get(number, e)) * heads
            for h in range(0, heads, width(lanes)):
                x = within(query, i + h, key, j + h, bias, n + h, lanes)
                store(out, e * heads + h, select(x > 0, x, slope * x))


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
                x, of_score = within(query, i + h, key, j + h, bias, n + h, lanes), load(grad, g + h, lanes)
                of_score = select(x > 0, of_score, slope * of_score)
                store(grad, g + h, of_score)
                add(query_grad, at + h, of_score)


@compiled
def to_senders(low, high, lanes, heads, ptr, place, grad, key_grad):
    """The gradient of each row's key, the sum of those of its edges."""
    for r in range(low, high):
        ask_ahead(grad, place, ptr[min(r + 2, high)], ptr[min(r + 3, high)], heads)
        key_grad[r * heads : (r + 1) * heads] = 0
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            add_all(key_grad, r * heads, grad.dtype.type(1), grad, np.int64(get(place, e)) * heads, heads, lanes)
