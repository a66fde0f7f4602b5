import math

import numpy as np
import pytest

from graphattn.training.molecules.reliability.conformal import class_quantiles, conformal_quantile, prediction_sets


@pytest.mark.parametrize(
    ("n", "coverage", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.95, 95), (4, 0.8, 4), (100, 0.9, 91)]
)
def test_the_quantile_is_the_ceil_of_n_plus_1_times_coverage(n, coverage, rank):
    scores = np.random.default_rng(0).permutation(n) + 1.0
    assert conformal_quantile(scores, coverage) == rank


@pytest.mark.parametrize(("n", "coverage"), [(0, 0.9), (8, 0.9), (18, 0.95), (3, 0.8)])
def test_too_few_scores_have_no_finite_quantile(n, coverage):
    assert conformal_quantile(np.arange(n, dtype=float), coverage) == math.inf


@pytest.mark.parametrize("n", [10, 19, 50])
def test_coverage_over_many_draws_is_the_stated_one(n):
    generator = np.random.default_rng(0)
    inside = [generator.random() <= conformal_quantile(generator.random(n), 0.9) for _ in range(20_000)]
    expected = math.ceil((n + 1) * 0.9 - 1e-9) / (n + 1)
    assert np.mean(inside) == pytest.approx(expected, abs=0.008)
    assert expected >= 0.9


def test_each_class_is_covered_however_rare():
    generator = np.random.default_rng(0)

    def draw(n):
        label = (generator.random(n) < 0.1).astype(int)
        positive = 1 / (1 + np.exp(-(2.0 * label - 3 + generator.normal(0, 1, n))))
        return np.column_stack([1 - positive, positive]), label

    quantiles = class_quantiles(*draw(4_000), 0.9)
    probability, label = draw(20_000)
    held = prediction_sets(probability, quantiles)[np.arange(20_000), label]
    assert held[label == 0].mean() == pytest.approx(0.9, abs=0.02)
    assert held[label == 1].mean() == pytest.approx(0.9, abs=0.03)


def test_a_class_of_which_nothing_is_known_is_in_every_set():
    quantiles = class_quantiles(np.array([[0.9, 0.1]] * 12), np.zeros(12, int), 0.9)
    assert quantiles == (pytest.approx(0.1), math.inf)
    assert prediction_sets(np.array([[0.2, 0.8], [1.0, 0.0]]), quantiles).tolist() == [[False, True], [True, True]]
