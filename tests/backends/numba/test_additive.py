"""GAT's and GATv2's scores by kernels: the same as edge by edge, whatever torch does with them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import use_backend
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import Additive, SplitAdditive
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.update import Replace
from graphattn.zoo import GAT, GATv2

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
SMALL = torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]])
BOTH = pytest.mark.parametrize("make", [GAT, GATv2], ids=lambda make: make.__name__)


def scored(score, heads, slope=0.2, **terms):
    score = score(heads.number, heads.channels, nn.LeakyReLU(slope))
    return GraphLayer(Attend(6, heads, score, **terms), SoftmaxSum(), Replace()).double()


# Channels that one instruction handles, that several do, and that no power of two divides; values wider than keys.
@pytest.mark.parametrize("heads", [Heads(1, 24), Heads(3, 7), Heads(2, 8, value_channels=16)], ids=str)
@pytest.mark.parametrize("score", [Additive, SplitAdditive])
@pytest.mark.parametrize(("dropout", "slope"), [(0.0, 0.2), (0.4, 1.5)])
def test_scores_equal_edgewise(score, heads, dropout, slope):
    layer, x = scored(score, heads, slope), torch.randn(6, 6, dtype=F64)
    layer.dropout = dropout
    for edge_index in (EDGES, EDGES[:, :0], EDGES.flip(1)):
        assert assert_backends_agree(layer, x, Edges(edge_index, 6)) == ["csr", "sparse", "edgewise"]


@BOTH
@settings(max_examples=15)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_bipartite_graphs_of_any_shape(make, receivers, senders, edges, seed):
    torch.manual_seed(seed)
    edges = edges if receivers else 0
    ends = torch.stack([torch.randint(0, senders, (edges,)), torch.randint(0, max(receivers, 1), (edges,))])
    x = (torch.randn(senders, 6, dtype=F64), torch.randn(receivers, 5, dtype=F64))
    layer = make((6, 5), 8, heads=2).double()
    assert "csr" in assert_backends_agree(layer, x, Edges(ends, (senders, receivers)))


def test_one_map_may_serve_query_key_and_value():
    layer = GATv2(6, 8, heads=2, share_weights=True).double()
    assert "csr" in assert_backends_agree(layer, torch.randn(6, 6, dtype=F64), Edges(EDGES, 6))


def test_edges_speak_inside_gats_and_beside_gatv2s_activation():
    x, graph = torch.randn(6, 6, dtype=F64), Edges(EDGES, 6)
    attr = {"edge_attr": torch.randn(8, 3, dtype=F64)}
    some = {**attr, "edge_attr_number": torch.tensor([0, 7, 3, 2, 6, 5, 4, 1])[:8]}
    for edge in (attr, some):
        assert "csr" in assert_backends_agree(GAT(6, 8, heads=2, edge_dim=3).double(), x, graph, edge)
    layer = scored(Additive, Heads(2, 8), edge_bias=LinearBias("edge_attr", 3, heads=2))
    assert "csr" in assert_backends_agree(layer, x, graph, attr)


def test_kinks_and_equal_numbers_have_torchs_gradients():
    x = torch.zeros(6, 6, dtype=F64)
    assert "csr" in assert_backends_agree(GATv2(6, 8, heads=2, bias=False).double(), x, Edges(EDGES, 6))
    assert "csr" in assert_backends_agree(GAT(6, 8, heads=2).double(), x, Edges(EDGES, 6))


@BOTH
@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_large_scores_stay_finite_and_right(make, size, dtype):
    layer = make(8, 8).to(dtype)
    x = (torch.randn(6, 8) * size).to(dtype).requires_grad_()
    results = []
    for name in ("csr", "edgewise"):
        with use_backend(name):
            out = layer(x, Edges(EDGES, 6))
        results.append((out / size, *torch.autograd.grad(out.sum() / size, [x, *layer.parameters()])))
        assert all(torch.isfinite(result).all() for result in results[-1])
    if dtype == F64:
        assert_close(*results, rtol=1e-9, atol=1e-9)


@BOTH
def test_float32_is_as_near_to_the_truth_as_edgewise(make):
    layer, x, edge_index = make(32, 16, heads=2), torch.randn(200, 32), torch.randint(0, 200, (2, 3000))
    truth = make(32, 16, heads=2).double()
    truth.load_state_dict({name: value.double() for name, value in layer.state_dict().items()})

    def found(layer, x):
        out = layer(x, edge_index)
        return [out, *torch.autograd.grad(out.sin().sum(), [*layer.parameters()])]

    wanted, errors = found(truth, x.double()), {}
    for name in ("csr", "edgewise"):
        with use_backend(name):
            errors[name] = [(a - b).abs().max() for a, b in zip(found(layer, x), wanted, strict=True)]
    for ours, plain, size in zip(errors["csr"], errors["edgewise"], wanted, strict=True):
        assert ours <= 2 * plain + 1e-6 * size.abs().max()


@BOTH
def test_first_and_second_derivatives(make):
    layer, graph = make(4, 4, heads=2).double(), Edges(SMALL, 4)
    layer.dropout = 0.3

    def heard(x, *parameters):
        torch.manual_seed(3)
        named = dict(zip([name for name, _ in layer.named_parameters()], parameters, strict=True))
        return torch.func.functional_call(layer, named, (x, graph))

    leaves = [torch.randn(4, 4, dtype=F64, requires_grad=True), *layer.parameters()]
    assert torch.autograd.gradcheck(heard, leaves)
    assert torch.autograd.gradgradcheck(heard, leaves)


def test_derivatives_of_edges():
    layer, graph = GAT(4, 4, heads=2, edge_dim=2).double(), Edges(SMALL, 4)
    x, edge = torch.randn(4, 4, dtype=F64, requires_grad=True), torch.randn(5, 2, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *inputs: layer(inputs[0], graph, inputs[1]), (x, edge))
    assert torch.autograd.gradgradcheck(lambda *inputs: layer(inputs[0], graph, inputs[1]), (x, edge))


@BOTH
def test_functions_of_layers_are_mapped(make):
    layer, graph = make(4, 4, heads=2).double(), Edges(EDGES, 6)
    many = torch.randn(3, 6, 4, dtype=F64)
    assert_close(torch.func.vmap(lambda x: layer(x, graph))(many), torch.stack([layer(x, graph) for x in many]))
    named = dict(layer.named_parameters())

    def loss(named, x):
        return torch.func.functional_call(layer, named, (x, graph)).sin().sum()

    slopes = torch.func.vmap(torch.func.grad(loss), (None, 0))(named, many)
    for number, x in enumerate(many):
        wanted = torch.autograd.grad(loss(named, x), list(named.values()))
        for slope, truth in zip(slopes.values(), wanted, strict=True):
            assert_close(slope[number], truth)


@BOTH
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_layers_compile_into_one_graph(make, backend):
    graph, x, layer = Edges(EDGES, 6), torch.randn(6, 8, requires_grad=True), make(8, 8, heads=2)
    graph.by_sender()
    torch._dynamo.reset()
    out, truth = torch.compile(layer, fullgraph=True, backend=backend)(x, graph), layer(x, graph)
    assert_close(out, truth)
    assert_close(*(torch.autograd.grad(result.sin().sum(), x)[0] for result in (out, truth)))


@BOTH
def test_a_training_step_makes_no_tensor_of_edges_times_channels(make):
    heads, channels, edges = 4, 16, 20_000
    graph = Edges(torch.randint(0, 500, (2, edges)), 500)
    layer, x = make(heads * channels, channels, heads), torch.randn(500, heads * channels, requires_grad=True)
    peaks = {}
    for name in ("csr", "edgewise"):
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
