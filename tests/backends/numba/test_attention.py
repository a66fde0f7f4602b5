"""Attention and weighted sums by kernels: the same as edge by edge, whatever torch does with them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from graphattn.aggregation import Mean, SoftmaxSum, Sum
from graphattn.backends import explain_backend, use_backend
from graphattn.backends.edges.backend import NUMBA, OnEdges
from graphattn.backends.operators import products
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads, Scaled, as_weighted
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.update import Replace
from graphattn.zoo import GCN, GraphTransformer, SelfAttention

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
SMALL = torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]])


def attention(heads, bias=None):
    return GraphLayer(Attend(6, heads, edge_bias=bias), SoftmaxSum(), Replace()).double()


# Channels that one instruction handles, that several do, and that no power of two divides; values wider than keys.
@pytest.mark.parametrize("heads", [Heads(2, 8), Heads(1, 24), Heads(3, 7), Heads(2, 8, value_channels=16)], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_attention_equals_edgewise(heads, dropout):
    layer, x = attention(heads), torch.randn(6, 6, dtype=F64)
    layer.dropout = dropout
    for edge_index in (EDGES, EDGES[:, :0], EDGES.flip(1)):
        assert assert_backends_agree(layer, x, Edges(edge_index, 6)) == ["csr", "sparse", "edgewise"]


@settings(max_examples=30)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_bipartite_graphs_of_any_shape(receivers, senders, edges, seed):
    torch.manual_seed(seed)
    edges = edges if receivers else 0
    ends = torch.stack([torch.randint(0, senders, (edges,)), torch.randint(0, max(receivers, 1), (edges,))])
    x = (torch.randn(senders, 6, dtype=F64), torch.randn(receivers, 6, dtype=F64))
    graph = Edges(ends, (senders, receivers))
    assert "csr" in assert_backends_agree(attention(Heads(2, 8)), x, graph)
    for message in (Scaled(6, 5, as_weighted), Copy()):
        for aggregation in (Sum(), Mean()):
            assert "csr" in assert_backends_agree(GraphLayer(message, aggregation, Replace()).double(), x, graph)


def test_edge_biases_have_gradients():
    layer = attention(Heads(2, 8), LinearBias("bond", 3, heads=2))
    edge = {"bond": torch.randn(8, 3, dtype=F64)}
    assert "csr" in assert_backends_agree(layer, torch.randn(6, 6, dtype=F64), Edges(EDGES, 6), edge)
    edge["bond"][2:4] = -torch.inf
    layer.message_function.edge_bias.linear.weight.data.fill_(1)
    out = layer(torch.randn(6, 6, dtype=F64), Edges(EDGES, 6), edge)
    assert torch.isfinite(out).all()
    assert not out[3].any()


def featured(channels, heads, edge_dim, **terms):
    said = LinearValue("bond", edge_dim, heads.number, heads.channels)
    terms = {name: said if term is None else term for name, term in terms.items()}
    return GraphLayer(Attend(channels, heads, **terms), SoftmaxSum(), Replace()).double()


# One feature, some that one instruction handles, and a number that no power of two divides.
@pytest.mark.parametrize("edge_dim", [1, 3, 8])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_edge_features_in_keys_and_values_have_gradients(edge_dim, dropout):
    bond, heads, x = torch.randn(8, edge_dim, dtype=F64), Heads(2, 8), torch.randn(6, 6, dtype=F64)
    apart = LinearValue("bond", edge_dim, 2, 8)
    for terms in (
        {"edge_key": None, "edge_value": None},
        {"edge_key": None},
        {"edge_value": None},
        {"edge_key": None, "edge_value": apart, "edge_bias": LinearBias("bond", edge_dim, heads=2)},
    ):
        layer = featured(6, heads, edge_dim, **terms)
        layer.dropout = dropout
        for ends in (EDGES, EDGES.flip(1), EDGES[:, :0]):
            edge = {"bond": bond[: ends.size(1)]}
            assert assert_backends_agree(layer, x, Edges(ends, 6), edge) == ["csr", "sparse", "edgewise"]


def test_edge_features_may_be_kinds_or_those_of_some_edges():
    layer, x = featured(6, Heads(2, 8), 3, edge_key=None, edge_value=None), torch.randn(6, 6, dtype=F64)
    kinds = {"bond": torch.randn(4, 3, dtype=F64), "bond_kind": torch.tensor([0, 3, 3, 1, 2, 0, 1, 1])}
    assert "csr" in assert_backends_agree(layer, x, Edges(EDGES, 6), kinds)
    some = {"bond": torch.randn(3, 3, dtype=F64), "bond_number": torch.tensor([5, 0, 7])}
    assert "csr" in assert_backends_agree(layer, x, Edges(EDGES, 6), some)
    with pytest.raises(ValueError, match=r"expected 8 features of all edges of .* got \[1, 3\]"):
        layer(x, Edges(EDGES, 6), {"bond": torch.randn(1, 3, dtype=F64)})
    biased = attention(Heads(2, 8), LinearBias("bond", 3, heads=2))
    for rows in (5, 1):
        with pytest.raises(ValueError, match=rf"expected 8 features of all edges of .* got \[{rows}, 3\]"):
            biased(x, Edges(EDGES, 6), {"bond": torch.randn(rows, 3, dtype=F64)})


def test_derivatives_of_edge_features():
    layer, graph = GraphTransformer(4, 4, heads=2, edge_dim=2).double(), Edges(SMALL, 4)
    x, edge = torch.randn(4, 4, dtype=F64, requires_grad=True), torch.randn(5, 2, dtype=F64, requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def heard(x, edge, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x, graph, edge))

    assert torch.autograd.gradcheck(heard, (x, edge, *layer.parameters()))
    assert torch.autograd.gradgradcheck(heard, (x, edge, *layer.parameters()))
    many, attr = torch.randn(3, 4, 4, dtype=F64), torch.randn(3, 5, 2, dtype=F64)

    def loss(x, edge):
        return layer(x, graph, edge).sin().sum()

    for dims in ((0, 0), (0, None), (None, 0)):
        given = [whole if at == 0 else whole[0] for whole, at in zip((many, attr), dims, strict=True)]
        slopes = torch.func.vmap(torch.func.grad(loss, (0, 1)), dims)(*given)
        for k in range(3):
            x, edge = ((w[k] if at == 0 else w).requires_grad_() for w, at in zip(given, dims, strict=True))
            for slope, truth in zip(slopes, torch.autograd.grad(loss(x, edge), (x, edge)), strict=True):
                assert_close(slope[k], truth)
            for whole in given:
                whole.requires_grad_(False)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_layers_with_edge_features_compile_into_one_graph(backend):
    graph, layer = Edges(EDGES, 6), GraphTransformer(8, 8, heads=2, edge_dim=3)
    leaves = [torch.randn(6, 8, requires_grad=True), torch.randn(8, 3, requires_grad=True)]
    graph.by_sender()
    torch._dynamo.reset()
    out, truth = (
        torch.compile(layer, fullgraph=True, backend=backend)(leaves[0], graph, leaves[1]),
        layer(leaves[0], graph, leaves[1]),
    )
    assert_close(out, truth)
    assert_close(*(torch.autograd.grad(result.sin().sum(), leaves) for result in (out, truth)))


def test_edge_weights_have_gradients():
    weight = torch.rand(8, dtype=F64)
    x = torch.randn(6, 8, dtype=F64)
    compared = assert_backends_agree(GCN(8, 4).double(), x, Edges(EDGES, 6), {"edge_attr": weight})
    assert compared == ["csr", "sparse", "edgewise"]


@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_large_scores_stay_finite_and_right(size, dtype):
    layer = SelfAttention(8, heads=1).to(dtype)
    x = (torch.randn(6, 8) * size**0.5).to(dtype).requires_grad_()
    results = []
    for name in ("csr", "edgewise"):
        with use_backend(name):
            out = layer(x, Edges(EDGES, 6))
        results.append((out, torch.autograd.grad(out.sum(), x)[0]))
        assert torch.isfinite(torch.cat(results[-1])).all()
    assert_close(*results, rtol=1e-4 if dtype == torch.float32 else 1e-9, atol=1e-4 if dtype == torch.float32 else 1e-9)


def test_float32_is_as_near_to_the_truth_as_edgewise():
    layer, x, edge_index = SelfAttention(32, heads=2), torch.randn(200, 32), torch.randint(0, 200, (2, 3000))
    truth = SelfAttention(32, heads=2).double()
    truth.load_state_dict({name: value.double() for name, value in layer.state_dict().items()})
    wanted = truth(x.double(), edge_index)
    errors = {}
    for name in ("csr", "edgewise"):
        with use_backend(name):
            errors[name] = (layer(x, edge_index) - wanted).abs().max()
    assert errors["csr"] <= 2 * errors["edgewise"]


def test_first_and_second_derivatives():
    layer, graph = SelfAttention(4, heads=2).double(), Edges(torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]]), 4)
    x = torch.randn(4, 4, dtype=F64, requires_grad=True)
    weight = torch.rand(5, dtype=F64, requires_grad=True)
    weigh = GraphLayer(Scaled(4, 3, as_weighted), Sum(), Replace()).double()
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x: layer(x, graph), x)
        assert check(lambda x, weight: weigh(x, graph, weight), (x, weight))


def test_derivatives_of_dropout_follow_the_same_edges():
    layer, graph = SelfAttention(4, heads=2).double(), Edges(torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]]), 4)
    layer.dropout = 0.5

    def heard(x):
        torch.manual_seed(3)
        return layer(x, graph)

    x = torch.randn(4, 4, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(heard, x)
    assert torch.autograd.gradgradcheck(heard, x)


@pytest.mark.parametrize("layer", [SelfAttention(4, heads=2), GCN(4, 4)], ids=["SelfAttention", "GCN"])
def test_functions_of_layers_are_mapped(layer):
    layer = layer.double()
    graph = Edges(EDGES, 6)
    many = torch.randn(3, 6, 4, dtype=F64)
    assert_close(torch.func.vmap(lambda x: layer(x, graph))(many), torch.stack([layer(x, graph) for x in many]))

    def loss(x):
        return layer(x, graph).sin().sum()

    slopes = torch.func.vmap(torch.func.grad(loss))(many)
    for x, slope in zip(many, slopes, strict=True):
        assert_close(slope, torch.autograd.grad(loss(x.requires_grad_()), x)[0])
        x.requires_grad_(False)


@pytest.mark.parametrize("layer", [SelfAttention(8, heads=2), GCN(8, 4)], ids=["SelfAttention", "GCN"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_layers_compile_into_one_graph(layer, backend):
    graph, x = Edges(EDGES, 6), torch.randn(6, 8, requires_grad=True)
    graph.by_sender()
    torch._dynamo.reset()
    out, truth = torch.compile(layer, fullgraph=True, backend=backend)(x, graph), layer(x, graph)
    assert_close(out, truth)
    assert_close(*(torch.autograd.grad(result.sin().sum(), x)[0] for result in (out, truth)))


def test_autocast_is_heard():
    layer, x = SelfAttention(8, heads=2), torch.randn(6, 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x, EDGES)
    assert_close(out.float(), layer(x, EDGES), rtol=0.1, atol=0.05)


def test_reasons_are_told():
    layer, x, meta = SelfAttention(8, heads=2), torch.randn(6, 8), Edges(EDGES, 6).to("meta")
    assert explain_backend(layer, x, Edges(EDGES, 6)).chosen == "csr"
    assert explain_backend(layer.half(), x.half(), Edges(EDGES, 6)).chosen == "csr"
    inputs = layer.to("meta").prepare(x.half().to("meta"), meta)[2]
    reason = "needs float32, float64, bfloat16 or float16 on the CPU, got torch.float16 on meta"
    assert list(OnEdges("csr", NUMBA).unsupported(layer, meta, inputs)) == [reason]


def test_a_training_step_makes_no_tensor_of_edges_times_channels():
    heads, channels, edges = 4, 16, 20_000
    graph = Edges(torch.randint(0, 500, (2, edges)), 500)
    x = torch.randn(500, heads * channels, requires_grad=True)
    peaks = {}
    for name in ("csr", "edgewise"):
        layer = SelfAttention(heads * channels, heads)
        with use_backend(name):
            layer(x, graph).sum().backward()
            with torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
            ) as profile:
                layer(x, graph).sum().backward()
        peaks[name] = max(event.cpu_memory_usage for event in profile.events())
    wide = edges * heads * channels * 4
    assert peaks["edgewise"] >= wide
    assert peaks["csr"] < wide / 4


def test_many_graphs_at_once_are_refused():
    graph, x, weight = Edges(EDGES, 6), torch.randn(6, 1, 4), torch.ones(8, 1)
    ptr, *order = products.senders(graph, "numba").order

    def sums(ptr):
        return products.derivative(weight, x, "numba", "nodes", 1, 6, ptr, *order)

    with pytest.raises(ValueError, match="vmap over node states and edge terms only, got one over a graph or a seed"):
        torch.func.vmap(sums)(ptr.expand(2, -1))
