"""Kernels for GATv2's score, in which a leaky ReLU looks at receiver and sender together.

Their layout is that of :mod:`graphattn.backends.numba.kernels`. Of the score, ``sum_c w_c leaky(q_ic + k_jc)``, the gradient
needs two sums only, ``of_query_i = sum_j grad_ij leaky'(q_i + k_j)`` and ``of_key_j``, the same over the sender's edges: those of
query, key and ``w`` follow node by node, as ``leaky(z) = z leaky'(z)``. An edge may add to the key: a sum of rows of a table
``[T, H, C]``, weighed with its features ``[E, T]``, or the row of its ``kind [E]``.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from graphattn.backends.numba.kernels import node_of
from graphattn.backends.numba.lanes import (
    MATH,
    add_all,
    add_to,
    compiled,
    count,
    inner,
    place,
    product,
    read,
    spread,
    summed,
    vector_of,
    width,
)
from graphattn.backends.numba.memory import ask_ahead, get, put, steps


def positive(builder, x, vector):
    """Where a vector is above zero."""
    return builder.fcmp_ordered(">", x, ir.Constant(vector, [0.0] * vector.count))


@intrinsic
def leaky_dot(typingctx, weight, wt, a, at, b, bt, slope, lanes):
    """The inner product of ``weight[wt:]`` and ``leaky(a[at:] + b[bt:])`` over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(a, lanes)
        x = builder.fadd(
            read(context, builder, a, arguments[2], arguments[3], vector),
            read(context, builder, b, arguments[4], arguments[5], vector),
            flags=MATH,
        )
        less = builder.fmul(x, spread(builder, arguments[6], vector), flags=MATH)
        leaky = builder.select(positive(builder, x, vector), x, less)
        factor = read(context, builder, weight, arguments[0], arguments[1], vector)
        return summed(builder, builder.fmul(factor, leaky, flags=MATH), vector)

    return a.dtype(weight, types.intp, a, types.intp, b, types.intp, a.dtype, lanes), generate


@intrinsic
def add_slopes(typingctx, y, yt, factor, a, at, b, bt, slope, lanes):
    """``y[yt:] += factor * leaky'(a[at:] + b[bt:])`` over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        x = builder.fadd(
            read(context, builder, a, arguments[3], arguments[4], vector),
            read(context, builder, b, arguments[5], arguments[6], vector),
            flags=MATH,
        )
        less = builder.fmul(arguments[2], arguments[7], flags=MATH)
        full, part = spread(builder, arguments[2], vector), spread(builder, less, vector)
        term = builder.select(positive(builder, x, vector), full, part)
        return add_to(context, builder, y, arguments[0], arguments[1], term, vector)

    return types.void(y, types.intp, y.dtype, a, types.intp, b, types.intp, y.dtype, lanes), generate


@intrinsic
def add_four_slopes(typingctx, y, yt, g0, g1, g2, g3, a, at, b, t0, t1, t2, t3, slope, channels, lanes):
    """``y[yt:] += g0 leaky'(a[at:] + b[t0:]) + ...`` of four edges over some channels, a multiple of the lanes."""

    def generate(context, builder, signature, arguments):
        (target, to), grads, (own, start), (other, *rows) = (
            arguments[:2],
            arguments[2:6],
            arguments[6:8],
            arguments[8:13],
        )
        vector, size = vector_of(y, lanes), arguments[14]
        full = [spread(builder, grad, vector) for grad in grads]
        part = [spread(builder, builder.fmul(grad, arguments[13], flags=MATH), vector) for grad in grads]
        with steps(builder, 0, size, count(lanes)) as c:
            pointer, align = place(context, builder, y, target, builder.add(to, c), vector)
            mine, total = (
                read(context, builder, a, own, builder.add(start, c), vector),
                builder.load(pointer, align=align),
            )
            for above, below, row in zip(full, part, rows, strict=True):
                x = builder.fadd(mine, read(context, builder, b, other, builder.add(row, c), vector), flags=MATH)
                term = builder.select(positive(builder, x, vector), above, below)
                total = builder.fadd(total, term, flags=MATH)
            builder.store(total, pointer, align=align)
        return context.get_dummy_value()

    real, index = y.dtype, types.intp
    four = (index, index, index, index)
    return types.void(y, index, real, real, real, real, a, index, b, *four, real, index, lanes), generate


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
            add_four_slopes(
                out, at + c, g0, g1, g2, g3, own, i + c, other, j + c, k + c, m + c, n + c, slope, channels, lanes
            )
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
        total = leaky_dot(weight, at, query, a + at, key, b + at, slope, lanes)
        for c in range(at + step, at + channels, step):
            total += leaky_dot(weight, c, query, a + c, key, b + c, slope, lanes)
        put(score, e * heads + h, total)


@inner
def add_edge_slopes(out, o, grad, e, query, a, key, b, heads, channels, slope, lanes):
    """``out[o:] += grad[e] leaky'(query[a:] + key[b:])`` in all heads."""
    for h in range(heads):
        for c in range(h * channels, (h + 1) * channels, width(lanes)):
            add_slopes(out, o + c, get(grad, e * heads + h), query, a + c, key, b + c, slope, lanes)


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
