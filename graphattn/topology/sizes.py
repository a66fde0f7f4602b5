"""Sizes of the graphs in a batch, read from whatever the user holds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes


def read_sizes(
    source: Data | Batch | Sizes | Sequence[int] | None = None,
    *,
    ptr: Tensor | None = None,
    batch: Tensor | None = None,
    num_graphs: int | None = None,
) -> Sizes:
    """Sizes from a PyG ``Data`` or ``Batch``, a list of sizes, ``ptr [B + 1]``, or ``batch [N]`` with ``num_graphs``.

    A batch vector cannot show empty graphs at its end, so ``num_graphs`` goes with it.

    Raises:
        ValueError: nothing or two things given; ``ptr`` not starting at 0 or decreasing; ``batch`` unsorted or out of range.
        TypeError: ``source`` of another kind.

    >>> read_sizes([2, 0, 3])
    Sizes(ptr=tensor([0, 2, 2, 5]), max=3, equal=False)
    >>> read_sizes(batch=torch.tensor([0, 0, 2]), num_graphs=4).ptr
    tensor([0, 2, 2, 3, 3])
    """
    given = [name for name, value in (("source", source), ("ptr", ptr), ("batch", batch)) if value is not None]
    if len(given) != 1:
        raise ValueError(f"expected exactly one of source, ptr and batch, got {given or 'none of them'}")
    if batch is not None:
        return _from_batch(batch, num_graphs)
    if ptr is not None:
        return from_ptr(ptr)
    if isinstance(source, Sizes):
        return source
    if isinstance(source, Data):
        known = getattr(source, "ptr", None)
        return _from_counts([source.num_nodes or 0]) if known is None else from_ptr(known)
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _from_counts(list(source))
    raise TypeError(f"expected a PyG Data or Batch, Sizes or a list of sizes, got {type(source).__name__}")


def from_ptr(ptr: Tensor) -> Sizes:
    """Sizes from the boundaries of the graphs, ``[B + 1]``, starting at 0.

    >>> from_ptr(torch.tensor([0, 4, 8]))
    Sizes(ptr=tensor([0, 4, 8]), max=4, equal=True)
    """
    counts = ptr.diff()
    listed = counts.tolist()
    if ptr.dim() != 1 or ptr.numel() == 0 or int(ptr[0]) != 0 or min(listed, default=0) < 0:
        raise ValueError(f"expected ptr to start at 0 and never to fall, got {ptr.tolist()}")
    return Sizes(ptr, max(listed, default=0), len(set(listed)) <= 1)


def graph_of(ptr: Tensor, node: Tensor) -> Tensor:
    """The graph each node belongs to, of the shape of ``node``.

    >>> graph_of(torch.tensor([0, 2, 2, 5]), torch.tensor([1, 2, 4]))
    tensor([0, 2, 2])
    """
    return torch.searchsorted(ptr[1:].contiguous(), node.contiguous(), right=True)


def spans(sizes: Sizes, count: int) -> tuple[Tensor, Tensor]:
    """The first node of each node's graph, and the one behind its last: ``([N], [N])`` for ``count`` nodes.

    >>> spans(read_sizes([2, 0, 1]), 3)
    (tensor([0, 0, 2]), tensor([2, 2, 3]))
    """
    many = sizes.ptr.diff()
    start = sizes.ptr[:-1].repeat_interleave(many, output_size=count)
    return start, sizes.ptr[1:].repeat_interleave(many, output_size=count)


def joined(sizes: Sequence[Sizes]) -> Sizes:
    """The sizes of several batches, one behind the other.

    >>> joined([read_sizes([2, 1]), read_sizes([3])]).ptr
    tensor([0, 2, 3, 6])
    """
    counts = torch.cat([each.ptr.diff() for each in sizes])
    return from_ptr(torch.cat([counts.new_zeros(1), counts.cumsum(0)]))


def _from_counts(counts: list[int]) -> Sizes:
    if any(count < 0 for count in counts):
        raise ValueError(f"expected sizes of 0 or more, got {counts}")
    return from_ptr(torch.tensor([0, *counts]).cumsum(0))


def _from_batch(batch: Tensor, num_graphs: int | None) -> Sizes:
    if num_graphs is None:
        raise ValueError("expected num_graphs with batch: a batch vector cannot show empty graphs at its end, got None")
    if batch.numel() and (bool((batch.diff() < 0).any()) or int(batch[0]) < 0 or int(batch[-1]) >= num_graphs):
        raise ValueError(
            f"expected batch sorted, from 0 to {num_graphs - 1}, got values from {int(batch.min())} to {int(batch.max())}"
            + (", unsorted" if bool((batch.diff() < 0).any()) else "")
        )
    counts = torch.bincount(batch, minlength=num_graphs)
    return from_ptr(torch.cat([counts.new_zeros(1), counts.cumsum(0)]))
