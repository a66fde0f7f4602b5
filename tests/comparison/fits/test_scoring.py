import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import r2_score

from graphattn.comparison.fits.scoring import MOST_PREDICTIONS, chance, recorded, score


def test_scores_by_hand():
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    said = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.5], [0.0, 3.0]])
    assert score("binary", labels, said) == 0.75
    assert score("multiclass", labels, said) == 0.75
    values = np.array([[0.0], [0.0], [1.0], [0.0]])
    assert score("regression", labels, values) == r2_score(labels, values[:, 0]) == 0.0


def test_what_cannot_be_scored_is_said():
    with pytest.raises(ValueError, match="expected labels that differ, got 3 that do not"):
        score("binary", np.ones(3), np.ones((3, 2)))
    with pytest.raises(ValueError, match="expected numbers from the model, got nan in 1 of 2 rows"):
        score("binary", np.array([0.0, 1.0]), np.array([[0.0, np.nan], [0.0, 1.0]]))


def test_the_band_of_auc_is_that_of_mann_and_whitney():
    labels = np.array([0] * 60 + [1] * 40)
    low, high = chance("binary", labels, level=0.99)
    ranks = np.arange(100.0)
    # A part as far off as the band has a probability of 1 % by SciPy's normal approximation.
    count = round(high * 60 * 40)
    first = ranks[:60].copy()
    second = ranks[60:]
    statistic = mannwhitneyu(second, first, method="asymptotic", use_continuity=False)
    deviation = (statistic.statistic - 1200) / abs(_z(statistic.pvalue))
    assert (count - 1200) / deviation == pytest.approx(2.5758, abs=1e-2)
    assert low == pytest.approx(1 - high)


def _z(p):
    from scipy.stats import norm

    return norm.ppf(p / 2)


@pytest.mark.parametrize("target", ["binary", "multiclass", "regression"])
def test_labels_in_random_order_score_within_the_band(target):
    generator = np.random.default_rng(0)
    labels = {"binary": np.repeat([0.0, 1.0], [30, 70]), "multiclass": np.arange(100) % 4 + 0.0}.get(
        target, generator.normal(size=100)
    )
    outputs = {"binary": 2, "multiclass": 4, "regression": 1}[target]
    low, high = chance(target, labels, level=0.99)
    inside = 0
    for _ in range(400):
        said = generator.normal(size=(100, outputs)) * (0.1 if target == "regression" else 1)
        inside += low <= score(target, generator.permutation(labels), said) <= high
    assert 380 < inside <= 400


def test_the_best_guess_of_one_class_is_within():
    labels = np.repeat([0.0, 1.0, 2.0], [80, 10, 10])
    low, high = chance("multiclass", labels)
    assert low < 0.1 < 0.8 < high < 1


def test_a_small_part_says_little():
    assert chance("binary", [0, 1]) == (0.0, 1.0)
    assert chance("regression", [0.0, 1.0]) == (-np.inf, 1.0)
    small, large = chance("regression", np.arange(20.0))[1], chance("regression", np.arange(200.0))[1]
    assert large < small


def test_predictions_are_recorded_by_target():
    rows, labels = np.array([4, 9]), np.array([1.0, 2.0])
    outputs = np.array([[0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])
    assert recorded("multiclass", rows, labels, outputs)["predicted"] == [1.0, 2.0]
    assert recorded("binary", rows, labels, outputs)["predicted"] == pytest.approx([0.6, 0.25])
    assert recorded("regression", rows, labels, outputs) == {"row": [4, 9], "true": [1.0, 2.0], "predicted": [0.1, 0.0]}
    many = np.zeros(MOST_PREDICTIONS + 1)
    assert recorded("regression", many.astype(int), many, many[:, None]) == {}
    assert len(recorded("regression", many[1:].astype(int), many[1:], many[1:, None])["row"]) == MOST_PREDICTIONS
