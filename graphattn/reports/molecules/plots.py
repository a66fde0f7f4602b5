"""Curves and points of the drawings, from arrays. Letters: N molecules, K classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from graphattn.reports.axes import PlotAxis, around, polyline
from graphattn.training.molecules.reliability.calibration import reliability

MOST_POINTS = 800
"""Points of a drawing; more are thinned out evenly."""
COLOURS = ("attention", "gcn", "gat", "sage", "edgeconv", "gatv2", "gin", "mlp")
"""Classes of the style sheet that set a colour."""
Floats = NDArray[np.float64]
_UNIT = PlotAxis(0.0, 1.0)


class PlotSeries(NamedTuple):
    """A line (``points`` of a polyline) or dots (a path), of a picture of 100 by 100, with its name and colour."""

    name: str
    colour: str
    points: str
    dots: str = ""
    note: str = ""


class PlotPanel(NamedTuple):
    """A drawing with its axes and what they mean; ``diagonal`` from corner to corner is chance, or what is exact."""

    title: str
    across: PlotAxis
    up: PlotAxis
    names: tuple[str, str]
    series: Sequence[PlotSeries]
    diagonal: bool = False


def roc_panel(title: str, scores: Mapping[str, Floats], positive: NDArray[np.bool_]) -> PlotPanel:
    """ROC curves of several models by name, on the same molecules."""
    lines = []
    for colour, (name, score) in zip(COLOURS, scores.items(), strict=False):
        false, true, _ = roc_curve(positive, score)
        lines.append(PlotSeries(name, colour, polyline(_UNIT, _UNIT, false, true)))
    return PlotPanel(title, _UNIT, _UNIT, ("false positive rate", "true positive rate"), lines, diagonal=True)


def precision_panel(title: str, scores: Mapping[str, Floats], positive: NDArray[np.bool_]) -> PlotPanel:
    """Precision against recall, as steps, with the share of positives as the line of chance."""
    lines = []
    for colour, (name, score) in zip(COLOURS, scores.items(), strict=False):
        precision, recall, _ = precision_recall_curve(positive, score)
        x, y = np.repeat(recall[::-1], 2)[1:], np.repeat(precision[::-1], 2)[:-1]
        lines.append(PlotSeries(name, colour, polyline(_UNIT, _UNIT, x, y)))
    share = float(positive.mean())
    lines.append(PlotSeries(f"chance ({share:.2f})", "other", polyline(_UNIT, _UNIT, [0, 1], [share, share])))
    return PlotPanel(title, _UNIT, _UNIT, ("recall", "precision"), lines)


def reliability_panel(title: str, probabilities: Mapping[str, Floats], positive: NDArray[np.bool_]) -> PlotPanel:
    """Share of a class against its predicted probability, in ten bins of equally many molecules."""
    lines = []
    for colour, (name, probability) in zip(COLOURS, probabilities.items(), strict=False):
        bins = reliability(probability, positive)
        x, y = [each.predicted for each in bins], [each.observed for each in bins]
        lines.append(PlotSeries(name, colour, polyline(_UNIT, _UNIT, x, y), dots_of(_UNIT, _UNIT, x, y)))
    return PlotPanel(title, _UNIT, _UNIT, ("predicted probability", "share on the test part"), lines, diagonal=True)


def values_panel(title: str, found: Floats, truth: Floats, half: float) -> PlotPanel:
    """Predicted against true values, between the ends of their intervals."""
    axis = around([*found, *truth])
    chosen = thinned(len(found))
    ends = [axis.low, axis.high]
    series = [PlotSeries("test molecules", COLOURS[0], "", dots_of(axis, axis, truth[chosen], found[chosen]))]
    if math.isfinite(half):
        for sign in (-1, 1):
            line = polyline(axis, axis, ends, [end + sign * half for end in ends])
            series.append(PlotSeries("interval" if sign > 0 else "", "other", line))
    return PlotPanel(title, axis, axis, ("true", "predicted"), series, diagonal=True)


def similarity_panel(title: str, similarities: Mapping[str, Floats], least: float | None) -> PlotPanel:
    """Shares of molecules by the similarity to their nearest training molecule, and the edge of the domain."""
    edges = np.linspace(0, 1, 21)
    shares = {name: np.histogram(values, edges)[0] / max(1, len(values)) for name, values in similarities.items()}
    up = PlotAxis(0.0, 1.1 * max(0.05, *(float(share.max()) for share in shares.values())))
    x = np.repeat(edges, 2)[1:-1]
    lines = [
        PlotSeries(name, colour, polyline(_UNIT, up, x, np.repeat(share, 2)))
        for colour, (name, share) in zip(COLOURS, shares.items(), strict=False)
    ]
    if least is not None:
        edge = polyline(_UNIT, up, [least, least], [0, up.high])
        lines.append(PlotSeries(f"edge of the domain ({least:.2f})", "other", edge))
    return PlotPanel(title, _UNIT, up, ("similarity (Tanimoto, ECFP4)", "share of molecules"), lines)


def learning_panels(
    curves: Sequence[Sequence[Mapping[str, float]]], kept: Sequence[int], score: str | None
) -> list[PlotPanel]:
    """Losses and validation score by epoch, of all members, with the epochs whose weights were kept as dots."""
    rows = [list(member) for member in curves if member]
    if not rows:
        return []
    across = PlotAxis(0.5, max(map(len, rows)) + 0.5)
    wanted: dict[str, list[tuple[str, str, str]]] = {
        "Loss": [("loss", "training", "other"), ("val_loss", "validation", COLOURS[0])],
    }
    if score is not None:
        wanted[f"Validation {score}"] = [("val_score", score, COLOURS[0])]
    panels = []
    for title, names in wanted.items():
        values = {name: [[_number(row.get(name)) for row in member] for member in rows] for name, *_ in names}
        up = around(each for member in values.values() for column in member for each in column)
        series = []
        for name, words, colour in names:
            for at, column in enumerate(values[name]):
                epochs = range(1, len(column) + 1)
                end = kept[at]
                dot = dots_of(across, up, [end], [column[end - 1]]) if name != "loss" and 0 < end <= len(column) else ""
                series.append(PlotSeries(words if at == 0 else "", colour, polyline(across, up, epochs, column), dot))
        panels.append(PlotPanel(title, across, up, ("epoch", title.lower()), series))
    return panels


def map_panel(title: str, places: Floats, groups: Mapping[str, NDArray[np.bool_]], names: tuple[str, str]) -> PlotPanel:
    """Molecules at ``places`` [N, 2], a colour for each group of them; the first group is in the background."""
    across, up = around(places[:, 0].tolist()), around(places[:, 1].tolist())
    series = [
        PlotSeries(name, colour, "", dots_of(across, up, places[rows, 0], places[rows, 1]))
        for colour, (name, rows) in zip(("other", *COLOURS), groups.items(), strict=False)
    ]
    return PlotPanel(title, across, up, names, series)


def dots_of(across: PlotAxis, up: PlotAxis, x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> str:
    """Path of dots in a picture of 100 by 100; what is not finite is left out.

    >>> dots_of(PlotAxis(0.0, 1.0), PlotAxis(0.0, 1.0), [0.5, math.nan], [0.25, 0.0])
    'M50,75h0'
    """
    known = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    return "".join(f"M{across.at(a):.4g},{up.down(b, 100):.4g}h0" for a, b in known)


def thinned(count: int, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Positions of at most so many of ``count`` molecules, spread evenly.

    >>> thinned(5, most=3).tolist(), thinned(2).tolist()
    ([0, 2, 4], [0, 1])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)) if count else np.arange(0)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
