import numpy as np
import pytest
from rdkit import Chem

from graphattn.data.tasks import Task
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.calibration import Calibration
from graphattn.training.molecules.reliability.columns import prediction_columns, thresholds_of
from graphattn.training.molecules.reliability.domain import Neighbours

BINARY = Task("binary", ("y",), ("no", "yes"))
THREE = Task("multiclass", ("y",), ("a", "b", "c"))
SEVERAL = Task("multilabel", ("p", "q"), ("0", "1"))
VALUES = Task("regression", ("u", "v"))
ETHANOL, BENZENE = Chem.MolFromSmiles("CCO"), Chem.MolFromSmiles("c1ccccc1")
KNOWN = Reliability((Calibration(2.0, (0.0, 0.0)),), 0.9, ((0.5, 0.3),), (0.3,), "mcc")


def columns(task, known, each, molecules=(), threshold=None):
    found = prediction_columns(task, known, np.array(each), np.mean(each, 0), molecules, threshold)
    return {name: values.tolist() for name, values in found.items()}


def test_two_classes_raw_and_calibrated_with_sets_and_the_threshold():
    assert columns(BINARY, KNOWN, [[[0.2], [0.4], [0.75]]]) == {
        "predicted_y": ["no", "yes", "yes"],
        "probability_no": [0.8, 0.6, 0.25],
        "probability_yes": [0.2, 0.4, 0.75],
        # The odds squared: 1 to 16, 4 to 9, 9 to 1.
        "calibrated_no": pytest.approx([16 / 17, 9 / 13, 0.1], rel=1e-5),
        "calibrated_yes": pytest.approx([1 / 17, 4 / 13, 0.9], rel=1e-5),
        "set_y": ["{no}", "{no}", "{yes}"],
    }


def test_a_threshold_of_ones_own():
    each = [[[0.2], [0.4], [0.75]]]
    assert columns(BINARY, KNOWN, each, threshold=0.1)["predicted_y"] == ["yes"] * 3
    assert columns(BINARY, KNOWN, each, threshold=0.4)["predicted_y"] == ["no", "no", "yes"]
    assert columns(BINARY, None, each)["predicted_y"] == ["no", "no", "yes"]
    assert columns(BINARY, None, [[[0.5]]])["predicted_y"] == ["no"]


def test_sets_may_hold_all_or_nothing():
    known = Reliability((None,), 0.9, ((0.45, 0.2),), (0.5,))
    assert columns(BINARY, known, [[[0.3], [0.6], [0.9]]])["set_y"] == ["{no}", "{}", "{yes}"]
    known = Reliability((None,), 0.9, ((np.inf, np.inf),), (0.5,))
    assert columns(BINARY, known, [[[0.3]]])["set_y"] == ["{no | yes}"]
    assert "calibrated_no" not in columns(BINARY, known, [[[0.3]]])


def test_three_classes():
    known = Reliability((Calibration(1.0, (0.0, 0.0, np.log(4.0))),), 0.9, ((0.5, 0.5, 0.9),), ())
    found = columns(THREE, known, [[[0.5, 0.25, 0.25]]])
    assert found["predicted_y"] == ["a"]
    assert found["probability_c"] == [0.25]
    assert found["calibrated_c"] == pytest.approx([4 / 7], rel=1e-5)
    assert found["set_y"] == ["{a | c}"]


def test_several_targets_each_with_its_own():
    known = Reliability((None, Calibration(1.0, (0.0, 0.0))), 0.9, ((0.5, 0.5), (0.2, 0.9)), (0.5, 0.1))
    assert columns(SEVERAL, known, [[[0.2, 0.2]]]) == {
        "predicted_p": ["0"],
        "predicted_q": ["1"],
        "probability_p": [0.2],
        "probability_q": [0.2],
        "calibrated_q": [0.2],
        "set_p": ["{0}"],
        "set_q": ["{0 | 1}"],
    }


def test_values_have_intervals():
    known = Reliability((), 0.9, ((0.5,), (np.inf,)), ())
    found = columns(VALUES, known, [[[1.0, 2.0]]])
    assert (found["low_u"], found["high_u"]) == ([0.5], [1.5])
    assert (found["low_v"], found["high_v"]) == ([-np.inf], [np.inf])


def test_members_that_disagree_spread():
    assert columns(BINARY, None, [[[0.2], [0.5]], [[0.4], [0.5]]])["spread_y"] == pytest.approx([0.141421, 0.0])
    each = [[[0.8, 0.1, 0.1]], [[0.4, 0.3, 0.3]]]
    assert columns(THREE, None, each)["spread_y"] == pytest.approx([0.282843])
    found = columns(VALUES, None, [[[1.0, 5.0]], [[1.0, 7.0]]])
    assert (found["predicted_v"], found["spread_u"], found["spread_v"]) == ([6.0], [0.0], [1.41421])
    assert "spread_y" not in columns(BINARY, None, [[[0.2]]])


def test_the_nearest_training_molecule_and_the_domain():
    near = Neighbours.of(["CCO", "c1ccccc1"], [ETHANOL, BENZENE])
    known = Reliability((None,), 0.9, ((0.5, 0.5),), (0.5,), None, 0.6, near)
    asked = [Chem.MolFromSmiles(text) for text in ("OCC", "Cc1ccccc1", "[Na+]")]
    found = columns(BINARY, known, [[[0.1]] * 3], asked)
    assert found["nearest_smiles"][:2] == ["CCO", "c1ccccc1"]
    assert found["similarity"] == pytest.approx([1.0, 0.2727, 0.0])
    assert found["domain"] == ["in", "out", "out"]
    assert columns(BINARY, known, np.zeros((1, 0, 1)), [])["domain"] == []


def test_thresholds_that_cannot_be_used():
    with pytest.raises(ValueError, match=r"expected a threshold between 0 and 1, got 1\.5"):
        thresholds_of(BINARY, None, 1.5)
    for task in (THREE, VALUES):
        with pytest.raises(
            ValueError, match=f"expected a model of two classes to use a threshold, got a {task.kind} model"
        ):
            thresholds_of(task, None, 0.4)
