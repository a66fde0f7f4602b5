"""Products of small matrices that stay in registers."""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from graphattn.backends.numba.lanes import MATH, inner, place, spread
from graphattn.backends.numba.tiles import at, constant, vector_at, vector_of

_INDEX = ir.IntType(64)
_SIZE = types.intp


def block(rows: int, panels: int):
    """The product of ``rows`` rows of ``left`` with ``panels`` instructions' columns of ``right``, in registers."""

    @intrinsic
    def product(typingctx, out, ot, ostep, left, lt, lrow, lstep, right, rt, rstep, number, more):
        def generate(context, builder, signature, arguments):
            y, yat, ystep, x, xat, xrow, xstep, b, bat, bstep, count, keep = arguments
            vector, sums = vector_of(out), {}
            keep = builder.icmp_signed("!=", keep, ir.Constant(_INDEX, 0))
            for r, p in np.ndindex(rows, panels):
                pointer, align = place(context, builder, out, y, at(builder, yat, r, ystep, p * vector.count), vector)
                start = builder.select(keep, builder.load(pointer, align=align), constant(vector, 0.0))
                sums[r, p] = (cgutils.alloca_once_value(builder, start), pointer, align)
                builder.store(start, sums[r, p][0])
            data = context.make_array(left)(context, builder, value=x).data
            with cgutils.for_range(builder, count) as loop:
                base = builder.add(bat, builder.mul(loop.index, bstep))
                first = builder.add(xat, builder.mul(loop.index, xstep))
                wide = [
                    vector_at(context, builder, right, b, at(builder, base, 0, base, p * vector.count), vector)
                    for p in range(panels)
                ]
                for r in range(rows):
                    factor = spread(builder, builder.load(builder.gep(data, [at(builder, first, r, xrow)])), vector)
                    for p in range(panels):
                        total, term = sums[r, p][0], builder.fmul(factor, wide[p], flags=MATH)
                        builder.store(builder.fadd(builder.load(total), term, flags=MATH), total)
            for total, pointer, align in sums.values():
                builder.store(builder.load(total), pointer, align=align)
            return context.get_dummy_value()

        del typingctx
        sizes = (_SIZE,) * 3
        return types.void(out, *sizes[:2], left, *sizes, right, *sizes[:2], *sizes[:2]), generate

    return product


_four_by_two, _eight_by_one, _four_by_one = block(4, 2), block(8, 1), block(4, 1)


@inner
def multiply(out, ostep, left, lrow, lstep, right, rstep, rows, columns, number, more):
    """``out = left right``, or ``out += left right``; rows are filled up to four, columns to those of an instruction."""
    step, c = 64 // out.itemsize, 0
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
