"""Attention and weighted sums over edges in Triton: the same as edge by edge. Run by ../test_cuda.py in a process of its own."""

import copy

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import Mean, SoftmaxSum, Sum
from graphattn.backends import explain_backend, use_backend
from graphattn.backends.triton import work
from graphattn.backends.triton.usable import interpreted
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads, Scaled, as_weighted
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.update import Replace
from graphattn.zoo import GAT, GCN, GIN, GATv2, GraphSAGE, GraphTransformer, SelfAttention

F64 = torch.float64
DEVICE = "cpu" if interpreted() else "cuda"
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]], device=DEVICE)
SMALL = torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]], device=DEVICE)


@pytest.fixture(params=["rows whole", "hubs in parts"])
def parts(request, monkeypatch):
    if request.param == "hubs in parts":
        monkeypatch.setattr(work, "LONGEST", 2)
        monkeypatch.setattr(work, "_FEW", 0)


PARTS = pytest.mark.usefixtures("parts")


def draw(*shape, dtype=F64):
    return torch.randn(*shape, dtype=dtype).to(DEVICE)


def attention(heads, **terms):
    return GraphLayer(Attend(6, heads, **terms), SoftmaxSum(), Replace()).double().to(DEVICE)


def agree(layer, x, graph, edge=None):
    assert "cuda" in assert_backends_agree(layer.to(DEVICE), x, graph, edge)


@PARTS
@pytest.mark.parametrize("heads", [Heads(2, 8), Heads(3, 7), Heads(1, 5, value_channels=16)], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_attention_equals_edgewise(heads, dropout):
    layer = attention(heads)
    layer.dropout = dropout
    for ends in (EDGES, EDGES[:, :0]):
        agree(layer, draw(6, 6), Edges(ends, 6))


@PARTS
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_edges_speak_in_keys_values_and_biases(dropout):
    said = LinearValue("bond", 3, 2, 8)
    edge = {"bond": draw(8, 3)}
    for terms in (
        {"edge_key": said, "edge_value": said},
        {"edge_value": said, "edge_bias": LinearBias("bond", 3, heads=2)},
    ):
        layer = attention(Heads(2, 8), **terms)
        layer.dropout = dropout
        agree(layer, draw(6, 6), Edges(EDGES, 6), edge)


@PARTS
@pytest.mark.parametrize("make", [GAT, GATv2], ids=lambda make: make.__name__)
def test_scores_with_a_leaky_relu(make):
    layer = make(6, 7, heads=3).double()
    layer.dropout = 0.3
    agree(layer, draw(6, 6), Edges(EDGES, 6))
    agree(layer.eval(), torch.zeros_like(draw(6, 6)), Edges(EDGES, 6))


def test_edges_speak_inside_gats_and_beside_gatv2s_activation():
    agree(GAT(6, 8, heads=2, edge_dim=3).double(), draw(6, 6), Edges(EDGES, 6), {"edge_attr": draw(8, 3)})
    score = GATv2(6, 8, heads=2).message_function.score
    layer = attention(Heads(2, 8), score=score, edge_bias=LinearBias("bond", 3, heads=2))
    agree(layer, draw(6, 6), Edges(EDGES, 6), {"bond": draw(8, 3)})


@PARTS
def test_bipartite_graphs():
    ends = torch.tensor([[0, 3, 3, 1, 2, 2], [1, 0, 1, 1, 1, 0]], device=DEVICE)
    for graph in (Edges(ends, (4, 3)), Edges(ends.flip(0), (3, 4)), Edges(ends[:, :0], (4, 0))):
        x = (draw(graph.num_senders, 6), draw(graph.num_receivers, 6))
        for layer in (attention(Heads(2, 4)), GATv2((6, 6), 4, heads=2).double()):
            agree(layer, x, graph)
        for aggregation in (Sum(), Mean()):
            agree(GraphLayer(Copy(), aggregation, Replace()).double(), x, graph)


@PARTS
def test_weighted_sums_equal_edgewise():
    weight = torch.rand(8, dtype=F64).to(DEVICE)
    agree(GCN(6, 600).double(), draw(6, 6), Edges(EDGES, 6), {"edge_attr": weight})
    dropped = GraphLayer(Scaled(6, 5, as_weighted), Sum(), Replace(), dropout=0.4).double()
    for layer in (dropped, GraphSAGE(6, 5).double(), GIN(torch.nn.Linear(6, 5)).double()):
        agree(layer, draw(6, 6), Edges(EDGES, 6))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_precision_is_within_twice_the_error_of_the_plain_path(dtype):
    x, attr, ends = draw(8, 6, dtype=dtype), draw(40, 3, dtype=dtype), torch.randint(0, 8, (2, 40)).to(DEVICE)
    for layer, edge in (
        (GraphTransformer(6, 4, heads=2, edge_dim=3), {"edge_attr": attr}),
        (GATv2(6, 4, heads=2), {}),
        (GCN(6, 5), {}),
    ):
        rough = layer.to(DEVICE, dtype)
        exact = {name: value.double() for name, value in edge.items()}
        truth = found(copy.deepcopy(rough).double(), x.double(), Edges(ends), exact, "edgewise")
        ours, plain = (found(rough, x, Edges(ends), edge, name) for name in ("cuda", "edgewise"))
        for a, b, right in zip(ours, plain, truth, strict=True):
            slack = torch.finfo(dtype).eps * right.abs().max()
            assert (a - right).abs().max() <= 2 * (b - right).abs().max() + slack


def found(layer, x, graph, edge, name):
    x = x.detach().requires_grad_()
    with use_backend(name):
        out = layer(x, graph, edge)
    return [
        out.detach().double(),
        *(g.double() for g in torch.autograd.grad(out.float().sin().sum(), [x, *layer.parameters()])),
    ]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, F64])
def test_large_scores_and_silent_edges_stay_finite(dtype):
    layer = SelfAttention(8, heads=2).to(DEVICE, dtype)
    x = (draw(6, 8) * 1e2).to(dtype).requires_grad_()
    with use_backend("cuda"):
        out = layer(x, Edges(EDGES, 6))
    assert torch.isfinite(out).all()
    assert torch.isfinite(torch.autograd.grad(out.sum(), x)[0]).all()
    biased = attention(Heads(2, 8), edge_bias=LinearBias("bond", 1, heads=2))
    biased.message_function.edge_bias.linear.weight.data.fill_(1)
    bond = draw(8, 1)
    bond[3] = -torch.inf
    with use_backend("cuda"):
        out = biased(draw(6, 6), Edges(EDGES, 6), {"bond": bond})
    assert torch.isfinite(out).all()
    assert not out[3].any()


def test_results_repeat_bit_by_bit():
    layer, x, graph = GATv2(6, 8, heads=2).to(DEVICE), draw(6, 6, dtype=torch.float32), Edges(EDGES, 6)
    first, second = (found(layer, x, graph, {}, "cuda") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("make", [lambda: SelfAttention(3), lambda: GATv2(3, 2), lambda: GCN(3, 2)])
def test_first_and_second_derivatives(make):
    layer, graph = make().double().to(DEVICE), Edges(SMALL, 3)
    layer.dropout = 0.3

    def heard(x):
        torch.manual_seed(3)
        with use_backend("cuda"):
            return layer(x, graph)

    x = draw(3, 3).requires_grad_()
    assert torch.autograd.gradcheck(heard, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(heard, x, fast_mode=True)


@pytest.mark.parametrize("make", [lambda: SelfAttention(4, heads=2), lambda: GCN(4, 4)])
def test_functions_of_layers_are_mapped(make):
    layer, graph, many = make().double().to(DEVICE), Edges(SMALL, 3), draw(2, 3, 4)

    def loss(x):
        with use_backend("cuda"):
            return layer(x, graph).sin().sum()

    slopes = torch.func.vmap(torch.func.grad(loss))(many)
    for x, slope in zip(many, slopes, strict=True):
        assert_close(slope, torch.autograd.grad(loss(x.requires_grad_()), x)[0])
        x.requires_grad_(False)


@pytest.mark.parametrize("make", [lambda: SelfAttention(8, heads=2), lambda: GATv2(8, 4, heads=2), lambda: GCN(8, 4)])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_layers_compile_into_one_graph(make, backend):
    layer, graph, x = make().to(DEVICE), Edges(EDGES, 6).prepare(), draw(6, 8, dtype=torch.float32).requires_grad_()
    assert explain_backend(layer, x, graph).chosen == "cuda"
    torch._dynamo.reset()
    out, truth = torch.compile(layer, fullgraph=True, backend=backend)(x, graph), layer(x, graph)
    assert_close(out, truth)
    assert_close(*(torch.autograd.grad(result.sin().sum(), x)[0] for result in (out, truth)))
