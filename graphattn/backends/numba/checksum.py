"""A kernel that tells whether numbers are the same as before, in the time that it takes to read them."""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.compiling import compiled

# Of Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators": SplitMix64.
_STEP, _FACTOR, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(32)


@compiled
def checksum(numbers):
    """The sum of a hash of each number and its place: two that change places change it.

    >>> checksum(np.arange(3, dtype=np.uint64)) == checksum(np.array([0, 2, 1], np.uint64))
    False
    """
    total, place = np.uint64(0), np.uint64(0)
    for k in range(numbers.size):
        mixed = (np.uint64(numbers[k]) + place) * _FACTOR
        total += mixed ^ (mixed >> _HALF)
        place += _STEP
    return total
