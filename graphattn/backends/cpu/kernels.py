"""Kernels over grouped edges. No tensor of edges times channels is ever made.

Every kernel works on the rows from ``low`` to ``high`` and writes to no other. Node tensors come flat, ``[N * H * C]``; a node's
heads lie side by side. ``lanes`` is an empty array of strings whose length, known to the compiler by its type, is the number of
channels handled by one instruction: it divides the channels of keys and of values.

Letters: ``H`` heads, ``C`` channels of query and key, ``D`` of the value. All that a kernel calls stands in this file, because
Numba's cache does not see edits in others.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

# Not "fast" as a whole: that would delete the guards around minus infinity.
_MATH = ("contract", "reassoc", "arcp", "nsz")
_LOG2E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(_MATH)}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder where the compiled code could be kept
        return numba.njit(**options)(function)


def _real(array_type):
    return ir.FloatType() if array_type.dtype == types.float32 else ir.DoubleType()


def _pointer(context, builder, array_type, array, at, vector):
    data = context.make_array(array_type)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


@intrinsic
def _dot(typingctx, a, at, b, bt, lanes):
    """The inner product of ``a[at:]`` and ``b[bt:]`` over as many channels as there are lanes."""
    width = lanes.dtype.count

    def generate(context, builder, signature, arguments):
        real = _real(signature.args[0])
        vector = ir.VectorType(real, width)
        left = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], vector)
        right = _pointer(context, builder, signature.args[2], arguments[2], arguments[3], vector)
        align = 4 if isinstance(real, ir.FloatType) else 8
        product = builder.fmul(builder.load(left, align=align), builder.load(right, align=align), flags=_MATH)
        name = f"llvm.vector.reduce.fadd.v{width}f{8 * align}"
        total = cgutils.get_or_insert_function(builder.module, ir.FunctionType(real, [real, vector]), name)
        return builder.call(total, [ir.Constant(real, 0.0), product], fastmath=_MATH)

    return a.dtype(a, types.intp, b, types.intp, lanes), generate


@intrinsic
def _add(typingctx, y, yt, factor, x, xt, lanes):
    """``y[yt:] += factor * x[xt:]`` over as many channels as there are lanes."""
    width = lanes.dtype.count

    def generate(context, builder, signature, arguments):
        real = _real(signature.args[0])
        vector = ir.VectorType(real, width)
        to = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], vector)
        read = _pointer(context, builder, signature.args[3], arguments[3], arguments[4], vector)
        align = 4 if isinstance(real, ir.FloatType) else 8
        nothing = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(nothing, arguments[2], ir.Constant(ir.IntType(32), 0))
        spread = builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width))
        scaled = builder.fmul(spread, builder.load(read, align=align), flags=_MATH)
        builder.store(builder.fadd(builder.load(to, align=align), scaled, flags=_MATH), to, align=align)
        return context.get_dummy_value()

    return types.void(y, types.intp, y.dtype, x, types.intp, lanes), generate


@intrinsic
def _width(typingctx, lanes):
    """The number of lanes, as a constant of the code."""
    width = lanes.dtype.count

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), width)

    return types.int64(lanes), generate


@intrinsic
def _as_float(typingctx, bits):
    """The float32 that an int32 spells."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


def _exp(x):
    """The exponential of a number that is not above zero by much."""
    return math.exp(x)


@overload(_exp, inline="always")
def _exp_of(x):
    if x != types.float32:
        return lambda x: math.exp(x)

    def exp(x):
        # exp(x) = 2^n exp(r), |r| <= ln(2) / 2, exp(r) by a polynomial (Cephes): vectorises, where a call to libm does not.
        low = max(x, np.float32(-87.0))
        n = math.floor(low * _LOG2E + np.float32(0.5))
        r = low - n * _LN2_HIGH - n * _LN2_LOW
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        p = p * r * r + r + np.float32(1.0)
        power = _as_float(np.int32((np.int32(n) + np.int32(127)) << np.int32(23)))
        return p * power if x > np.float32(-87.0) else np.float32(0)

    return exp


@numba.njit(inline="always")
def _mixed(word):
    # The hash of graphattn.dropout.
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D))
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(word ^ (word >> np.uint32(16)))


@numba.njit(inline="always")
def _word(seed, receiver, sender, number):
    word = _mixed(np.uint32(_mixed(np.uint32(seed)) ^ np.uint32(receiver)))
    word = _mixed(np.uint32(word ^ np.uint32(sender)))
    return _mixed(np.uint32(word ^ np.uint32(number)))


@numba.njit(inline="always")
def _factor(word, head, threshold, loud):
    return loud if np.uint64(_mixed(np.uint32(word ^ np.uint32(head)))) >= threshold else type(loud)(0)


@numba.njit(inline="always", fastmath=set(_MATH))
def _inner(a, at, b, bt, channels, lanes):
    total = _dot(a, at, b, bt, lanes)
    for c in range(_width(lanes), channels, _width(lanes)):
        total += _dot(a, at + c, b, bt + c, lanes)
    return total


@numba.njit(inline="always")
def _add_all(y, yt, factor, x, xt, channels, lanes):
    for c in range(0, channels, _width(lanes)):
        _add(y, yt + c, factor, x, xt + c, lanes)


@numba.njit(inline="always")
def _score(scores, e, query, i, key, j, channels, bias, number, lanes):
    heads = scores.shape[1]
    for h in range(heads):
        scores[e, h] = _inner(query, (i * heads + h) * channels, key, (j * heads + h) * channels, channels, lanes)
    if bias.shape[0]:
        for h in range(heads):
            scores[e, h] += bias[number, h]


@numba.njit(inline="always")
def _pull(heard, pull, e, mean, lse, i, word, threshold, loud):
    # The softmax's derivative: scores become weights, and what the values want becomes what the scores want.
    for h in range(heard.shape[1]):
        heard[e, h] = _exp(heard[e, h] - lse[i, h])
    if threshold:
        for h in range(heard.shape[1]):
            factor = _factor(word, h, threshold, loud)
            pull[e, h] = heard[e, h] * (factor * pull[e, h] - mean[h])
            heard[e, h] *= factor
    else:
        for h in range(heard.shape[1]):
            pull[e, h] = heard[e, h] * (pull[e, h] - mean[h])


@_compiled
def attention(low, high, lanes, ptr, sender, number, query, key, value, bias, seed, threshold, loud, out, lse):
    """Softmax-weighted sums; ``lse [N_i, H]`` becomes the logarithm of each row's sum, infinity for a row that hears nobody."""
    heads = lse.shape[1]
    channels, wide = query.size // max(lse.size, 1), out.size // max(lse.size, 1)
    most = 0
    for i in range(low, high):
        most = max(most, ptr[i + 1] - ptr[i])
    weight = np.empty((most, heads), out.dtype)
    top, total = np.empty(heads, out.dtype), np.empty(heads, out.dtype)
    for i in range(low, high):
        first, degree = ptr[i], ptr[i + 1] - ptr[i]
        top[:] = -np.inf
        total[:] = 0
        out[i * heads * wide : (i + 1) * heads * wide] = 0
        for e in range(degree):
            _score(weight, e, query, i, key, np.int64(sender[first + e]), channels, bias, number[first + e], lanes)
            for h in range(heads):
                top[h] = max(top[h], weight[e, h])
        for h in range(heads):
            top[h] = top[h] if top[h] > -np.inf else 0
        for e in range(degree):
            for h in range(heads):
                weight[e, h] = _exp(weight[e, h] - top[h])
                total[h] += weight[e, h]
        for h in range(heads):
            lse[i, h] = top[h] + math.log(total[h]) if total[h] > 0 else np.inf
            total[h] = 1 / total[h] if total[h] > 0 else 0
        for e in range(degree):
            j = np.int64(sender[first + e])
            word = _word(seed, i, j, number[first + e]) if threshold else np.uint32(0)
            for h in range(heads):
                share = weight[e, h] * total[h] * (_factor(word, h, threshold, loud) if threshold else loud)
                _add_all(out, (i * heads + h) * wide, share, value, (j * heads + h) * wide, wide, lanes)


@_compiled
def attention_to_receivers(
    low, high, lanes, ptr, sender, number, query, key, value, bias, seed, threshold, loud, out, lse, grad, heard, pull, query_grad
):  # fmt: skip
    """Back to receivers: how loud each edge was, ``heard [E, H]``, the score's gradient ``pull [E, H]``, and the query's."""
    heads = lse.shape[1]
    channels, wide = query.size // max(lse.size, 1), out.size // max(lse.size, 1)
    mean = np.empty(heads, out.dtype)
    for i in range(low, high):
        query_grad[i * heads * channels : (i + 1) * heads * channels] = 0
        for h in range(heads):
            mean[h] = _inner(grad, (i * heads + h) * wide, out, (i * heads + h) * wide, wide, lanes)
        for e in range(ptr[i], ptr[i + 1]):
            j = np.int64(sender[e])
            _score(heard, e, query, i, key, j, channels, bias, number[e], lanes)
            for h in range(heads):
                pull[e, h] = _inner(grad, (i * heads + h) * wide, value, (j * heads + h) * wide, wide, lanes)
            word = _word(seed, i, j, number[e]) if threshold else np.uint32(0)
            _pull(heard, pull, e, mean, lse, i, word, threshold, loud)
            for h in range(heads):
                change = pull[e, h]
                _add_all(
                    query_grad, (i * heads + h) * channels, change, key, (j * heads + h) * channels, channels, lanes
                )


@_compiled
def weighted_sum(low, high, lanes, ptr, other, place, weight, x, out):
    """Sums over a row's edges, ``out_r = sum_e weight[place_e] x[other_e]``; ``weight [E, H]``."""
    heads = weight.shape[1]
    channels = out.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        out[r * heads * channels : (r + 1) * heads * channels] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, place[e]
            for h in range(heads):
                _add_all(out, (r * heads + h) * channels, weight[at, h], x, (i + h) * channels, channels, lanes)


@_compiled
def edge_products(low, high, lanes, ptr, other, place, left, right, out):
    """Inner products of a row and the other end of each of its edges, ``out[place_e] = left_r . right[other_e]``, ``[E, H]``."""
    heads = out.shape[1]
    channels = left.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, place[e]
            for h in range(heads):
                out[at, h] = _inner(left, (r * heads + h) * channels, right, (i + h) * channels, channels, lanes)
