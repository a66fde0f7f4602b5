"""A model beside its baselines on the same images: figures, and the paired difference to each in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tasks import Task
from graphattn.reports.numbers import listed, number
from graphattn.training.metrics import Figure, differences, figures
from graphattn.training.statistics import ROPE, VERBS, Finding, finding, holm, paired

Floats = NDArray[np.float64]

FEW_PATIENTS, FEWEST_PATIENTS = 10, 5
"""Fewer in the test part make intervals that say little; fewer still decide nothing."""
_LESS_IS_BETTER = ("RMSE", "MAE")


class Judged(NamedTuple):
    """A baseline, by how much a model is better, with the ends of the interval, and what was found."""

    name: str
    mean: float
    low: float
    high: float
    finding: Finding


def measure_of(found: Mapping[str, Figure]) -> str:
    """The figure that decides: ROC-AUC, or RMSE; accuracy where the first is undefined."""
    first = next(iter(found))
    return first if first != "ROC-AUC" or np.isfinite(found[first].value) else "accuracy"


def by_patients(
    task: Task, predictions: Mapping[str, Floats], y: Floats, patients: Sequence[str]
) -> tuple[dict[str, dict[str, Figure]], str]:
    """Figures of all models, whose intervals come of patients drawn with replacement, and the first beside the others.

    Args:
        task: what is predicted.
        predictions: of the same images, by model; the first is compared with the others.
        y: truth ``[N, 1]``.
        patients: of each image.
    """
    found = {name: figures(task, each, y, groups=patients) for name, each in predictions.items()}
    first, *others = predictions
    measure = measure_of(found[first])
    judged = []
    for name in others:
        figure = differences(task, predictions[first], predictions[name], y, groups=patients)[measure]
        low, value, high = figure.low, figure.value, figure.high
        if measure in _LESS_IS_BETTER:
            low, value, high = -high, -value, -low
        decided = _decided(low, high, measure) if len(set(patients)) >= FEWEST_PATIENTS else "open"
        judged.append(Judged(name, value, low, high, decided))
    return found, sentence(first, judged, measure, f"{len(set(patients))} patients drawn with replacement")


def by_folds(task: Task, predictions: Mapping[str, Sequence[Floats]], y: Sequence[Floats], ratio: float) -> str:
    """The first of several models beside the others, by the paired differences over folds.

    Intervals and tests know that training parts overlap (Nadeau & Bengio, 2003), p-values are adjusted together (Holm, 1979).

    Args:
        task: what is predicted.
        predictions: of each fold, by model.
        y: truth of each fold.
        ratio: images of the test part for each one of the training part.
    """
    scored = {
        name: [figures(task, each, truth, resamples=1) for each, truth in zip(folds, y, strict=True)]
        for name, folds in predictions.items()
    }
    first, *others = predictions
    defined = all(np.isfinite(figure[measure_of(figure)].value) for figure in scored[first])
    names = {measure_of(figure) for figure in scored[first]} if defined else set()
    measure = names.pop() if len(names) == 1 else "accuracy" if task.kind != "regression" else "RMSE"
    sign = -1 if measure in _LESS_IS_BETTER else 1
    rows = {name: np.array([sign * figure[measure].value for figure in each]) for name, each in scored.items()}
    found = [paired(rows[first] - rows[name], ratio) for name in others]
    adjusted = holm([each.p for each in found])
    judged = [
        Judged(name, each.interval.mean, each.interval.low, each.interval.high, finding(each, p))
        for name, each, p in zip(others, found, adjusted, strict=True)
    ]
    how = f"{len(y)} folds, corrected for their overlap; findings after Holm over {len(others)} comparisons"
    return sentence(first, judged, measure, how)


def sentence(name: str, judged: Sequence[Judged], measure: str, how: str) -> str:
    """A model beside its baselines, those that are as good or better first.

    >>> print(sentence("net", [Judged("forest on composition", 0.03, 0.01, 0.05, "better")], "accuracy", "40 patients"))
    net beats forest on composition by 0.030 [0.010, 0.050]. (accuracy; intervals of 95 % from 40 patients)
    """
    groups: dict[Finding, list[str]] = {"worse": [], "equal": [], "open": [], "better": []}
    for each in judged:
        mean, low, high = (-each.mean, -each.high, -each.low) if each.finding == "worse" else each[1:4]
        ends = f" [{number(low)}, {number(high)}]" if np.isfinite(low) else ""
        by = f"{number(mean)}{ends}"
        groups[each.finding].append(
            f"{each.name} by {by}" if each.finding in ("worse", "better") else f"{each.name} ({by})"
        )
    alarms = {"worse": "A baseline is better than the network: ", "equal": "A baseline is as good as the network: "}
    first = next((alarms[kind] for kind in ("worse", "equal") if groups[kind]), "")
    parts = [f"{VERBS[kind]} {listed(each)}" for kind, each in groups.items() if each]
    return f"{first}{name} {'; '.join(parts)}. ({measure}; intervals of 95 % from {how})"


def _decided(low: float, high: float, measure: str) -> Finding:
    """What an interval of a difference decides; the region of practical equivalence is of scores from 0 to 1."""
    if measure not in _LESS_IS_BETTER and low >= -ROPE and high <= ROPE:
        return "equal"
    return "better" if low > 0 else "worse" if high < 0 else "open"
