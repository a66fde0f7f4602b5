"""Score against cost: the front, what is outside the frame, outliers."""

import pytest

from graphattn.comparison.report.drawings import cost_plot, depth_plot, differences_axis, front, scores_axis
from graphattn.comparison.verdict.summary import summary
from graphattn.reports.numbers import seconds
from tests.comparison.made_records import record


def rows(**configurations):
    fits = [
        record(layer, "edges", split, score, seconds_per_epoch=cost)
        for layer, (score, cost) in configurations.items()
        for split in range(2)
    ]
    return summary(fits).models


def plotted(networks, baselines=()):
    return cost_plot(networks, list(baselines), "seconds_per_epoch", "time", seconds)


def drawn(plot):
    return [row.layer for row, _ in plot.points]


def test_the_front_is_what_nothing_beats_at_its_cost_or_less():
    configurations = rows(gcn=(0.8, 1.0), gin=(0.7, 2.0), gat=(0.9, 2.0), sage=(0.9, 3.0), attention=(0.95, 9.0))
    assert [row.layer for row in front(configurations, "seconds_per_epoch")] == ["gcn", "gat", "attention"]


def test_unknown_cost_is_on_no_front():
    configurations = rows(gcn=(0.8, 0.0), gin=(0.7, 2.0))
    assert [row.layer for row in front(configurations, "seconds_per_epoch")] == ["gin"]
    assert plotted(rows(gcn=(0.8, 0.0))) is None


def test_what_is_far_below_is_named_instead_of_drawn():
    plot = plotted(rows(gcn=(0.9, 1.0), gin=(0.92, 2.0), gat=(0.5, 3.0)))
    assert [row.layer for row in plot.below] == ["gat"]
    assert sorted(drawn(plot)) == ["gcn", "gin"]
    assert plot.up.low > 0.5


def test_nothing_is_called_below_a_frame_that_holds_it():
    """Wide intervals reach down to 0.86: what scored 0.87 is inside, however far it is from the others."""
    fits = [
        record(layer, "edges", split, base + 0.02 * (split - 1), seconds_per_epoch=1.0)
        for layer, base in (("gcn", 0.92), ("gin", 0.921), ("sage", 0.922), ("gat", 0.87))
        for split in range(3)
    ]
    plot = plotted(summary(fits).models)
    assert plot.up.low < 0.87
    assert plot.below == []
    assert len(plot.points) == 4


@pytest.mark.parametrize("low", [0.2, 0.6, 0.8, 0.85, 0.88, 0.9])
def test_below_is_below_and_inside_is_inside(low):
    fits = [
        record(layer, "edges", split, base + 0.01 * split, seconds_per_epoch=1.0)
        for layer, base in (("gcn", 0.92), ("gin", 0.93), ("sage", 0.925), ("gat", low))
        for split in range(3)
    ]
    plot = plotted(summary(fits).models)
    assert all(row.score.mean < plot.up.low for row in plot.below)
    assert plot.above == []
    assert all(plot.up.low <= row.score.mean <= plot.up.high for row, _ in plot.points)
    assert len(plot.below) + len(plot.points) == 4


def test_the_best_network_is_drawn_far_below_the_baselines_too():
    cheap = [
        record(name, "", split, 0.9, role="baseline") for name in ("SVC", "forest", "linear") for split in range(2)
    ]
    plot = plotted(rows(gcn=(0.2, 1.0)), summary(cheap).baselines)
    assert drawn(plot) == ["gcn"]
    assert [row.layer for row in plot.above] == ["SVC", "forest", "linear"]


def test_a_baseline_far_above_leaves_the_networks_their_room():
    """As on digits after few epochs: networks between 0.21 and 0.29, an SVC at 0.97."""
    cheap = [
        record(name, "", split, mean, role="baseline")
        for name, mean in (("SVC", 0.97), ("forest", 0.3))
        for split in range(2)
    ]
    plot = plotted(rows(gcn=(0.21, 1.0), gin=(0.25, 2.0), gat=(0.29, 3.0)), summary(cheap).baselines)
    assert ([row.layer for row in plot.above], [row.layer for row in plot.baselines]) == (["SVC"], ["forest"])
    assert plot.up.high < 0.4


def test_one_outlier_in_cost_leaves_the_others_their_room():
    configurations = rows(gcn=(0.88, 1.0), gin=(0.89, 1.2), gat=(0.9, 1.5), sage=(0.9, 1.4), attention=(0.91, 400.0))
    plot = plotted(configurations)
    assert [(row.layer, cost) for row, cost in plot.beside] == [("attention", 400.0)]
    places = {row.layer: plot.across.at(cost) for row, cost in plot.points}
    assert places["attention"] == 100
    assert places["gat"] - places["gcn"] > 50
    assert [row.layer for row in plot.front] == ["gcn", "gin", "sage", "attention"]


def test_one_wide_interval_leaves_the_scores_their_room():
    """Of R2 one fit of three may be far below: its interval of thousands must not press the others together."""
    fits = [
        record(layer, "edges", split, base + 0.01 * split, measure="R2", seconds_per_epoch=1.0)
        for layer, base in (("gcn", 0.8), ("gin", 0.81), ("sage", 0.82))
        for split in range(3)
    ]
    fits += [
        record("gat", "edges", split, [0.99, 0.7, 0.75][split], measure="R2", seconds_per_epoch=1.0)
        for split in range(3)
    ]
    plot = plotted(summary(fits).models)
    assert plot.up.high - plot.up.low < 0.5


def test_axes_hold_what_stands_together():
    axis = scores_axis(rows(gcn=(0.9, 1.0), gin=(0.92, 2.0), gat=(0.5, 3.0)))
    assert 0.5 < axis.low < 0.9 < 0.92 < axis.high
    assert differences_axis([], 0.01).low < -0.01


def test_layers_are_numbered_from_the_first_and_states_from_before_it():
    fits = [record("gcn", "edges", 0, 0.8, learned={"dirichlet": [0.8, 0.5, 0.2], "entropy": [0.9, 0.7], "reach": 1.0})]
    models = summary(fits).models
    assert depth_plot(models, "dirichlet").places == [0, 1, 2]
    assert depth_plot(models, "entropy").places == [1, 2]
    assert depth_plot(models, "reach") is None
