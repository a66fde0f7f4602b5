"""A model beside its baselines on the same images: figures, and the paired difference to each in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tasks import Task
from graphattn.reports.numbers import listed, number
from graphattn.training.metrics import Figure, figure_of, resampled
from graphattn.training.statistics import ROPE, VERBS, Finding, finding, holm, paired

Floats = NDArray[np.float64]

FEW_PATIENTS, FEWEST_PATIENTS = 10, 5
"""Fewer in the test part make intervals that say little; fewer still decide nothing."""
_LESS_IS_BETTER = ("RMSE", "MAE")


def few_patients(number: int) -> str:
    """What so few patients mean for intervals; nothing of ten or more.

    >>> few_patients(4), few_patients(10)
    ('4 patients are few: intervals say little, and are too narrow', '')
    >>> few_patients(1)
    '1 patient is not enough: intervals say little, and are too narrow'
    """
    few = f"{number} patients are few" if number > 1 else f"{number} patient is not enough"
    return f"{few}: intervals say little, and are too narrow" if number < FEW_PATIENTS else ""


class Judged(NamedTuple):
    """A baseline, by how much a model is better, with the ends of the interval, and what was found."""

    name: str
    mean: float
    low: float
    high: float
    finding: Finding


class Judge(Protocol):
    """Every measure of predictions ``[1 + resamples]``: of all, then of patients drawn with replacement, the same for all
    models; the first decides.
    """

    def __call__(
        self, prediction: Floats, y: Floats, patients: Sequence[str], resamples: int = ...
    ) -> dict[str, Floats]: ...


def judge_of(task: Task) -> Judge:
    """That of images with classes or values, by the measures of :func:`~graphattn.training.metrics.figures`."""

    def judged(prediction: Floats, y: Floats, patients: Sequence[str], resamples: int = 1000) -> dict[str, Floats]:
        return resampled(task, prediction, y, resamples, groups=patients)

    return judged


def measure_of(values: Mapping[str, float]) -> str:
    """The measure that decides: the first, or accuracy where that is undefined."""
    first = next(iter(values))
    return first if np.isfinite(values[first]) or "accuracy" not in values else "accuracy"


def by_patients(
    judge: Judge,
    predictions: Mapping[str, Floats],
    y: Floats,
    patients: Sequence[str],
    bases: Mapping[str, float] | None = None,
) -> tuple[dict[str, dict[str, Figure]], str]:
    """Figures of all models, whose intervals come of patients drawn with replacement, and the first beside the others.

    Args:
        judge: of what is predicted.
        predictions: of the same images or cells, by model; the first is compared with the others.
        y: truth.
        patients: of each row.
        bases: what chance gives, by measure.
    """
    sampled = {name: judge(each, y, patients) for name, each in predictions.items()}
    found = {
        name: {measure: figure_of(values, (bases or {}).get(measure)) for measure, values in each.items()}
        for name, each in sampled.items()
    }
    first, *others = predictions
    measure = measure_of({name: figure.value for name, figure in found[first].items()})
    judged = []
    for name in others:
        figure = figure_of(sampled[first][measure] - sampled[name][measure])
        low, value, high = figure.low, figure.value, figure.high
        if measure in _LESS_IS_BETTER:
            low, value, high = -high, -value, -low
        decided = _decided(low, high, measure) if len(set(patients)) >= FEWEST_PATIENTS else "open"
        judged.append(Judged(name, value, low, high, decided))
    return found, sentence(first, judged, measure, f"{len(set(patients))} patients drawn with replacement")


def by_folds(judge: Judge, predictions: Mapping[str, Sequence[Floats]], y: Sequence[Floats], ratio: float) -> str:
    """The first of several models beside the others, by the paired differences over folds.

    Intervals and tests know that training parts overlap (Nadeau & Bengio, 2003), p-values are adjusted together (Holm, 1979).

    Args:
        judge: of what is predicted.
        predictions: of each fold, by model.
        y: truth of each fold.
        ratio: samples of the test part for each one of the training part.
    """
    scored = {
        name: [
            {measure: float(values[0]) for measure, values in judge(each, truth, _each(truth), 1).items()}
            for each, truth in zip(folds, y, strict=True)
        ]
        for name, folds in predictions.items()
    }
    first, *others = predictions
    names = {measure_of(fold) for fold in scored[first]}
    measure = names.pop() if len(names) == 1 else "accuracy"
    sign = -1 if measure in _LESS_IS_BETTER else 1
    rows = {name: np.array([sign * fold[measure] for fold in each]) for name, each in scored.items()}
    found = [paired(rows[first] - rows[name], ratio) for name in others]
    adjusted = holm([each.p for each in found])
    judged = [
        Judged(name, each.interval.mean, each.interval.low, each.interval.high, finding(each, p))
        for name, each, p in zip(others, found, adjusted, strict=True)
    ]
    how = f"{len(y)} folds, corrected for their overlap; findings after Holm over {len(others)} comparisons"
    return sentence(first, judged, measure, how)


def _each(rows: Floats) -> list[str]:
    return [""] * len(rows)


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
