"""Learning curves and test predictions of each configuration, and rows that every network predicts wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.comparison.record import FitRecord
from graphattn.comparison.verdict.summary import ConfigurationScores, Summary
from graphattn.reports.axes import PlotAxis, around, decades, polyline

MOST_POINTS = 300
"""Points of a drawing of predicted against true values; more are thinned out evenly."""
GRID = np.linspace(0, 1, 101)


class LearningPanel(NamedTuple):
    """Learning curves of one configuration: a line for each fit, and the epochs that were kept, fewest and most."""

    row: ConfigurationScores
    training: list[str]
    validation: list[str]
    kept: tuple[int, int]


class LearningCurves(NamedTuple):
    """Panels of all configurations on common axes of epochs and loss; ``missing`` counts fits without curves."""

    across: PlotAxis
    up: PlotAxis
    panels: list[LearningPanel]
    missing: int


def learning_curves(configurations: Sequence[ConfigurationScores]) -> LearningCurves:
    """Training and validation loss of all fits; the loss is logarithmic where it spans a decade."""
    fits = [record for row in configurations for record in row.fits]
    known = [record for record in fits if record.curves.get("loss")]
    losses = [loss for record in known for name in ("loss", "val_loss") for loss in record.curves.get(name, [])]
    positive = [loss for loss in losses if loss > 0]
    wide = len(positive) == len(losses) > 0 and max(positive) > 10 * min(positive)
    up = decades(positive) if wide else around(losses)
    across = PlotAxis(0.5, max((record.epochs for record in known), default=1) + 0.5)
    panels = [_learning(row, across, up) for row in configurations if any(each.curves.get("loss") for each in row.fits)]
    return LearningCurves(across, up, panels, len(fits) - len(known))


def _learning(row: ConfigurationScores, across: PlotAxis, up: PlotAxis) -> LearningPanel:
    fits = [record for record in row.fits if record.curves.get("loss")]
    training, validation = (
        [
            polyline(across, up, range(1, len(values) + 1), values)
            for each in fits
            if (values := each.curves.get(name, []))
        ]
        for name in ("loss", "val_loss")
    )
    kept = [record.kept for record in fits]
    return LearningPanel(row, training, validation, (min(kept), max(kept)))


class PredictionPanel(NamedTuple):
    """Predictions of one configuration: a line or points of a picture of 100 by 100, or shares of predicted in true classes."""

    row: ConfigurationScores
    points: str
    shares: list[list[float]]


class Predictions(NamedTuple):
    """Panels of all configurations; ``ROC``, ``values`` or ``classes``; axes of the first two; fits without predictions."""

    kind: str
    across: PlotAxis
    up: PlotAxis
    panels: list[PredictionPanel]
    missing: int


def predictions(summary: Summary) -> Predictions:
    """ROC curves of two classes, predicted against true classes of more, predicted against true values."""
    rows = [row for row in summary.rows if row.fits]
    known = {
        row.name: [each.predictions for each in row.fits if len(set(each.predictions.get("true", []))) > 1]
        for row in rows
    }
    missing = sum(len(row.fits) for row in rows) - sum(map(len, known.values()))
    rows = [row for row in rows if known[row.name]]
    kind = {"ROC-AUC": "ROC", "accuracy": "classes"}.get(summary.measure, "values")
    if kind == "values":
        values = [value for fits in known.values() for each in fits for value in each["true"]]
        axis = around(values)
        panels = [PredictionPanel(row, _against_true(known[row.name], axis), []) for row in rows]
    elif kind == "ROC":
        axis = PlotAxis(0.0, 1.0)
        panels = [PredictionPanel(row, polyline(axis, axis, GRID, roc(known[row.name])), []) for row in rows]
    else:
        count = 1 + int(
            max((max(each["true"] + each["predicted"]) for row in rows for each in known[row.name]), default=0)
        )
        axis = PlotAxis(0.0, count)
        panels = [PredictionPanel(row, "", confusion(known[row.name], count).tolist()) for row in rows]
    return Predictions(kind, axis, axis, panels, missing)


def roc(fits: Sequence[dict[str, list[float]]]) -> NDArray[np.float64]:
    """Mean true positive rate of some fits at false positive rates from 0 to 1, the last of them 1.

    >>> float(roc([{"true": [0.0, 1.0], "predicted": [-1.0, 1.0]}])[0])
    1.0
    """
    from sklearn.metrics import roc_curve

    curves = []
    for each in fits:
        false, true, _ = roc_curve(each["true"], each["predicted"], drop_intermediate=False)
        curves.append(np.interp(GRID, false, true))
    return np.mean(curves, axis=0)


def confusion(fits: Sequence[dict[str, list[float]]], count: int) -> NDArray[np.float64]:
    """Share of each predicted class in the rows of each true class, over all fits, ``[true, predicted]``.

    >>> confusion([{"true": [0.0, 1.0, 1.0], "predicted": [0.0, 1.0, 0.0]}], 2).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    found = np.zeros((count, count))
    for each in fits:
        np.add.at(found, (np.array(each["true"], int), np.array(each["predicted"], int)), 1)
    return found / np.maximum(found.sum(1, keepdims=True), 1)


def _against_true(fits: Sequence[dict[str, list[float]]], axis: PlotAxis) -> str:
    """Dots as a path."""
    pairs = [pair for each in fits for pair in zip(each["true"], each["predicted"], strict=True)]
    thinned = pairs[:: -(-len(pairs) // MOST_POINTS)]
    return "".join(f"M{axis.at(true):.4g},{axis.down(predicted, 100):.4g}h0" for true, predicted in thinned)


class WrongRow(NamedTuple):
    """A row of the data that every fit of every network predicts wrongly: its number, truth, mean or usual prediction, fits, and
    baselines that predict it rightly in all their fits.
    """

    row: int
    true: float
    predicted: float
    fits: int
    right: list[str]


def always_wrong(summary: Summary) -> tuple[list[WrongRow], int]:
    """Rows that all networks predict wrongly whenever they are in a test part, and how many rows are in test parts.

    Wrong is another class than the true one; of values, an error above one standard deviation of the true values.
    """
    wrong = _wrong(summary)
    networks = _by_row(record for row in summary.models for record in row.fits)
    cheap = {row.title: _by_row(row.fits) for row in summary.baselines}
    found = []
    for number, pairs in sorted(networks.items()):
        if all(wrong(*pair) for pair in pairs):
            right = [
                name for name, rows in cheap.items() if rows.get(number) and not any(wrong(*p) for p in rows[number])
            ]
            found.append(WrongRow(number, pairs[0][0], _usual(pairs, summary.measure), len(pairs), right))
    worst = (lambda each: -abs(each.true - each.predicted)) if summary.measure == "R2" else (lambda each: -each.fits)
    return sorted(found, key=worst), len(networks)


def _by_row(records: Iterable[FitRecord]) -> dict[int, list[tuple[float, float]]]:
    found: dict[int, list[tuple[float, float]]] = {}
    for record in records:
        made = record.predictions
        for row, true, predicted in zip(*(made.get(name, []) for name in ("row", "true", "predicted")), strict=True):
            found.setdefault(int(row), []).append((true, predicted))
    return found


def _wrong(summary: Summary) -> Callable[[float, float], bool]:
    if summary.measure == "ROC-AUC":
        return lambda true, predicted: (predicted > 0) != (true == 1)
    if summary.measure == "accuracy":
        return lambda true, predicted: predicted != true
    fits = [record for row in summary.rows for record in row.fits]
    true = [value for record in fits for value in record.predictions.get("true", [])]
    deviation = float(np.std(true)) if true else 0.0
    return lambda true, predicted: abs(predicted - true) > deviation


def _usual(pairs: Sequence[tuple[float, float]], measure: str) -> float:
    predicted = [each for _, each in pairs]
    if measure == "R2":
        return float(np.mean(predicted))
    classes = [float(each > 0) for each in predicted] if measure == "ROC-AUC" else predicted
    return Counter(classes).most_common(1)[0][0]
