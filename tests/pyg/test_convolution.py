import pytest
import torch
from equal import EDGES, F64, assert_same, pair
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.utils import to_torch_csc_tensor

from graphattn.pyg import EdgeConv, GCNConv
from graphattn.topology import Edges, Full

EMPTY = torch.empty(2, 0, dtype=torch.long)


def states():
    return torch.randn(6, 8, dtype=F64)


def both():
    return torch.randn(6, 8, dtype=F64), torch.randn(5, 8, dtype=F64)


def network(channels):
    return nn.Sequential(nn.Linear(channels, 8), nn.Tanh(), nn.Linear(8, 4))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"improved": True},
        {"add_self_loops": False},
        {"normalize": False},
        {"bias": False},
        {"aggr": "max"},
        {"aggr": "mean"},
    ],
    ids=str,
)
def test_gcn_conv_is_pygs(options, weighted):
    weight = torch.rand(9, dtype=F64) if weighted else None
    assert_same(*pair(pyg.GCNConv, 8, 4, **options), states(), EDGES, weight)
    assert_same(*pair(pyg.GCNConv, 8, 4, **options), states(), EMPTY)


def test_a_cached_gcn_conv_keeps_its_first_graph():
    theirs, ours = pair(pyg.GCNConv, 8, 4, cached=True)
    x = states()
    assert_same(theirs, ours, x, EDGES)
    assert ours._cached_edge_index is not None
    assert_close(ours(x, EDGES.flip(0)), ours(x, EDGES))
    ours.reset_parameters()
    assert ours._cached_edge_index is None


@pytest.mark.parametrize(
    "options", [{}, {"aggr": "sum"}, {"aggr": "max"}, {"normalize": True}, {"root_weight": False}], ids=str
)
@pytest.mark.parametrize("project", [False, True])
def test_sage_conv_is_pygs(options, project):
    assert_same(*pair(pyg.SAGEConv, 8, 4, project=project, **options), states(), EDGES)
    assert_same(*pair(pyg.SAGEConv, (8, 8), 4, project=project, **options), both(), EDGES)
    alone = (states(), None)
    assert_same(*pair(pyg.SAGEConv, (8, 8), 4, project=project, **options), alone, EDGES, size=(6, 5))
    assert_same(*pair(pyg.SAGEConv, (8, 8), 4, project=project, **options), alone, EDGES)
    assert_same(*pair(pyg.SAGEConv, 8, 4, project=project, **options), states(), EMPTY)


@pytest.mark.parametrize("options", [{}, {"train_eps": True, "eps": 0.3}, {"aggr": "mean"}, {"aggr": "max"}], ids=str)
def test_gin_conv_is_pygs(options):
    nets = network(8)
    theirs, ours = pair(pyg.GINConv, nets, **options)
    assert_same(theirs, ours, states(), EDGES)
    assert_same(theirs, ours, both(), EDGES, (6, 5))
    assert_same(theirs, ours, (states(), None), EDGES, (6, 5))
    assert_same(theirs, ours, states(), EMPTY)


@pytest.mark.parametrize("aggr", ["max", "mean", "add"])
# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
def test_edge_conv_is_pygs(aggr):
    theirs, ours = pair(pyg.EdgeConv, network(16), aggr=aggr)
    assert_same(theirs, ours, states(), EDGES)
    assert_same(theirs, ours, both(), EDGES)
    assert_same(theirs, ours, states(), EMPTY)
    assert_same(theirs, ours, states(), to_torch_csc_tensor(EDGES[:, :3], size=(6, 6)).t())


def test_a_network_may_be_any_function():
    x = torch.randn(6, 8)
    assert_close(EdgeConv(torch.tanh)(x, EDGES), pyg.EdgeConv(torch.tanh)(x, EDGES))


@pytest.mark.filterwarnings("ignore:Sparse")
def test_calls_that_pyg_answers():
    gcn, sage, x = pyg.GCNConv, pyg.SAGEConv, states()
    adj_t = to_torch_csc_tensor(EDGES[:, :3], torch.rand(3, dtype=F64), size=(6, 6)).t()
    for theirs in (gcn, sage):
        made = assert_same(*pair(theirs, 8, 4), x, adj_t, answered=False)
        assert made.theirs == {"PyG multiplies sparse matrices": 1}
    made = assert_same(*pair(gcn, 8, 4), x, EDGES, torch.rand(9), answered=False)
    assert made.theirs == {"edge weights are of another dtype than x": 1}
    made = assert_same(*pair(gcn, 8, 4), torch.stack([x, x]), EDGES, answered=False)
    assert made.theirs == {"x is not one dense row for each node": 1}
    layers = pair(gcn, 8, 4, decomposed_layers=2)
    assert assert_same(*layers, x, EDGES, answered=False).theirs == {"its channels are decomposed": 1}
    made = assert_same(*pair(sage, 8, 4, aggr=["mean", "max"]), x, EDGES, answered=False)
    assert made.theirs == {"it aggregates with MultiAggregation": 1}
    theirs, ours = pair(gcn, 8, 4, cached=True)
    theirs(x, adj_t), ours(x, adj_t)
    assert_same(theirs, ours, x, EDGES, answered=False)
    with pytest.raises(ValueError, match="received a tuple of node features"):
        GCNConv(8, 4)((x, x), EDGES)


def test_a_topology_in_place_of_an_edge_index():
    x, full = states(), Full([4, 2])
    for theirs, args in ((pyg.GCNConv, (8, 4)), (pyg.SAGEConv, (8, 4)), (pyg.GINConv, (network(8),))):
        plain, ours = pair(theirs, *args)
        for graph in (full, Edges(EDGES, 6)):
            assert_close(ours(x, graph), plain(x, graph.edge_index()), rtol=1e-9, atol=1e-9)


def test_states_of_half_precision_keep_their_dtype():
    x = torch.randn(6, 8, dtype=torch.bfloat16)
    for theirs in (pyg.GCNConv, pyg.SAGEConv):
        plain, ours = (layer.bfloat16() for layer in pair(theirs, 8, 4))
        assert ours(x, EDGES).dtype == torch.bfloat16
        assert_close(ours(x, EDGES), plain(x, EDGES), rtol=0.05, atol=0.05)
