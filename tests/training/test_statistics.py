"""Intervals, tests and probabilities against SciPy, a published example, and what has to hold for any numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from graphattn.training.statistics import Interval, holm, interval, paired
from tests.comparison.made_records import flat

DIFFERENCES = [0.031, 0.012, 0.024, -0.004, 0.019, 0.027, 0.008, 0.015, 0.022, 0.010]
NUMBERS = st.lists(st.floats(-1, 1).map(lambda each: round(each, 4)), min_size=2, max_size=12)
RATIOS = st.floats(0, 1)


def test_without_overlap_it_is_the_paired_t_test():
    ours, theirs = paired(DIFFERENCES, ratio=0.0), stats.ttest_1samp(DIFFERENCES, 0.0)
    assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert ours.interval[1:] == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_numbers_worked_out_by_hand():
    # Mean 0.025, variance 5/3 10^-4, J = 4, ratio 1/8: scale sqrt(3/8 * 5/3 10^-4) = sqrt(6.25 10^-5) = 0.0079057; t = sqrt(10).
    found = paired([0.02, 0.03, 0.01, 0.04], ratio=0.125, rope=0.01)
    assert (found.mean, found.t) == pytest.approx((0.025, math.sqrt(10)))
    # Quantile 0.975 of Student's t with 3 degrees, from any table: 3.1824.
    assert found.interval[1:] == pytest.approx((0.025 - 3.1824 * 0.0079057, 0.025 + 3.1824 * 0.0079057), abs=1e-6)
    assert found.effect == pytest.approx(0.025 / math.sqrt(5 / 3 * 1e-4))
    assert found.resamplings == 4


def test_probabilities_are_areas_of_the_posterior():
    # Corani & Benavoli (2015) write the scale with the correlation rho = n_test / n.
    rho, size = 0.1, len(DIFFERENCES)
    scale = math.sqrt((1 / size + rho / (1 - rho)) * np.var(DIFFERENCES, ddof=1))
    mean, freedom = np.mean(DIFFERENCES), size - 1
    top = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi) / scale

    def density(x):
        return top * (1 + ((x - mean) / scale) ** 2 / freedom) ** (-(freedom + 1) / 2)

    found = paired(DIFFERENCES, ratio=1 / 9, rope=0.01)
    assert found.equal == pytest.approx(integrate.quad(density, -0.01, 0.01)[0])
    assert found.better == pytest.approx(integrate.quad(density, 0.01, 1)[0], abs=1e-6)
    assert found.worse == pytest.approx(integrate.quad(density, -1, -0.01)[0], abs=1e-6)


def test_the_published_example_of_scikit_learn():
    """Its page "Statistical comparison of models using grid search": two kernels of an SVC in ten times ten folds of 100 rows.

    A fold's ROC-AUC is a multiple of 0.04. These are the 100 differences, counted; the figures are those of the page.
    """
    counts = {-0.12: 1, -0.08: 2, -0.04: 10, 0.0: 53, 0.04: 29, 0.08: 4, 0.2: 1}
    differences = [each for each, times in counts.items() for _ in range(times)]
    found = paired(differences, ratio=10 / 90, rope=0.01)
    assert (found.t, found.p / 2) == pytest.approx((0.750, 0.227), abs=5e-4)
    assert (found.worse, found.equal, found.better) == pytest.approx((0.068, 0.432, 0.500), abs=5e-4)
    assert paired(differences, ratio=10 / 90, rope=0.0).better == pytest.approx(0.773, abs=5e-4)


def test_overlap_makes_intervals_wider():
    alone, overlapping = (interval(DIFFERENCES, ratio) for ratio in (0.0, 0.125))
    assert overlapping.mean == alone.mean
    assert (overlapping.high - overlapping.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(1 + 10 * 0.125))


@given(NUMBERS, RATIOS)
def test_the_other_way_round_everything_is_mirrored(numbers, ratio):
    ours, turned = paired(numbers, ratio), paired([-each for each in numbers], ratio)
    assert ours.interval == pytest.approx(turned.reversed().interval, abs=1e-12)
    assert (ours.better, ours.equal, ours.worse) == pytest.approx((turned.worse, turned.equal, turned.better), abs=1e-9)
    assert (ours.p, ours.t, ours.effect) == pytest.approx((turned.p, -turned.t, -turned.effect), abs=1e-9)


@given(NUMBERS, RATIOS, st.randoms(use_true_random=False))
def test_order_does_not_matter(numbers, ratio, random):
    shuffled = random.sample(numbers, len(numbers))
    assert flat(paired(shuffled, ratio)) == pytest.approx(flat(paired(numbers, ratio)), abs=1e-6)


@given(NUMBERS, RATIOS, st.floats(0, 0.2), st.floats(0, 0.2))
def test_probabilities_sum_to_one_and_a_wider_rope_holds_more(numbers, ratio, rope, more):
    narrow, wide = paired(numbers, ratio, rope), paired(numbers, ratio, rope + more)
    for found in (narrow, wide):
        assert found.worse + found.equal + found.better == pytest.approx(1)
        assert min(found.worse, found.equal, found.better) >= 0
    assert wide.equal >= narrow.equal - 1e-9


def test_without_a_rope_nothing_is_equal_and_better_is_the_one_sided_test():
    found = paired(DIFFERENCES, ratio=0.125, rope=0.0)
    assert found.equal == 0.0
    assert found.worse == pytest.approx(found.p / 2)


@pytest.mark.parametrize(
    ("difference", "p", "probabilities"),
    [
        (0.02, 0.0, (0, 0, 1)),
        (-0.02, 0.0, (1, 0, 0)),
        (0.01, 0.0, (0, 1, 0)),
        (-0.01, 0.0, (0, 1, 0)),
        (0.0, 1.0, (0, 1, 0)),
    ],
)
def test_equal_differences_leave_no_doubt(difference, p, probabilities):
    found = paired([difference] * 3, ratio=0.125, rope=0.01)
    assert (found.p, found.interval) == (p, pytest.approx((difference, difference, difference)))
    assert (found.worse, found.equal, found.better) == pytest.approx(probabilities)
    assert found.effect == (math.copysign(math.inf, difference) if difference else 0.0)


def test_what_rounding_leaves_is_no_spread():
    assert paired([0.1 + 0.2 - 0.3, 0.0, 0.0], ratio=0.125).p == 1.0
    assert math.isinf(paired([0.3 - 0.2, 0.1, 0.1], ratio=0.125).t)


@pytest.mark.parametrize("values", [[], [0.3]])
def test_one_resampling_says_nothing_about_others(values):
    found = paired(values, ratio=0.125)
    assert found.resamplings == len(values)
    assert np.isnan([*found.interval[1:], found.t, found.p, found.effect, found.worse, found.equal, found.better]).all()
    assert np.isnan(interval(values, 0.125)[1:]).all()
    assert interval([0.3], 0.125).mean == 0.3


@pytest.mark.parametrize(("rope", "ratio"), [(-0.01, 0.1), (0.01, -0.5)])
def test_what_is_below_zero_is_refused(rope, ratio):
    with pytest.raises(ValueError, match=f"expected a rope and a ratio of 0 or more, got {rope} and {ratio}"):
        paired(DIFFERENCES, ratio, rope)


def test_holm_by_hand():
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not be below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_counts_only_what_was_tested():
    unknown, known = holm([math.nan, 0.02])
    assert math.isnan(unknown)
    assert known == 0.02


def test_level_of_an_interval():
    assert interval([0.8, 0.82, 0.84], 0.0, level=0.9)[1:] == pytest.approx(
        stats.t.interval(0.9, 2, 0.82, 0.02 / math.sqrt(3))
    )
    assert isinstance(interval([0.8, 0.82], 0.1), Interval)
