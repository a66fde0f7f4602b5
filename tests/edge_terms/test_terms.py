"""What holds for every edge term: the same on every backend and on a list of edges, in a batch as alone, renumbered or not."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn.models.schnet import GaussianSmearing

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import use_backend
from graphattn.edge_terms import (
    ALiBi,
    GaussianKernels,
    GridBias,
    LinearValue,
    NetworkValue,
    RelativeBias,
    RelativeValue,
    ShortestPathBias,
    SpatialBias,
    SumOfTerms,
    T5Bias,
    buckets_backwards,
    places_on_edges,
)
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.testing import assert_backends_agree, assert_batched_equals_alone
from graphattn.topology import Blockwise, Causal, Cross, Edges, Full, Grid, Star, Window
from graphattn.update import Project, Replace
from graphattn.zoo import SelfAttention

F64 = torch.float64
SIZES = [3, 0, 9, 1, 20, 3, 0]


def gaussian(kinds=1):
    return SpatialBias(GaussianKernels(5, kinds), nn.Sequential(nn.Linear(5, 5), nn.GELU(), nn.Linear(5, 2)))


BIASES = {
    "relative": lambda: RelativeBias(4, heads=2),
    "relative, at most itself": lambda: RelativeBias(0, heads=2),
    "grid": lambda: GridBias(4, 5, heads=2),
    "T5": lambda: T5Bias(2, buckets=8, farthest=12),
    "T5, backwards": lambda: T5Bias(2, buckets=6, farthest=9, bucket=buckets_backwards),
    "ALiBi": lambda: ALiBi(2),
    "shortest path": lambda: ShortestPathBias(5, heads=2),
    "spatial": lambda: SpatialBias(GaussianSmearing(0, 3, 6), nn.Linear(6, 2)),
    "spatial, learned kernels": gaussian,
    "spatial, kinds": lambda: SpatialBias(GaussianKernels(5, 4), nn.Linear(5, 2), name="typed"),
    "sum": lambda: SumOfTerms(T5Bias(2), ALiBi(2), ShortestPathBias(5, heads=2)),
}
EACH = pytest.mark.parametrize("make", BIASES.values(), ids=BIASES)


def features(graph):
    """Features that follow from places, so that a graph has the same in a batch as alone."""
    receiver, sender = places_on_edges(graph)
    at_sender, at_receiver = (
        torch.stack([(p * 1.3).sin(), (p * 0.7).cos(), p / 9], 1).double() for p in graph.places()
    )
    edge = {"distance": (receiver - sender).abs() * 3 % 7, "typed_kind": (receiver + 2 * sender) % 4}
    for name in ("position", "typed"):
        if graph.senders is graph.receivers:
            edge |= {name: at_sender}
        else:
            edge |= {f"{name}_sender": at_sender, f"{name}_receiver": at_receiver}
    return edge


def layer(bias):
    return SelfAttention(8, heads=2, edge_bias=bias).double()


@EACH
@pytest.mark.parametrize("sizes", [SIZES, [6, 6], [1], [0], []], ids=str)
def test_backends_agree(make, sizes):
    graph = Full(sizes)
    x = torch.randn(graph.num_senders, 8, dtype=F64)
    assert "dense" in assert_backends_agree(layer(make()), x, graph, features(graph))


@EACH
@pytest.mark.parametrize(
    "graph",
    [Causal(SIZES), Window(SIZES, radius=2, dilation=3), Grid(4, 5, images=2), Full(SIZES) | Causal(SIZES)],
    ids=lambda graph: type(graph).__name__,
)
def test_backends_agree_on_other_graphs(make, graph):
    x = torch.randn(graph.num_senders, 8, dtype=F64)
    compared = assert_backends_agree(layer(make()), x, graph, features(graph))
    assert ("dense" in compared) == isinstance(graph, Blockwise)


@EACH
@pytest.mark.parametrize("graph", [Star(SIZES, hubs=2), Cross(SIZES, [2, 4, 5, 0, 1, 9, 1])], ids=["Star", "Cross"])
def test_backends_agree_where_receivers_are_other_nodes(make, graph):
    x = (torch.randn(graph.num_senders, 8, dtype=F64), torch.randn(graph.num_receivers, 8, dtype=F64))
    assert "dense" in assert_backends_agree(layer(make()), x, graph, features(graph))


@EACH
def test_a_full_graph_as_a_list_of_edges_in_any_order_is_the_same(make):
    full, attention = Full(SIZES), layer(make())
    order = torch.randperm(full.num_edges)
    listed = Edges(full.edge_index()[:, order], full.num_senders, ptr=full.receivers.ptr)
    x = torch.randn(full.num_senders, 8, dtype=F64)
    assert_close(attention(x, listed, features(listed)), attention(x, full, features(full)), rtol=1e-9, atol=1e-9)


@EACH
def test_batched_equals_alone(make):
    x = torch.randn(sum(SIZES), 8, dtype=F64)
    assert_batched_equals_alone(layer(make()), x, SIZES, Full, features)


@EACH
def test_a_tile_has_the_numbers_of_the_edges(make):
    graph, term = Full(SIZES), make().double()
    listed = term.on_edges(graph, features(graph))
    assert listed.shape == (graph.num_edges, 2)
    for tile in graph.plan().tiles:
        laid = term.on_tile(tile, features(graph))
        assert laid.shape == (2, *tile.edge.shape)
        real = torch.ones_like(tile.edge, dtype=torch.bool)
        if tile.real_receiver is not None:
            real = tile.real_receiver[:, :, None] & tile.real_sender[:, None]
        assert_close(laid.permute(1, 2, 3, 0)[real], listed[tile.edge[real]])


@EACH
def test_the_dense_backend_lists_no_pairs(make, monkeypatch):
    graph = Full(SIZES)
    edge, listed = features(graph), []
    monkeypatch.setattr(Full, "edge_index", lambda self: listed.append(self))
    layer(make())(torch.randn(graph.num_senders, 8, dtype=F64), graph, edge)
    assert listed == []


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_float_stays_finite(make, dtype):
    graph, attention = Full([3, 7]), layer(make()).to(dtype)
    edge = {name: value.to(dtype) if value.is_floating_point() else value for name, value in features(graph).items()}
    edge["position"] = edge["position"] * 1e4
    x = (torch.randn(10, 8) * 1e2).to(dtype).requires_grad_()
    out = attention(x, graph, edge)
    out.sum().backward()
    assert out.dtype == dtype
    for tensor in (out, x.grad, *(parameter.grad for parameter in attention.parameters())):
        assert tensor is not None
        assert torch.isfinite(tensor).all()


@EACH
def test_terms_are_copied_pickled_loaded_and_reset(make):
    graph, term = Full([4, 6]), make()
    edge = {name: value.float() if value.is_floating_point() else value for name, value in features(graph).items()}
    truth = term.on_edges(graph, edge)
    for other in (copy.deepcopy(term), pickle.loads(pickle.dumps(term))):
        assert torch.equal(other.on_edges(graph, edge), truth)
    fresh = make()
    fresh.load_state_dict(term.state_dict())
    assert torch.equal(fresh.on_edges(graph, edge), truth)
    attention = SelfAttention(8, heads=2, edge_bias=term)
    attention.reset_parameters()
    assert torch.equal(term.on_edges(graph, edge), truth) == (not list(term.parameters()))


@EACH
@pytest.mark.parametrize("topology", [Full, lambda sizes: Edges(torch.randint(0, 6, (2, 9)), 6)], ids=["Full", "Edges"])
def test_terms_compile_into_one_graph(make, topology):
    graph, attention = topology([6]), layer(make())
    edge, x = features(graph), torch.randn(6, 8, dtype=F64)
    if isinstance(graph, Full):
        graph.plan()
    torch._dynamo.reset()
    compiled = torch.compile(attention, fullgraph=True, backend="eager")
    assert_close(compiled(x, graph, edge), attention(x, graph, edge))


@EACH
def test_gradients_are_right(make):
    graph = Full([3, 2])
    edge = features(graph)
    term = make().double()
    leaves = [value.requires_grad_() for value in edge.values() if value.is_floating_point()]
    leaves += list(term.parameters())

    def biases(*leaves):
        return term.on_tile(graph.plan().tiles[0], edge), term.on_edges(graph, edge)

    assert torch.autograd.gradcheck(biases, leaves) if list(term.parameters()) else True


VALUES = {"one table": partial(RelativeValue, 4, 2, 4), "a table for each head": partial(RelativeValue, 4, 2, 4, 2)}


def shaw(key, value):
    message = Attend(8, Heads(2, 4), edge_key=key, edge_value=value)
    return GraphLayer(message, SoftmaxSum(), Project(8, 8)).double()


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("sizes", [SIZES, [5, 5], [1], [0]], ids=str)
def test_backends_agree_with_relative_values(make, sizes):
    x = torch.randn(sum(sizes), 8, dtype=F64)
    assert "dense" in assert_backends_agree(shaw(None, make()), x, Full(sizes))
    assert_batched_equals_alone(shaw(make(), make()), x, sizes, Full)


class Doubled(nn.Linear):
    """Not what its weights say."""

    def forward(self, x):
        return 2 * super().forward(x)


def with_hook(linear):
    linear.register_forward_hook(lambda module, given, out: out.sin())
    return linear


def with_own_forward(linear):
    linear.forward = torch.cos
    return linear


INSTEAD = {
    "network": lambda: nn.Sequential(nn.Linear(8, 3), nn.Tanh(), nn.Linear(3, 8)),
    "subclass": lambda: Doubled(8, 8),
    "hook": lambda: with_hook(nn.Linear(8, 8, bias=False)),
    "own forward": lambda: with_own_forward(nn.Linear(8, 8, bias=False)),
    "biased": lambda: nn.Linear(8, 8),
    "parametrised": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)),
}


@pytest.mark.parametrize("instead", INSTEAD.values(), ids=INSTEAD)
@pytest.mark.parametrize("graph", [Full([3, 2]), Edges(torch.tensor([[0, 1, 2, 0, 4], [1, 2, 1, 3, 0]]), 5)], ids=str)
def test_what_stands_in_the_place_of_a_linear_map_of_edges_is_called(instead, graph):
    """Keys and values of edges come from a table of the map's weights only where the map is nothing else."""
    x, edge = torch.randn(5, 8, dtype=F64), {"edge_attr": torch.randn(graph.num_edges, 8, dtype=F64)}
    for value in (LinearValue("edge_attr", 8, 2, 4), NetworkValue("edge_attr", nn.Linear(8, 8), 2)):
        setattr(value, "linear" if isinstance(value, LinearValue) else "network", instead())
        layer = GraphLayer(Attend(8, Heads(2, 4), edge_key=value, edge_value=value), SoftmaxSum(), Replace()).double()
        with use_backend("edgewise"):
            truth = layer(x, graph, edge)
        assert_close(layer(x, graph, edge), truth, rtol=1e-9, atol=1e-9)
