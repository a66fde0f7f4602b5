"""Attention in batches of small graphs in Triton: the same as edge by edge. Run by ../test_cuda.py in a process of its own."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import explain_backend, use_backend
from graphattn.backends.triton.usable import interpreted
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Cross, Full, Star
from graphattn.update import Replace
from graphattn.zoo import SelfAttention

F64 = torch.float64
DEVICE = "cpu" if interpreted() else "cuda"
TOPOLOGIES = pytest.mark.parametrize("topology", [Full, Causal])


def draw(*shape, dtype=F64):
    return torch.randn(*shape, dtype=dtype).to(DEVICE)


def attention(heads, **terms):
    return GraphLayer(Attend(6, heads, **terms), SoftmaxSum(), Replace()).double().to(DEVICE)


@TOPOLOGIES
@pytest.mark.parametrize("heads", [Heads(2, 8), Heads(1, 7, value_channels=20)], ids=str)
@pytest.mark.parametrize("sizes", [[3, 1, 0, 4, 0], [40, 2], [0], []], ids=str)
def test_attention_equals_edgewise(topology, heads, sizes):
    graph = topology(sizes).to(DEVICE)
    assert "cuda_small" in assert_backends_agree(attention(heads), draw(sum(sizes), 6), graph)


@TOPOLOGIES
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_biases_have_gradients_and_messages_are_dropped_alike(topology, dropout):
    graph, layer = topology([3, 0, 5]).to(DEVICE), attention(Heads(2, 8), edge_bias=LinearBias("bond", 3, heads=2))
    layer.dropout = dropout
    some = {"bond": draw(4, 3), "bond_number": torch.tensor([1, 3, 8, 12], device=DEVICE)}
    for edge in ({"bond": draw(graph.num_edges, 3)}, some):
        assert "cuda_small" in assert_backends_agree(layer, draw(8, 6), graph, edge)


def test_bipartite_graphs():
    for graph in (Cross([3, 0, 2], [2, 3, 0]), Star([3, 0, 2])):
        x = (draw(graph.num_senders, 6), draw(graph.num_receivers, 6))
        assert "cuda_small" in assert_backends_agree(attention(Heads(2, 8)), x, graph.to(DEVICE))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_precision_is_within_twice_the_error_of_the_plain_path(dtype):
    layer, graph, x = SelfAttention(8, heads=2).to(DEVICE), Full([20, 7]).to(DEVICE), draw(27, 8, dtype=torch.float32)
    with use_backend("edgewise"):
        truth = found(layer.double(), x.to(dtype).double(), graph)
    layer.to(dtype)
    results = {}
    for name in ("cuda_small", "edgewise"):
        with use_backend(name):
            results[name] = found(layer, x.to(dtype), graph)
    for ours, plain, right in zip(*results.values(), truth, strict=True):
        slack = 2 * torch.finfo(dtype).eps * right.abs().max()
        assert (ours - right).abs().max() <= 2 * (plain - right).abs().max() + slack


def found(layer, x, graph):
    x = x.detach().requires_grad_()
    out = layer(x, graph)
    return [out.detach().double(), torch.autograd.grad(out.float().sin().sum(), x)[0].double()]


def test_large_scores_and_silent_receivers_stay_finite():
    layer = attention(Heads(2, 8), edge_bias=LinearBias("bond", 1, heads=2))
    layer.message_function.edge_bias.linear.weight.data.fill_(1)
    bond, x = draw(9, 1) * 1e4, draw(3, 6).requires_grad_()
    bond[3:6] = -torch.inf
    with use_backend("cuda_small"):
        out = layer(x, Full([3]).to(DEVICE), {"bond": bond})
    assert torch.isfinite(out).all()
    assert not out[1].any()
    assert torch.isfinite(torch.autograd.grad(out.sum(), x)[0]).all()


@TOPOLOGIES
def test_first_and_second_derivatives(topology):
    layer, graph, x = SelfAttention(3).double().to(DEVICE), topology([2, 1]).to(DEVICE), draw(3, 3).requires_grad_()
    layer.dropout = 0.3

    def heard(x):
        torch.manual_seed(3)
        with use_backend("cuda_small"):
            return layer(x, graph)

    assert torch.autograd.gradcheck(heard, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(heard, x, fast_mode=True)


def test_layers_are_mapped_and_compile_into_one_graph():
    layer, graph, many = SelfAttention(4, heads=2).to(DEVICE), Full([2, 1]).to(DEVICE).prepare(), draw(2, 3, 4).float()
    with use_backend("cuda_small"):
        mapped = torch.func.vmap(lambda x: layer(x, graph))(many)
        assert_close(mapped, torch.stack([layer(x, graph) for x in many]))
    x = many[0].requires_grad_()
    assert explain_backend(layer, x, graph).chosen == "cuda_small"
    torch._dynamo.reset()
    out, truth = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, graph), layer(x, graph)
    assert_close(out, truth)
    assert_close(*(torch.autograd.grad(result.sin().sum(), x)[0] for result in (out, truth)))
