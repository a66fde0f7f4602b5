import pytest

from graphattn.comparison.settings import Settings, quick


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"repeats": 0}, "expected repeats of 1 or more, got 0"),
        ({"seeds": 0}, "expected seeds of 1 or more, got 0"),
        ({"trials": -1}, "expected trials and seed of 0 or more, got -1 and 0"),
        ({"learning_rate": 0}, "expected learning_rate above 0, .* got 0, 0.01, 0.01, 0.1"),
        ({"dropout": 1.0}, "dropout from 0 to 1, got 0.002, 0.01, 0.01, 1.0"),
        ({"width": 30}, "expected width to be a multiple of heads, got 30 and 4"),
        ({"fractions": (0.5, 0.5, 0.0)}, r"expected three shares above 0 .* got fractions=\(0.5, 0.5, 0.0\)"),
    ],
)
def test_values_out_of_range_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Settings(**given)


def test_more_repeats_make_no_fit_another_one():
    same = Settings().of_fits()
    assert Settings(repeats=3, seeds=2, rope=0.1, split="random", seed=4, controls=False).of_fits() == same
    assert all(
        Settings(**each).of_fits() != same for each in ({"epochs": 3}, {"trials": 2}, {"width": 64}, {"dropout": 0})
    )


def test_a_quick_version_is_smaller():
    small = quick(Settings(trials=2, seed=5))
    assert (small.repeats, small.epochs, small.width, small.trials, small.seed) == (3, 12, 24, 2, 5)
    assert quick(Settings(heads=3)).heads == 3
    assert quick(Settings(width=10, heads=5)).width == 10
