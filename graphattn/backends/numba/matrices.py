"""Small matrices: products that stay in registers, squares turned. They are flat, with rows filled up to whole vectors."""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types

from graphattn.backends.numba.compiling import MATH, inner
from graphattn.backends.numba.vector import Vector, constant, in_each_lane, instruction, place

FILLED = 4
"""Numbers of rows are filled up to a multiple of this."""
_INDEX = ir.IntType(64)


def _whole(array) -> ir.VectorType:
    """As many numbers of an array as an instruction of 64 bytes handles."""
    return Vector(array.dtype, 512 // array.dtype.bitwidth).llvm


def _at(builder, base, row, step, shift=0):
    """``base + row * step + shift`` for a known row and shift."""
    moved = builder.add(base, builder.mul(ir.Constant(_INDEX, row), step)) if row else base
    return builder.add(moved, ir.Constant(_INDEX, shift)) if shift else moved


def block(rows: int, panels: int):
    """The product of ``rows`` rows of ``left`` with ``panels`` vectors' columns of ``right``, in registers."""

    @instruction
    def product(typingctx, out, ot, ostep, left, lt, lrow, lstep, right, rt, rstep, number, more):
        def build(context, builder, y, yat, ystep, x, xat, xrow, xstep, b, bat, bstep, size, keep):
            vector, sums = _whole(out), {}
            keep = builder.icmp_signed("!=", keep, ir.Constant(_INDEX, 0))
            for r, p in np.ndindex(rows, panels):
                at = _at(builder, yat, r, ystep, p * vector.count)
                pointer, align = place(context, builder, out, y, at, vector)
                start = builder.select(keep, builder.load(pointer, align=align), constant(vector, 0.0))
                sums[r, p] = (cgutils.alloca_once_value(builder, start), pointer, align)
                builder.store(start, sums[r, p][0])
            data = context.make_array(left)(context, builder, value=x).data
            with cgutils.for_range(builder, size) as loop:
                base = builder.add(bat, builder.mul(loop.index, bstep))
                first = builder.add(xat, builder.mul(loop.index, xstep))
                places = [
                    place(context, builder, right, b, _at(builder, base, 0, base, p * vector.count), vector)
                    for p in range(panels)
                ]
                wide = [builder.load(pointer, align=align) for pointer, align in places]
                for r in range(rows):
                    number = builder.load(builder.gep(data, [_at(builder, first, r, xrow)]))
                    factor = in_each_lane(builder, number, vector)
                    for p in range(panels):
                        total, term = sums[r, p][0], builder.fmul(factor, wide[p], flags=MATH)
                        builder.store(builder.fadd(builder.load(total), term, flags=MATH), total)
            for total, pointer, align in sums.values():
                builder.store(builder.load(total), pointer, align=align)

        size = types.intp
        return types.void(out, size, size, left, size, size, size, right, size, size, size, size), build

    return product


_four_by_four, _four_by_two, _eight_by_one, _four_by_one = block(4, 4), block(4, 2), block(8, 1), block(4, 1)


@inner
def multiply(out, ostep, left, lrow, lstep, right, rstep, rows, columns, number, more):
    """``out = left right``, or ``out += left right``; rows are filled up to four, columns to a vector."""
    step, c = 64 // out.itemsize, 0
    while c + 3 * step < columns:
        for r in range(0, rows, 4):
            _four_by_four(out, r * ostep + c, ostep, left, r * lrow, lrow, lstep, right, c, rstep, number, more)
        c += 4 * step
    while c + step < columns:
        for r in range(0, rows, 4):
            _four_by_two(out, r * ostep + c, ostep, left, r * lrow, lrow, lstep, right, c, rstep, number, more)
        c += 2 * step
    if c < columns:
        r = 0
        while r + 4 < rows:
            _eight_by_one(out, r * ostep + c, ostep, left, r * lrow, lrow, lstep, right, c, rstep, number, more)
            r += 8
        if r < rows:
            _four_by_one(out, r * ostep + c, ostep, left, r * lrow, lrow, lstep, right, c, rstep, number, more)


@instruction
def turn_square(typingctx, y, yt, ystep, x, xt, xstep, rows):
    """A square turned, ``y[yt + c * ystep + r] = x[xt + r * xstep + c]``; behind the given rows the last is repeated."""

    def build(context, builder, out, to, apart, given, start, step, many):
        vector, last = _whole(y), builder.sub(many, ir.Constant(_INDEX, 1))
        lanes, state = range(vector.count), []
        for r in lanes:
            wanted = ir.Constant(_INDEX, r)
            row = builder.select(builder.icmp_signed("<", wanted, last), wanted, last)
            pointer, align = place(context, builder, x, given, builder.add(start, builder.mul(row, step)), vector)
            state.append(builder.load(pointer, align=align))
        for half in (2**k for k in range(vector.count.bit_length() - 1)):
            for r in lanes:
                if not r & half:
                    pair = state[r], state[r + half]
                    for row, move in ((r, 0), (r + half, half)):
                        mask = [c + move if not c & half else vector.count + c - half + move for c in lanes]
                        chosen = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), mask)
                        state[row] = builder.shuffle_vector(*pair, chosen)
        for r in lanes:
            pointer, align = place(context, builder, y, out, _at(builder, to, r, apart), vector)
            builder.store(state[r], pointer, align=align)

    size = types.intp
    return types.void(y, size, size, x, size, size, size), build
