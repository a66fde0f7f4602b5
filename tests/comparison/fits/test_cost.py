import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Batch, Data

from graphattn.backends import use_backend
from graphattn.comparison.fits.cost import cost, evaluating, flops
from graphattn.comparison.fits.networks import network, prepared
from graphattn.comparison.problems.base import Problem
from graphattn.models.by_name.layers import LAYERS, LayerWork
from graphattn.models.by_name.network import Size, parameters
from graphattn.models.by_name.topologies import Configuration

RING = torch.tensor([[0, 1, 2], [1, 2, 0]])
SIZE = Size(width=8, hidden=16, depth=2, heads=2)
OUTSIDE = 2 * 3 * 5 * 8 + 2 * (4 * 3 * 8 * 16) + 2 * 8 * 8 + 2 * 8
"""Of a ring of three nodes: encoder, two token-wise networks, head."""


def rings(count=2):
    graphs = [Data(x=torch.randn(3, 5), edge_index=RING, y=torch.tensor([float(k)])) for k in range(count)]
    return Problem("rings", graphs, "regression")


def counted(run, *given):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run(*given)
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("configuration", "each"),
    [
        (Configuration("attention", "full"), 8 * 3 * 64 + 4 * 9 * 8),
        (Configuration("attention", "edges"), 8 * 3 * 64 + 4 * 6 * 8),
        (Configuration("attention", "edges+hub"), 8 * 4 * 64 + 4 * (6 + 3 + 3 + 1) * 8),
        (Configuration("gcn", "edges"), 2 * 3 * 64 + 2 * 6 * 8),
        (Configuration("gcn", "full"), 2 * 3 * 64 + 2 * 3 * 8),
        (Configuration("gcn", "none"), 2 * 3 * 64 + 2 * 3 * 8),
        (Configuration("gin", "edges"), 4 * 3 * 64 + 3 * 8),
        (Configuration("mlp", "none"), 4 * 3 * 64),
    ],
    ids=str,
)
def test_operations_of_a_ring_are_these_and_of_two_rings_twice_that(configuration, each):
    problem = prepared(rings(), [configuration])
    model = network(problem, configuration, SIZE)
    hub = (
        2 * (4 * 8 * 16) if configuration.topology == "edges+hub" else 0
    )  # it goes through the token-wise networks, too
    assert flops(model, configuration, SIZE.heads, problem.graphs[0]) == OUTSIDE + hub + 2 * each
    assert flops(model, configuration, SIZE.heads, Batch.from_data_list(list(problem.graphs))) == 2 * (
        OUTSIDE + hub + 2 * each
    )


def test_edge_attention_counts_what_pairs_say():
    configuration = Configuration("edge_attention", "full")
    problem = prepared(rings(), [configuration])
    kinds, spoken = 22 + 1, 3
    each = 8 * 3 * 64 + 4 * 9 * 8 + 2 * kinds * 8 * (2 + 8) + 9 * 2 + 2 * spoken * 8
    assert (
        flops(network(problem, configuration, SIZE), configuration, SIZE.heads, problem.graphs[0]) == OUTSIDE + 2 * each
    )


def test_attention_on_full_graphs_is_what_torch_counts():
    attention, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(1, 10, 8)
    attention.train()  # in evaluation it is one operator, which counts as zero
    expected = LAYERS["attention"].flops(LayerWork(nodes=10, edges=100, sums=10, channels=8, heads=2))
    assert counted(attention, x, x, x) == expected == 8 * 10 * 64 + 4 * 100 * 8


def test_a_gcn_on_all_edges_is_what_torch_counts_of_matrices():
    x, weight, adjacency = torch.randn(10, 8), torch.randn(8, 8), torch.randn(10, 10)
    expected = LAYERS["gcn"].flops(LayerWork(nodes=10, edges=100, sums=100, channels=8, heads=2))
    assert counted(lambda: adjacency @ (x @ weight)) == expected == 2 * 10 * 64 + 2 * 100 * 8


@pytest.mark.parametrize(
    ("layer", "along_edges"),
    [
        ("attention", 4 * 6 * 8),
        ("gat", 4 * 3 * 8 + 6 * 2 + 2 * 6 * 8),
        ("gcn", 2 * 6 * 8),
        ("gin", 3 * 8),
        ("sage", 3 * 8),
    ],
)
def test_products_with_matrices_are_what_torch_counts_edge_by_edge(layer, along_edges):
    problem, configuration = rings(), Configuration(layer, "edges")
    model = network(problem, configuration, SIZE).eval()
    with use_backend("edgewise"):
        assert counted(model, problem.graphs[0]) + 2 * along_edges == flops(
            model, configuration, SIZE.heads, problem.graphs[0]
        )


def test_the_cost_is_of_each_graph():
    problem, configuration = rings(5), Configuration("gcn", "edges")
    model = network(problem, configuration, SIZE)
    of_all = cost(model, configuration, SIZE.heads, problem, range(5), batch_size=2, repeats=1)
    assert of_all.parameters == parameters(model)
    assert of_all.flops == OUTSIDE + 2 * (2 * 3 * 64 + 2 * 6 * 8)
    assert of_all.graphs_per_second > 0
    assert model.training, "the model is left as it was"
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_cost_of_no_graph_is_refused():
    problem, configuration = rings(), Configuration("gcn", "edges")
    with pytest.raises(ValueError, match="graphs to measure the cost on, got none"):
        cost(network(problem, configuration, SIZE), configuration, SIZE.heads, problem, [])


def test_a_model_is_in_evaluation_for_a_while():
    model = nn.Dropout()
    with evaluating(model):
        assert not model.training
    assert model.training
