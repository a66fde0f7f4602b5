"""What was measured, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from graphattn.bench.cases import LARGE
from graphattn.bench.comparison import OURS
from graphattn.bench.records import Record
from graphattn.bench.rows import latest, median, rows


def measured(records: Iterable[Record], caption: str = "") -> Table:
    """Medians of ours and of each peer, their ratio with its spread, and peak memory; the last attempt of each.

    80 columns hold it.
    """
    title = "Medians; peer / ours with the least and the largest of a round"
    table = Table(title=title, caption=caption or None, box=box.SIMPLE, padding=0, show_edge=False)
    for name, least in {"case": 8, "step": 8, "peer": 6, "allo-\ncator": 7}.items():
        table.add_column(name, overflow="fold", min_width=least)
    for name in ("ours,\nms", "peer,\nms", "peer /\nours", "of a\nround", "ours,\nMiB", "peer,\nMiB"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in latest(records):
        table.add_section()
        for cells in lines(group):
            table.add_row(*cells)
    return table


def lines(group: Sequence[Record]) -> list[tuple[str, ...]]:
    """The cells of one comparison: a line for each peer, then one for each that was left out."""
    ours = next(each for each in group if each.side == OURS)
    head = (ours.case, ours.step)
    found = [
        (
            *head,
            row.peer.side,
            ours.allocator,
            number(median(ours)),
            number(median(row.peer)),
            _ratio(row.ratio),
            f"{_ratio(row.least)}–{_ratio(row.most)}",
            number(ours.extra_mib),
            number(row.peer.extra_mib),
        )
        for row in rows(group)
    ]
    if not found and ours.ms:
        found = [(*head, "", ours.allocator, number(median(ours)), "", "", "", number(ours.extra_mib), "")]
    return found


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else number(value)


def left_out(found: Iterable[Record]) -> list[str]:
    """Who has no time, where, and why; a side and a reason once."""
    cases: dict[tuple[str, str], dict[str, None]] = {}
    for group in latest(found):
        for each in group:
            if each.left_out:
                cases.setdefault((each.side, each.left_out), {})[each.case] = None
    return [f"{side} ({'; '.join(names)}): {reason}" for (side, reason), names in cases.items()]


def whole(found: Iterable[Record]) -> list[str]:
    """How much memory the process of the large case took in all."""
    return [
        f"{each.case}, {each.step}: {each.peak_mib / 1024:.1f} GiB at most, the whole process; {median(each) / 1000:.1f} s"
        for group in latest(found)
        for each in group
        if each.case in LARGE and each.peak_mib is not None
    ]


def number(value: float | None) -> str:
    """Three digits or more; empty where unknown.

    >>> number(0.01234), number(12.34), number(1234.5), number(None)
    ('0.0123', '12.3', '1,234', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
