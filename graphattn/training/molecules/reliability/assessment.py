"""What the validation part says about predictions, kept with the model; and what the test part says about that.

Letters: N molecules, T targets, K classes, M members of an ensemble.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tasks import Task
from graphattn.training.molecules.reliability.calibration import Calibration, calibrate
from graphattn.training.molecules.reliability.conformal import class_quantiles, conformal_quantile, prediction_sets
from graphattn.training.molecules.reliability.domain import Neighbours
from graphattn.training.molecules.reliability.threshold import DEFAULT, Aim, choose_threshold

COVERAGE = 0.9
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Calibrations, quantiles of prediction sets or intervals and thresholds of each target, and the domain.

    Args:
        calibrations: of each target with classes, None where there were too few molecules; empty for a regression.
        coverage: share of true classes or values that sets and intervals shall hold.
        quantiles: for each target one per class, or of a regression the half width of its intervals; infinite where there
            were too few molecules.
        thresholds: for each target with two classes; else empty.
        aim: what they were chosen for; None if for nothing.
        least_similarity: to the nearest training molecule, for molecules in the domain; None without neighbours.
        neighbours: the training molecules; None if they were not to be kept.
    """

    calibrations: tuple[Calibration | None, ...]
    coverage: float
    quantiles: tuple[tuple[float, ...], ...]
    thresholds: tuple[float, ...]
    aim: str | None = None
    least_similarity: float | None = None
    neighbours: Neighbours | None = None

    def calibrated(self, task: Task, found: Floats) -> Floats:
        """``found`` [N, outputs] of ``FittedModel.predict``, calibrated; columns of targets without a calibration are NaN."""
        every = [
            np.full(each.shape, np.nan) if calibration is None else calibration(each)
            for each, calibration in zip(class_probabilities(task, found), self.calibrations, strict=True)
        ]
        return every[0] if task.kind == "multiclass" else np.column_stack([each[:, 1] for each in every])

    def sets(self, task: Task, found: Floats) -> list[NDArray[np.bool_]]:
        """For each target with classes, whether each class is in the prediction set, [N, K]."""
        every = class_probabilities(task, found)
        return [prediction_sets(each, quantiles) for each, quantiles in zip(every, self.quantiles, strict=True)]

    def intervals(self, found: Floats) -> tuple[Floats, Floats]:
        """Lower and upper ends [N, T] around the values ``found`` [N, T] of a regression."""
        half = np.array([quantiles[0] for quantiles in self.quantiles])
        return found - half, found + half

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, which has no infinity: None."""
        return {
            "calibrations": [each and each.to_dict() for each in self.calibrations],
            "coverage": self.coverage,
            "quantiles": [[value if math.isfinite(value) else None for value in row] for row in self.quantiles],
            "thresholds": list(self.thresholds),
            "aim": self.aim,
            "least_similarity": self.least_similarity,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], task: Task, neighbours: Neighbours | None) -> "Reliability":
        """The inverse of ``to_dict``.

        Raises:
            ValueError: values that do not fit the task.
        """
        classes = _classes(task)
        calibrations = tuple(each and Calibration.from_dict(each, classes) for each in stored["calibrations"])
        quantiles = tuple(
            tuple(math.inf if value is None else float(value) for value in row) for row in stored["quantiles"]
        )
        thresholds = tuple(map(float, stored["thresholds"]))
        least, coverage, aim = stored["least_similarity"], float(stored["coverage"]), stored["aim"]
        two = task.kind in ("binary", "multilabel")
        wrong = {
            "calibrations": len(calibrations) != (0 if task.kind == "regression" else len(task.names)),
            "coverage": not 0 < coverage < 1,
            "quantiles": [len(row) for row in quantiles] != [max(1, classes)] * len(task.names)
            or any(math.isnan(value) for row in quantiles for value in row),
            "thresholds": len(thresholds) != two * len(task.names) or not all(0 <= each <= 1 for each in thresholds),
            "aim": aim is not None and not isinstance(aim, str),
            "least_similarity": (least is None) != (neighbours is None)
            or (least is not None and not 0 <= float(least) <= 1),
        }
        if any(wrong.values()):
            name = next(name for name, bad in wrong.items() if bad)
            raise ValueError(f"expected {name} of a {task.kind} model of {len(task.names)} targets, got {stored[name]}")
        return cls(
            calibrations, coverage, quantiles, thresholds, aim, None if least is None else float(least), neighbours
        )


def assess(task: Task, found: Floats, y: Floats, aim: Aim | None = None, coverage: float = COVERAGE) -> Reliability:
    """What the predictions ``found`` [N, outputs] for molecules with the labels ``y`` [N, T], NaN where missing, say of a model.

    Calibration, sets and thresholds are all of the same molecules. Thresholds are 0.5 without an aim.

    Raises:
        ValueError: an aim for more than two classes or none.
    """
    check_aim(task, aim)
    if task.kind == "regression":
        errors = [np.abs(found[known, t] - y[known, t]) for t, known in enumerate(~np.isnan(y).T)]
        return Reliability((), coverage, tuple((_short(conformal_quantile(each, coverage)),) for each in errors), ())
    calibrations, quantiles, thresholds = [], [], []
    for probability, truth in zip(class_probabilities(task, found), y.T, strict=True):
        known = ~np.isnan(truth)
        probability, label = probability[known], truth[known].astype(np.int64)
        calibrations.append(calibrate(probability, label))
        quantiles.append(tuple(map(_short, class_quantiles(probability, label, coverage))))
        if task.kind != "multiclass":
            thresholds.append(choose_threshold(aim, probability[:, 1], label == 1) if aim else DEFAULT)
    return Reliability(tuple(calibrations), coverage, tuple(quantiles), tuple(thresholds))


def check_aim(task: Task, aim: Aim | None) -> None:
    """Check that a threshold can be chosen for an aim.

    Raises:
        ValueError: the task has more than two classes or none.
    """
    if aim is not None and task.kind not in ("binary", "multilabel"):
        raise ValueError(f"expected targets of two classes to choose a threshold for an aim, got a {task.kind} task")


def class_probabilities(task: Task, found: Floats) -> list[Floats]:
    """For each target of classes the probabilities of all of them, [N, K], from ``found`` [N, outputs].

    >>> [each.tolist() for each in class_probabilities(Task("binary", ("y",), ("no", "yes")), np.array([[0.75]]))]
    [[[0.25, 0.75]]]
    """
    if task.kind == "regression":
        return []
    return [found] if task.kind == "multiclass" else [np.column_stack([1 - each, each]) for each in found.T]


class Coverage(NamedTuple):
    """How often sets or intervals held the truth: of ``molecules``, or of those of each class, and their mean size."""

    share: float
    molecules: int
    classes: tuple[float, ...]
    size: float
    empty: float


def measured_coverage(reliability: Reliability, task: Task, found: Floats, y: Floats) -> list[Coverage]:
    """For each target what its sets or intervals hold of the truth ``y`` [N, T]; the size of an interval is its width."""
    rows = []
    if task.kind == "regression":
        for low, high, truth in zip(*(ends.T for ends in reliability.intervals(found)), y.T, strict=True):
            known = ~np.isnan(truth)
            inside = (low[known] <= truth[known]) & (truth[known] <= high[known])
            rows.append(Coverage(_mean(inside), int(known.sum()), (), _mean((high - low)[known]), 0.0))
        return rows
    for held, truth in zip(reliability.sets(task, found), y.T, strict=True):
        known = ~np.isnan(truth)
        held, label = held[known], truth[known].astype(int)
        right = held[np.arange(len(label)), label]
        classes = tuple(_mean(right[label == k]) for k in range(held.shape[1]))
        rows.append(Coverage(_mean(right), len(label), classes, _mean(held.sum(1)), _mean(held.sum(1) == 0)))
    return rows


def _classes(task: Task) -> int:
    return len(task.classes)


def _mean(values: NDArray | Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _short(value: float) -> float:
    """Rounded up to six digits, so that the molecule that set a quantile stays inside."""
    if not math.isfinite(value) or value == 0:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 5)
    return float(f"{math.ceil(value / step - 1e-9) * step:.6g}")
