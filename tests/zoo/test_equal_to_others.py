"""Every named layer equals the library people know it from: values and gradients, float64, within 1e-9."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.utils import add_remaining_self_loops

from graphattn.backends import use_backend
from graphattn.topology import Edges, Full
from graphattn.zoo import GCN, SelfAttention

# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
F64 = torch.float64


def assert_same(ours, theirs, x, own, other):
    """Values, gradients of `x`, and gradients of the parameters paired up."""
    assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    for mine, its in zip(
        *(
            torch.autograd.grad(out.sin().sum(), [x, *parameters], retain_graph=True)
            for out, parameters in ((ours, own), (theirs, other))
        ),
        strict=True,
    ):
        assert_close(mine, its, rtol=1e-9, atol=1e-9)


def copy_into(others, owns):
    with torch.no_grad():
        for other, own in zip(others, owns, strict=True):
            own.copy_(other)


@pytest.mark.parametrize("backend", ["dense", "edgewise"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_self_attention_on_full_is_multihead_attention(backend, scale):
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, dtype=F64)
    nn.init.normal_(theirs.in_proj_bias)
    ours = SelfAttention(8, heads=2).double()
    said, out = ours.message_function, ours.update_function.linear
    own = [said.query.weight, said.key.weight, said.value.weight, said.query.bias, said.key.bias, said.value.bias]
    other = [*theirs.in_proj_weight.chunk(3), *theirs.in_proj_bias.chunk(3)]
    copy_into([*other, theirs.out_proj.weight, theirs.out_proj.bias], [*own, out.weight, out.bias])
    sizes = [3, 1, 6]
    x = (torch.randn(10, 8, dtype=F64) * scale**0.5).requires_grad_()
    truth = torch.cat([theirs(part[None], part[None], part[None])[0][0] for part in x.split(sizes)])
    with use_backend(backend):
        result = ours(x, Full(sizes))
    assert_same(result, truth, x, [out.weight, out.bias], [theirs.out_proj.weight, theirs.out_proj.bias])
    whole = torch.autograd.grad(truth.sin().sum(), [theirs.in_proj_weight, theirs.in_proj_bias])
    parts = torch.autograd.grad(result.sin().sum(), own)
    assert_close(torch.cat(parts[:3]), whole[0], rtol=1e-9, atol=1e-9)
    assert_close(torch.cat(parts[3:]), whole[1], rtol=1e-9, atol=1e-9)


def test_self_attention_on_edges_is_transformer_conv():
    theirs = pyg.TransformerConv(8, 4, heads=2, root_weight=False).double()
    ours = SelfAttention(8, heads=2).double()
    said, out = ours.message_function, ours.update_function.linear
    pairs = [(theirs.lin_query, said.query), (theirs.lin_key, said.key), (theirs.lin_value, said.value)]
    other = [p for layer, _ in pairs for p in layer.parameters()]
    own = [p for _, layer in pairs for p in layer.parameters()]
    copy_into(other, own)
    x = torch.randn(6, 8, dtype=F64, requires_grad=True)
    assert_same(ours(x, EDGES), out(theirs(x, EDGES)), x, own, other)


@pytest.mark.parametrize("weighted", [False, True])
def test_gcn_on_a_graph_with_self_loops_is_gcn_conv(weighted):
    theirs, ours = pyg.GCNConv(8, 4).double(), GCN(8, 4).double()
    nn.init.normal_(theirs.bias)
    other, own = [theirs.lin.weight, theirs.bias], [ours.message_function.linear.weight, ours.update_function.bias]
    copy_into(other, own)
    x = torch.randn(6, 8, dtype=F64, requires_grad=True)
    if not weighted:
        assert_same(ours(x, Edges(EDGES, 6).with_self_loops()), theirs(x, EDGES), x, own, other)
        return
    weight = torch.rand(8, dtype=F64, requires_grad=True)
    looped = add_remaining_self_loops(EDGES, weight, num_nodes=6)
    result, truth = ours(x, *looped), theirs(x, EDGES, weight)
    assert_same(result, truth, x, own, other)
    assert_close(*(torch.autograd.grad(out.sin().sum(), weight)[0] for out in (result, truth)), rtol=1e-9, atol=1e-9)
