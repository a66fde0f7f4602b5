import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from graphattn.cli.options import AIMS as TOLD
from graphattn.training.molecules.reliability.threshold import AIMS, Aim, at_threshold, choose_threshold


@pytest.fixture
def drawn():
    generator = np.random.default_rng(0)
    positive = generator.random(300) < 0.2
    return np.round(1 / (1 + np.exp(-(generator.normal(0, 1, 300) + 1.5 * positive - 1))), 2), positive


def grid(probability):
    """A threshold between every two neighbours, and the two ends."""
    values = np.unique(probability)
    return [0.0, *((values[1:] + values[:-1]) / 2), 1.0]


def test_mcc_is_the_largest_there_is(drawn):
    probability, positive = drawn
    found = choose_threshold(Aim("mcc"), probability, positive)
    best = max(matthews_corrcoef(positive, probability > cut) for cut in grid(probability))
    assert matthews_corrcoef(positive, probability > found) == pytest.approx(best)
    assert at_threshold(probability, positive, found)["MCC"] == pytest.approx(best)
    assert found != 0.5


@pytest.mark.parametrize("specificity", [0.0, 0.5, 0.9, 1.0])
def test_sensitivity_is_the_largest_at_the_specificity(drawn, specificity):
    probability, positive = drawn
    found = at_threshold(
        probability, positive, choose_threshold(Aim("sensitivity", specificity), probability, positive)
    )
    allowed = [
        each
        for cut in grid(probability)
        if (each := at_threshold(probability, positive, cut))["specificity"] >= specificity
    ]
    assert found["specificity"] >= specificity
    assert found["sensitivity"] == max(each["sensitivity"] for each in allowed)


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1, 1), (1, 10), (10, 1), (1, 1000), (1000, 1)])
def test_cost_is_the_lowest_there_is(drawn, false_positive, false_negative):
    probability, positive = drawn

    def cost(cut):
        called = probability > cut
        return false_positive * (called & ~positive).sum() + false_negative * (~called & positive).sum()

    aim = Aim.parse(f"cost={false_positive}:{false_negative}")
    found = choose_threshold(aim, probability, positive)
    assert cost(found) == min(map(cost, grid(probability)))


def test_everything_or_nothing_may_be_called_positive():
    probability, positive = np.array([0.3, 0.6]), np.array([True, False])
    assert choose_threshold(Aim.parse("cost=1:9"), probability, positive) == 0
    assert choose_threshold(Aim.parse("cost=9:1"), probability, positive) == 1


def test_one_class_alone_leaves_a_half():
    for positive in (np.array([True, True]), np.array([False, False])):
        assert choose_threshold(Aim("mcc"), np.array([0.1, 0.2]), positive) == 0.5


def test_help_names_the_aims_there_are():
    assert TOLD == AIMS


def test_figures_that_are_undefined():
    found = at_threshold(np.array([0.1, 0.2]), np.array([False, False]), 0.5)
    assert np.isnan([found["sensitivity"], found["precision"]]).all()
    assert (found["specificity"], found["MCC"]) == (1, 0)


@pytest.mark.parametrize(
    "text",
    ["", "MCC ", "auc", "sensitivity", "sensitivity@specificity=1.5", "cost=1", "cost=0:1", "cost=1:-2", "cost=a:b"],
)
def test_an_unknown_aim(text):
    expected = f"expected as aim of the threshold mcc, sensitivity@specificity=0.9 or cost=FP:FN, got {text!r}"
    with pytest.raises(ValueError, match=expected.replace("(", r"\(")):
        Aim.parse(text)
