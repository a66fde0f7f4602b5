"""A trained model's reliability: fitted on the validation part, measured on the test part."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from graphattn.data.molecules.prepare import Molecules
from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.metrics import Figure, figures
from graphattn.training.molecules.reliability.assessment import (
    COVERAGE,
    Reliability,
    assess,
    check_aim,
    class_probabilities,
    measured_coverage,
)
from graphattn.training.molecules.reliability.calibration import calibration_error, log_loss
from graphattn.training.molecules.reliability.domain import Neighbours, least_similarity
from graphattn.training.molecules.reliability.threshold import Aim, at_threshold

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """What a model is to say of its predictions.

    - ``aim`` of the threshold, as :meth:`~graphattn.training.molecules.reliability.threshold.Aim.parse` reads it; None for 0.5.
    - ``coverage`` of prediction sets and intervals.
    - ``neighbours``: whether the training molecules are kept in the folder, for nearest ones and the domain.

    Raises:
        ValueError: as ``Aim.parse``; a coverage that is not between 0 and 1.
    """

    aim: str | None = None
    coverage: float = COVERAGE
    neighbours: bool = True

    def __post_init__(self) -> None:
        if self.aim is not None:
            Aim.parse(self.aim)
        if not 0 < self.coverage < 1:
            raise ValueError(f"expected a coverage between 0 and 1, got {self.coverage}")

    def check(self, task: Task | None) -> None:
        """Check that the task has the classes that the aim needs; raises ``ValueError`` as ``check_aim``."""
        if task is not None and self.aim is not None:
            check_aim(task, Aim.parse(self.aim))


def assess_on(molecules: Molecules, split: Split, found: Floats, y: Floats, wanted: Wanted) -> Reliability:
    """What the predictions ``found`` [N, outputs] for the validation part, with the labels ``y`` [N, T] of it, say of a model.

    Raises:
        ValueError: as ``assess``.
    """
    assert molecules.task is not None
    aim = Aim.parse(wanted.aim) if wanted.aim else None
    known = replace(assess(molecules.task, found, y, aim, wanted.coverage), aim=wanted.aim)
    if not wanted.neighbours:
        return known
    near = Neighbours.of([molecules.smiles[i] for i in split.train.tolist()], _chosen(molecules, split.train))
    similarity = near.nearest(_chosen(molecules, split.validation))[1]
    return replace(known, neighbours=near, least_similarity=least_similarity(similarity))


def measure(known: Reliability, task: Task, found: Floats, y: Floats, similarity: Floats | None) -> dict[str, Any]:
    """How calibration, sets, thresholds and domain do on molecules that took no part in them, for ``model.json``.

    Args:
        known: what the validation part said.
        task: of the model.
        found, y: predictions [N, outputs] and labels [N, T], NaN where missing.
        similarity: to the nearest training molecule [N]; None if that is unknown.
    """
    measured: dict[str, Any] = {"coverage": [each._asdict() for each in measured_coverage(known, task, found, y)]}
    if task.kind != "regression":
        measured["calibration"] = _calibration(known, task, found, y)
    if known.thresholds:
        pairs = zip(found.T, y.T, known.thresholds, strict=True)
        measured["threshold"] = [at_threshold(p[~np.isnan(t)], t[~np.isnan(t)] == 1, cut) for p, t, cut in pairs]
    if similarity is not None and known.least_similarity is not None:
        inside = similarity >= known.least_similarity
        measured["domain"] = {
            side: {"molecules": int(rows.sum()), "figures": _figures(task, found[rows], y[rows])}
            for side, rows in (("in", inside), ("out", ~inside))
        }
    return measured


def measure_on(molecules: Molecules, split: Split, known: Reliability, found: Floats, y: Floats) -> dict[str, Any]:
    """:func:`measure` on the test part, with predictions ``found`` [N, outputs] and labels ``y`` [N, T]."""
    assert molecules.task is not None
    near = known.neighbours
    similarity = near.nearest(_chosen(molecules, split.test))[1] if near else None
    return measure(known, molecules.task, found, y, similarity)


def _chosen(molecules: Molecules, rows: NDArray[np.int64]) -> list[Chem.Mol]:
    return [molecules.mols[int(row)] for row in rows]


def _calibration(known: Reliability, task: Task, found: Floats, y: Floats) -> list[dict[str, list[float]] | None]:
    rows: list[dict[str, list[float]] | None] = []
    for probability, calibration, truth in zip(class_probabilities(task, found), known.calibrations, y.T, strict=True):
        there = ~np.isnan(truth)
        if calibration is None or not there.any():
            rows.append(None)
            continue
        label = truth[there].astype(np.int64)
        both = probability[there], calibration(probability[there])
        rows.append(
            {"log_loss": [log_loss(each, label) for each in both], "error": [_error(each, label) for each in both]}
        )
    return rows


def _error(probability: Floats, label: NDArray[np.int64]) -> float:
    """Of two classes that of the positive one, else the mean over classes."""
    classes = range(probability.shape[1])
    errors = [calibration_error(probability[:, k], label == k) for k in classes]
    return errors[1] if len(errors) == 2 else float(np.mean(errors))


def _figures(task: Task, found: Floats, y: Floats) -> dict[str, Any]:
    """Without their intervals over 1,000 resamples, which few molecules do not bear."""
    return {name: _value(figure) for name, figure in figures(task, found, y).items()} if len(y) else {}


def _value(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}
