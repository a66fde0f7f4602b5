"""Instructions over the edges of one receiver: the softmax of its scores in all heads at once, four messages at a time.

A row's weights stand edge by edge, ``period`` numbers for each: one for every head, and what is missing to a power of two, or
to a multiple of ``STRIDE``. So instructions of ``STRIDE`` numbers run over several edges at once, and each of their lanes is
one head throughout: ``top``, ``share`` and other numbers of heads come repeated, at least ``STRIDE`` of them. Behind a row's end
there is room up to the next multiple of ``STRIDE``.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from graphattn.backends.numba.lanes import MATH, count, inner, place, read, spread, vector_of
from graphattn.backends.numba.memory import steps

STRIDE = 16
_INTEGER = ir.IntType(32)
_ROW = ir.VectorType(ir.FloatType(), STRIDE)


def constant(vector: ir.VectorType, number: float) -> ir.Constant:
    """A vector of one number."""
    return ir.Constant(vector, [float(number)] * vector.count)


def larger(builder, x, y):
    """The larger of two; ``x`` where it is no number."""
    return builder.select(builder.fcmp_ordered("<", x, y), y, x)


def exponential(builder, x):
    """exp(x) of a float32 vector of numbers that are not above zero by much; what is no number stays none."""
    # exp(x) = 2^n exp(r), |r| <= ln(2) / 2, exp(r) by a polynomial (Cephes).
    vector, lowest = x.type, constant(x.type, -87.0)
    low = builder.select(builder.fcmp_ordered("<", x, lowest), lowest, x)
    kind = ir.FunctionType(vector, [vector])
    nearest = cgutils.get_or_insert_function(builder.module, kind, f"llvm.rint.v{vector.count}f32")
    n = builder.call(nearest, [builder.fmul(low, constant(vector, 1.4426950408889634))])
    r = builder.fsub(low, builder.fmul(n, constant(vector, 0.693359375), flags=MATH), flags=MATH)
    r = builder.fsub(r, builder.fmul(n, constant(vector, -2.12194440e-4), flags=MATH), flags=MATH)
    p = constant(vector, 1.9875691500e-4)
    for factor in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1.0, 1.0):
        p = builder.fadd(builder.fmul(p, r, flags=MATH), constant(vector, factor), flags=MATH)
    integers = ir.VectorType(_INTEGER, vector.count)
    power = builder.add(builder.fptosi(n, integers), ir.Constant(integers, [127] * vector.count))
    power = builder.bitcast(builder.shl(power, ir.Constant(integers, [23] * vector.count)), vector)
    nothing = builder.fcmp_ordered("<=", x, lowest)
    return builder.select(nothing, constant(vector, 0), builder.fmul(p, power, flags=MATH))


def period_of(heads: int) -> int:
    """How many numbers stand for an edge.

    >>> [period_of(heads) for heads in (1, 3, 8, 16, 17)]
    [1, 4, 8, 16, 32]
    """
    return -(-heads // STRIDE) * STRIDE if heads > STRIDE else 1 << max(heads - 1, 0).bit_length()


@inner
def repeat(numbers, period):
    """Numbers of the heads of one edge, for as many edges as an instruction handles."""
    for at in range(period, numbers.size):
        numbers[at] = numbers[at - period]


@intrinsic
def _highest(typingctx, weight, start, stop, step, top):
    """The largest in each lane of ``weight[start:stop]``, to ``top[start:]``."""

    def generate(context, builder, signature, arguments):
        array, start, stop, step, tops = arguments
        highest = cgutils.alloca_once_value(builder, constant(_ROW, -np.inf))
        with steps(builder, start, stop, step) as at:
            score = read(context, builder, weight, array, at, _ROW)
            builder.store(larger(builder, score, builder.load(highest)), highest)
        pointer, align = place(context, builder, top, tops, start, _ROW)
        builder.store(builder.load(highest), pointer, align=align)
        return context.get_dummy_value()

    index = types.intp
    return types.void(weight, index, index, index, top), generate


@intrinsic
def _powers(typingctx, weight, start, stop, step, top, total):
    """``weight = exp(weight - top)``, and its sum in each lane to ``total[start:]``."""

    def generate(context, builder, signature, arguments):
        array, start, stop, step, tops, totals = arguments
        highest = read(context, builder, top, tops, start, _ROW)
        whole = cgutils.alloca_once_value(builder, constant(_ROW, 0))
        with steps(builder, start, stop, step) as at:
            pointer, align = place(context, builder, weight, array, at, _ROW)
            power = exponential(builder, builder.fsub(builder.load(pointer, align=align), highest))
            builder.store(power, pointer, align=align)
            builder.store(builder.fadd(builder.load(whole), power, flags=MATH), whole)
        pointer, align = place(context, builder, total, totals, start, _ROW)
        builder.store(builder.load(whole), pointer, align=align)
        return context.get_dummy_value()

    index = types.intp
    return types.void(weight, index, index, index, top, total), generate


@intrinsic
def _scale(typingctx, weight, start, stop, step, share):
    """``weight *= share``."""

    def generate(context, builder, signature, arguments):
        array, start, stop, step, shares = arguments
        factor = read(context, builder, share, shares, start, _ROW)
        with steps(builder, start, stop, step) as at:
            pointer, align = place(context, builder, weight, array, at, _ROW)
            builder.store(builder.fmul(builder.load(pointer, align=align), factor), pointer, align=align)
        return context.get_dummy_value()

    index = types.intp
    return types.void(weight, index, index, index, share), generate


def softmax(weight, degree, heads, period, top, share):
    """Scores of a row become their softmax; of each head the largest, ``top``, and one over the sum, ``share``."""
    raise NotImplementedError


@overload(softmax)
def _softmax(weight, degree, heads, period, top, share):
    if weight.dtype == types.float32:

        def in_vectors(weight, degree, heads, period, top, share):
            stop = -(-degree * period // STRIDE) * STRIDE
            weight[degree * period : stop] = -np.inf
            for start in range(0, period, STRIDE):
                _highest(weight, start, stop, max(period, STRIDE), top)
            for h in range(period, top.size):
                top[h % period] = max(top[h % period], top[h])
            for h in range(period):
                top[h] = top[h] if top[h] != -np.inf else np.float32(0)
            repeat(top, period)
            for start in range(0, period, STRIDE):
                _powers(weight, start, stop, max(period, STRIDE), top, share)
            for h in range(period, share.size):
                share[h % period] += share[h]
            for h in range(period):
                share[h] = 1 / share[h] if share[h] != 0 else np.float32(0)
            repeat(share, period)
            for start in range(0, period, STRIDE):
                _scale(weight, start, stop, max(period, STRIDE), share)

        return in_vectors

    def one_by_one(weight, degree, heads, period, top, share):
        for h in range(heads):
            top[h], share[h] = -np.inf, 0.0
            for at in range(h, degree * period, period):
                top[h] = max(weight[at], top[h])
            top[h] = top[h] if top[h] != -np.inf else 0.0
            for at in range(h, degree * period, period):
                weight[at] = math.exp(weight[at] - top[h])
                share[h] += weight[at]
            share[h] = 1 / share[h] if share[h] != 0 else 0.0
            for at in range(h, degree * period, period):
                weight[at] *= share[h]

    return one_by_one


@intrinsic
def _mean(typingctx, weight, grad, start, stop, step, mean):
    """The sum in each lane of ``weight * grad``, to ``mean[start:]``."""

    def generate(context, builder, signature, arguments):
        weights, grads, start, stop, step, means = arguments
        whole = cgutils.alloca_once_value(builder, constant(_ROW, 0))
        with steps(builder, start, stop, step) as at:
            left, right = (
                read(context, builder, weight, weights, at, _ROW),
                read(context, builder, grad, grads, at, _ROW),
            )
            term = builder.fmul(left, right, flags=MATH)
            builder.store(builder.fadd(builder.load(whole), term, flags=MATH), whole)
        pointer, align = place(context, builder, mean, means, start, _ROW)
        builder.store(builder.load(whole), pointer, align=align)
        return context.get_dummy_value()

    index = types.intp
    return types.void(weight, grad, index, index, index, mean), generate


@intrinsic
def _differ(typingctx, weight, grad, start, stop, step, mean):
    """``grad = weight * (grad - mean)``."""

    def generate(context, builder, signature, arguments):
        weights, grads, start, stop, step, means = arguments
        middle = read(context, builder, mean, means, start, _ROW)
        with steps(builder, start, stop, step) as at:
            factor = read(context, builder, weight, weights, at, _ROW)
            pointer, align = place(context, builder, grad, grads, at, _ROW)
            change = builder.fsub(builder.load(pointer, align=align), middle)
            builder.store(builder.fmul(factor, change), pointer, align=align)
        return context.get_dummy_value()

    index = types.intp
    return types.void(weight, grad, index, index, index, mean), generate


def softmax_gradient(weight, grad, degree, heads, period, mean):
    """Gradients of a row's weights become those of its scores, ``weight * (grad - mean)`` with each head's weighted ``mean``."""
    raise NotImplementedError


@overload(softmax_gradient)
def _softmax_gradient(weight, grad, degree, heads, period, mean):
    if weight.dtype == types.float32:

        def in_vectors(weight, grad, degree, heads, period, mean):
            stop = -(-degree * period // STRIDE) * STRIDE
            weight[degree * period : stop] = 0
            grad[degree * period : stop] = 0
            for start in range(0, period, STRIDE):
                _mean(weight, grad, start, stop, max(period, STRIDE), mean)
            for h in range(period, mean.size):
                mean[h % period] += mean[h]
            repeat(mean, period)
            for start in range(0, period, STRIDE):
                _differ(weight, grad, start, stop, max(period, STRIDE), mean)

        return in_vectors

    def one_by_one(weight, grad, degree, heads, period, mean):
        for h in range(heads):
            mean[h] = 0.0
        for e in range(degree):
            for h in range(heads):
                mean[h] += weight[e * period + h] * grad[e * period + h]
        for e in range(degree):
            for h in range(heads):
                grad[e * period + h] = weight[e * period + h] * (grad[e * period + h] - mean[h])

    return one_by_one


@intrinsic
def add_four(typingctx, y, yt, w0, w1, w2, w3, x, t0, t1, t2, t3, channels, lanes):
    """``y[yt:] += w0 x[t0:] + w1 x[t1:] + w2 x[t2:] + w3 x[t3:]`` over some channels, a multiple of the lanes."""

    def generate(context, builder, signature, arguments):
        (target, to), factors, (other, *rows), size = arguments[:2], arguments[2:6], arguments[6:11], arguments[11]
        vector = vector_of(y, lanes)
        wide = [spread(builder, factor, vector) for factor in factors]
        with steps(builder, 0, size, count(lanes)) as c:
            pointer, align = place(context, builder, y, target, builder.add(to, c), vector)
            total = builder.load(pointer, align=align)
            for factor, row in zip(wide, rows, strict=True):
                said = read(context, builder, x, other, builder.add(row, c), vector)
                total = builder.fadd(total, builder.fmul(factor, said, flags=MATH), flags=MATH)
            builder.store(total, pointer, align=align)
        return context.get_dummy_value()

    real, index = y.dtype, types.intp
    places = (index, index, index, index)
    return types.void(y, index, real, real, real, real, x, *places, index, lanes), generate
