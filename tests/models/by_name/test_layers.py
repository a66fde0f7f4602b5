import pytest
import torch

from graphattn.models.by_name.layers import LAYERS, LayerWork
from graphattn.topology import Edges

PATH = Edges(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_channels(name):
    graph = LAYERS[name].graph(PATH)
    rows = {key: torch.randn(graph.num_edges, 8) for key in ("pair", "bond")}
    edge = rows if LAYERS[name].pairs else None
    assert LAYERS[name].make(8, 2)(torch.randn(3, 8), graph, edge).shape == (3, 8)


def test_loops_are_of_those_layers_that_do_not_know_the_node_itself_apart():
    looped = {name for name, kind in LAYERS.items() if kind.graph(PATH).num_edges == 7}
    assert looped == {"attention", "edge_attention", "gcn", "gat", "gatv2"}


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("attention", 8 * 10 * 64 + 4 * 100 * 8),
        ("edge_attention", 8 * 10 * 64 + 4 * 100 * 8 + 2 * 3 * 8 * 2 + 2 * 3 * 64 + 100 * 2 + 2 * 20 * 8),
        ("gcn", 2 * 10 * 64 + 2 * 10 * 8),
        ("gat", 2 * 10 * 64 + 2 * 2 * 10 * 8 + 100 * 2 + 2 * 100 * 8),
        ("gatv2", 4 * 10 * 64 + 100 * 8 + 2 * 100 * 8 + 2 * 100 * 8),
        ("gin", 10 * 8 + 4 * 10 * 64),
        ("sage", 10 * 8 + 4 * 10 * 64),
        ("edgeconv", 4 * 10 * 64 + 100 * 8 + 2 * 100 * 64),
        ("mlp", 4 * 10 * 64),
    ],
)
def test_operations_of_ten_nodes_that_all_hear_each_other(name, operations):
    work = LayerWork(nodes=10, edges=100, sums=10, channels=8, heads=2, kinds=3, spoken=20)
    assert LAYERS[name].flops(work) == operations
