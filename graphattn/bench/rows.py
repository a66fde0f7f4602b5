"""Ratios: a row for each peer of each comparison."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphattn.bench.cases import CASES
from graphattn.bench.comparison import OURS
from graphattn.bench.records import Record


class TimingRow(NamedTuple):
    """One side beside one peer: their records, and how many times as fast it is by medians, at least and at most in a round."""

    side: Record
    peer: Record
    ratio: float
    least: float
    most: float

    @property
    def memory(self) -> float | None:
        """How many times as much memory the peer takes beyond what was there; None where unknown or next to nothing."""
        ours, theirs = self.side.extra_mib, self.peer.extra_mib
        return None if ours is None or theirs is None or ours < 1 else theirs / ours


def attempts(records: Iterable[Record]) -> list[list[Record]]:
    """Records of one comparison each, in the order of time."""
    together: dict[tuple[object, ...], list[Record]] = {}
    for each in records:
        key = (each.date, each.label, each.case, each.step, each.allocator, each.threads)
        together.setdefault(key, []).append(each)
    return sorted(together.values(), key=lambda group: group[0].date)


def latest(records: Iterable[Record]) -> list[list[Record]]:
    """The last attempt of each comparison, in the order of the cases."""
    last: dict[tuple[object, ...], list[Record]] = {}
    for group in attempts(records):
        first = group[0]
        last[first.case, first.step, first.allocator, first.threads] = group
    return sorted(last.values(), key=lambda group: _place(group[0]))


def _place(record: Record) -> tuple[int, int]:
    case = CASES.get(record.case)
    if case is None:
        return len(CASES), 0
    return list(CASES).index(record.case), case.steps.index(record.step) if record.step in case.steps else -1


def rows(group: Sequence[Record], side: str = OURS) -> list[TimingRow]:
    """A row for each peer of a side in one attempt; none where either has no time."""
    by_side = {each.side: each for each in group}
    ours = by_side.get(side)
    if ours is None or not ours.ms:
        return []
    peers = [each for each in group if each.ms and each.side not in (side, OURS)]
    return [_row(ours, peer) for peer in peers]


def median(record: Record) -> float:
    """Milliseconds."""
    return statistics.median(record.ms)


def _row(side: Record, peer: Record) -> TimingRow:
    ratios = [theirs / ours for theirs, ours in zip(peer.ms, side.ms, strict=True)]
    return TimingRow(side, peer, median(peer) / median(side), min(ratios), max(ratios))
