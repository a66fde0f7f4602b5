"""Instructions that read and write memory: single numbers, short copies, what will be read soon."""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from graphattn.backends.numba.lanes import inner, place, read

_INTEGER, _INDEX, _BYTES = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()


@contextmanager
def steps(builder, start, stop, step):
    """A loop over indices, written into the code."""
    bounds = (x if isinstance(x, ir.Value) else ir.Constant(_INDEX, x) for x in (start, stop, step))
    with cgutils.for_range_slice(builder, *bounds, intp=_INDEX) as (at, _):
        yield at


@intrinsic
def get(typingctx, array, at):
    """``array[at]`` for an index that is not negative: Numba's own, which may be, makes loops gather and scatter."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, value=arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]]))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typingctx, array, at, number):
    """``array[at] = number`` for an index that is not negative."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, value=arguments[0]).data
        builder.store(arguments[2], builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


@intrinsic
def copy(typingctx, y, yt, x, xt, size):
    """``y[yt : yt + size] = x[xt : xt + size]``, for few numbers: as loops, copies begin by asking whether arrays overlap."""

    def generate(context, builder, signature, arguments):
        target, to, array, at, size = arguments
        real = ir.FloatType() if x.dtype == types.float32 else ir.DoubleType()
        whole = builder.and_(size, ir.Constant(_INDEX, -4))
        for vector, start, stop in ((ir.VectorType(real, 4), 0, whole), (ir.VectorType(real, 1), whole, size)):
            with steps(builder, start, stop, vector.count) as c:
                said = read(context, builder, x, array, builder.add(at, c), vector)
                pointer, align = place(context, builder, y, target, builder.add(to, c), vector)
                builder.store(said, pointer, align=align)
        return context.get_dummy_value()

    index = types.intp
    return types.void(y, index, x, index, index), generate


@intrinsic
def _ask(typingctx, x, at, size):
    """Have ``x[at : at + size]`` on its way from memory."""

    def generate(context, builder, signature, arguments):
        array, at, size = arguments
        kind = ir.FunctionType(ir.VoidType(), [_BYTES, _INTEGER, _INTEGER, _INTEGER])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        data = context.make_array(x)(context, builder, value=array).data
        with steps(builder, 0, size, 64 // (x.dtype.bitwidth // 8)) as c:
            pointer = builder.bitcast(builder.gep(data, [builder.add(at, c)]), _BYTES)
            builder.call(prefetch, [pointer, *(ir.Constant(_INTEGER, number) for number in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp), generate


@inner
def ask_ahead(x, place, first, last, size):
    """Have what the edges from ``first`` to ``last`` will read on its way: ``x[place_e * size :]``."""
    for e in range(first, last):
        _ask(x, np.int64(get(place, e)) * size, size)
