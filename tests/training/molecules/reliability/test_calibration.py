import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from graphattn.training.molecules.reliability.calibration import (
    Calibration,
    calibrate,
    calibration_error,
    log_loss,
    reliability,
)


def drawn(n, slope, offset, seed=0):
    """Probabilities whose log-odds are off by a slope and an offset, and labels by the true ones."""
    generator = np.random.default_rng(seed)
    true = generator.normal(0, 2, n)
    label = (generator.random(n) < 1 / (1 + np.exp(-true))).astype(int)
    given = 1 / (1 + np.exp(-(true - offset) / slope))
    return np.column_stack([1 - given, given]), label


def test_a_slope_and_an_offset_are_found():
    probability, label = drawn(20_000, slope=0.5, offset=-1.0)
    found = calibrate(probability, label)
    assert found is not None
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.offsets == pytest.approx((0.0, -1.0), abs=0.06)
    positive = label == 1
    assert calibration_error(found(probability)[:, 1], positive) < 0.015
    assert calibration_error(probability[:, 1], positive) > 0.1


def test_it_is_a_logistic_regression_on_log_odds():
    probability, label = drawn(2_000, slope=0.7, offset=0.5)
    found = calibrate(probability, label)
    odds = np.log(probability[:, 1] / probability[:, 0])[:, None]
    theirs = LogisticRegression(C=np.inf, tol=1e-8).fit(odds, label)
    # They differ by the softened labels, of about one in a thousand.
    assert found is not None
    assert found(probability)[:, 1] == pytest.approx(theirs.predict_proba(odds)[:, 1], abs=0.003)


def test_three_classes_with_other_frequencies_than_in_training():
    generator = np.random.default_rng(0)
    share = np.array([0.8, 0.15, 0.05])
    label = generator.choice(3, 6_000, p=share)
    evidence = np.eye(3)[label] * 2 + generator.normal(0, 1, (6_000, 3))
    balanced = np.exp(2 * evidence)
    balanced /= balanced.sum(1, keepdims=True)
    found = calibrate(balanced, label)
    assert found is not None
    assert found(balanced).sum(1) == pytest.approx(1)
    assert found(balanced).mean(0) == pytest.approx(share, abs=0.01)
    assert log_loss(found(balanced), label) < log_loss(balanced, label) - 0.02
    assert found.slope == pytest.approx(1, abs=0.1)


def test_the_rank_of_molecules_stays_and_classes_told_apart_without_an_error_stay_uncertain():
    probability = np.column_stack([1 - np.linspace(0.01, 0.99, 20), np.linspace(0.01, 0.99, 20)])
    found = calibrate(probability, np.repeat([0, 1], 10))
    assert found is not None
    calibrated = found(probability)[:, 1]
    assert (np.diff(calibrated) > 0).all()
    assert calibrated.max() < 0.999
    against = calibrate(probability, np.repeat([1, 0], 10))
    assert against is not None
    assert (np.diff(against(probability)[:, 1]) > 0).all()


def test_too_few_molecules_of_a_class():
    probability = np.full((30, 2), 0.5)
    assert calibrate(probability, np.repeat([0, 1], [26, 4])) is None
    assert calibrate(probability, np.repeat([0, 1], [25, 5])) is not None
    assert calibrate(np.zeros((0, 2)), np.zeros(0, int)) is None


def test_certainty_has_a_logarithm():
    found = Calibration(2.0, (0.0, 1.0))(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert np.isfinite(found).all()
    assert found[0, 1] > 0.999


def test_a_stored_calibration_comes_back():
    known = Calibration(0.5, (0.0, -1.25))
    assert Calibration.from_dict(known.to_dict(), 2) == known
    for stored in (
        {"slope": 0.0, "offsets": [0, 1]},
        {"slope": 1, "offsets": [0]},
        {"slope": 1, "offsets": [0, np.nan]},
    ):
        with pytest.raises(
            ValueError, match=r"expected a slope above 0 and 2 finite offsets of a calibration, got \{'slope"
        ):
            Calibration.from_dict(stored, 2)


def test_bins_hold_equally_many_molecules():
    found = reliability(np.arange(25) / 25, np.arange(25) >= 20, bins=5)
    assert [each.molecules for each in found] == [5] * 5
    assert [each.observed for each in found] == [0, 0, 0, 0, 1]
    assert [each.predicted for each in found] == pytest.approx([0.08, 0.28, 0.48, 0.68, 0.88])
    assert len(reliability(np.array([0.5]), np.array([True]))) == 1
