"""Pictures of scores: a dot for each run, a row for each model, and a mark for what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graphattn.explain.topology import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Scores = Mapping[tuple[str, str], Sequence[float]]
"""Shares of all runs, from 0 to 1, by model and by way, such as ``("ViT", "with places")``."""


def draw_scores(scores: Scores, axes: Axes, known: Mapping[tuple[str, str], float] | None = None) -> None:
    """Draw scores in per cent: models from top to bottom in their order, ways in colours, a bar where a score is known.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_scores({("ViT", "with"): [0.96, 0.97], ("ViT", "without"): [0.77, 0.75]}, axes, {("ViT", "with"): 0.969})
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['ViT']
    """
    from matplotlib.ticker import PercentFormatter

    models, ways = (list(dict.fromkeys(key[part] for key in scores)) for part in (0, 1))
    for (model, way), values in scores.items():
        at = models.index(model) + 0.26 * (ways.index(way) - (len(ways) - 1) / 2)
        colour = COLOURS[ways.index(way) % len(COLOURS)]
        axes.scatter(values, [at] * len(values), s=22, color=colour, alpha=0.7, linewidths=0, zorder=3)
        if known and (model, way) in known:
            axes.plot([known[model, way]] * 2, [at - 0.2, at + 0.2], color="0.35", linewidth=1.4)
    for way, colour in zip(ways, COLOURS, strict=False):
        axes.scatter([], [], s=22, color=colour, label=way)
    if known:
        axes.plot([], [], color="0.35", linewidth=1.4, label="known")
    axes.set_yticks(range(len(models)), models)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x", color="0.92")
    axes.legend(fontsize=8)
