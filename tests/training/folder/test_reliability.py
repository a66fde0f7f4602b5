import numpy as np
import pytest

from graphattn.data.tasks import Task
from graphattn.training.folder.reliability import CAVEAT, reliability_sentences
from graphattn.training.folder.weights import plain
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.calibration import Calibration
from graphattn.training.molecules.reliability.measuring import measure


def described(task, known, found=None, y=None, similarity=None):
    measured = measure(known, task, found, y, similarity) if found is not None else None
    return plain({"task": task.to_dict(), "reliability": known.to_dict(), "measured": measured})


BINARY = Task("binary", ("y",), ("no", "yes"))
KNOWN = Reliability((Calibration(0.5, (0.0, 0.0)),), 0.9, ((0.4, np.inf),), (0.3,), "mcc", 0.25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"calibrations": [{"slope": float("nan"), "offsets": [0.0, 0.0]}]},
            "expected finite numbers in reliability, got nan",
        ),
        ({"calibrations": [{"slope": -1.0, "offsets": [0.0, 0.0]}]}, "expected a slope above 0 and 2 finite offsets"),
        ({"thresholds": [float("inf")]}, "expected finite numbers in reliability, got inf"),
    ],
)
def test_numbers_that_predictions_are_refused_with_are_refused(change, message):
    told = described(BINARY, KNOWN)
    with pytest.raises(ValueError, match=message):
        reliability_sentences({**told, "reliability": {**told["reliability"], **change}})


def test_of_two_classes():
    found, y = np.array([[0.1], [0.4], [0.9]]), np.array([[0.0], [0.0], [1.0]])
    said = reliability_sentences(described(BINARY, KNOWN, found, y, np.array([0.3, 0.3, 0.1])))
    calibrated, sets, label, caveat, domain = said
    # The mean of -log 0.9, -log 0.6 and -log 0.9; then of the roots of these odds: 0.75, 0.55 and 0.75.
    assert calibrated.endswith("the log loss goes from 0.241 to 0.391, the calibration error from 0.200 to 0.316.")
    assert (
        "of 90 % of each class, which always hold 'yes' (fewer than 9 validation molecules); of the test part" in sets
    )
    assert sets.endswith("(100.0 % of 'no', 100.0 % of 'yes'), with 1.67 classes in a set on average and 0.0 % empty.")
    assert label.startswith(
        "The label is 'yes' at a probability above 0.3 (chosen on the validation part for mcc); on the"
    )
    assert label.endswith("sensitivity 1.000, specificity 0.500, precision 0.500, MCC 0.500.")
    assert caveat == CAVEAT
    assert (
        "similarity (ECFP4) of 0.250 or more, as 95 % of the validation molecules have; of the test part 2 in" in domain
    )
    assert domain.endswith(" and 1 out (ROC-AUC undefined, MCC 0.000 [0.000, 0.000]).")


def test_a_threshold_that_may_not_have_been_chosen_is_said_to_be_so():
    said = reliability_sentences(described(BINARY, Reliability((None,), 0.9, ((np.inf, 0.5),), (0.5,), "mcc")))
    why = "chosen on the validation part for mcc, or kept because one of the two classes is not there"
    assert said[2] == f"The label is 'yes' at a probability above 0.5 ({why})."


def test_without_a_test_part_nothing_measured_is_claimed():
    said = reliability_sentences(described(BINARY, KNOWN))
    assert not any("test part" in sentence or "test molecules" in sentence for sentence in said if sentence != CAVEAT)
    assert said[0] == "Probabilities are calibrated on the validation part: slope 0.5 on the logs."


def test_a_target_without_labels_in_the_test_part_is_measured_by_nothing():
    task = Task("multilabel", ("a", "b"), ("0", "1"))
    known = Reliability((None, None), 0.9, ((0.5, 0.5), (np.inf, np.inf)), (0.5, 0.5))
    y = np.array([[0.0, np.nan], [1.0, np.nan]])
    said = reliability_sentences(described(task, known, np.full((2, 2), 0.5), y))
    assert said[1].endswith("(100.0 % of '0', 100.0 % of '1'), with 2.00 classes in a set on average and 0.0 % empty.")
    assert said[4] == (
        "Prediction sets of 'b' with a stated coverage of 90 % of each class, which always hold '0', '1' (fewer than 9 "
        "validation molecules)."
    )
    assert said[5] == "The label of 'b' is '1' at a probability above 0.5 (not chosen for an aim)."


def test_what_could_not_be_fitted_is_said():
    known = Reliability((None,), 0.9, ((np.inf, np.inf),), (0.5,))
    said = reliability_sentences(described(BINARY, known))
    assert said[0] == "Probabilities are not calibrated: a class has fewer than 5 molecules in the validation part."
    assert "always hold 'no', 'yes' (fewer than 9 validation molecules)" in said[1]
    assert said[2] == "The label is 'yes' at a probability above 0.5 (not chosen for an aim)."
    assert said[-1] == "The training molecules are not kept, so that nearest ones and the domain are unknown."


@pytest.mark.parametrize(
    ("half", "expected"),
    [
        (0.25, "the value ± 0.25; of the test part (2 labelled) 50.0 % are covered."),
        (np.inf, "± ∞, as 19 validation molecules"),
    ],
)
def test_of_several_values(half, expected):
    task = Task("regression", ("u", "v"))
    known = Reliability((), 0.95, ((half,), (1.0,)), ())
    said = reliability_sentences(described(task, known, np.zeros((2, 2)), np.array([[0.1, 0.1], [0.3, np.nan]])))
    assert said[0].startswith("Intervals of 'u' with a stated coverage of 95 %: the value ± ")
    assert expected in said[0]
    assert said[1].endswith("of the test part (1 labelled) 100.0 % are covered.")
    assert len(said) == 4
