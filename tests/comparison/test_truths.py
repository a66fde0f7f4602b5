"""What is known of data made by rule comes out: edges where they decide, far nodes where these do, and none where none does."""

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch_geometric.data import Batch

from graphattn.comparison.fits.networks import network, prepared
from graphattn.comparison.problems import problem
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import Configuration
from graphattn.training.fitting import fit
from graphattn.training.recipe import Recipe

COUNT, TESTED = 360, 120
# 3.5 deviations of the area under the curve of 60 and 60 graphs without knowledge: (121 / (12 60 60))^(1/2) = 0.053.
CHANCE = 0.5 + 3.5 * 0.053


def area(name, layer, topology, epochs=8):
    """Under the curve on graphs that a network of two layers has not learned from."""
    configuration = Configuration(layer, topology)
    posed = prepared(problem(name, count=COUNT), [configuration])
    model = network(posed, configuration, Size(width=32, hidden=64, depth=2), seed=0)
    recipe = Recipe(epochs, batch_size=16, learning_rate=0.01)
    fit(model, posed.graphs[:-TESTED], None, recipe, measures={})
    batch = Batch.from_data_list(list(posed.graphs[-TESTED:]))
    with torch.no_grad():
        said = model(batch).softmax(1)[:, 1]
    asked = batch.y != -100
    return roc_auc_score(batch.y[asked], said[asked])


@pytest.mark.parametrize(("name", "wins", "loses"), [("motif", "edges", "full"), ("distant", "full", "edges")])
def test_attention_wins_on_the_graph_that_decides_and_is_at_chance_on_the_other(name, wins, loses):
    assert area(name, "attention", loses, epochs=4) < CHANCE
    assert area(name, "attention", wins) > 0.95


def test_a_mean_of_all_nodes_is_enough_to_compare_two_of_them():
    assert area("distant", "gcn", "full", epochs=12) > CHANCE


def test_a_graph_that_says_nothing_does_not_help():
    alone = area("shuffled_edges", "mlp", "none")
    assert alone > 0.95
    assert area("shuffled_edges", "attention", "edges") < alone + 0.01
