import pytest
import torch
from equal import EDGES, F64, assert_same, pair
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.nn import aggr
from torch_geometric.utils import to_torch_coo_tensor, to_torch_csc_tensor, to_torch_csr_tensor

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
        {"aggr": "min"},
        {"aggr": "var"},
        {"aggr": "std"},
        {"aggr": ["mean", "std"], "bias": False},
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
    # And where it is no longer told to.
    theirs.cached = ours.cached = False
    assert_same(theirs, ours, x, EDGES.flip(0))
    ours.reset_parameters()
    assert ours._cached_edge_index is None


@pytest.mark.parametrize("options", [{}, {"add_self_loops": False}, {"normalize": False}, {"cached": True}], ids=str)
@pytest.mark.parametrize("many", [0, 8, 10])
def test_weights_of_other_edges_are_refused_in_words(options, many):
    for weight in (torch.rand(many), torch.rand(many, 1)):
        with pytest.raises(ValueError, match=rf"expected 9 rows of edge features.*, got {many}"):
            GCNConv(8, 4, **options)(torch.randn(6, 8), EDGES, weight)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (9, 1), (1, 9)])
def test_weights_come_in_the_shapes_that_pyg_takes(shape):
    assert_same(*pair(pyg.GCNConv, 8, 4, normalize=False), states(), EDGES, torch.rand(shape, dtype=F64))
    if 9 not in shape:
        with pytest.raises(ValueError, match="expected 9 rows of edge features, got 1"):
            GCNConv(8, 4)(torch.randn(6, 8), EDGES, torch.rand(shape))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"aggr": "sum"},
        {"aggr": "max"},
        {"aggr": "min"},
        {"aggr": "var"},
        {"aggr": "std"},
        {"aggr": ["mean", "max", "std", "sum"]},
        {"aggr": ["min"]},
        {"normalize": True},
        {"root_weight": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("project", [False, True])
def test_sage_conv_is_pygs(options, project):
    assert_same(*pair(pyg.SAGEConv, 8, 4, project=project, **options), states(), EDGES)
    assert_same(*pair(pyg.SAGEConv, (8, 8), 4, project=project, **options), both(), EDGES)
    alone = (states(), None)
    assert_same(*pair(pyg.SAGEConv, (8, 8), 4, project=project, **options), alone, EDGES, size=(6, 5))
    assert_same(*pair(pyg.SAGEConv, (8, 8), 4, project=project, **options), alone, EDGES)
    assert_same(*pair(pyg.SAGEConv, 8, 4, project=project, **options), states(), EMPTY)


@pytest.mark.parametrize(
    "options", [{}, {"train_eps": True, "eps": 0.3}, {"aggr": "mean"}, {"aggr": "max"}, {"aggr": "std"}], ids=str
)
def test_gin_conv_is_pygs(options):
    nets = network(8)
    theirs, ours = pair(pyg.GINConv, nets, **options)
    assert_same(theirs, ours, states(), EDGES)
    assert_same(theirs, ours, both(), EDGES, (6, 5))
    assert_same(theirs, ours, (states(), None), EDGES, (6, 5))
    assert_same(theirs, ours, states(), EMPTY)


@pytest.mark.parametrize(
    "reduce", ["max", "mean", "add", "min", "var", "std", ["add", aggr.MultiAggregation(["std", "min"])]], ids=str
)
# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
def test_edge_conv_is_pygs(reduce):
    theirs, ours = pair(pyg.EdgeConv, network(16), aggr=reduce)
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
        made = assert_same(*pair(theirs, 8, 4, aggr="max"), x, adj_t, answered=False)
        assert made.theirs == {"PyG multiplies sparse matrices with aggregation max": 1}
    made = assert_same(*pair(sage, 8, 4, aggr=aggr.SumAggregation()), x, adj_t, answered=False)
    assert made.theirs == {"PyG multiplies sparse matrices with aggregation SumAggregation()": 1}
    made = assert_same(*pair(sage, 8, 4), x, adj_t.clone().requires_grad_(), answered=False)
    assert made.theirs == {"entries of its sparse matrix are more than weights": 1}
    twice = torch.sparse_coo_tensor(torch.tensor([[0, 0], [1, 1]]), torch.ones(2, dtype=F64), (6, 6))
    with pytest.warns(UserWarning, match="Converting sparse tensor to CSR"):
        made = assert_same(*pair(sage, 8, 4), x, twice, answered=False)
    assert made.theirs == {"entries of its sparse matrix stand in several places": 1}
    layers = pair(gcn, 8, 4, cached=True)
    assert assert_same(*layers, x, adj_t, answered=False).theirs == {"PyG normalises this matrix": 1}
    assert assert_same(*layers, x, EDGES, answered=False).theirs == {"PyG keeps a sparse matrix": 1}
    made = assert_same(*pair(sage, 8, 4, aggr="var", aggr_kwargs={"semi_grad": True}), x, EDGES, answered=False)
    assert made.theirs == {"its aggregation has half a gradient": 1}
    made = assert_same(*pair(gcn, 8, 4), x, EDGES, torch.rand(9), answered=False)
    assert made.theirs == {"edge weights are of another dtype than x": 1}
    made = assert_same(*pair(gcn, 8, 4), torch.stack([x, x]), EDGES, answered=False)
    assert made.theirs == {"x is not one dense row for each node": 1}
    layers = pair(gcn, 8, 4, decomposed_layers=2)
    assert assert_same(*layers, x, EDGES, answered=False).theirs == {"its channels are decomposed": 1}
    several = aggr.MultiAggregation(["mean", "max"], mode="sum")
    made = assert_same(*pair(sage, 8, 4, aggr=several), x, EDGES, answered=False)
    assert made.theirs == {"it aggregates with MultiAggregation": 1}
    made = assert_same(*pair(sage, 8, 4, aggr=["mean", "median"]), x, EDGES, answered=False)
    assert made.theirs == {"it aggregates with MedianAggregation": 1}
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


MATRICES = {"csr": to_torch_csr_tensor, "coo": to_torch_coo_tensor, "csc": to_torch_csc_tensor}


# torch warns that sparse layouts are in beta and unchecked, PyG that it converts some.
@pytest.mark.filterwarnings("ignore:Sparse", "ignore:Converting sparse tensor")
@pytest.mark.parametrize("layout", MATRICES.values(), ids=MATRICES)
def test_entries_of_a_matrix_are_weights(layout):
    # Rows hear columns; node 1 has a loop of weight 0.3, node 5 hears nobody.
    ends = torch.tensor([[0, 0, 1, 2, 4, 3], [1, 2, 1, 3, 0, 3]])
    weight = torch.tensor([0.5, 2.0, 0.3, 1.2, 0.7, 1.5], dtype=F64)
    matrix, x = layout(ends, weight, size=(6, 6)), states()
    for options in ({}, {"improved": True}, {"add_self_loops": False}):
        if layout is not to_torch_csc_tensor:  # PyG refuses to normalise these
            assert_same(*pair(pyg.GCNConv, 8, 4, **options), x.clone(), matrix)
    assert_same(*pair(pyg.GCNConv, 8, 4, normalize=False), x.clone(), matrix)
    for reduce in ("mean", "sum"):
        assert_same(*pair(pyg.SAGEConv, 8, 4, aggr=reduce), x.clone(), matrix)
        assert_same(*pair(pyg.GINConv, network(8), aggr=reduce), x.clone(), matrix)
    wide = layout(ends.flip(0) % torch.tensor([[5], [6]]), weight, size=(5, 6))
    for receivers in (torch.randn(5, 8, dtype=F64), None):
        assert_same(*pair(pyg.SAGEConv, (8, 8), 4), (x.clone(), receivers), wide)
        assert_same(*pair(pyg.GINConv, network(8)), (x.clone(), receivers), wide)


@pytest.mark.filterwarnings("ignore:Sparse")
def test_entries_of_a_matrix_may_change():
    theirs, ours = pair(pyg.GCNConv, 8, 4)
    matrix, x = to_torch_csr_tensor(EDGES[:, :3], torch.ones(3, dtype=F64), size=(6, 6)), states()
    ours(x, matrix)
    matrix.values().mul_(3)
    assert_same(theirs, ours, x, matrix)
