"""Kernels for plain sums of what senders say: there is no weight to read for each edge.

Their layout is that of :mod:`graphattn.backends.cpu.kernels`.
"""

# ruff: noqa: ANN001, ANN201, ANN202  Numba reads types from the arguments

from __future__ import annotations

import numpy as np

from graphattn.backends.cpu.lanes import add, compiled, width


@compiled
def total(low, high, lanes, ptr, other, one, x, out):
    """Sums over a row's edges, ``out_r = sum_e x[other_e]``."""
    channels = out.size // (ptr.size - 1)
    for r in range(low, high):
        out[r * channels : (r + 1) * channels] = 0
        for e in range(ptr[r], ptr[r + 1]):
            j = np.int64(other[e]) * channels
            for c in range(0, channels, width(lanes)):
                add(out, r * channels + c, one, x, j + c, lanes)
