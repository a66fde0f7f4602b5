"""Linear attention is its quadratic form: values and gradients, float64, within 1e-9, for any sizes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.backends import explain_backend, linear, use_backend
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import EluKernel, Exponential, Favor, ScaledDot, Then
from graphattn.testing import assert_backends_agree, assert_batched_equals_alone
from graphattn.topology import Causal, Cross, Edges, Full, Star
from graphattn.update import Replace
from graphattn.zoo import LinearAttention

F64 = torch.float64


@given(st.lists(st.integers(0, 9), max_size=5), st.sampled_from([Full, Causal]), st.booleans(), st.integers(1, 4))
def test_any_sizes_give_the_quadratic_form(sizes, topology, random, block):
    torch.manual_seed(0)
    kernel = Favor(4, 5) if random else EluKernel()
    layer = LinearAttention(8, Heads(2, 4, 1, value_channels=3), kernel=kernel).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "_BLOCK", block)
        compared = assert_backends_agree(layer, torch.randn(sum(sizes), 8, dtype=F64), topology(sizes))
    assert compared == ["linear", "edgewise"]


@pytest.mark.parametrize("topology", [Full, Causal])
def test_whole_blocks_and_parts_of_one(topology):
    layer, sizes = LinearAttention(8, heads=2).double(), [64, 1, 130, 0]
    x = torch.randn(195, 8, dtype=F64)
    assert assert_backends_agree(layer, x, topology(sizes)) == ["linear", "edgewise"]
    assert_batched_equals_alone(layer, x, sizes, topology)


@pytest.mark.parametrize("graph", [Cross([3, 0, 2], [2, 4, 0]), Star([3, 0, 2], hubs=2)], ids=repr)
def test_two_sets_of_nodes(graph):
    layer = LinearAttention(8, heads=2).double()
    x = (torch.randn(5, 8, dtype=F64), torch.randn(6, 8, dtype=F64))
    assert assert_backends_agree(layer, x, graph) == ["linear", "edgewise"]


def test_graphs_of_a_batch_do_not_disturb_each_other():
    layer = GraphLayer(Attend(4, Heads(1, 4), Favor(4, 8)), NormalizedSum(), Replace(4)).double()
    x = torch.randn(7, 4, dtype=F64) * torch.tensor([1, 1, 1e3, 1e3, 1e3, 1, 1], dtype=F64)[:, None]
    for topology in (Full, Causal):
        assert_batched_equals_alone(layer, x, [2, 3, 2], topology)


def test_memory_grows_with_nodes():
    layer, graph = LinearAttention(8, heads=2), Full([20_000, 3])
    assert explain_backend(layer, torch.randn(20_003, 8), graph).chosen == "linear"
    assert layer(torch.randn(20_003, 8), graph).shape == (20_003, 8)  # as pairs: 12.8 GB of scores


def test_a_long_text_does_not_pad_the_short_ones():
    layer, graph = LinearAttention(8, heads=2), Causal([20_000] + [5] * 1000)
    held = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: held.append(tensor.numel()) or tensor, lambda x: x):
        layer(torch.randn(25_000, 8), graph)
    assert max(held) < 3e7  # with as many blocks for each: 313 blocks of 1001 graphs, 6e8 numbers


def test_low_precision_is_within_twice_the_error_of_the_plain_path():
    layer, graph, x = LinearAttention(8, heads=2), Full([40, 7]), torch.randn(47, 8)
    truth = layer.double()(x.double(), graph)
    for dtype in (torch.float32, torch.bfloat16):
        layer.to(dtype)
        errors = {}
        for name in ("linear", "edgewise"):
            with use_backend(name):
                errors[name] = (layer(x.to(dtype), graph).double() - truth).abs().max()
        assert errors["linear"] <= 2 * errors["edgewise"] + torch.finfo(dtype).eps


@pytest.mark.parametrize("size", [1e10, 1e18, 1e25, 1e30])
@pytest.mark.parametrize("graph", [Full([5, 0, 4]), Causal([5, 0, 4]), Cross([5, 4], [4, 5])], ids=repr)
def test_states_of_any_size_are_shared_out_as_edge_by_edge_in_float64(graph, size):
    """Keys, queries and values of one graph are large, those of the other are not."""
    layer, out = LinearAttention(8, heads=2), []
    x = torch.randn(9, 8) * torch.tensor([size] * 5 + [1.0] * 4)[:, None]
    for name, dtype in (("linear", torch.float32), ("edgewise", F64)):
        layer, leaf = layer.to(dtype), x.to(dtype, copy=True).requires_grad_()
        with use_backend(name):
            heard = layer((leaf, leaf) if isinstance(graph, Cross) else leaf, graph)
        scaled = heard.double() / x.abs().amax(1, keepdim=True).double()
        (slope,) = torch.autograd.grad(scaled.sin().sum(), leaf)
        out.append((scaled, slope.double() * x.abs().amax(1, keepdim=True)))
    assert_close(*out, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", [EluKernel(), Favor(4, 8)], ids=repr)
def test_a_compiled_layer_needs_no_plan(kernel):
    layer = LinearAttention(8, heads=2, kernel=kernel)
    for topology in (Full, Causal):
        graph, x = topology([6, 3]), torch.randn(9, 8)
        torch._dynamo.reset()
        compiled = torch.compile(layer, fullgraph=True, backend="eager")
        assert_close(compiled(x, graph), layer(x, graph))


@pytest.mark.parametrize("topology", [Full, Causal])
def test_gradients_are_those_of_the_numbers(topology):
    layer, x = LinearAttention(4, heads=2).double(), torch.randn(4, 4, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, topology([3, 1])), x)


def layer_of(message, aggregation=None):
    return GraphLayer(message, aggregation or NormalizedSum(), Replace())


@pytest.mark.parametrize(
    ("layer", "graph", "reason"),
    [
        (
            LinearAttention(8),
            Edges(torch.tensor([[0], [1]]), 3),
            "needs a topology of whole graphs (Full, Causal, Cross, Star), got Edges",
        ),
        (
            layer_of(Attend(8, Heads(1, 8), EluKernel()), SoftmaxSum()),
            Full([3]),
            "needs the aggregation NormalizedSum, got SoftmaxSum",
        ),
        (
            layer_of(Attend(8, Heads(1, 8), Then(ScaledDot(), Exponential()))),
            Full([3]),
            "needs a score that is a dot product of features, got Then",
        ),
        (
            layer_of(Attend(8, Heads(1, 8), EluKernel(), edge_bias=LinearBias("edge_attr", 2, 1))),
            Full([3]),
            "needs edges that add nothing, got an edge bias, key or value",
        ),
        (LinearAttention(8, dropout=0.5), Full([3]), "messages are dropped edge by edge"),
    ],
)
def test_every_reason_is_told(layer, graph, reason):
    edge = {"edge_attr": torch.randn(9, 2)} if "edges" in reason else {}
    assert explain_backend(layer, torch.randn(3, 8), graph, edge).reasons["linear"] == [reason]


def test_a_hook_sees_every_edge():
    layer, seen = LinearAttention(8), []
    layer.register_message_forward_hook(lambda *hook: seen.append(hook[-1].shape))
    layer(torch.randn(3, 8), Full([3]))
    assert seen == [(9, 1, 8)]
