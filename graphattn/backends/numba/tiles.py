"""Instructions for small matrices: turned squares, and what a softmax does to a row.

An instruction handles 64 bytes, ``step`` numbers. Matrices are flat arrays whose rows are filled up to that; nothing here looks
whether an index lies inside its array.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from graphattn.backends.numba.lanes import MATH, place, spread, summed

_INDEX = ir.IntType(64)
_SOURCES = [Path(__file__).with_name(name) for name in ("tiles.py", "products.py", "lanes.py", "blocks.py")]
_SIZE = types.intp


@lru_cache(maxsize=1)
def stamp() -> np.ndarray:
    """An empty array whose type spells the text of what kernels call, so that they are compiled anew when it changes."""
    text = b"".join(path.read_bytes() for path in _SOURCES if path.exists())
    return np.empty(0, [(f"v{hashlib.sha256(text).hexdigest()[:16]}", "S1")])


def vector_of(array_type) -> ir.VectorType:
    """As many numbers of an array as an instruction handles."""
    single = array_type.dtype == types.float32
    return ir.VectorType(ir.FloatType() if single else ir.DoubleType(), 16 if single else 8)


def constant(vector, number):
    """A vector of one known number."""
    return ir.Constant(vector, [number] * vector.count)


def suffix(vector):
    """How LLVM calls a vector's type."""
    return f"v{vector.count}{'f32' if isinstance(vector.element, ir.FloatType) else 'f64'}"


def at(builder, base, row, step, shift=0):
    """``base + row * step + shift`` for a known row and shift."""
    moved = builder.add(base, builder.mul(ir.Constant(_INDEX, row), step)) if row else base
    return builder.add(moved, ir.Constant(_INDEX, shift)) if shift else moved


def vector_at(context, builder, array_type, array, index, vector):
    """``array[index:]`` as one vector."""
    pointer, align = place(context, builder, array_type, array, index, vector)
    return builder.load(pointer, align=align)


def over(context, builder, number, step, arrays, body) -> None:
    """``body(pointer and alignment of each array's vector)`` for ``number`` places; ``arrays`` are (type, value, first)."""
    size = ir.Constant(_INDEX, step)
    with cgutils.for_range(builder, builder.sdiv(number, size)) as loop:
        move = builder.mul(loop.index, size)
        body(*(place(context, builder, t, x, builder.add(first, move), vector_of(t)) for t, x, first in arrays))


@intrinsic
def highest(typingctx, x, xt, number):
    """The largest of ``number`` numbers, which fill instructions."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(x)
        best = cgutils.alloca_once(builder, vector)
        builder.store(constant(vector, -math.inf), best)

        def body(here):
            new, old = builder.load(here[0], align=here[1]), builder.load(best)
            builder.store(builder.select(builder.fcmp_ordered(">", new, old), new, old), best)

        over(context, builder, arguments[2], vector.count, [(x, arguments[0], arguments[1])], body)
        shape = ir.FunctionType(vector.element, [vector])
        reduce = cgutils.get_or_insert_function(builder.module, shape, f"llvm.vector.reduce.fmax.{suffix(vector)}")
        return builder.call(reduce, [builder.load(best)], fastmath=("nnan",))

    del typingctx
    return x.dtype(x, _SIZE, _SIZE), generate


def exponential(builder, x, vector):
    """The exponential of numbers not above zero by much, ``2^n`` times Taylor's series of the rest; NaN stays NaN."""
    single = isinstance(vector.element, ir.FloatType)
    bits, bias, low, terms = (23, 127, -87.0, 7) if single else (52, 1023, -708.0, 13)
    whole = ir.VectorType(ir.IntType(32 if single else 64), vector.count)
    silent = builder.fcmp_ordered("<=", x, constant(vector, low))
    x = builder.select(silent, constant(vector, low), x)
    floor = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector]), f"llvm.floor.{suffix(vector)}"
    )
    scaled = builder.fmul(x, constant(vector, 1 / math.log(2)), flags=MATH)
    n = builder.call(floor, [builder.fadd(scaled, constant(vector, 0.5), flags=MATH)])
    # ln 2 in two parts, the first with so few digits that n times it is exact.
    parts = (0.693359375, -2.12194440054690583e-4) if single else (0.693145751953125, 1.42860682030941723212e-6)
    for part in parts:
        # Not to be reassociated: that would undo the two parts.
        x = builder.fsub(x, builder.fmul(n, constant(vector, part), flags=("contract",)), flags=("contract",))
    series = constant(vector, 1 / math.factorial(terms))
    for k in range(terms - 1, -1, -1):
        term = builder.fmul(series, x, flags=("contract",))
        series = builder.fadd(term, constant(vector, 1 / math.factorial(k)), flags=("contract",))
    power = builder.shl(builder.add(builder.fptosi(n, whole), constant(whole, bias)), constant(whole, bits))
    return builder.select(silent, constant(vector, 0.0), builder.fmul(series, builder.bitcast(power, vector)))


@intrinsic
def exponentials(typingctx, x, xt, number, top, factor):
    """``x = factor * exp(x - top)`` for ``number`` numbers, which fill instructions; returns their sum."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(x)
        total = cgutils.alloca_once(builder, vector)
        shift, factor = (spread(builder, number, vector) for number in arguments[3:])
        builder.store(constant(vector, 0.0), total)

        def body(here):
            new = exponential(builder, builder.fsub(builder.load(here[0], align=here[1]), shift), vector)
            new = builder.fmul(new, factor)
            builder.store(new, here[0], align=here[1])
            builder.store(builder.fadd(builder.load(total), new), total)

        over(context, builder, arguments[2], vector.count, [(x, arguments[0], arguments[1])], body)
        return summed(builder, builder.load(total), vector)

    del typingctx
    return x.dtype(x, _SIZE, _SIZE, x.dtype, x.dtype), generate


@intrinsic
def inner_product(typingctx, x, y, xt, number):
    """The sum of ``x * y`` over ``number`` numbers, which fill instructions."""

    def generate(context, builder, signature, arguments):
        vector, first = vector_of(x), arguments[2]
        total = cgutils.alloca_once(builder, vector)
        builder.store(constant(vector, 0.0), total)

        def body(left, right):
            term = builder.fmul(*(builder.load(p, align=align) for p, align in (left, right)), flags=MATH)
            builder.store(builder.fadd(builder.load(total), term, flags=MATH), total)

        arrays = [(x, arguments[0], first), (y, arguments[1], first)]
        over(context, builder, arguments[3], vector.count, arrays, body)
        return summed(builder, builder.load(total), vector)

    del typingctx
    return x.dtype(x, y, _SIZE, _SIZE), generate


@intrinsic
def grad_of_scores(typingctx, alpha, grad_alpha, xt, number, mean):
    """``grad_alpha = alpha * (grad_alpha - mean)``: the gradients of weights become those of scores."""

    def generate(context, builder, signature, arguments):
        vector, first = vector_of(grad_alpha), arguments[2]
        shift = spread(builder, arguments[4], vector)

        def body(left, right):
            weight, grad = (builder.load(p, align=align) for p, align in (left, right))
            builder.store(builder.fmul(weight, builder.fsub(grad, shift)), right[0], align=right[1])

        arrays = [(alpha, arguments[0], first), (grad_alpha, arguments[1], first)]
        over(context, builder, arguments[3], vector.count, arrays, body)
        return context.get_dummy_value()

    del typingctx
    return types.void(alpha, grad_alpha, _SIZE, _SIZE, grad_alpha.dtype), generate


@intrinsic
def copy(typingctx, y, yt, x, xt, factor):
    """``y[yt:] = factor * x[xt:]``, one instruction."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y)
        pointer, align = place(context, builder, y, arguments[0], arguments[1], vector)
        new = vector_at(context, builder, x, arguments[2], arguments[3], vector)
        builder.store(builder.fmul(new, spread(builder, arguments[4], vector)), pointer, align=align)
        return context.get_dummy_value()

    del typingctx
    return types.void(y, _SIZE, x, _SIZE, y.dtype), generate


@intrinsic
def turn_square(typingctx, y, yt, ystep, x, xt, xstep, rows):
    """A square turned, ``y[yt + c * ystep + r] = x[xt + r * xstep + c]``; behind the given rows the last is repeated."""

    def generate(context, builder, signature, arguments):
        vector, last = vector_of(y), builder.sub(arguments[6], ir.Constant(_INDEX, 1))
        lanes, state = range(vector.count), []
        for r in lanes:
            wanted = ir.Constant(_INDEX, r)
            row = builder.select(builder.icmp_signed("<", wanted, last), wanted, last)
            here = builder.add(arguments[4], builder.mul(row, arguments[5]))
            state.append(vector_at(context, builder, x, arguments[3], here, vector))
        for half in (2**k for k in range(vector.count.bit_length() - 1)):
            for r in lanes:
                if not r & half:
                    pair = state[r], state[r + half]
                    for row, move in ((r, 0), (r + half, half)):
                        mask = [c + move if not c & half else vector.count + c - half + move for c in lanes]
                        chosen = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), mask)
                        state[row] = builder.shuffle_vector(*pair, chosen)
        for r in lanes:
            pointer, align = place(
                context, builder, y, arguments[0], at(builder, arguments[1], r, arguments[2]), vector
            )
            builder.store(state[r], pointer, align=align)
        return context.get_dummy_value()

    del typingctx
    return types.void(y, _SIZE, _SIZE, x, _SIZE, _SIZE, _SIZE), generate


@intrinsic
def pick(typingctx, x, index):
    """``x[index]``, without a look whether the index counts from the end."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(x)(context, builder, value=arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]]))

    del typingctx
    return x.dtype(x, _SIZE), generate


@intrinsic
def put(typingctx, x, index, number):
    """``x[index] = number``, likewise."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(x)(context, builder, value=arguments[0]).data
        builder.store(arguments[2], builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    del typingctx
    return types.void(x, _SIZE, x.dtype), generate
