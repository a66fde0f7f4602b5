"""Kernels for GATv2's score, in which a leaky ReLU looks at receiver and sender together.

Their layout is that of :mod:`graphattn.backends.numba.kernels`. Of the score, ``sum_c w_c leaky(q_ic + k_jc)``, the gradient
needs two sums only, ``of_query_i = sum_j grad_ij leaky'(q_i + k_j)`` and ``of_key_j``, the same over the sender's edges: those of
query, key and ``w`` follow node by node, as ``leaky(z) = z leaky'(z)``. An edge may add to the key: a sum of rows of a table
``[T, H, C]``, weighed with its features ``[E, T]``, or the row of its ``kind [E]``.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.compiling import compiled, inner
from graphattn.backends.numba.kernels import node_of
from graphattn.backends.numba.vector import (
    add,
    add_all,
    ask_ahead,
    get,
    load,
    product,
    put,
    select,
    store,
    total,
    width,
)


@inner
def leaky(own, i, other, j, slope, lanes):
    """``leaky(own[i:] + other[j:])``."""
    x = load(own, i, lanes) + load(other, j, lanes)
    return select(x > 0, x, slope * x)


@inner
def slopes(own, other, j, grad, slope, lanes):
    """``grad leaky'(own + other[j:])``."""
    return select(own + load(other, j, lanes) > 0, grad, grad * slope)


@inner
def add_slopes_of_row(out, at, grad, first, last, place, own, i, other, ends, heads, channels, slope, lanes):
    """``out[at:] += grad_e leaky'(own[i:] + other[ends_e])`` over the edges of a row; ``grad`` may stand at a ``place``."""
    size, four = heads * channels, first + (last - first) // 4 * 4
    for e in range(first, four, 4):
        j, k = np.int64(get(ends, e)) * size, np.int64(get(ends, e + 1)) * size
        m, n = np.int64(get(ends, e + 2)) * size, np.int64(get(ends, e + 3)) * size
        p, q, r, s = e, e + 1, e + 2, e + 3
        if place.size:
            p, q = np.int64(get(place, e)), np.int64(get(place, e + 1))
            r, s = np.int64(get(place, e + 2)), np.int64(get(place, e + 3))
        for h in range(heads):
            c = h * channels
            g0, g1 = get(grad, p * heads + h), get(grad, q * heads + h)
            g2, g3 = get(grad, r * heads + h), get(grad, s * heads + h)
            for d in range(c, c + channels, width(lanes)):
                x, whole = load(own, i + d, lanes), load(out, at + d, lanes)
                whole += slopes(x, other, j + d, g0, slope, lanes)
                whole += slopes(x, other, k + d, g1, slope, lanes)
                whole += slopes(x, other, m + d, g2, slope, lanes)
                whole += slopes(x, other, n + d, g3, slope, lanes)
                store(out, at + d, whole)
    for e in range(four, last):
        p = np.int64(get(place, e)) if place.size else e
        add_edge_slopes(out, at, grad, p, own, i, other, np.int64(get(ends, e)) * size, heads, channels, slope, lanes)


@inner
def with_edge(both, key, at, table, feature, kind, number, lanes):
    """``both[:] = key[at:]`` and what the edge adds to it, in all heads and channels."""
    both[:] = key[at : at + both.size]
    if kind.size:
        add_all(both, 0, both.dtype.type(1), table, np.int64(kind[number]) * both.size, both.size, lanes)
    else:
        deep = table.size // both.size
        for f in range(deep):
            add_all(both, 0, feature[number * deep + f], table, f * both.size, both.size, lanes)


@inner
def score_edge(score, e, weight, query, a, key, b, heads, channels, slope, lanes):
    """The scores of an edge in all heads, ``score[e]``."""
    step = width(lanes)
    for h in range(heads):
        at = h * channels
        whole = load(weight, at, lanes) * leaky(query, a + at, key, b + at, slope, lanes)
        for c in range(at + step, at + channels, step):
            whole += load(weight, c, lanes) * leaky(query, a + c, key, b + c, slope, lanes)
        put(score, e * heads + h, total(whole))


@inner
def add_edge_slopes(out, o, grad, e, query, a, key, b, heads, channels, slope, lanes):
    """``out[o:] += grad[e] leaky'(query[a:] + key[b:])`` in all heads."""
    for h in range(heads):
        for c in range(h * channels, (h + 1) * channels, width(lanes)):
            of_score = get(grad, e * heads + h)
            add(out, o + c, slopes(load(query, a + c, lanes), key, b + c, of_score, slope, lanes))


@compiled
def scores(
    low, high, lanes, sizes, row_of, ptr, sender, number, query, key, weight, table, feature, kind, slope, out
):  # fmt: skip
    """GATv2's scores, ``out [E, H]``; ``weight [H * C]``."""
    heads, channels = sizes
    size = heads * channels
    both = np.empty(size, out.dtype)
    for r in range(low, high):
        i = node_of(row_of, r) * size
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            j = np.int64(get(sender, e)) * size
            if table.size:
                with_edge(both, key, j, table, feature, kind, np.int64(get(number, e)), lanes)
                score_edge(out, e, weight, query, i, both, 0, heads, channels, slope, lanes)
            else:
                score_edge(out, e, weight, query, i, key, j, heads, channels, slope, lanes)


@compiled
def to_receivers(
    low, high, lanes, sizes, row_of, starts, ptr, sender, number, query, key, table, feature, kind, weighted, slope,
    grad, of_query, parts, feature_grad,
):  # fmt: skip
    """``of_query`` of each row, the gradient of the query without ``weight``, and what edges get.

    ``weighted`` is the table times ``weight``; of each range of rows the table gets a part.
    """
    heads, channels = sizes
    size = heads * channels
    both, steep = np.empty(size, grad.dtype), np.empty(size, grad.dtype)
    part = parts[np.searchsorted(starts, low)]
    for r in range(low, high):
        i, at = node_of(row_of, r) * size, r * size
        first, last = np.int64(ptr[r]), np.int64(ptr[r + 1])
        of_query[at : at + size] = 0
        if not table.size:
            nowhere = sender[:0]
            add_slopes_of_row(
                of_query, at, grad, first, last, nowhere, query, i, key, sender, heads, channels, slope, lanes
            )
        for e in range(first, last if table.size else first):
            j = np.int64(get(sender, e)) * size
            with_edge(both, key, j, table, feature, kind, np.int64(get(number, e)), lanes)
            steep[:] = 0
            add_edge_slopes(steep, 0, grad, e, query, i, both, 0, heads, channels, slope, lanes)
            add_all(of_query, at, steep.dtype.type(1), steep, 0, size, lanes)
            to_edge(np.int64(get(number, e)), steep, weighted, feature, kind, part, feature_grad, lanes)


@compiled
def to_senders(
    low, high, lanes, sizes, row_of, ptr, receiver, place, number, query, key, table, feature, kind, slope, grad, of_key
):  # fmt: skip
    """``of_key`` of each row, the gradient of the key without ``weight``."""
    heads, channels = sizes
    size = heads * channels
    both = np.empty(size, grad.dtype)
    for r in range(low, high):
        j, at = node_of(row_of, r) * size, r * size
        first, last = np.int64(ptr[r]), np.int64(ptr[r + 1])
        # Each edge's gradients are a line of memory of their own: those of the row after the next are asked for now.
        ask_ahead(grad, place, ptr[min(r + 2, high)], ptr[min(r + 3, high)], heads)
        of_key[at : at + size] = 0
        if not table.size:
            add_slopes_of_row(
                of_key, at, grad, first, last, place, key, j, query, receiver, heads, channels, slope, lanes
            )
        for e in range(first, last if table.size else first):
            i, p = np.int64(get(receiver, e)) * size, np.int64(get(place, e))
            with_edge(both, key, j, table, feature, kind, np.int64(get(number, p)), lanes)
            add_edge_slopes(of_key, at, grad, p, query, i, both, 0, heads, channels, slope, lanes)


@inner
def to_edge(number, steep, weighed, feature, kind, part, feature_grad, lanes):
    """What the table and the features of an edge get from ``steep``, the gradient of its key without ``weight``."""
    size = steep.size
    if kind.size:
        add_all(part, np.int64(kind[number]) * size, steep.dtype.type(1), steep, 0, size, lanes)
    else:
        deep = weighed.size // size
        for f in range(deep):
            add_all(part, f * size, feature[number * deep + f], steep, 0, size, lanes)
            feature_grad[number * deep + f] = product(weighed, f * size, steep, 0, size, lanes)
