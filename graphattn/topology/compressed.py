"""A list of edges, grouped by one of their ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from torch import Tensor

_MANY = 4096
"""From so many edges on they are counted into rows, which begins more slowly than a sort and is faster then."""


class Compressed(NamedTuple):
    """Edges grouped by receiver (CSR) or by sender (CSC).

    The edges of row ``r`` are those from ``ptr[r]`` to ``ptr[r + 1]``, ``ptr [N + 1]``; ``other [E]`` is their other end and
    ``number [E]`` their number: in the order of the topology when grouped by receiver, in that of the receivers' groups when
    grouped by sender. All are int32 where numbers allow it.
    """

    ptr: Tensor
    other: Tensor
    number: Tensor


def compress(row: Tensor, other: Tensor, rows: int) -> Compressed:
    """Edges grouped by ``row [E]``; within a row they keep their order.

    >>> grouped = compress(torch.tensor([1, 0, 1]), torch.tensor([5, 6, 7]), rows=3)
    >>> grouped.ptr.tolist(), grouped.other.tolist(), grouped.number.tolist()
    ([0, 1, 3, 3], [6, 5, 7], [1, 0, 2])
    """
    small = max(row.numel(), rows) < 2**31 and (other.numel() == 0 or int(other.max()) < 2**31)
    if small and row.numel() >= _MANY and row.device.type == "cpu" and type(row) is Tensor:
        return _counted(row.int(), other.int(), rows)
    number = row.argsort(stable=True)
    ptr = torch.cat([row.new_zeros(1), torch.bincount(row, minlength=rows).cumsum(0)])
    dtype = torch.int32 if small else torch.int64
    return Compressed(ptr.to(dtype), other[number].to(dtype), number.to(dtype))


def _counted(row: Tensor, other: Tensor, rows: int) -> Compressed:
    number = np.arange(row.numel(), dtype=np.int32)
    listed = coo_array((number, (row.numpy(), other.numpy())), shape=(rows, int(other.max()) + 1))
    # Else edges between the same two nodes would be added up.
    listed.has_canonical_format = True
    grouped = listed.tocsr()
    return Compressed(*(torch.from_numpy(part) for part in (grouped.indptr, grouped.indices, grouped.data)))
