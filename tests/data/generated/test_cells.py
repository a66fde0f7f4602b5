"""Tissue with a known truth: what mixing and shares say, to networks and to the comparison."""

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from graphattn.comparison import Settings, compare
from graphattn.comparison.verdict.findings import Findings
from graphattn.data.generated import counted_cells, mixed_cells
from graphattn.models import TISSUE_MODELS, TissueInputs
from graphattn.training import Recipe, evaluate, fit


def composition(graphs):
    return torch.stack([graph.x.mean(0) for graph in graphs]).numpy(), np.array([int(graph.y) for graph in graphs])


def accuracy_of(name, graphs, tested, epochs):
    torch.manual_seed(0)
    model = TISSUE_MODELS[name](TissueInputs.of(graphs), 2, "graph", 16)
    fit(model, graphs, None, Recipe(epochs, batch_size=16, learning_rate=0.01, average=0.9), measures={})
    return evaluate(model, tested)["accuracy"]


def test_a_graph_helps_where_mixing_decides_and_composition_is_at_chance():
    graphs, tested = mixed_cells(100, seed=0), mixed_cells(100, seed=1)
    assert {int(graph.cell_type.sum()) for graph in graphs} == {32}
    alone = LogisticRegression().fit(*composition(graphs)).score(*composition(tested))
    assert alone == 0.5
    assert accuracy_of("slide_graph", graphs, tested, epochs=15) > 0.95
    assert accuracy_of("attention_mil", graphs, tested, epochs=3) == 0.5


def test_the_comparison_does_not_say_that_edges_help_where_shares_decide():
    settings = Settings(
        repeats=3, epochs=8, width=8, hidden=16, depth=1, learning_rate=0.02, batch_size=16, controls=False, trees=5
    )
    graphs = counted_cells(100, shares=(0.3, 0.7))
    compared = compare(graphs, ["edgeconv", "mlp"], ["edges"], settings=settings, console=Console(quiet=True))
    scores = {row.name: row.score.mean for row in compared.summary().rows}
    assert min(scores["mlp on none"], scores["logistic regression"]) > 0.8
    edges = Findings(compared.summary()).edges
    assert edges is not None
    assert edges.finding != "better"


@pytest.mark.parametrize("make", [mixed_cells, counted_cells])
def test_tissue_is_drawn_by_its_seed_in_micrometres_with_features_of_edges(make):
    first, again, other = make(4, seed=1), make(6, seed=1), make(4, seed=2)
    for one, same, new in zip(first, again[:4], other, strict=True):
        assert all(torch.equal(one[key], same[key]) for key in ("x", "pos", "edge_index", "y"))
        assert not torch.equal(one.pos, new.pos)
    assert [int(graph.y) for graph in first] == [0, 1, 0, 1]
    assert first[0].edge_feature_names == ["distance", "direction x", "direction y", "same type"]
    assert float(first[0].pos.max()) < 80
    assert first[0].edge_index.size(1) == 64 * 6


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="expected 2 cells or more, got 1"):
        mixed_cells(1, cells=1)
    with pytest.raises(ValueError, match=r"expected two shares from 0 to 1, got \(0.5, 1.5\)"):
        counted_cells(1, shares=(0.5, 1.5))
