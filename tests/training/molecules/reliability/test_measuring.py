import numpy as np
import pytest
from rdkit import Chem

from graphattn.data.molecules.prepare import Molecules
from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.molecules.reliability.measuring import Wanted, assess_on, measure, measure_on

TASK = Task("binary", ("y",), ("no", "yes"))
SMILES = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N")]
Y = np.array([[float("O" in text)] for text in SMILES])


@pytest.fixture
def molecules():
    return Molecules([], SMILES, SMILES, [Chem.MolFromSmiles(text) for text in SMILES], np.arange(30), TASK, [])


@pytest.fixture
def split():
    places = np.arange(30)
    return Split(places[:10], places[10:20], places[20:])


def test_the_validation_part_is_fitted_and_the_test_part_measured(molecules, split):
    found = np.clip(Y + np.linspace(-0.6, 0.6, 30)[:, None], 0, 1)
    known = assess_on(molecules, split, found[10:20], Y[10:20], Wanted("cost=1:1"))
    assert known.aim == "cost=1:1"
    assert known.neighbours is not None
    assert known.neighbours.smiles == tuple(SMILES[:10])
    near = known.neighbours.nearest(molecules.mols[10:20])[1]
    assert known.least_similarity == pytest.approx(np.quantile(near, 0.05), rel=1e-5)
    measured = measure_on(molecules, split, known, found[20:], Y[20:])
    assert set(measured) == {"coverage", "calibration", "threshold", "domain"}
    sides = measured["domain"]
    assert sides["in"]["molecules"] + sides["out"]["molecules"] == 10
    raw, calibrated = measured["calibration"][0]["log_loss"]
    assert raw != calibrated


def test_without_neighbours_nothing_of_the_training_part_is_kept(molecules, split):
    known = assess_on(molecules, split, Y[10:20], Y[10:20], Wanted(neighbours=False))
    assert known.neighbours is None
    assert known.least_similarity is None
    assert "domain" not in measure_on(molecules, split, known, Y[20:], Y[20:])


def test_the_error_of_each_side_is_that_of_its_molecules(molecules, split):
    known = assess_on(molecules, split, Y[10:20], Y[10:20], Wanted())
    least = known.least_similarity or 0.0
    similarity = np.where(np.arange(10) < 6, least, least - 0.01)
    found = np.where(np.arange(10)[:, None] < 6, Y[20:], 1 - Y[20:])
    sides = measure(known, TASK, found, Y[20:], similarity)["domain"]
    assert (sides["in"]["molecules"], sides["out"]["molecules"]) == (6, 4)
    assert sides["in"]["figures"]["accuracy"]["value"] == 1
    assert sides["out"]["figures"]["accuracy"]["value"] == 0


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, 90.0])
def test_a_coverage_is_a_share(coverage):
    with pytest.raises(ValueError, match=f"expected a coverage between 0 and 1, got {coverage}"):
        Wanted(coverage=coverage)


def test_an_unknown_aim_is_refused_at_once():
    with pytest.raises(ValueError, match=r"expected as aim of the threshold mcc, .* got 'f1'"):
        Wanted("f1")
    with pytest.raises(ValueError, match="got a regression task"):
        Wanted("mcc").check(Task("regression", ("u",)))
    Wanted("mcc").check(TASK)
    Wanted().check(None)
