"""What kernels share: instructions over several channels at once, the hash of dropout.

``lanes`` is an empty array whose type tells the compiler how many channels one instruction handles: a power of two that divides
them. Numba keeps compiled kernels and does not see edits in what they call from other files: the type of ``lanes`` spells the
text of this folder, too, so that kernels are compiled anew when it changes; every kernel takes ``lanes``.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from graphattn.backends.numba.compiling import KERNELS

# Not "fast" as a whole: that would delete the guards around minus infinity.
MATH = ("contract", "reassoc", "arcp", "nsz")
_SOURCES = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
_STAMP = f"v{hashlib.sha256(_SOURCES).hexdigest()[:16]}"
_MOST = 64
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(MATH)}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel, compiled when it is first called and kept on disk where that is possible."""
    try:
        kernel = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder where the compiled code could be kept
        kernel = numba.njit(**_OPTIONS)(function)
    KERNELS.append(kernel)
    return kernel


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of kernels, compiled with each."""
    return numba.njit(**_OPTIONS)(function)


@lru_cache(maxsize=64)
def lanes(*channels: int) -> np.ndarray:
    """What tells the compiler, by its type, how many channels one instruction handles.

    >>> count(numba.typeof(lanes(24, 16)))
    8
    """
    common = math.gcd(*channels) or 1
    return np.empty(0, [(_STAMP, f"S{min(common & -common, _MOST)}")])


def count(array_type) -> int:
    """How many lanes the type of a ``lanes`` spells."""
    return next(iter(array_type.dtype.fields.values())).type.count


def vector_of(array_type, lanes_type) -> ir.VectorType:
    """The type of as many numbers of an array as there are lanes."""
    real = ir.FloatType() if array_type.dtype == types.float32 else ir.DoubleType()
    return ir.VectorType(real, count(lanes_type))


def place(context, builder, array_type, array, at, vector):
    """Where the numbers ``array[at:]`` stand, as one vector; and how they are aligned."""
    data = context.make_array(array_type)(context, builder, value=array).data
    pointer = builder.bitcast(builder.gep(data, [at]), vector.as_pointer())
    return pointer, 4 if isinstance(vector.element, ir.FloatType) else 8


def read(context, builder, array_type, array, at, vector):
    """``array[at:]`` as one vector."""
    pointer, align = place(context, builder, array_type, array, at, vector)
    return builder.load(pointer, align=align)


def spread(builder, number, vector):
    """A vector of one number."""
    integer, nothing = ir.IntType(32), ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(integer, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(integer, vector.count), [0] * vector.count))


def summed(builder, product, vector):
    """The sum of a vector's numbers."""
    real = vector.element
    name = f"llvm.vector.reduce.fadd.v{vector.count}{'f32' if isinstance(real, ir.FloatType) else 'f64'}"
    total = cgutils.get_or_insert_function(builder.module, ir.FunctionType(real, [real, vector]), name)
    return builder.call(total, [ir.Constant(real, 0.0), product], fastmath=MATH)


def add_to(context, builder, array_type, array, at, term, vector):
    """``array[at:] += term``."""
    pointer, align = place(context, builder, array_type, array, at, vector)
    builder.store(builder.fadd(builder.load(pointer, align=align), term, flags=MATH), pointer, align=align)
    return context.get_dummy_value()


@intrinsic
def dot(typingctx, a, at, b, bt, lanes):
    """The inner product of ``a[at:]`` and ``b[bt:]`` over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(a, lanes)
        left = read(context, builder, a, arguments[0], arguments[1], vector)
        right = read(context, builder, b, arguments[2], arguments[3], vector)
        return summed(builder, builder.fmul(left, right, flags=MATH), vector)

    return a.dtype(a, types.intp, b, types.intp, lanes), generate


@intrinsic
def add(typingctx, y, yt, factor, x, xt, lanes):
    """``y[yt:] += factor * x[xt:]`` over as many channels as there are lanes."""

    def generate(context, builder, signature, arguments):
        vector = vector_of(y, lanes)
        other = read(context, builder, x, arguments[3], arguments[4], vector)
        term = builder.fmul(spread(builder, arguments[2], vector), other, flags=MATH)
        return add_to(context, builder, y, arguments[0], arguments[1], term, vector)

    return types.void(y, types.intp, y.dtype, x, types.intp, lanes), generate


@intrinsic
def width(typingctx, lanes):
    """The number of lanes, as a constant of the code."""
    number = count(lanes)

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), number)

    return types.int64(lanes), generate


@inner
def product(a, at, b, bt, channels, lanes):
    """The inner product of ``a[at:]`` and ``b[bt:]`` over some channels, one at least."""
    total = dot(a, at, b, bt, lanes)
    for c in range(width(lanes), channels, width(lanes)):
        total += dot(a, at + c, b, bt + c, lanes)
    return total


@inner
def add_all(y, yt, factor, x, xt, channels, lanes):
    """``y[yt:] += factor * x[xt:]`` over some channels."""
    for c in range(0, channels, width(lanes)):
        add(y, yt + c, factor, x, xt + c, lanes)


@numba.njit(inline="always")
def _mixed(word):
    # The hash of graphattn.dropout.
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D))
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(word ^ (word >> np.uint32(16)))


@numba.njit(inline="always")
def word_of(seed, receiver, sender, number):
    """The hash of an edge."""
    word = _mixed(np.uint32(_mixed(np.uint32(seed)) ^ np.uint32(receiver)))
    word = _mixed(np.uint32(word ^ np.uint32(sender)))
    return _mixed(np.uint32(word ^ np.uint32(number)))


@numba.njit(inline="always")
def factor_of(word, head, threshold, loud):
    """How loud an edge is in a head."""
    return loud if np.uint64(_mixed(np.uint32(word ^ np.uint32(head)))) >= threshold else type(loud)(0)


@inner
def most_edges(ptr, low, high):
    """The largest number of edges of a row."""
    most = 0
    for i in range(low, high):
        most = max(most, ptr[i + 1] - ptr[i])
    return most
