"""Kernels for scores in which a leaky ReLU looks at receiver and sender together.

Their layout is that of :mod:`graphattn.backends.numba.kernels`. Of GATv2's score, ``sum_c w_c leaky(q_ic + k_jc)``, the gradient
needs two sums only, ``of_query_i = sum_j pull_ij leaky'(q_i + k_j)`` and ``of_key_j``, the same over the sender's edges: those of
query, key and ``w`` follow node by node, as ``leaky(z) = z leaky'(z)``. An edge may add to the key: a sum of rows of a table
``[T, H, C]``, weighed with its features ``[E, T]``, or the row of its ``kind [E]``. GAT's score is one number per head,
``leaky(q_i + k_j + e_ji)``.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from graphattn.backends.numba.lanes import (
    MATH,
    add,
    add_all,
    add_to,
    compiled,
    drop,
    inner,
    most_edges,
    product,
    pulled,
    read,
    softmax,
    spread,
    summed,
    vector_of,
    width,
)


def _positive(builder, x, vector):
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
        leaky = builder.select(_positive(builder, x, vector), x, less)
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
        term = builder.select(_positive(builder, x, vector), full, part)
        return add_to(context, builder, y, arguments[0], arguments[1], term, vector)

    return types.void(y, types.intp, y.dtype, a, types.intp, b, types.intp, y.dtype, lanes), generate


@inner
def with_edge(both, key, at, table, feature, kind, number, lanes):
    """``both[:] = key[at:] + what the edge says``, all heads and channels of it."""
    both[:] = key[at : at + both.size]
    if kind.size:
        add_all(both, 0, both.dtype.type(1), table, np.int64(kind[number]) * both.size, both.size, lanes)
    else:
        deep = table.size // both.size
        for f in range(deep):
            add_all(both, 0, feature[number * deep + f], table, f * both.size, both.size, lanes)


@inner
def score_edge(score, e, weight, query, a, key, b, channels, slope, lanes):
    """The scores of an edge in all heads, ``score[e]``."""
    step = width(lanes)
    for h in range(score.shape[1]):
        at = h * channels
        total = leaky_dot(weight, at, query, a + at, key, b + at, slope, lanes)
        for c in range(at + step, at + channels, step):
            total += leaky_dot(weight, c, query, a + c, key, b + c, slope, lanes)
        score[e, h] = total


@inner
def add_edge_slopes(out, o, pull, e, query, a, key, b, channels, slope, lanes):
    """``out[o:] += pull[e] leaky'(query[a:] + key[b:])`` in all heads."""
    for h in range(pull.shape[1]):
        for c in range(h * channels, (h + 1) * channels, width(lanes)):
            add_slopes(out, o + c, pull[e, h], query, a + c, key, b + c, slope, lanes)


@compiled
def attention(
    low, high, lanes, said, ptr, sender, number, query, key, value, weight, table, feature, kind, slope, bias,
    seed, threshold, loud, out, lse,
):  # fmt: skip
    """GATv2's; ``lanes`` of the score, ``said`` those of the value, ``weight [H * C]``."""
    heads, rows, stride = lse.shape[1], max(lse.size, 1), width(said)
    channels, wide, size = query.size // rows, out.size // rows, weight.size
    alpha, both = np.empty((most_edges(ptr, low, high), heads), out.dtype), np.empty(size, out.dtype)
    top, total = np.empty(heads, out.dtype), np.empty(heads, out.dtype)
    for i in range(low, high):
        first, degree = ptr[i], ptr[i + 1] - ptr[i]
        out[i * heads * wide : (i + 1) * heads * wide] = 0
        for e in range(degree):
            j = np.int64(sender[first + e]) * size
            if table.size:
                with_edge(both, key, j, table, feature, kind, np.int64(number[first + e]), lanes)
                score_edge(alpha, e, weight, query, i * size, both, 0, channels, slope, lanes)
            else:
                score_edge(alpha, e, weight, query, i * size, key, j, channels, slope, lanes)
            if bias.shape[0]:
                for h in range(heads):
                    alpha[e, h] += bias[number[first + e], h]
        softmax(alpha, degree, top, total, lse, i)
        if threshold:
            drop(alpha, degree, ptr, sender, number, i, seed, threshold, loud)
        for e in range(degree):
            j = np.int64(sender[first + e]) * heads
            for h in range(heads):
                for c in range(0, wide, stride):
                    add(out, (i * heads + h) * wide + c, alpha[e, h], value, (j + h) * wide + c, said)


@compiled
def attention_to_receivers(
    low, high, lanes, said, starts, ptr, sender, number, query, key, value, weight, table, feature, kind, slope, bias,
    seed, threshold, loud, out, lse, grad, weighed, heard, pull, of_query, parts, feature_grad,
):  # fmt: skip
    """How loud each edge was, ``heard [E, H]``, the score's gradient ``pull [E, H]``, ``of_query``, and what edges get.

    ``weighed`` is the table times ``weight``; of each range of rows the table gets a part.
    """
    heads, rows = lse.shape[1], max(lse.size, 1)
    channels, wide, size = query.size // rows, out.size // rows, weight.size
    mean, both, steep = np.empty(heads, out.dtype), np.empty(size, out.dtype), np.empty(size, out.dtype)
    part = parts[np.searchsorted(starts, low)]
    for i in range(low, high):
        of_query[i * size : (i + 1) * size] = 0
        for h in range(heads):
            mean[h] = product(grad, (i * heads + h) * wide, out, (i * heads + h) * wide, wide, said)
        for e in range(ptr[i], ptr[i + 1]):
            j = np.int64(sender[e]) * heads
            if table.size:
                with_edge(both, key, j * channels, table, feature, kind, np.int64(number[e]), lanes)
                score_edge(heard, e, weight, query, i * size, both, 0, channels, slope, lanes)
            else:
                score_edge(heard, e, weight, query, i * size, key, j * channels, channels, slope, lanes)
            for h in range(heads):
                pull[e, h] = product(grad, (i * heads + h) * wide, value, (j + h) * wide, wide, said)
            if bias.shape[0]:
                for h in range(heads):
                    heard[e, h] += bias[number[e], h]
            pulled(e, i, heard, pull, mean, lse, sender, number, seed, threshold, loud)
            if table.size:
                steep[:] = 0
                add_edge_slopes(steep, 0, pull, e, query, i * size, both, 0, channels, slope, lanes)
                add_all(of_query, i * size, steep.dtype.type(1), steep, 0, size, lanes)
                to_edge(np.int64(number[e]), steep, weighed, feature, kind, part, feature_grad, lanes)
            else:
                add_edge_slopes(of_query, i * size, pull, e, query, i * size, key, j * channels, channels, slope, lanes)


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


@compiled
def attention_to_senders(
    low, high, lanes, said, ptr, receiver, place, number, query, key, table, feature, kind, slope, heard, pull, grad,
    of_key, value_grad,
):  # fmt: skip
    """``of_key``, the gradient of the key without ``weight``, and that of the value."""
    heads, stride, rows = heard.shape[1], width(said), max(ptr.size - 1, 1)
    size, wide = of_key.size // rows, value_grad.size // (rows * heard.shape[1])
    channels, both = size // heads, np.empty(size, of_key.dtype)
    for j in range(low, high):
        of_key[j * size : (j + 1) * size] = 0
        value_grad[j * heads * wide : (j + 1) * heads * wide] = 0
        for e in range(ptr[j], ptr[j + 1]):
            i, at = np.int64(receiver[e]) * heads, place[e]
            for h in range(heads):
                for c in range(0, wide, stride):
                    add(value_grad, (j * heads + h) * wide + c, heard[at, h], grad, (i + h) * wide + c, said)
            if table.size:
                with_edge(both, key, j * size, table, feature, kind, np.int64(number[at]), lanes)
                add_edge_slopes(of_key, j * size, pull, at, query, i * channels, both, 0, channels, slope, lanes)
            else:
                add_edge_slopes(of_key, j * size, pull, at, query, i * channels, key, j * size, channels, slope, lanes)


@compiled
def split_attention(
    low, high, lanes, ptr, sender, number, query, key, value, slope, inside, seed, threshold, loud, out, lse
):  # fmt: skip
    """GAT's; ``query [N_i, H]``, ``key [N_j, H]``, ``inside [E, H]`` what an edge adds within the leaky ReLU."""
    heads, step = lse.shape[1], width(lanes)
    wide = out.size // max(lse.size, 1)
    alpha = np.empty((most_edges(ptr, low, high), heads), out.dtype)
    top, total = np.empty(heads, out.dtype), np.empty(heads, out.dtype)
    for i in range(low, high):
        first, degree = ptr[i], ptr[i + 1] - ptr[i]
        out[i * heads * wide : (i + 1) * heads * wide] = 0
        for e in range(degree):
            j = sender[first + e]
            for h in range(heads):
                alpha[e, h] = query[i, h] + key[j, h]
            if inside.shape[0]:
                for h in range(heads):
                    alpha[e, h] += inside[number[first + e], h]
            for h in range(heads):
                alpha[e, h] = alpha[e, h] if alpha[e, h] > 0 else slope * alpha[e, h]
        softmax(alpha, degree, top, total, lse, i)
        if threshold:
            drop(alpha, degree, ptr, sender, number, i, seed, threshold, loud)
        for e in range(degree):
            j = np.int64(sender[first + e]) * heads
            for h in range(heads):
                for c in range(0, wide, step):
                    add(out, (i * heads + h) * wide + c, alpha[e, h], value, (j + h) * wide + c, lanes)


@compiled
def split_attention_to_receivers(
    low, high, lanes, ptr, sender, number, query, key, value, slope, inside, seed, threshold, loud,
    out, lse, grad, heard, pull, query_grad,
):  # fmt: skip
    """How loud each edge was, ``heard [E, H]``, the gradient within the leaky ReLU ``pull [E, H]``, and the query's."""
    heads, wide = lse.shape[1], out.size // max(lse.size, 1)
    mean, within = np.empty(heads, out.dtype), np.empty(heads, out.dtype)
    for i in range(low, high):
        query_grad[i] = 0
        for h in range(heads):
            mean[h] = product(grad, (i * heads + h) * wide, out, (i * heads + h) * wide, wide, lanes)
        for e in range(ptr[i], ptr[i + 1]):
            j = np.int64(sender[e])
            for h in range(heads):
                within[h] = query[i, h] + key[j, h]
            if inside.shape[0]:
                for h in range(heads):
                    within[h] += inside[number[e], h]
            for h in range(heads):
                heard[e, h] = within[h] if within[h] > 0 else slope * within[h]
            for h in range(heads):
                pull[e, h] = product(grad, (i * heads + h) * wide, value, (j * heads + h) * wide, wide, lanes)
            pulled(e, i, heard, pull, mean, lse, sender, number, seed, threshold, loud)
            for h in range(heads):
                pull[e, h] = pull[e, h] if within[h] > 0 else slope * pull[e, h]
            for h in range(heads):
                query_grad[i, h] += pull[e, h]


@compiled
def split_attention_to_senders(low, high, lanes, ptr, receiver, place, heard, pull, grad, key_grad, value_grad):
    """The gradients of keys ``[N_j, H]`` and of values."""
    heads, step = heard.shape[1], width(lanes)
    wide = value_grad.size // max((ptr.size - 1) * heads, 1)
    for j in range(low, high):
        key_grad[j] = 0
        value_grad[j * heads * wide : (j + 1) * heads * wide] = 0
        for e in range(ptr[j], ptr[j + 1]):
            i, at = np.int64(receiver[e]) * heads, place[e]
            for h in range(heads):
                key_grad[j, h] += pull[at, h]
            for h in range(heads):
                for c in range(0, wide, step):
                    add(value_grad, (j * heads + h) * wide + c, heard[at, h], grad, (i + h) * wide + c, lanes)
