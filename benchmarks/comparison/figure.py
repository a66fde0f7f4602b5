"""All comparisons in one picture: every score, with means and intervals, beside those of the baselines."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from graphattn.comparison.verdict import titles
from graphattn.comparison.verdict.summary import ConfigurationScores, Summary

# Those of the report.
COLOURS = {
    "attention": "#0072b2",
    "edge_attention": "#2ebcf8",
    "gcn": "#d55e00",
    "gin": "#ffa000",
    "edgeconv": "#863100",
    "mlp": "#293139",
}
SHAPES = {"edges": "o", "full": "s", "edges+hub": "D", "none": "^"}
COLUMNS, GREY = 3, "0.55"
NARROWEST = 0.1
"""Least width of a panel in scores: less would show noise."""


def draw(found: Mapping[str, Summary], path: Path) -> None:
    """A panel for each comparison: networks in the order of the design, baselines below in grey; a PNG.

    Baselines below all networks are a number at the left edge, so that the networks can be told apart.
    """
    lines = -(-len(found) // COLUMNS)
    figure = Figure(figsize=(4.6 * COLUMNS, 3.9 * lines + 0.5), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, squeeze=False)
    for panel, (name, summary) in zip(panels.flat, found.items(), strict=False):
        _panel(panel, name, summary)
    for panel in panels.flat[len(found) :]:
        panel.remove()
    _legend(figure, [row for summary in found.values() for row in summary.rows if row.role == "model"])
    figure.savefig(path, dpi=110)


def _panel(panel: Axes, name: str, summary: Summary) -> None:
    rows = _ordered([row for row in summary.rows if row.fits])
    floor = min((row.score.mean for row in rows if row.role == "model"), default=0.0)
    for place, row in enumerate(rows):
        colour = COLOURS.get(row.layer, GREY)
        if row.score.mean < floor:
            text = f"\N{BLACK LEFT-POINTING SMALL TRIANGLE} {row.score.mean:.3f}"
            panel.annotate(text, (0, place), xycoords=("axes fraction", "data"), va="center", color=colour, fontsize=8)
            continue
        scores = [record.score for record in row.fits]
        panel.hlines(place, row.score.low, row.score.high, color=colour, linewidth=3, alpha=0.35)
        panel.plot(scores, [place] * len(scores), ".", color=colour, alpha=0.7, markersize=3)
        # The best score there is lies on the border.
        mark = SHAPES.get(row.topology, "|")
        panel.plot(row.score.mean, place, mark, color=colour, markersize=7, markeredgecolor="white", clip_on=False)
    panel.set_yticks(range(len(rows)), [row.title for row in rows], fontsize=8)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    left, right = panel.get_xlim()
    panel.set_xlim(min(left, right - NARROWEST), right)
    panel.set_title(name, loc="left", fontsize=11)
    panel.set_xlabel(f"{summary.measure}, test parts", fontsize=8)
    panel.tick_params(axis="x", labelsize=8)
    panel.grid(axis="x", color="0.9")
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _ordered(rows: Sequence[ConfigurationScores]) -> list[ConfigurationScores]:
    """By topology, then by layer; baselines last, the best first."""
    layers, shapes = list(COLOURS), list(SHAPES)
    models = [row for row in rows if row.role == "model"]
    models.sort(key=lambda row: (shapes.index(row.topology), layers.index(row.layer)))
    return models + [row for row in rows if row.role == "baseline"]


def _legend(figure: Figure, models: Sequence[ConfigurationScores]) -> None:
    layers, topologies = {row.layer for row in models}, {row.topology for row in models}
    swatches = [
        Line2D([], [], color=colour, linewidth=3, label=titles.layer(name))
        for name, colour in COLOURS.items()
        if name in layers
    ]
    marks = [
        Line2D([], [], color=GREY, marker=shape, linestyle="", label=titles.topology(name))
        for name, shape in SHAPES.items()
        if name in topologies
    ]
    figure.legend(handles=[*swatches, *marks], loc="outside lower center", ncols=6, frameon=False, fontsize=9)
