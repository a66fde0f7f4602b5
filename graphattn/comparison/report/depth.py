"""What layers learned, by depth: a small drawing for each figure, a line for each cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.report.axes import Axis, around, written
from graphattn.comparison.report.marks import colour, mark
from graphattn.comparison.report.markup import Markup, element, joined
from graphattn.comparison.rows import Row

HEIGHT = 190
FIGURES = {
    "entropy": ("Entropy of attention", "share of its maximum: 1 listens to all alike, 0 to one"),
    "distance": ("Distance of attention", "hops on the given edges, weighted by attention"),
    "dirichlet": ("Dirichlet energy of states", "0 where neighbours have become alike: over-smoothing"),
    "true_edges": ("Attention on the edges that decide", "AUROC; 0.5 is chance"),
    "reach": ("Receptive field", "hops, weighted by how much a node's output depends on another"),
}


def average(row: Row, figure: str) -> list[float]:
    """A figure over the fits of a row: one number, or one for each layer; empty where no fit has it.

    >>> from graphattn.comparison.record import Fit, FitRecord
    >>> from graphattn.comparison.statistics import Interval
    >>> def fit(seed):
    ...     return FitRecord(Fit("p", "gcn", "edges", 0, seed), "ok", "R2", score=0.5, learned={"dirichlet": [seed, 0.0]})
    >>> row = Row("gcn on edges", "gcn", "edges", "model", Interval(0.5, 0.4, 0.6), {}, (fit(1), fit(3)), ())
    >>> average(row, "dirichlet")
    [2.0, 0.0]
    """
    found = [
        np.atleast_1d(np.asarray(record.learned[figure], float)) for record in row.fits if figure in record.learned
    ]
    alike = [each for each in found if len(each) == len(found[-1])]
    return [_mean([each[place] for each in alike]) for place in range(len(alike[0]))] if alike else []


def curves(rows: Sequence[Row], figure: str) -> Markup:
    """Lines of a figure from the first layer to the last; nothing if no row has a number for each of several layers."""
    lines = {row.name: (row, average(row, figure)) for row in rows}
    lines = {name: (row, values) for name, (row, values) in lines.items() if len(values) > 1}
    if not lines:
        return Markup("")
    title, meaning = FIGURES[figure]
    up = around(value for _, values in lines.values() for value in values)
    deepest = max(len(values) for _, values in lines.values())
    # Figures of states have a value before the first layer.
    first = 0 if figure == "dirichlet" else 1
    parts = [*_frame(up, deepest, first), *(_curve(row, values, up, deepest, first) for row, values in lines.values())]
    said = "; ".join(f"{wording.cell(row.layer, row.topology)} {steps(values)}" for row, values in lines.values())
    drawing = element(
        "svg", {"class": "plot", "height": HEIGHT, "role": "img", "aria-label": f"{title}: {said}"}, *parts
    )
    return element("figure", {}, element("figcaption", {}, element("b", {}, title), element("br"), meaning), drawing)


def steps(values: Sequence[float]) -> str:
    """Numbers from the first layer to the last.

    >>> steps([0.91, 0.5])
    '0.91 → 0.50'
    """
    return " → ".join(wording.number(value, 2) for value in values) or "–"


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _x(place: int, deepest: int) -> float:
    return round(12 + 82 * place / max(1, deepest - 1), 3)


def _y(up: Axis, value: float) -> float:
    return round((HEIGHT - 24) * (1 - up.at(value) / 100) + 4, 2)


def _frame(up: Axis, deepest: int, first: int) -> list[Markup]:
    levels, parts = up.ticks(4), []
    for level, text in zip(levels, written(levels), strict=True):
        y = _y(up, level)
        parts.append(element("line", {"class": "grid", "x1": "0%", "x2": "100%", "y1": y, "y2": y}))
        parts.append(element("text", {"class": "tick", "x": 0, "y": y - 3}, text))
    for place in range(deepest):
        text = str(place + first)
        at: dict[str, str | float] = {
            "class": "tick",
            "x": f"{_x(place, deepest)}%",
            "y": HEIGHT - 4,
            "text-anchor": "middle",
        }
        parts.append(element("text", at, text))
    return parts


def _curve(row: Row, values: Sequence[float], up: Axis, deepest: int, first: int) -> Markup:
    points = [(_x(place, deepest), _y(up, value)) for place, value in enumerate(values) if math.isfinite(value)]
    lines = [
        element("line", {"class": f"curve {colour(row.layer)}", "x1": f"{x}%", "y1": y, "x2": f"{to}%", "y2": below})
        for (x, y), (to, below) in pairwise(points)
    ]
    marks = [element("svg", {"class": "at", "x": f"{x}%", "y": y}, mark(row)) for x, y in points]
    title = element("title", {}, f"{wording.cell(row.layer, row.topology)}: {steps(values)}")
    return element("g", {}, title, joined(lines), joined(marks))
