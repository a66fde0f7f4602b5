"""The work of a grid of programs: rows of grouped edges in buckets of similar length, hubs in several parts.

A program does one part. Parts of hubs come first, so that their number tells where a part keeps its result until a second pass
merges those of a row, in order: no atomics, and the same bits in every run.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.lasting import remembered

# Rules from sizes alone. How many edges a program looks at at once, from long rows to short ones:
_STEPS = (32, 16, 4)
# so many edges at most make a part;
LONGEST = 512
# and below so many rows a launch costs more than it saves.
_FEW = 4096


class Bucket(NamedTuple):
    """Parts of similar length: ``many`` of them from ``begin`` on, taken ``step`` edges at a time."""

    begin: int
    many: int
    step: int


class Work(NamedTuple):
    """Parts by number: the edges from ``first [P]`` to ``last [P]`` of ``row [P]``; ``hubs`` parts of the first bucket.

    The parts of hub ``hub_row[r]`` are those from ``hub_ptr[r]`` to ``hub_ptr[r + 1]``.
    """

    row: Tensor
    first: Tensor
    last: Tensor
    hub_row: Tensor
    hub_ptr: Tensor
    hubs: Bucket
    buckets: tuple[Bucket, ...]


def work_of(ptr: Tensor) -> Work:
    """The work over rows with boundaries ``ptr``, made once for a graph: making it waits for the device, using it never does."""
    return remembered(ptr, "work", lambda: make_work(ptr, LONGEST))


def make_work(ptr: Tensor, longest: int) -> Work:
    """The work over rows with boundaries ``ptr [N + 1]``, in parts of ``longest`` edges at most.

    >>> work = make_work(torch.tensor([0, 1, 6, 6]), longest=3)
    >>> work.row.tolist(), work.first.tolist(), work.last.tolist()
    ([1, 1, 0, 2], [1, 4, 0, 6], [4, 6, 1, 6])
    >>> work.hubs, work.buckets
    (Bucket(begin=0, many=2, step=32), (Bucket(begin=2, many=2, step=4),))
    """
    degree = ptr.diff().long()
    few = degree.numel() < _FEW
    kind = (degree <= longest).long()
    if not few:
        kind = kind + sum((degree <= min(step, longest)).long() for step in _STEPS[1:])
    order = kind.argsort(stable=True)
    many = torch.where(kind == 0, degree.add(longest - 1).div(longest, rounding_mode="floor"), 1)[order]
    row = order.repeat_interleave(many)
    before = many.cumsum(0) - many
    nth = torch.arange(row.numel(), device=ptr.device) - before.repeat_interleave(many)
    first = ptr[row] + nth * longest
    last = torch.minimum(first + longest, ptr[row + 1])
    counts = many.new_zeros(len(_STEPS) + 1).index_add(0, kind[order], many).tolist()
    hubs = int((kind == 0).sum())
    ends = torch.cat([before, many.sum()[None]])[: hubs + 1]
    buckets = _buckets(counts, _step(ptr.numel() - 1, int(ptr[-1])) if few else None)
    row, first, last, hub_row, ends = (each.to(ptr.dtype) for each in (row, first, last, order[:hubs], ends))
    return Work(row, first, last, hub_row, ends, Bucket(0, counts[0], _STEPS[0]), buckets)


def _step(rows: int, edges: int) -> int:
    """Edges looked at at once where all rows are in one bucket: about the mean of a row."""
    return next((step for step in reversed(_STEPS) if step * rows >= edges), _STEPS[0])


def _buckets(counts: list[int], step: int | None) -> tuple[Bucket, ...]:
    begin, buckets = counts[0], []
    for count, usual in zip(counts[1:], _STEPS, strict=True):
        if count:
            buckets.append(Bucket(begin, count, step or usual))
        begin += count
    return tuple(buckets)
