"""Sums scaled at both ends need no weight for each edge: the same as edge by edge, for GCN, means and sums."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.aggregation import Mean, Sum
from graphattn.backends.edges.node_scales import node_scales
from graphattn.layer import GraphLayer
from graphattn.message import Copy, Scaled, as_weighted, by_row, symmetric
from graphattn.pyg import GCNConv
from graphattn.slots import Inputs
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.update import Replace

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
MESSAGES = [Copy, *(lambda scale=scale: Scaled(4, 7, scale) for scale in (symmetric, by_row, as_weighted))]
EACH = pytest.mark.parametrize("aggregation", [Sum(), Mean()], ids=lambda each: type(each).__name__)
EVERY = pytest.mark.parametrize("message", MESSAGES, ids=["copy", "symmetric", "by_row", "as_weighted"])


@EACH
@EVERY
@settings(max_examples=8)
@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_equal_to_edgewise(message, aggregation, nodes, edges, seed):
    torch.manual_seed(seed)
    layer = GraphLayer(message(), aggregation, Replace()).double()
    graph, x = Edges(torch.randint(0, nodes, (2, edges)), nodes), torch.randn(nodes, 4, dtype=F64)
    assert node_scales(layer.message_function, aggregation, graph, Inputs({}, {}, {})) is not None
    assert assert_backends_agree(layer, x, graph) == ["csr", "sparse", "edgewise"]


@EACH
def test_derivatives_maps_and_compiled_layers(aggregation):
    layer = GraphLayer(Scaled(4, 4), aggregation, Replace()).double()
    graph, x = Edges(EDGES, 6).prepare(), torch.randn(6, 4, dtype=F64, requires_grad=True)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x: layer(x, graph), x)
    many = torch.randn(3, 6, 4, dtype=F64)
    slope = torch.func.grad(lambda x: layer(x, graph).sin().sum())
    assert_close(torch.func.vmap(slope)(many), torch.stack([slope(each) for each in many]))
    torch._dynamo.reset()
    out = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, graph)
    assert_close(out, layer(x, graph))
    assert_close(*(torch.autograd.grad(each.sin().sum(), x)[0] for each in (out, layer(x, graph))))


def test_edges_with_weights_of_their_own_keep_them():
    graph, inputs = Edges(EDGES, 6), Inputs({}, {}, {"edge_attr": torch.rand(8)})
    assert node_scales(Scaled(4, 4), Sum(), graph, inputs) is None
    assert node_scales(Copy(), Sum(), graph, inputs._replace(seed=torch.tensor(1))) is None
    assert node_scales(Scaled(4, 4, lambda graph, weight: torch.ones(8)), Sum(), graph, Inputs({}, {}, {})) is None
    assert node_scales(Scaled(4, 4), Sum(), Edges(EDGES, (6, 7)), Inputs({}, {}, {})) is None


@pytest.mark.parametrize("options", [{}, {"add_self_loops": False}, {"cached": True}, {"improved": True}], ids=str)
def test_the_drop_in_equals_pyg(options):
    theirs = pyg.GCNConv(4, 7, **options).double()
    ours = GCNConv(4, 7, **options).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(6, 4, dtype=F64, requires_grad=True)
    for _ in range(2):
        for weight in (None, torch.rand(8, dtype=F64, requires_grad=True)):
            if weight is not None and options == {"cached": True}:
                continue
            outs = [layer(x, EDGES, weight) for layer in (ours, theirs)]
            assert_close(*outs, rtol=1e-9, atol=1e-9)
            leaves = [x] if weight is None else [x, weight]
            grads = [torch.autograd.grad(out.sin().sum(), leaves) for out in outs]
            for one, other in zip(*grads, strict=True):
                assert_close(one, other, rtol=1e-9, atol=1e-9)
