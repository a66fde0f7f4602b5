import math

import pytest
import torch
from torch_geometric.data import Batch, Data

from graphattn.comparison.fits.diagnostics import (
    affordable,
    among_nodes,
    dirichlet,
    learned,
    look,
    mean_hops,
    reach,
    relative_entropy,
    true_edges,
)
from graphattn.comparison.fits.networks import network, prepared
from graphattn.comparison.problems.base import Problem
from graphattn.explain.attention import AttentionMap
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import TOPOLOGIES, Configuration, configurations
from graphattn.topology import Edges, Full, WithHubs

PATH = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
SIZE = Size(width=8, hidden=16, depth=2, heads=2)
ALL = torch.ones(3, dtype=torch.bool)


def path(y=0.0, **more):
    return Data(x=torch.randn(3, 5), edge_index=PATH, y=torch.tensor([y]), **more)


def on_full(alpha):
    return AttentionMap("layer", Full([3]), torch.tensor(alpha).flatten()[:, None])


def problem(count=2, **more):
    return Problem("paths", [path(float(k), **more) for k in range(count)], "regression")


IDENTITY, MEAN = torch.eye(3).tolist(), [[1 / 3] * 3] * 3
NEAR = [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("alpha", "share"),
    [(IDENTITY, 0.0), (MEAN, 1.0), (NEAR, math.log(2) / math.log(3) / 3)],
    ids=["own", "mean", "near"],
)
def test_entropy_is_a_share_of_its_maximum(alpha, share):
    assert relative_entropy(on_full(alpha), ALL) == pytest.approx(share)


def test_entropy_is_of_those_that_hear_two_or_more():
    graph = Edges(torch.tensor([[0, 0, 1], [0, 1, 1]]))
    alpha = torch.tensor([[1.0], [0.5], [0.5]])
    assert relative_entropy(AttentionMap("layer", graph, alpha), ALL[:2]) == pytest.approx(1)
    assert math.isnan(relative_entropy(AttentionMap("layer", graph, alpha), torch.tensor([True, False])))


@pytest.mark.parametrize(
    ("alpha", "hops"), [(IDENTITY, 0.0), (MEAN, (1 + 2 / 3 + 1) / 3), (NEAR, 1.0)], ids=["own", "mean", "near"]
)
def test_distance_is_in_hops(alpha, hops):
    seen = look(Batch.from_data_list([path()]))
    assert mean_hops(on_full(alpha), torch.arange(3), seen) == pytest.approx(hops)


def test_distance_leaves_out_what_has_no_path():
    apart = Data(x=torch.zeros(3, 1), edge_index=torch.tensor([[0, 1], [1, 0]]))
    seen = look(Batch.from_data_list([apart]))
    own, other, nobody = [1.0, 0.0, 0.0], [0.2, 0.2, 0.6], [0.5, 0.5, 0.0]
    assert mean_hops(on_full([own, other, nobody]), torch.arange(3), seen) == pytest.approx((0 + 0.5) / 2)


def test_virtual_nodes_have_no_distance():
    seen, graph = look(Batch.from_data_list([path()])), WithHubs(Edges(PATH), hubs=1)
    attention = AttentionMap("layer", graph, torch.full((graph.num_edges, 2), 0.1))
    nodes = among_nodes(attention)
    assert nodes.tolist() == [0, 1, 2, -1]
    assert mean_hops(attention, nodes, seen) == pytest.approx(1)


def test_states_that_are_alike_have_no_energy():
    assert dirichlet(torch.ones(3, 4), PATH) == 0
    assert dirichlet(torch.eye(3), PATH) == pytest.approx(1)
    assert dirichlet(torch.tensor([[1.0], [-1.0], [1.0]]), PATH) == pytest.approx(2)
    assert dirichlet(5 * torch.eye(3), PATH) == pytest.approx(1), "their size is nothing"
    assert math.isnan(dirichlet(torch.ones(3, 4), PATH[:, :0]))


def test_energy_is_that_of_the_normalised_laplacian():
    x, degree = torch.randn(3, 4).double(), torch.tensor([1.0, 2, 1]).double()
    laplacian = torch.eye(3).double()
    laplacian[PATH[0], PATH[1]] = -1 / (degree[PATH[0]] * degree[PATH[1]]).sqrt()
    signal = degree.sqrt()[:, None] * x
    expected = (signal * (laplacian @ signal)).sum() / signal.square().sum()
    assert dirichlet(x, PATH) == pytest.approx(float(expected))


def test_reach_is_from_where_a_state_comes():
    seen, x = look(Batch.from_data_list([path()] * 50)), torch.randn(150, 4)
    mean = torch.block_diag(*[torch.full((3, 3), 1 / 3)] * 50)
    near = torch.block_diag(*[torch.tensor(NEAR)] * 50)
    assert reach(lambda x: 2 * x, x, seen) == 0
    assert reach(lambda x: near @ x, x, seen) == pytest.approx(1)
    assert reach(lambda x: mean @ x, x, seen, draws=20) == pytest.approx((1 + 2 / 3 + 1) / 3, abs=0.01)
    assert reach(lambda x: near @ near @ x, x, seen, draws=20) == pytest.approx(2 / 3, abs=0.06)


def test_reach_is_of_other_graphs_nothing():
    seen, x = look(Batch.from_data_list([path(), path()])), torch.randn(6, 4)
    assert reach(lambda x: x + x.mean(0).detach(), x, seen) == 0


@pytest.mark.parametrize(
    ("weights", "area"),
    [
        ([[0.0, 0.9, 0.1], [0.9, 0.0, 0.1], [0.9, 0.1, 0.0]], 1.0),
        ([[0.0, 0.1, 0.9], [0.1, 0.0, 0.9], [0.1, 0.9, 0.0]], 0.0),
        (MEAN, 0.5),
    ],
    ids=["true", "false", "mean"],
)
def test_attention_may_follow_the_true_edges(weights, area):
    seen = look(Batch.from_data_list([path(true_edge=torch.tensor([True, True, False, False]))]))
    assert true_edges(on_full(weights), torch.arange(3), seen) == pytest.approx(area)


def test_edges_that_are_not_heard_are_not_asked():
    seen = look(Batch.from_data_list([path(true_edge=torch.tensor([True, False, True, False]))]))
    heard = AttentionMap("layer", Edges(PATH[:, :2], 3), torch.tensor([[0.7], [0.3]]))
    assert true_edges(heard, torch.arange(3), seen) == pytest.approx(1)
    one = AttentionMap("layer", Edges(PATH[:, :1], 3), torch.tensor([[0.7]]))
    assert math.isnan(true_edges(one, torch.arange(3), seen))


@pytest.mark.parametrize("configuration", configurations(LAYERS, TOPOLOGIES), ids=str)
def test_of_each_cell_what_is_defined(configuration):
    task = prepared(problem(true_edge=torch.tensor([True, True, False, False])), [configuration])
    model = network(task, configuration, SIZE)
    found = learned(model, configuration, task, range(2))
    states, attends = {"dirichlet", "reach"}, {"entropy", "distance", "true_edges"}
    if configuration.layer not in ("attention", "edge_attention", "gat", "gatv2"):
        assert set(found) == states
    elif configuration.topology == "none":
        assert set(found) == states | {"distance"}, "who hears one has no choice"
        assert found["distance"] == [0, 0]
    elif configuration.topology == "shuffled":
        assert states < set(found) <= states | attends
    else:
        assert set(found) == states | attends
    assert [len(value) for name, value in found.items() if name in attends] == [2] * len(set(found) & attends)
    assert len(found["dirichlet"]) == 3
    assert 0 <= found["reach"] < 2
    assert model.training


def test_more_layers_reach_farther_and_a_full_graph_farthest():
    edges = torch.stack([torch.arange(9), torch.arange(1, 10)])
    data = Data(x=torch.randn(10, 5), edge_index=torch.cat([edges, edges.flip(0)], dim=1), y=torch.arange(10.0))
    task = Problem("path", [data] * 8, "regression", level="node")

    def far(layer, topology, depth=2):
        configuration = Configuration(layer, topology)
        return learned(network(task, configuration, Size(8, 16, depth, heads=2)), configuration, task, range(8))[
            "reach"
        ]

    assert far("mlp", "none") == far("gcn", "none") == 0
    assert 0 < far("gcn", "edges", 1) < far("gcn", "edges", 4) < 4
    assert far("gcn", "edges") < far("gcn", "full")


def test_graphs_that_cost_too_much_are_not_looked_at():
    assert affordable([512, 1, 3], whole=True) == [0]
    assert affordable([513, 0, 3], whole=True) == [2]
    assert affordable([4096], whole=False) == [0]
    assert affordable([4097], whole=False) == []
    assert affordable([2] * 100, whole=False) == list(range(64))
    graph = Data(x=torch.zeros(600, 1), edge_index=PATH, y=torch.arange(600.0))
    large = Problem("large", [graph], "regression", level="node")
    configuration = Configuration("gcn", "full")
    assert learned(network(large, configuration, SIZE), configuration, large, [0]) == {}


def test_a_single_node_without_edges():
    nobody = torch.zeros(2, 0, dtype=torch.long)
    graphs = [Data(x=torch.randn(1, 5), edge_index=nobody, y=torch.tensor([y])) for y in (0.0, 1.0)]
    task = Problem("one", graphs, "regression")
    configuration = Configuration("attention", "full")
    assert learned(network(task, configuration, SIZE), configuration, task, [0]) == {"reach": 0, "distance": [0, 0]}
