"""A kernel for sums of senders, each end scaled: there is no weight to read for each edge."""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphattn.backends.numba.arrays import flat
from graphattn.backends.numba.compiling import compiled
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.numba.vector import FOR_ONE, get, lanes_of, load, spread, store, width

if TYPE_CHECKING:
    from torch import Tensor


@compiled
def total(low, high, lanes, ptr, other, rows, others, x, out):
    """Sums over a row's edges, ``out_r = rows_r sum_e others[other_e] x[other_e]``."""
    channels = out.size // (ptr.size - 1)
    for r in range(low, high):
        for c in range(0, channels, width(lanes)):
            whole = spread(0, x, lanes)
            for e in range(ptr[r], ptr[r + 1]):
                i = np.int64(get(other, e))
                whole += get(others, i) * load(x, i * channels + c, lanes)
            store(out, r * channels + c, rows[r] * whole)


def add_up(x: Tensor, rows: Tensor, others: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    """Scaled sums over each row's edges, ``[rows, H, C]``."""
    out, channels = x.new_empty(ptr.size(0) - 1, *x.shape[1:]), x.size(1) * x.size(2)
    step = lanes_of(channels, most=FOR_ONE // x.element_size())
    run(total, ranges(ptr, channels), step, *flat(ptr, other, rows, others, x, out))
    return out
