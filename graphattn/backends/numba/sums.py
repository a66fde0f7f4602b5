"""A kernel for sums of what senders say, each end scaled: there is no weight to read for each edge.

Its layout is that of :mod:`graphattn.backends.numba.kernels`.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.lanes import compiled, width
from graphattn.backends.numba.vectors import add_rows


@compiled
def total(low, high, lanes, ptr, other, mine, theirs, x, out):
    """Sums over a row's edges, ``out_r = mine_r sum_e theirs[other_e] x[other_e]``."""
    channels = out.size // (ptr.size - 1)
    for r in range(low, high):
        begin, end = np.int64(ptr[r]), np.int64(ptr[r + 1])
        for c in range(0, channels, width(lanes)):
            add_rows(out, r * channels + c, mine[r], x, c, channels, theirs, other, begin, end, lanes)
