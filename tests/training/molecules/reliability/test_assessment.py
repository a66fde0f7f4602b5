import json
import math
import re

import numpy as np
import pytest
from rdkit import Chem

from graphattn.data.tasks import Task
from graphattn.training.molecules.reliability.assessment import (
    Coverage,
    Reliability,
    assess,
    class_probabilities,
    measured_coverage,
)
from graphattn.training.molecules.reliability.domain import Neighbours
from graphattn.training.molecules.reliability.threshold import Aim

BINARY = Task("binary", ("y",), ("no", "yes"))
THREE = Task("multiclass", ("y",), ("a", "b", "c"))
SEVERAL = Task("multilabel", ("p", "q"), ("0", "1"))
VALUES = Task("regression", ("u", "v"))


def drawn(task, n=400, seed=0):
    """Predictions and labels that agree more often than not."""
    generator = np.random.default_rng(seed)
    if task.kind == "regression":
        y = generator.normal(0, 1, (n, 2))
        return y + generator.normal(0, [0.1, 1.0], (n, 2)), y
    if task.kind == "multiclass":
        y = generator.integers(0, 3, n)
        scores = np.exp(generator.normal(0, 1, (n, 3)) + 2 * np.eye(3)[y])
        return scores / scores.sum(1, keepdims=True), y[:, None].astype(float)
    y = (generator.random((n, len(task.names))) < 0.3).astype(float)
    return 1 / (1 + np.exp(-(3 * y - 1.5 + generator.normal(0, 1, y.shape)))), y


@pytest.mark.parametrize("task", [BINARY, THREE, SEVERAL, VALUES], ids=lambda task: task.kind)
def test_stated_coverage_is_met_on_other_molecules(task):
    known = assess(task, *drawn(task), coverage=0.8)
    for each in measured_coverage(known, task, *drawn(task, n=4_000, seed=1)):
        assert each.share == pytest.approx(0.8, abs=0.05)
        assert each.classes == pytest.approx([0.8] * len(task.classes), abs=0.07)
        assert each.molecules == 4_000


@pytest.mark.parametrize("task", [BINARY, THREE, SEVERAL, VALUES], ids=lambda task: task.kind)
def test_missing_labels_take_no_part(task):
    found, y = drawn(task)
    known = assess(task, found, y, Aim("mcc") if task.kind in ("binary", "multilabel") else None)
    gaps = np.full_like(y, np.nan)
    more = assess(task, np.vstack([found, found]), np.vstack([y, gaps]), Aim("mcc") if known.thresholds else None)
    assert more == known
    assert measured_coverage(known, task, np.vstack([found, found]), np.vstack([y, gaps])) == measured_coverage(
        known, task, found, y
    )


def test_what_is_stored_comes_back_by_json():
    molecules = [Chem.MolFromSmiles("CCO")]
    for task in (BINARY, THREE, SEVERAL, VALUES):
        known = assess(task, *drawn(task), Aim("mcc") if task in (BINARY, SEVERAL) else None)
        assert Reliability.from_dict(json.loads(json.dumps(known.to_dict())), task, None) == known
    few = assess(BINARY, *drawn(BINARY, n=8))
    assert few.calibrations == (None,)
    assert math.inf in few.quantiles[0]
    near = Neighbours.of(["CCO"], molecules)
    kept = Reliability(few.calibrations, 0.9, few.quantiles, (0.5,), "mcc", 0.25, near)
    assert Reliability.from_dict(json.loads(json.dumps(kept.to_dict(), allow_nan=False)), BINARY, near) == kept


def test_shapes_of_what_predict_writes():
    found, y = drawn(SEVERAL)
    known = assess(SEVERAL, found, y)
    assert known.calibrated(SEVERAL, found).shape == found.shape
    assert [each.shape for each in known.sets(SEVERAL, found)] == [(400, 2)] * 2
    found, y = drawn(THREE)
    assert assess(THREE, found, y).calibrated(THREE, found).sum(1) == pytest.approx(1)
    assert class_probabilities(VALUES, np.zeros((3, 2))) == []
    values, y = drawn(VALUES)
    low, high = assess(VALUES, values, y).intervals(values)
    # The second target is ten times as noisy.
    assert ((high - low)[:, 1] > 5 * (high - low)[:, 0]).all()


def test_uncalibrated_targets_are_nan_and_the_others_not():
    found, y = drawn(SEVERAL)
    y[:, 1] = 0
    known = assess(SEVERAL, found, y)
    assert known.calibrations[1] is None
    assert np.isnan(known.calibrated(SEVERAL, found)[:, 1]).all()
    assert np.isfinite(known.calibrated(SEVERAL, found)[:, 0]).all()


def test_coverage_counts_by_class():
    known = Reliability((None,), 0.9, ((0.5, 0.2),), (0.5,))
    found, y = np.array([[0.1], [0.9], [0.9], [0.6]]), np.array([[0.0], [0.0], [1.0], [1.0]])
    (each,) = measured_coverage(known, BINARY, found, y)
    assert each == Coverage(share=0.5, molecules=4, classes=(0.5, 0.5), size=0.75, empty=0.25)


def test_intervals_hold_the_molecule_that_set_them():
    y = np.array([[0.0]] * 9)
    found = np.arange(9.0)[:, None] / 3
    task = Task("regression", ("u",))
    known = assess(task, found, y)
    assert known.quantiles[0][0] == pytest.approx(8 / 3, rel=1e-5)
    assert measured_coverage(known, task, found, y)[0].share == 1
    assert measured_coverage(known, task, found, y)[0].size == pytest.approx(16 / 3, rel=1e-5)


@pytest.mark.parametrize("task", [THREE, VALUES], ids=lambda task: task.kind)
def test_an_aim_needs_two_classes(task):
    expected = f"expected targets of two classes to choose a threshold for an aim, got a {task.kind} task"
    with pytest.raises(ValueError, match=expected):
        assess(task, *drawn(task), Aim("mcc"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("calibrations", []),
        ("coverage", 1.5),
        ("quantiles", [[0.1]]),
        ("quantiles", [[0.1, float("nan")]]),
        ("thresholds", [2.0]),
        ("thresholds", []),
        ("aim", 3),
        ("least_similarity", 0.3),
    ],
)
def test_values_that_do_not_fit_are_named(name, value):
    stored = assess(BINARY, *drawn(BINARY)).to_dict() | {name: value}
    expected = f"expected {name} of a binary model of 1 targets, got {value}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        Reliability.from_dict(stored, BINARY, None)
