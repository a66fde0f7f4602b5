"""One instruction set for all kernels: vectors, as many numbers as an instruction handles at once.

In a kernel a vector is a value. :func:`load` and :func:`store` read and write it, ``+ - *`` and comparisons go lane by lane, and
a number beside a vector stands in each of its lanes. Nothing here looks whether an index lies inside its array, and no index
counts from the end, which would make loops gather and scatter.

``lanes`` is a number known to the compiler, or the empty array of :func:`lanes_of`, whose type spells it. Numba keeps compiled
kernels and does not see edits in what they call from other files: that type spells the text of this folder, too, so that kernels
are compiled anew when it changes; every kernel takes it.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, final

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, overload, register_model

from graphattn.backends.numba.compiling import MATH, inner

_SOURCES = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
_STAMP = f"v{hashlib.sha256(_SOURCES).hexdigest()[:16]}"
# How many bytes of channels are handled at once where one row is summed up: half of all registers; and where others need some.
_WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
FOR_ONE, FOR_ROWS = (512, 256) if _WIDE else (256, 64)
_FLOATS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType(), types.boolean: ir.IntType(1)}
_INTEGER, _INDEX, _BYTES = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()


@final
class Vector(types.Type):
    """The type of a vector: ``count`` numbers, or truths that tell where something holds."""

    def __init__(self, element: types.Type, count: int) -> None:
        self.element, self.count = element, count
        self.llvm = ir.VectorType(_FLOATS[element], count)
        super().__init__(f"{count} x {element}")


@register_model(Vector)
class _Model(PrimitiveModel):
    def __init__(self, manager, vector) -> None:
        super().__init__(manager, vector, vector.llvm)


@lru_cache(maxsize=64)
def lanes_of(*channels: int, most: int = 64) -> np.ndarray:
    """What tells kernels, by its type, how many channels one instruction handles: a power of two that divides them.

    >>> import numba
    >>> count(numba.typeof(lanes_of(24, 16))), count(numba.typeof(lanes_of(64, most=16)))
    (8, 16)
    """
    common = math.gcd(*channels) or 1
    return np.empty(0, [(_STAMP, f"S{min(common & -common, most)}")])


def count(lanes) -> int:
    """How many lanes a type spells."""
    return (
        lanes.literal_value if isinstance(lanes, types.Literal) else next(iter(lanes.dtype.fields.values())).type.count
    )


def constant(vector: ir.VectorType, number: float) -> ir.Constant:
    """A vector of one known number."""
    return ir.Constant(vector, [number] * vector.count)


def call(builder, name: str, vector: ir.VectorType, result: ir.Type, *arguments: Any, flags: Sequence[str] = ()):
    """One of LLVM's functions of a vector."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    suffix = f"v{vector.count}{'f32' if isinstance(vector.element, ir.FloatType) else 'f64'}"
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix}")
    return builder.call(function, arguments, fastmath=flags)


def address(context, builder, array, value, at):
    """Where the number ``value[at]`` stands."""
    return builder.gep(context.make_array(array)(context, builder, value=value).data, [at])


def place(context, builder, array, value, at, vector: ir.VectorType):
    """Where the numbers ``value[at:]`` stand, as one vector; and how they are aligned."""
    pointer = address(context, builder, array, value, at)
    return builder.bitcast(pointer, vector.as_pointer()), array.dtype.bitwidth // 8


def in_each_lane(builder, number, vector: ir.VectorType):
    """A vector of one number."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INTEGER, 0))
    return builder.shuffle_vector(first, nothing, constant(ir.VectorType(_INTEGER, vector.count), 0))


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """An instruction of the compiler's own: the function takes types, and returns the signature and what builds the code.

    The builder of the code takes the context, LLVM's builder and the values, and returns the result, None for nothing.
    """

    @wraps(function)
    def typed(*given: Any):
        signature, build = function(*given)

        def generate(context, builder, _, arguments):
            result = build(context, builder, *arguments)
            return context.get_dummy_value() if result is None else result

        return signature, generate

    return intrinsic(prefer_literal=True)(typed)


@instruction
def width(typingctx, lanes):
    """The number of lanes, as a constant of the code."""
    return types.int64(lanes), lambda context, builder, _: ir.Constant(_INDEX, count(lanes))


@instruction
def load(typingctx, x, at, lanes):
    """``x[at:]``, as many numbers as there are lanes."""
    vector = Vector(x.dtype, count(lanes))

    def build(context, builder, array, at, _):
        pointer, align = place(context, builder, x, array, at, vector.llvm)
        return builder.load(pointer, align=align)

    return vector(x, types.intp, lanes), build


@instruction
def store(typingctx, x, at, vector):
    """``x[at:] = vector``."""

    def build(context, builder, array, at, value):
        pointer, align = place(context, builder, x, array, at, vector.llvm)
        builder.store(value, pointer, align=align)

    return types.void(x, types.intp, vector), build


@instruction
def add(typingctx, x, at, vector):
    """``x[at:] += vector``."""

    def build(context, builder, array, at, value):
        pointer, align = place(context, builder, x, array, at, vector.llvm)
        builder.store(builder.fadd(builder.load(pointer, align=align), value, flags=MATH), pointer, align=align)

    return types.void(x, types.intp, vector), build


@instruction
def spread(typingctx, number, like, lanes):
    """A number in each lane, of the type of an array."""
    vector = Vector(like.dtype, count(lanes))
    return vector(like.dtype, like, lanes), lambda _, builder, value, *__: in_each_lane(builder, value, vector.llvm)


def _lane_by_lane(build: Callable[..., Any], number: int, element: types.Type | None = None):
    """An instruction on ``number`` vectors, or numbers beside them; its result has that element, if not theirs."""

    @instruction
    def two(typingctx, a, b):
        return typed(a, b)

    @instruction
    def three(typingctx, a, b, c):
        return typed(a, b, c)

    def typed(*given: types.Type):
        vectors = [x for x in given if isinstance(x, Vector)]
        # Of two numbers that a mask selects, the second tells the type.
        real = next((x.element for x in vectors if x.element != types.boolean or number == 2), given[-1])
        ends = [x if isinstance(x, Vector) else real for x in given]
        vector = Vector(real, vectors[0].count)

        def spread_out(context, builder, *values: Any):
            wide = [
                value if isinstance(x, Vector) else in_each_lane(builder, value, vector.llvm)
                for x, value in zip(ends, values, strict=True)
            ]
            return build(builder, *wide)

        return (vector if element is None else Vector(element, vector.count))(*ends), spread_out

    return two if number == 2 else three


def _operator(build: Callable[..., Any], *symbols: Callable[..., Any], element: types.Type | None = None) -> None:
    both = _lane_by_lane(build, 2, element)

    def typed(a, b):
        return (lambda a, b: both(a, b)) if isinstance(a, Vector) or isinstance(b, Vector) else None

    for symbol in symbols:
        overload(symbol)(typed)


_operator(lambda builder, a, b: builder.fadd(a, b, flags=MATH), operator.add, operator.iadd)
_operator(lambda builder, a, b: builder.fsub(a, b, flags=MATH), operator.sub)
_operator(lambda builder, a, b: builder.fmul(a, b, flags=MATH), operator.mul)
_operator(lambda builder, a, b: builder.or_(a, b), operator.or_)
_operator(lambda builder, a, b: builder.fcmp_ordered(">", a, b), operator.gt, element=types.boolean)
_operator(lambda builder, a, b: builder.fcmp_ordered("<", a, b), operator.lt, element=types.boolean)
_operator(lambda builder, a, b: builder.fcmp_ordered("==", a, b), operator.eq, element=types.boolean)
_operator(lambda builder, a, b: builder.fcmp_unordered("!=", a, b), operator.ne, element=types.boolean)
select = _lane_by_lane(lambda builder, mask, a, b: builder.select(mask, a, b), 3)
"""``a`` where the mask holds, ``b`` elsewhere."""


@instruction
def bits(typingctx, mask):
    """A bit for each lane in which a mask holds."""

    def build(context, builder, value):
        word = builder.bitcast(value, ir.IntType(mask.count))
        return word if mask.count == 64 else builder.zext(word, _INDEX)

    return types.uint64(mask), build


@instruction
def total(typingctx, x):
    """The sum of a vector's numbers."""
    real, name = x.llvm.element, "vector.reduce.fadd"
    zero = ir.Constant(real, 0.0)
    return x.element(x), lambda _, builder, value: call(builder, name, x.llvm, real, zero, value, flags=MATH)


@instruction
def highest(typingctx, x):
    """The largest of a vector's numbers, none of which may be not a number."""
    real, name = x.llvm.element, "vector.reduce.fmax"
    return x.element(x), lambda _, builder, value: call(builder, name, x.llvm, real, value, flags=("nnan",))


@instruction
def exp(typingctx, x):
    """The exponential of numbers that are not above zero by much: ``2^n`` times Taylor's series of the rest; NaN stays NaN."""
    single = x.element == types.float32
    digits, bias, low, terms = (23, 127, -87.0, 7) if single else (52, 1023, -708.0, 13)
    # ln 2 in two parts, the first with so few digits that n times it is exact.
    parts = (0.693359375, -2.12194440054690583e-4) if single else (0.693145751953125, 1.42860682030941723212e-6)

    def build(context, builder, value):
        vector = x.llvm
        whole = ir.VectorType(ir.IntType(x.element.bitwidth), x.count)
        lowest = constant(vector, low)
        heard = builder.fcmp_ordered(">", value, lowest)
        scaled = builder.fmul(builder.select(heard, value, lowest), constant(vector, 1 / math.log(2)), flags=MATH)
        n = call(builder, "rint", vector, vector, scaled)
        rest = value
        for part in parts:
            # Not to be reassociated: that would undo the two parts.
            rest = builder.fsub(rest, builder.fmul(n, constant(vector, part), flags=("contract",)), flags=("contract",))
        series = constant(vector, 1 / math.factorial(terms))
        for k in range(terms - 1, -1, -1):
            term = builder.fmul(series, rest, flags=("contract",))
            series = builder.fadd(term, constant(vector, 1 / math.factorial(k)), flags=("contract",))
        power = builder.shl(builder.add(builder.fptosi(n, whole), constant(whole, bias)), constant(whole, digits))
        silent = builder.fcmp_ordered("<=", value, lowest)
        return builder.select(silent, constant(vector, 0.0), builder.fmul(series, builder.bitcast(power, vector)))

    return x(x), build


@instruction
def get(typingctx, x, at):
    """``x[at]``."""
    return x.dtype(x, types.intp), lambda context, builder, *found: builder.load(address(context, builder, x, *found))


@instruction
def put(typingctx, x, at, number):
    """``x[at] = number``."""

    def build(context, builder, array, at, value):
        builder.store(value, address(context, builder, x, array, at))

    return types.void(x, types.intp, x.dtype), build


@instruction
def lowest_bit(typingctx, word):
    """The number of the lowest bit that is set."""
    return types.int64(types.uint64), lambda _, builder, value: builder.cttz(value, ir.Constant(ir.IntType(1), 1))


@instruction
def _ask(typingctx, x, at):
    """Have the line of memory of ``x[at]`` on its way."""

    def build(context, builder, array, at):
        kind = ir.FunctionType(ir.VoidType(), [_BYTES, _INTEGER, _INTEGER, _INTEGER])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        pointer = builder.bitcast(address(context, builder, x, array, at), _BYTES)
        builder.call(prefetch, [pointer, *(ir.Constant(_INTEGER, number) for number in (0, 3, 1))])

    return types.void(x, types.intp), build


@inner
def ask_ahead(x, place, first, last, size):
    """Have what the edges from ``first`` to ``last`` will read on its way from memory: ``x[place_e * size :]``."""
    for e in range(first, last):
        at = np.int64(get(place, e)) * size
        for c in range(at, at + size, 64 // x.itemsize):
            _ask(x, c)


@inner
def copy(y, yt, x, xt, size):
    """``y[yt : yt + size] = x[xt : xt + size]``, for few numbers: as loops, copies begin by asking whether arrays overlap."""
    for c in range(0, size - 3, 4):
        store(y, yt + c, load(x, xt + c, 4))
    for c in range(size // 4 * 4, size):
        put(y, yt + c, get(x, xt + c))


@inner
def product(a, at, b, bt, channels, lanes):
    """The inner product of ``a[at:]`` and ``b[bt:]`` over some channels, one at least."""
    whole = load(a, at, lanes) * load(b, bt, lanes)
    for c in range(width(lanes), channels, width(lanes)):
        whole += load(a, at + c, lanes) * load(b, bt + c, lanes)
    return total(whole)


@inner
def add_all(y, yt, factor, x, xt, channels, lanes):
    """``y[yt:] += factor * x[xt:]`` over some channels."""
    for c in range(0, channels, width(lanes)):
        add(y, yt + c, factor * load(x, xt + c, lanes))


@inner
def _mixed(word):
    """The hash of graphattn.dropout."""
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D))
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(word ^ (word >> np.uint32(16)))


@inner
def word_of(seed, receiver, sender, number):
    """The hash of an edge."""
    word = _mixed(np.uint32(_mixed(np.uint32(seed)) ^ np.uint32(receiver)))
    word = _mixed(np.uint32(word ^ np.uint32(sender)))
    return _mixed(np.uint32(word ^ np.uint32(number)))


@inner
def dropout_scale(word, head, threshold, scale):
    """The dropout scale of an edge in a head."""
    return scale if np.uint64(_mixed(np.uint32(word ^ np.uint32(head)))) >= threshold else type(scale)(0)
