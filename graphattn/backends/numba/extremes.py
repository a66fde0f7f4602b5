"""Kernels for the largest message of a row's edges, channel by channel; ties share the gradient.

Their layout is that of :mod:`graphattn.backends.numba.kernels`; a message is ``weight[place_e] x[other_e]``.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from graphattn.backends.numba.lanes import MATH, add_to, compiled, place, read, spread, summed, vector_of, width


@intrinsic
def keep_larger(typingctx, y, yt, factor, x, xt, lanes):
    """``y[yt:] = max(y[yt:], factor * x[xt:])``, not a number where one of them is not, over as many channels as lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        said = read(context, builder, x, arguments[3], arguments[4], vector)
        said = builder.fmul(spread(builder, arguments[2], vector), said, flags=MATH)
        pointer, align = place(context, builder, y, arguments[0], arguments[1], vector)
        known = builder.load(pointer, align=align)
        larger = builder.or_(builder.fcmp_ordered(">", said, known), builder.fcmp_unordered("uno", said, said))
        builder.store(builder.select(larger, said, known), pointer, align=align)
        return context.get_dummy_value()

    return types.void(y, types.intp, y.dtype, x, types.intp, lanes), generate


@intrinsic
def add_where_equal(typingctx, y, yt, share, st, back, factor, x, xt, top, tt, lanes):
    """``y[yt:] += back * share[st:]`` where ``factor * x[xt:] == top[tt:]``, over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        said = read(context, builder, x, arguments[6], arguments[7], vector)
        said = builder.fmul(spread(builder, arguments[5], vector), said, flags=MATH)
        equal = builder.fcmp_ordered("==", said, read(context, builder, top, arguments[8], arguments[9], vector))
        part = read(context, builder, share, arguments[2], arguments[3], vector)
        part = builder.fmul(spread(builder, arguments[4], vector), part, flags=MATH)
        term = builder.select(equal, part, ir.Constant(vector, [0.0] * vector.count))
        return add_to(context, builder, y, arguments[0], arguments[1], term, vector)

    real, at = y.dtype, types.intp
    return types.void(y, at, share, at, real, real, x, at, top, at, lanes), generate


@intrinsic
def dot_where_equal(typingctx, share, st, factor, x, xt, top, lanes):
    """The inner product of ``share[st:]`` and ``x[xt:]`` where ``factor * x[xt:] == top[st:]``."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(x, lanes)
        own = read(context, builder, x, arguments[3], arguments[4], vector)
        said = builder.fmul(spread(builder, arguments[2], vector), own, flags=MATH)
        equal = builder.fcmp_ordered("==", said, read(context, builder, top, arguments[5], arguments[1], vector))
        both = builder.fmul(read(context, builder, share, arguments[0], arguments[1], vector), own, flags=MATH)
        return summed(builder, builder.select(equal, both, ir.Constant(vector, [0.0] * vector.count)), vector)

    return x.dtype(share, types.intp, x.dtype, x, types.intp, top, lanes), generate


@compiled
def largest(low, high, lanes, ptr, other, weight, x, out):
    """The largest message ``out [N * H * C]`` of each row, zero where there is none; ``weight [E, H]``."""
    heads, step = weight.shape[1], width(lanes)
    channels = out.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        out[r * heads * channels : (r + 1) * heads * channels] = -np.inf if ptr[r] < ptr[r + 1] else 0
        for e in range(ptr[r], ptr[r + 1]):
            i = np.int64(other[e]) * heads
            for h in range(heads):
                for c in range(0, channels, step):
                    keep_larger(out, (r * heads + h) * channels + c, weight[e, h], x, (i + h) * channels + c, lanes)


@compiled
def shares(low, high, lanes, ptr, other, weight, x, out, zero, grad, ones, share, added_grad, weight_grad):
    """What each of the largest messages gets of the gradient, ``share [N * H * C]``; and gradients of weights, if wanted.

    torch counts the zero that a row starts from as one of them: ``zero`` tells where. All of them: ``added_grad [N * H * C]``.
    """
    heads, step = weight.shape[1], width(lanes)
    channels = out.size // max((ptr.size - 1) * heads, 1)
    one = ones[0]
    for r in range(low, high):
        first, last = r * heads * channels, (r + 1) * heads * channels
        for n in range(first, last):
            share[n] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i = np.int64(other[e]) * heads
            for h in range(heads):
                for c in range(0, channels, step):
                    t, b = (r * heads + h) * channels + c, (i + h) * channels + c
                    add_where_equal(share, t, ones, 0, one, weight[e, h], x, b, out, t, lanes)
        for n in range(first, last):
            ties = share[n]
            share[n] = grad[n] / (ties + zero[n]) if ties else 0
            added_grad[n] = ties * share[n]
        if weight_grad.shape[0]:
            for e in range(ptr[r], ptr[r + 1]):
                i = np.int64(other[e]) * heads
                for h in range(heads):
                    weight_grad[e, h] = 0
                    for c in range(0, channels, step):
                        t, b = (r * heads + h) * channels + c, (i + h) * channels + c
                        weight_grad[e, h] += dot_where_equal(share, t, weight[e, h], x, b, out, lanes)


@compiled
def largest_to_senders(low, high, lanes, ptr, other, places, weight, x, out, share, x_grad):
    """Back to senders: ``x_grad_r``, the sum of ``weight share`` over the edges whose messages are the largest."""
    heads, step = weight.shape[1], width(lanes)
    channels = x_grad.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        x_grad[r * heads * channels : (r + 1) * heads * channels] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, places[e]
            for h in range(heads):
                w = weight[at, h]
                for c in range(0, channels, step):
                    t, b = (i + h) * channels + c, (r * heads + h) * channels + c
                    add_where_equal(x_grad, b, share, t, w, w, x, b, out, t, lanes)
