"""Instructions of the kernels for EdgeConv: rectified sums, comparisons as bits, products that stay in registers.

Numba does not see edits in what kernels call from other files: the type of ``lanes`` spells the text of this file, too.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic

from graphattn.backends.numba import lanes as plain
from graphattn.backends.numba.lanes import MATH, add_to, place, read, spread, vector_of

ROWS = 6
_SOURCE = Path(__file__)
_STAMP = hashlib.sha256(_SOURCE.read_bytes() if _SOURCE.exists() else b"").hexdigest()[:16]


_WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
# For six rows of sums: four registers of 512 bits each, or two of 256 bits. For one row, half of all registers.
FOR_ROWS = 256 if _WIDE else 64
FOR_ONE = 512 if _WIDE else 256


@lru_cache(maxsize=64)
def lanes(channels: int, bytes_each: int, room: int = FOR_ROWS) -> np.ndarray:
    """What tells the compiler how many channels it handles at once: a power of two that divides them and fits the ``room``.

    >>> lanes(48, bytes_each=4).dtype.itemsize
    16
    """
    spelled = plain.lanes(1).dtype.names or ("",)
    return np.empty(0, [(f"{spelled[0]}{_STAMP}", f"S{min(channels & -channels or 1, room // bytes_each)}")])


def _rectify(builder, own, said, slope, vector):
    """``own + said``, and whether it is above zero."""
    total = builder.fadd(own, said, flags=MATH)
    return total, builder.fcmp_ordered(">", total, ir.Constant(vector, [0.0] * vector.count))


def _rectified(builder, own, said, slope, vector):
    total, above = _rectify(builder, own, said, slope, vector)
    zero, slopes = ir.Constant(vector, [0.0] * vector.count), spread(builder, slope, vector)
    # Zero times minus infinity is no number, but relu of it is zero.
    low = builder.select(builder.fcmp_unordered("uno", total, total), total, zero)
    low = builder.select(builder.fcmp_ordered("==", slopes, zero), low, builder.fmul(slopes, total, flags=MATH))
    return builder.select(above, total, low)


@intrinsic
def rectify(typingctx, y, yt, own, ot, said, st, slope, lanes):
    """``y[yt:] = relu(own[ot:] + said[st:])`` over as many channels as there are lanes; below zero it has a slope."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        left = read(context, builder, own, arguments[2], arguments[3], vector)
        right = read(context, builder, said, arguments[4], arguments[5], vector)
        pointer, align = place(context, builder, y, arguments[0], arguments[1], vector)
        builder.store(_rectified(builder, left, right, arguments[6], vector), pointer, align=align)
        return context.get_dummy_value()

    at = types.intp
    return types.void(y, at, own, at, said, at, y.dtype, lanes), generate


@intrinsic
def add_rectified(typingctx, y, yt, own, ot, said, st, slope, lanes):
    """``y[yt:] += relu(own[ot:] + said[st:])`` over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        left = read(context, builder, own, arguments[2], arguments[3], vector)
        right = read(context, builder, said, arguments[4], arguments[5], vector)
        term = _rectified(builder, left, right, arguments[6], vector)
        return add_to(context, builder, y, arguments[0], arguments[1], term, vector)

    at = types.intp
    return types.void(y, at, own, at, said, at, y.dtype, lanes), generate


@intrinsic
def add_slope(typingctx, y, yt, pull, pt, own, ot, said, st, slope, lanes):
    """``y[yt:] += pull[pt:] relu'(own[ot:] + said[st:])`` over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        left = read(context, builder, own, arguments[4], arguments[5], vector)
        right = read(context, builder, said, arguments[6], arguments[7], vector)
        _, above = _rectify(builder, left, right, arguments[8], vector)
        part = read(context, builder, pull, arguments[2], arguments[3], vector)
        low = builder.fmul(part, spread(builder, arguments[8], vector), flags=MATH)
        return add_to(context, builder, y, arguments[0], arguments[1], builder.select(above, part, low), vector)

    at = types.intp
    return types.void(y, at, pull, at, own, at, said, at, y.dtype, lanes), generate


@intrinsic
def keep_largest(typingctx, y, yt, x, xt, lanes):
    """``y[yt:] = max(y[yt:], x[xt:])``, not a number where one of them is not, over as many channels as lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        said = read(context, builder, x, arguments[2], arguments[3], vector)
        pointer, align = place(context, builder, y, arguments[0], arguments[1], vector)
        known = builder.load(pointer, align=align)
        larger = builder.or_(builder.fcmp_ordered(">", said, known), builder.fcmp_unordered("uno", said, said))
        builder.store(builder.select(larger, said, known), pointer, align=align)
        return context.get_dummy_value()

    return types.void(y, types.intp, x, types.intp, lanes), generate


@intrinsic
def equal_bits(typingctx, x, xt, y, yt, lanes):
    """A bit for each lane in which ``x[xt:]`` and ``y[yt:]`` are equal."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(x, lanes)
        left = read(context, builder, x, arguments[0], arguments[1], vector)
        right = read(context, builder, y, arguments[2], arguments[3], vector)
        bits = builder.bitcast(builder.fcmp_ordered("==", left, right), ir.IntType(vector.count))
        return bits if vector.count == 64 else builder.zext(bits, ir.IntType(64))

    return types.uint64(x, types.intp, y, types.intp, lanes), generate


@intrinsic
def lowest_bit(typingctx, word):
    """The number of the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def add_rows(typingctx, y, yt, mine, x, at, channels, theirs, other, begin, end, lanes):
    """``y[yt:] = mine sum_e theirs[other_e] x[other_e channels + at:]``, the edges from ``begin`` to ``end``.

    As many channels as there are lanes: sums stay in registers.
    """

    def generate(context, builder, signature, arguments):
        out, to, factor, said, start, apart, scale, ends, begin, end = arguments[:10]
        vector, index = vector_of(y, lanes), ir.IntType(64)
        nothing = ir.Constant(vector, [0.0] * vector.count)
        numbers = context.make_array(other)(context, builder, value=ends).data
        scales = context.make_array(theirs)(context, builder, value=scale).data
        before, loop, done = builder.block, builder.append_basic_block("edges"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", begin, end), loop, done)
        builder.position_at_end(loop)
        e, total = builder.phi(index), builder.phi(vector)
        number = builder.load(builder.gep(numbers, [e]))
        number = number if number.type == index else builder.sext(number, index)
        term = read(context, builder, x, said, builder.add(builder.mul(number, apart), start), vector)
        loud = spread(builder, builder.load(builder.gep(scales, [number])), vector)
        more = builder.fadd(total, builder.fmul(loud, term, flags=MATH), flags=MATH)
        following = builder.add(e, ir.Constant(index, 1))
        builder.cbranch(builder.icmp_signed("<", following, end), loop, done)
        for phi, first, then in ((e, begin, following), (total, nothing, more)):
            phi.add_incoming(first, before)
            phi.add_incoming(then, loop)
        builder.position_at_end(done)
        result = builder.phi(vector)
        result.add_incoming(nothing, before)
        result.add_incoming(more, loop)
        pointer, align = place(context, builder, y, out, to, vector)
        builder.store(builder.fmul(spread(builder, factor, vector), result, flags=MATH), pointer, align=align)
        return context.get_dummy_value()

    at_ = types.intp
    return types.void(y, at_, y.dtype, x, at_, at_, theirs, other, at_, at_, lanes), generate


@intrinsic
def multiply(typingctx, y, yt, start, bt, x, xt, deep, matrix, mt, wide, lanes):
    """``y[yt:] = start[bt:] + x[xt:] matrix[mt:]`` for ``ROWS`` rows of y, ``wide`` apart, and of x, ``deep`` apart.

    As many columns as there are lanes: sums stay in registers. Each row's sum is the same wherever it stands.
    """

    def generate(context, builder, signature, arguments):
        out, to, first, begin, left, of, deep, right, origin, wide = arguments[:10]
        vector, index = vector_of(y, lanes), ir.IntType(64)
        zeroth = read(context, builder, start, first, begin, vector)
        before, loop = builder.block, builder.append_basic_block("deep")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(index)
        sums = [builder.phi(vector) for _ in range(ROWS)]
        column = builder.add(origin, builder.mul(k, wide))
        across = read(context, builder, matrix, right, column, vector)
        data = context.make_array(x)(context, builder, value=left).data
        after = []
        for number, total in enumerate(sums):
            at = builder.add(builder.add(of, k), builder.mul(ir.Constant(index, number), deep))
            factor = spread(builder, builder.load(builder.gep(data, [at])), vector)
            after.append(builder.fadd(total, builder.fmul(factor, across, flags=MATH), flags=MATH))
        more = builder.add(k, ir.Constant(index, 1))
        end = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", more, deep), loop, end)
        k.add_incoming(ir.Constant(index, 0), before)
        k.add_incoming(more, loop)
        for total, result in zip(sums, after, strict=True):
            total.add_incoming(zeroth, before)
            total.add_incoming(result, loop)
        builder.position_at_end(end)
        for number, result in enumerate(after):
            at = builder.add(to, builder.mul(ir.Constant(index, number), wide))
            pointer, align = place(context, builder, y, out, at, vector)
            builder.store(result, pointer, align=align)
        return context.get_dummy_value()

    at = types.intp
    return types.void(y, at, start, at, x, at, at, matrix, at, at, lanes), generate
