"""Instructions over the edges of one receiver: the softmax of its scores in all heads at once, four messages at a time.

A row's weights stand edge by edge, ``period`` numbers for each: one for every head, and what is missing to a power of two, or
to a multiple of ``STRIDE``. So instructions of ``STRIDE`` numbers run over several edges at once, and each of their lanes is
one head throughout: ``top``, ``share`` and other numbers of heads come repeated, at least ``STRIDE`` of them. Behind a row's end
there is room up to the next multiple of ``STRIDE``.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments

from __future__ import annotations

import numpy as np
from numba.core import cgutils, types

from graphattn.backends.numba.compiling import MATH, inner
from graphattn.backends.numba.vector import (
    Vector,
    count,
    exp,
    in_each_lane,
    instruction,
    load,
    place,
    select,
    spread,
    store,
)

STRIDE = 16


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


@inner
def softmax(weight, degree, heads, period, top, share):
    """Scores of a row become their softmax; of each head the largest, ``top``, and one over the sum, ``share``."""
    stop, step = -(-degree * period // STRIDE) * STRIDE, max(period, STRIDE)
    weight[degree * period : stop] = -np.inf
    for start in range(0, period, STRIDE):
        best = spread(-np.inf, weight, STRIDE)
        for at in range(start, stop, step):
            score = load(weight, at, STRIDE)
            best = select(best > score, best, score)
        store(top, start, best)
    for h in range(period, top.size):
        top[h % period] = max(top[h % period], top[h])
    for h in range(period):
        top[h] = top[h] if top[h] != -np.inf else type(top[h])(0)
    repeat(top, period)
    for start in range(0, period, STRIDE):
        whole = spread(0, weight, STRIDE)
        for at in range(start, stop, step):
            power = exp(load(weight, at, STRIDE) - load(top, start, STRIDE))
            store(weight, at, power)
            whole += power
        store(share, start, whole)
    for h in range(period, share.size):
        share[h % period] += share[h]
    for h in range(period):
        share[h] = 1 / share[h] if share[h] != 0 else type(share[h])(0)
    repeat(share, period)
    for start in range(0, period, STRIDE):
        for at in range(start, stop, step):
            store(weight, at, load(weight, at, STRIDE) * load(share, start, STRIDE))


@inner
def softmax_gradient(weight, grad, degree, heads, period, mean):
    """Gradients of a row's weights become those of its scores, ``weight * (grad - mean)`` with each head's weighted ``mean``."""
    stop, step = -(-degree * period // STRIDE) * STRIDE, max(period, STRIDE)
    weight[degree * period : stop] = 0
    grad[degree * period : stop] = 0
    for start in range(0, period, STRIDE):
        whole = spread(0, weight, STRIDE)
        for at in range(start, stop, step):
            whole += load(weight, at, STRIDE) * load(grad, at, STRIDE)
        store(mean, start, whole)
    for h in range(period, mean.size):
        mean[h % period] += mean[h]
    repeat(mean, period)
    for start in range(0, period, STRIDE):
        for at in range(start, stop, step):
            change = load(grad, at, STRIDE) - load(mean, start, STRIDE)
            store(grad, at, load(weight, at, STRIDE) * change)


@instruction
def add_four(typingctx, y, yt, w0, w1, w2, w3, x, t0, t1, t2, t3, channels, lanes):
    """``y[yt:] += w0 x[t0:] + w1 x[t1:] + w2 x[t2:] + w3 x[t3:]`` over some channels, a multiple of the lanes."""
    # As one instruction: of the same in Numba's own words LLVM makes code that takes a quarter longer.
    vector = Vector(y.dtype, count(lanes)).llvm

    def build(context, builder, target, to, w0, w1, w2, w3, other, t0, t1, t2, t3, size, _):
        wide = [in_each_lane(builder, factor, vector) for factor in (w0, w1, w2, w3)]
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(vector.count), size.type) as (c, _):
            pointer, align = place(context, builder, y, target, builder.add(to, c), vector)
            total = builder.load(pointer, align=align)
            for factor, row in zip(wide, (t0, t1, t2, t3), strict=True):
                sent, align_x = place(context, builder, x, other, builder.add(row, c), vector)
                product = builder.fmul(factor, builder.load(sent, align=align_x), flags=MATH)
                total = builder.fadd(total, product, flags=MATH)
            builder.store(total, pointer, align=align)

    real, index = y.dtype, types.intp
    ends = (index, index, index, index)
    return types.void(y, index, real, real, real, real, x, *ends, index, lanes), build
