"""Kernels for scores in which a leaky ReLU looks at receiver and sender together.

Their layout is that of :mod:`graphattn.backends.cpu.kernels`. Of GATv2's score, ``sum_c w_c leaky(q_ic + k_jc)``, the gradient
needs two sums only, ``of_query_i = sum_j pull_ij leaky'(q_i + k_j)`` and ``of_key_j``, the same over the sender's edges: those of
query, key and ``w`` follow node by node, as ``leaky(z) = z leaky'(z)``. GAT's score is one number per head,
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

from graphattn.backends.cpu.lanes import (
    MATH,
    add,
    add_to,
    compiled,
    drop,
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


@compiled
def attention(
    low, high, lanes, said, ptr, sender, number, query, key, value, weight, slope, bias, seed, threshold, loud, out, lse
):  # fmt: skip
    """GATv2's; ``lanes`` of the score, ``said`` those of the value, ``weight [H * C]``."""
    heads, rows, step, stride = lse.shape[1], max(lse.size, 1), width(lanes), width(said)
    channels, wide = query.size // rows, out.size // rows
    alpha = np.empty((most_edges(ptr, low, high), heads), out.dtype)
    top, total = np.empty(heads, out.dtype), np.empty(heads, out.dtype)
    for i in range(low, high):
        first, degree = ptr[i], ptr[i + 1] - ptr[i]
        out[i * heads * wide : (i + 1) * heads * wide] = 0
        for e in range(degree):
            j = np.int64(sender[first + e]) * heads
            for h in range(heads):
                a, b = (i * heads + h) * channels, (j + h) * channels
                score = leaky_dot(weight, h * channels, query, a, key, b, slope, lanes)
                for c in range(step, channels, step):
                    score += leaky_dot(weight, h * channels + c, query, a + c, key, b + c, slope, lanes)
                alpha[e, h] = score
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
    low, high, lanes, said, ptr, sender, number, query, key, value, weight, slope, bias, seed, threshold, loud,
    out, lse, grad, heard, pull, of_query,
):  # fmt: skip
    """How loud each edge was, ``heard [E, H]``, the score's gradient ``pull [E, H]``, and ``of_query``."""
    heads, rows, step = lse.shape[1], max(lse.size, 1), width(lanes)
    channels, wide = query.size // rows, out.size // rows
    mean = np.empty(heads, out.dtype)
    for i in range(low, high):
        of_query[i * heads * channels : (i + 1) * heads * channels] = 0
        for h in range(heads):
            mean[h] = product(grad, (i * heads + h) * wide, out, (i * heads + h) * wide, wide, said)
        for e in range(ptr[i], ptr[i + 1]):
            j = np.int64(sender[e]) * heads
            for h in range(heads):
                a, b = (i * heads + h) * channels, (j + h) * channels
                score = leaky_dot(weight, h * channels, query, a, key, b, slope, lanes)
                for c in range(step, channels, step):
                    score += leaky_dot(weight, h * channels + c, query, a + c, key, b + c, slope, lanes)
                heard[e, h] = score
                pull[e, h] = product(grad, (i * heads + h) * wide, value, (j + h) * wide, wide, said)
            if bias.shape[0]:
                for h in range(heads):
                    heard[e, h] += bias[number[e], h]
            pulled(e, i, heard, pull, mean, lse, sender, number, seed, threshold, loud)
            for h in range(heads):
                a, b = (i * heads + h) * channels, (j + h) * channels
                for c in range(0, channels, step):
                    add_slopes(of_query, a + c, pull[e, h], query, a + c, key, b + c, slope, lanes)


@compiled
def slopes(low, high, lanes, ptr, other, place, weight, x, y, slope, out):
    """Sums over a row's edges, ``out_r = sum_e weight[place_e] leaky'(x_r + y[other_e])``; ``weight [E, H]``."""
    heads, step = weight.shape[1], width(lanes)
    channels = out.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        out[r * heads * channels : (r + 1) * heads * channels] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, place[e]
            for h in range(heads):
                a, b = (r * heads + h) * channels, (i + h) * channels
                for c in range(0, channels, step):
                    add_slopes(out, a + c, weight[at, h], x, a + c, y, b + c, slope, lanes)


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
                pull[e, h] = product(grad, (i * heads + h) * wide, value, (j * heads + h) * wide, wide, lanes)
            pulled(e, i, heard, pull, mean, lse, sender, number, seed, threshold, loud)
            for h in range(heads):
                pull[e, h] = pull[e, h] if within[h] > 0 else slope * pull[e, h]
                query_grad[i, h] += pull[e, h]


@compiled
def sums(low, high, ptr, place, weight, out):
    """The sum of a number over a row's edges, ``out_r = sum_e weight[place_e]``; ``weight [E, H]``, ``out [N, H]``."""
    for r in range(low, high):
        out[r] = 0
        for e in range(ptr[r], ptr[r + 1]):
            for h in range(out.shape[1]):
                out[r, h] += weight[place[e], h]
