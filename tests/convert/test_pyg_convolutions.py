"""Values and gradients equal PyG's on the same call: float64, within 1e-9."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg

import graphattn.pyg
from graphattn import accelerate
from graphattn.convert import from_torch
from graphattn.layer import GraphLayer
from graphattn.topology import Edges

F64 = torch.float64
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
# Asymmetric, with a node that hears nobody (5), two loops of one node and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3, 4], [1, 2, 1, 3, 0, 4, 1, 1, 4]])


def assert_same(original, x, edge_attr=None, edge_index=EDGES):
    converted = from_torch(original)
    inputs = [each.requires_grad_() for each in (*(x if isinstance(x, tuple) else (x,)), edge_attr) if each is not None]
    given = () if edge_attr is None else (edge_attr,)
    result, truth = converted(x, edge_index, *given), original(x, edge_index, *given)
    assert_close(result, truth, **CLOSE)
    gradients = [torch.autograd.grad(out.sin().sum(), inputs, materialize_grads=True) for out in (result, truth)]
    for mine, its in zip(*gradients, strict=True):
        assert_close(mine, its, **CLOSE)
    return converted


def network(channels=8):
    return nn.Sequential(nn.Linear(channels, 5), nn.ReLU(), nn.Linear(5, 4))


DEGREES = torch.tensor([1, 3, 2, 1])
MANY = ["mean", "max", "min", "std", "sum", "var"]
SCALERS = ["identity", "amplification", "attenuation", "linear", "inverse_linear"]
NODES = [
    pyg.TransformerConv(8, 4, heads=2),
    pyg.TransformerConv(8, 4, heads=2, concat=False, beta=True, bias=False),
    pyg.TransformerConv(8, 4, heads=2, root_weight=False),
    pyg.GATConv(8, 4, heads=2),
    pyg.GATConv(8, 4, heads=2, concat=False, negative_slope=0.1, residual=True, bias=False),
    pyg.GATConv(8, 4, add_self_loops=False),
    pyg.GATv2Conv(8, 4, heads=2),
    pyg.GATv2Conv(8, 4, heads=2, concat=False, negative_slope=0.1, share_weights=True, bias=False),
    pyg.GATv2Conv(8, 4, heads=2, add_self_loops=False, residual=True),
    pyg.GCNConv(8, 4),
    pyg.GCNConv(8, 4, bias=False, improved=True),
    pyg.GCNConv(8, 4, add_self_loops=False),
    pyg.GCNConv(8, 4, normalize=False),
    pyg.SAGEConv(8, 4),
    pyg.SAGEConv(8, 4, aggr="max", normalize=True, project=True),
    pyg.SAGEConv(8, 4, aggr="add", root_weight=False, bias=False),
    pyg.SAGEConv(8, 4, aggr="min"),
    pyg.SAGEConv(8, 4, aggr="std"),
    pyg.SAGEConv(8, 4, aggr="var"),
    pyg.GINConv(network(), eps=0.3),
    pyg.GINConv(network(), eps=0.3, train_eps=True),
    pyg.EdgeConv(network(16)),
    pyg.EdgeConv(network(16), aggr="mean"),
    pyg.ResGatedGraphConv(8, 4),
    pyg.ResGatedGraphConv(8, 4, act=nn.Tanh(), root_weight=False, bias=False),
    pyg.ResGatedGraphConv(8, 4, root_weight=False),
    pyg.PNAConv(8, 4, MANY, SCALERS, DEGREES),
    pyg.PNAConv(8, 4, ["mean"], ["attenuation"], DEGREES, towers=2, pre_layers=2, post_layers=2, act="tanh"),
    pyg.PNAConv(8, 4, ["max", "mean"], ["identity"], DEGREES, towers=2, divide_input=True),
]
BOTH = pytest.mark.parametrize("original", NODES, ids=lambda conv: type(conv).__name__)


@BOTH
def test_convolutions_give_what_pygs_give(original, stirred):
    assert_same(stirred(original), torch.randn(6, 8, dtype=F64))


@BOTH
@pytest.mark.parametrize("nodes", [0, 1, 3])
def test_graphs_without_edges(original, stirred, nodes):
    assert_same(stirred(original), torch.randn(nodes, 8, dtype=F64), edge_index=EDGES[:, :0])


WITH_EDGES = [
    (pyg.TransformerConv(8, 4, heads=2, edge_dim=3), 3),
    (pyg.GATConv(8, 4, heads=2, edge_dim=3), 3),
    (pyg.GATConv(8, 4, edge_dim=3, fill_value=0.5), 3),
    (pyg.GATv2Conv(8, 4, heads=2, edge_dim=3, fill_value="max"), 3),
    (pyg.GATv2Conv(8, 4, heads=2, edge_dim=3, add_self_loops=False), 3),
    (pyg.GINEConv(network()), 8),
    (pyg.ResGatedGraphConv(8, 4, edge_dim=3), 3),
    (pyg.PNAConv(8, 4, ["mean", "max"], ["identity", "linear"], DEGREES, edge_dim=3, towers=2), 3),
    (pyg.GINEConv(network(), train_eps=True, edge_dim=3), 3),
]


@pytest.mark.parametrize(("original", "width"), WITH_EDGES, ids=lambda value: type(value).__name__)
def test_convolutions_with_edge_features_give_what_pygs_give(original, width, stirred):
    assert_same(stirred(original), torch.randn(6, 8, dtype=F64), torch.randn(9, width, dtype=F64))


@pytest.mark.parametrize("improved", [False, True])
def test_weighted_edges(improved, stirred):
    original = stirred(pyg.GCNConv(8, 4, improved=improved))
    assert_same(original, torch.randn(6, 8, dtype=F64), torch.rand(9, dtype=F64) + 0.1)


BIPARTITE = [
    pyg.TransformerConv((8, 6), 4, heads=2),
    pyg.GATConv((8, 6), 4, heads=2, add_self_loops=False),
    pyg.GATConv((8, 6), 4, heads=2, residual=True),
    pyg.GATv2Conv((8, 6), 4, heads=2),
    pyg.SAGEConv((8, 6), 4),
    pyg.ResGatedGraphConv((8, 6), 4),
]


@pytest.mark.parametrize("original", BIPARTITE, ids=lambda conv: type(conv).__name__)
def test_two_kinds_of_nodes(original, stirred):
    edges = torch.tensor([[0, 6, 2, 2, 1], [1, 1, 0, 0, 1]])
    x = (torch.randn(7, 8, dtype=F64), torch.randn(3, 6, dtype=F64))
    assert_same(stirred(original), x, edge_index=edges)


@pytest.mark.parametrize(
    "options",
    [{}, {"num_bases": 2}, {"num_blocks": 2}, {"aggr": "add"}, {"root_weight": False}, {"bias": False}],
    ids=str,
)
def test_relations(options, stirred):
    original = stirred(pyg.RGCNConv(8, 4, 3, **options))
    x, edge_type = torch.randn(6, 8, dtype=F64), torch.arange(9) % 3
    assert_close(from_torch(original)(x, EDGES, {"edge_type": edge_type}), original(x, EDGES, edge_type), **CLOSE)


def test_parameters_are_copies_that_learn(stirred):
    original = stirred(pyg.GATv2Conv(8, 4, heads=2, edge_dim=3))
    converted = from_torch(original)
    counted = [sum(each.numel() for each in one.parameters()) for one in (converted, original)]
    assert counted[0] == counted[1]
    x, edge = torch.randn(6, 8, dtype=F64), torch.randn(9, 3, dtype=F64)
    for one in (converted, original):
        one(x, EDGES, edge).sin().sum().backward()
    message = converted.layer.message_function
    assert_close(message.score.weight.grad, original.att.grad[0], **CLOSE)
    assert_close(message.key.weight.grad, original.lin_l.weight.grad, **CLOSE)
    assert_close(message.edge_key.linear.weight.grad, original.lin_edge.weight.grad, **CLOSE)
    before = converted(x, EDGES, edge)
    with torch.no_grad():
        original.lin_l.weight.zero_()
    assert torch.equal(converted(x, EDGES, edge), before)


def test_a_topology_serves_as_well_as_an_edge_index(stirred):
    converted, x = from_torch(stirred(pyg.GATConv(8, 4))), torch.randn(6, 8, dtype=F64)
    assert torch.equal(converted(x, Edges(EDGES, 6)), converted(x, EDGES))
    across = Edges(EDGES, (6, 6))
    assert_close(converted((x, x), across), converted(x, EDGES))
    layer = from_torch(pyg.SAGEConv(8, 4))
    assert isinstance(layer, GraphLayer)


def test_loops_are_not_added_to_a_sparse_matrix(stirred):
    matrix = torch.sparse_coo_tensor(EDGES.flip(0), torch.rand(9, dtype=F64), (6, 6), check_invariants=True)
    with pytest.raises(TypeError, match=r"to add self-loops to, got torch\.sparse_coo"):
        from_torch(stirred(pyg.GCNConv(8, 4)))(torch.randn(6, 8, dtype=F64), matrix)


@pytest.mark.parametrize("conv", [pyg.GCNConv(8, 4), pyg.GATConv(8, 4, edge_dim=1), pyg.GATv2Conv(8, 4, edge_dim=1)])
def test_loops_are_not_added_to_features_of_other_edges(conv):
    with pytest.raises(ValueError, match=r"expected 9 rows of edge features for Edges\(.*\), got 10"):
        from_torch(conv)(torch.randn(6, 8), EDGES, torch.rand(10))


def test_lazy_channels_are_converted_once_known(stirred):
    original, x = pyg.SAGEConv(-1, 4).double(), torch.randn(6, 8, dtype=F64)
    with pytest.raises(ValueError, match=r"channels to be known, got Linear\(-1, 4.*call the original once"):
        from_torch(original)
    original(x, EDGES)
    assert_same(original, x)


@pytest.mark.parametrize(
    ("original", "said"),
    [
        (pyg.SAGEConv(8, 4, aggr="softmax"), "to convert SAGEConv, got aggr='softmax'"),
        (pyg.SAGEConv(8, 4, aggr=["mean", "max"]), r"to convert SAGEConv, got aggr=\['mean', 'max'\]"),
        (pyg.PNAConv(8, 4, ["mean"], ["linear"], DEGREES, train_norm=True), "PNAConv, got train_norm=True"),
        (pyg.PNAConv(8, 4, ["mean", "median"], ["linear"], DEGREES), "aggregators add, .* PNAConv, got median"),
        (pyg.GCNConv(8, 4, aggr="max"), "aggr='add' or aggr='sum' to convert GCNConv, got aggr='max'"),
        (pyg.GATConv(8, 4, flow="target_to_source"), "flow='source_to_target' .* got flow='target_to_source'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_options_that_are_not_supported_are_refused_by_name(original, said):
    with pytest.raises(ValueError, match=said):
        from_torch(original)


def test_other_convolutions_are_refused_by_name():
    with pytest.raises(TypeError, match=r"expected one of .*GCNConv.*, got ChebConv"):
        from_torch(pyg.ChebConv(8, 4, 2))


def altered(conv, **parts):
    for name, part in parts.items():
        setattr(conv, name, part)
    return conv


class Twice(pyg.SumAggregation):
    """Computes what it likes."""


@pytest.mark.parametrize(
    ("original", "said"),
    [
        (
            altered(pyg.GATConv(8, 4, edge_dim=3), lin_edge=nn.Linear(3, 4)),
            "without a bias to convert, got Linear at lin_edge",
        ),
        (altered(pyg.GATConv(8, 4, edge_dim=3), lin_edge=network(3)), "plain .* got Sequential at lin_edge"),
        (
            altered(pyg.GATConv(8, 4, residual=True), res=nn.Linear(8, 4)),
            "without a bias to convert, got Linear at res",
        ),
        (altered(pyg.GCNConv(8, 4), lin=nn.Linear(8, 4)), "without a bias to convert, got Linear at lin"),
        (altered(pyg.GCNConv(8, 4), lin=network()), "plain .* got Sequential at lin"),
        (
            altered(pyg.ResGatedGraphConv(8, 4), lin_skip=nn.Linear(8, 4)),
            "without a bias to convert, got Linear at lin_skip",
        ),
        (
            altered(pyg.GINConv(network()), aggr_module=Twice()),
            "expected the aggregation 'add' to convert, got Twice .* at aggr_module",
        ),
        (
            altered(pyg.SAGEConv(8, 4), aggr_module=pyg.MaxAggregation()),
            "expected the aggregation 'mean' .* got MaxAggregation",
        ),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_parts_that_are_not_plain_are_refused_by_where_they_stand(original, said):
    with pytest.raises(TypeError, match=said):
        from_torch(original)


def test_drop_ins_are_converted_as_the_layers_that_they_stand_for():
    x, edge_attr = torch.randn(6, 8, dtype=F64), torch.randn(9, 3, dtype=F64)
    for original in (pyg.GATConv(8, 4, edge_dim=3), pyg.SAGEConv(8, 4)):
        given = () if isinstance(original, pyg.SAGEConv) else (edge_attr,)
        converted = from_torch(accelerate(original.double()))
        assert_close(converted(x, EDGES, *given), original(x, EDGES, *given), **CLOSE)


class Doubled(graphattn.pyg.SAGEConv):
    """Computes what it likes."""


def test_a_subclass_of_a_drop_in_is_refused():
    with pytest.raises(TypeError, match=r"PNAConv, got Doubled$"):
        from_torch(Doubled(8, 4))
