"""A list of edges, grouped by one of their ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array, csc_array, csr_array
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

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
    if small and _counts(row):
        listed = coo_array(
            (_numbers(row), (row.int().numpy(), other.int().numpy())), shape=(rows, int(other.max()) + 1)
        )
        # Else edges between the same two nodes would be added up.
        listed.has_canonical_format = True
        return _read(listed.tocsr())
    number = row.argsort(stable=True)
    ptr = torch.cat([row.new_zeros(1), torch.bincount(row, minlength=rows).cumsum(0)])
    dtype = torch.int32 if small else torch.int64
    return Compressed(ptr.to(dtype), other[number].to(dtype), number.to(dtype))


def turned(grouped: Compressed, others: int) -> Compressed:
    """The same edges grouped by their other end, ``others`` nodes of it, and numbered as they stand in ``grouped``.

    >>> by_sender = turned(compress(torch.tensor([1, 0, 1]), torch.tensor([2, 1, 1]), rows=2), others=3)
    >>> by_sender.ptr.tolist(), by_sender.other.tolist(), by_sender.number.tolist()
    ([0, 0, 2, 3], [0, 1, 1], [0, 2, 1])
    """
    if grouped.ptr.dtype == torch.int32 and _counts(grouped.other):
        parts = (_numbers(grouped.other), grouped.other.numpy(), grouped.ptr.numpy())
        return _read(csr_array(parts, shape=(grouped.ptr.numel() - 1, others)).tocsc())
    return compress(grouped.other, row_of(grouped.ptr, grouped.other.size(0)), others)


def row_of(ptr: Tensor, edges: int) -> Tensor:
    """The row of each edge in the order of the groups, ``[N + 1] -> [E]``.

    >>> row_of(torch.tensor([0, 1, 1, 3]), 3)
    tensor([0, 2, 2])
    """
    rows = torch.arange(ptr.size(0) - 1, dtype=ptr.dtype, device=ptr.device)
    return rows.repeat_interleave(ptr.diff(), output_size=edges)


def _counts(row: Tensor) -> bool:
    if torch.compiler.is_compiling() or row.numel() < _MANY or row.device.type != "cpu":
        return False
    return type(row) is Tensor and not is_functorch_wrapped_tensor(row)


def _numbers(row: Tensor) -> np.ndarray:
    return np.arange(row.numel(), dtype=np.int32)


def _read(matrix: csr_array | csc_array) -> Compressed:
    return Compressed(*(torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data)))
