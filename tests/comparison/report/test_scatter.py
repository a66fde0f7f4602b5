"""The front of score against cost."""

from graphattn.comparison.report.figures import seconds
from graphattn.comparison.report.scatter import front, pareto
from graphattn.comparison.summary import summary
from tests.comparison.made_records import record


def rows(**cells):
    fits = [
        record(layer, "edges", split, score, seconds_per_epoch=cost)
        for layer, (score, cost) in cells.items()
        for split in range(2)
    ]
    return summary(fits).models


def test_the_front_is_what_nothing_beats_at_its_cost_or_less():
    cells = rows(gcn=(0.8, 1.0), gin=(0.7, 2.0), gat=(0.9, 2.0), sage=(0.9, 3.0), attention=(0.95, 9.0))
    assert [row.layer for row in front(cells, "seconds_per_epoch")] == ["gcn", "gat", "attention"]


def test_unknown_cost_is_on_no_front():
    cells = rows(gcn=(0.8, 0.0), gin=(0.7, 2.0))
    assert [row.layer for row in front(cells, "seconds_per_epoch")] == ["gin"]
    assert pareto(rows(gcn=(0.8, 0.0)), [], "seconds_per_epoch", "time", seconds) == ""


def test_what_is_far_below_is_said_instead_of_drawn():
    cells = rows(gcn=(0.9, 1.0), gin=(0.92, 2.0), gat=(0.5, 3.0))
    drawn = pareto(cells, [], "seconds_per_epoch", "time", seconds)
    assert "Below the frame: GAT on edges (0.500)." in drawn
    assert drawn.count('class="mark') == 2


def test_the_best_network_is_drawn_far_below_the_baselines_too():
    cheap = [
        record(name, "", split, 0.9, role="baseline") for name in ("SVC", "forest", "linear") for split in range(2)
    ]
    drawn = pareto(rows(gcn=(0.2, 1.0)), summary(cheap).baselines, "seconds_per_epoch", "time", seconds)
    assert drawn.count('class="mark gcn"') == 1


def test_a_single_cell_is_drawn():
    assert pareto(rows(gcn=(0.9, 1.0)), [], "seconds_per_epoch", "time", seconds).count('class="mark gcn"') == 1
