"""What was measured, as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from graphattn.bench.comparison import FORWARD
from graphattn.bench.records import Record
from graphattn.bench.rows import TimingRow, latest, rows

COLOURS = {"default": "tab:blue", "tuned": "tab:orange"}
PANELS = ("forward", "forward and backward, or training step")


def draw(records: Iterable[Record], path: Path) -> None:
    """Bars of peer / ours with the spread of rounds, one line for each case and peer, a line at 1; on a logarithmic axis.

    Args:
        records: the last attempt of each comparison is drawn.
        path: file of the plot; its suffix gives the format: .svg, .png, .pdf.

    Raises:
        ValueError: nothing to draw.
    """
    found = [row for group in latest(records) for row in rows(group)]
    if not found:
        raise ValueError("expected records of ours and of a peer to draw, got none")
    labels = list(dict.fromkeys(_label(row) for row in found))
    figure = Figure(figsize=(11, 0.34 * len(labels) + 1.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    allocators = [name for name in COLOURS if any(row.side.allocator == name for row in found)]
    for panel, title, forward in zip(panels, PANELS, (True, False), strict=True):
        for place, allocator in enumerate(allocators):
            mine = [row for row in found if row.side.allocator == allocator and (row.side.step == FORWARD) is forward]
            _bars(panel, mine, labels, allocator, (place, len(allocators)))
        _frame(panel, title, labels)
    handles = {text: bar for panel in panels for bar, text in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc="outside upper right", ncols=len(handles), frameon=False)
    figure.supxlabel(
        "times as fast as the peer (bars: ratio of medians, lines: least and most of a round)", fontsize=10
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _label(row: TimingRow) -> str:
    return f"{row.side.case} / {row.peer.side}"


def _bars(panel: Any, found: list[TimingRow], labels: list[str], allocator: str, place: tuple[int, int]) -> None:
    number, of = place
    height = 0.8 / of
    heights = [labels.index(_label(row)) + (number - (of - 1) / 2) * height for row in found]
    ratios = [row.ratio for row in found]
    # Bars begin at 1, so that what is slower points the other way.
    panel.barh(
        heights,
        [ratio - 1 for ratio in ratios],
        height,
        left=1,
        color=COLOURS[allocator],
        label=f"{allocator} allocator",
    )
    for y, row in zip(heights, found, strict=True):
        panel.plot([row.least, row.most], [y, y], color="0.2", linewidth=1)
        end = max(row.ratio, row.most, 1)
        panel.annotate(
            f"{row.ratio:.3g}", (end, y), (3, 0), textcoords="offset points", va="center", fontsize=7, color="0.2"
        )


def _frame(panel: Any, title: str, labels: list[str]) -> None:
    panel.set_title(title, fontsize=10)
    panel.set_xscale("log")
    panel.margins(x=0.14)
    panel.axvline(1, color="black", linewidth=1)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_yticks(range(len(labels)), labels, fontsize=8)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.grid(axis="x", color="0.9", zorder=0)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
