"""Markdown of what was measured: the last attempt of each comparison, and all attempts at the targets with their dates."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.kernels.targets import Reached, reached
from graphattn.bench import table
from graphattn.bench.cases.layers import CACHED
from graphattn.bench.cases.molecules import GPS
from graphattn.bench.comparison import BOTH, COMPILED, FORWARD, OURS, TRAINING
from graphattn.bench.records import Record
from graphattn.bench.rows import TimingRow, attempts, latest, rows

_COLUMNS = (
    "case",
    "step",
    "peer",
    "allocator",
    "ours, ms",
    "peer, ms",
    "peer / ours",
    "of a round",
    "ours, MiB",
    "peer, MiB",
)

SUMMARY = (
    *((layer, TRAINING, "PyG") for layer in ("TransformerConv", "GATv2Conv", "GATConv", "GCNConv")),
    ("GCNConv", TRAINING, CACHED),
    *((layer, TRAINING, "PyG") for layer in ("SAGEConv", "EdgeConv")),
    ("random edges, H8C16", BOTH, "PyG"),
    ("random edges, H8C32", BOTH, COMPILED),
    ("random edges, 100k nodes, H8C16", BOTH, "PyG"),
    ("weighted sum", FORWARD, "torch.sparse.mm"),
    ("256 molecules, complete with bias", BOTH, "padded SDPA"),
    ("256 molecules, complete with bias, layer", BOTH, GPS),
    ("complete graph of 256", FORWARD, "bare SDPA"),
    ("grid of 64 x 64", FORWARD, "conv2d"),
)
"""Cases, steps and peers of the one table of docs/kernels.md; the last two are where we are slower."""


def markdown(records: Sequence[Record]) -> str:
    """All tables, with a line on where and how."""
    if not records:
        return "Nothing has been measured.\n"
    parts = [
        _where(records),
        _markdown(_COLUMNS, [cells for group in latest(records) for cells in table.lines(group)]),
        *table.whole(records),
        "## Sizes",
        _sizes(records),
        "## Targets, attempt by attempt",
        _attempts(reached(records)),
    ]
    reasons = table.left_out(records)
    if reasons:
        parts += ["## Left out", "\n".join(f"- {reason}" for reason in reasons)]
    return "\n\n".join(parts) + "\n"


def summary(records: Sequence[Record]) -> str:
    """One screen: the last ratios of what users ask about first, with both allocators; of memory with the default one."""
    found = {(row.side.case, row.side.step, row.peer.side, row.side.allocator): row
             for group in latest(records) for row in rows(group)}  # fmt: skip
    lines = []
    for case, step, peer in SUMMARY:
        default, tuned = (found.get((case, step, peer, allocator)) for allocator in ("default", "tuned"))
        memory = "" if default is None or default.memory is None else f"{default.memory:.1f}"
        lines.append((case, step, peer, _ratio(default), _ratio(tuned), memory))
    columns = ("case", "step", "against", "time, default allocator", "time, tuned allocator", "memory")
    return f"{_markdown(columns, lines)}\n\n{_where(records)}\n"


def _ratio(row: TimingRow | None) -> str:
    return "" if row is None else f"{row.ratio:.1f} ({row.least:.1f} to {row.most:.1f})"


def _where(records: Sequence[Record]) -> str:
    last = max(records, key=lambda record: record.date)
    days = sorted({record.date[:10] for group in latest(records) for record in group})
    rounds = sorted({len(record.ms) for record in records if record.ms})
    versions = ", ".join(f"{name} {version}" for name, version in last.versions.items())
    return (
        f"Measured on {' to '.join(dict.fromkeys((days[0], days[-1])))}; {last.threads} threads; {last.machine}; {versions}. "
        f"Medians of {' to '.join(str(each) for each in dict.fromkeys((rounds[0], rounds[-1])))} interleaved rounds."
    )


def _sizes(records: Sequence[Record]) -> str:
    lines = {f"- {group[0].case}: {group[0].sizes}": None for group in latest(records) if group[0].sizes}
    return "\n".join(lines)


def _attempts(found: Sequence[Reached]) -> str:
    lines = []
    for each in found:
        target, record = each.target, each.record
        label = " ".join(part for part in (record.label, record.commit and f"({record.commit})") if part)
        figures = (f"{target.reach:.3g}", f"{target.stretch:.3g}", f"{each.figure:.2f}")
        lines.append((str(target), record.allocator, *figures, each.verdict, record.date[:10], label))
    return _markdown(("target", "allocator", "reach", "stretch", "measured", "reached", "date", "attempt"), lines)


def history(records: Sequence[Record], case: str, step: str) -> str:
    """All attempts at one comparison, in the order of time."""
    lines = [
        (group[0].date[:10], group[0].label, *cells[2:])
        for group in attempts(records)
        if (group[0].case, group[0].step) == (case, step) and any(each.side == OURS for each in group)
        for cells in table.lines(group)
    ]
    return _markdown(("date", "attempt", *_COLUMNS[2:]), lines)


def _markdown(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = "|".join(["", *("---" for _ in columns), ""])
    return "\n".join([_line(columns), rule, *map(_line, lines)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
