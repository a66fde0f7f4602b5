"""Every convolution equals the library people know it from: values and gradients, float64, within 1e-9."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.testing import assert_close
from torch_geometric import nn as pyg
from torch_geometric.nn import aggr

from graphattn.aggregation import Max, Mean, Std, Sum
from graphattn.message import Bases, Blocks, as_weighted
from graphattn.topology import Edges, Full
from graphattn.zoo import GIN, GINE, RGCN, GatedGraph, GraphSAGE, ResGatedGraph, TokenMixing

F64 = torch.float64
NONE = torch.zeros(2, 0, dtype=torch.long)
# Asymmetric, with an isolated node (5), a loop and a double edge; a single node with and without a loop; no node.
GRAPHS = {
    "asymmetric": (6, torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])),
    "single": (1, NONE),
    "loop": (1, torch.tensor([[0], [0]])),
    "empty": (0, NONE),
}
ON_GRAPHS = pytest.mark.parametrize("graph", GRAPHS)


class Pair(NamedTuple):
    """A parameter of ours, and how it lies in one of theirs."""

    own: torch.Tensor
    other: torch.Tensor
    view: Callable[[torch.Tensor], torch.Tensor] = lambda tensor: tensor

    def copy(self):
        with torch.no_grad():
            self.own.copy_(self.view(self.other))


def weights(own, other):
    """Pairs of two modules with the same parameters in the same order."""
    return [Pair(*both) for both in zip(own.parameters(), other.parameters(), strict=True)]


def assert_same(ours, theirs, inputs, pairs):
    """Values, and gradients of inputs and of paired parameters; ``ours`` and ``theirs`` are computed from the inputs."""
    for pair in pairs:
        nn.init.normal_(pair.other)
    for pair in pairs:
        pair.copy()
    inputs = [value.requires_grad_() for value in inputs]
    result, truth = ours(*inputs), theirs(*inputs)
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    mine = torch.autograd.grad(result.sin().sum(), [*inputs, *(pair.own for pair in pairs)], materialize_grads=True)
    its = torch.autograd.grad(truth.sin().sum(), [*inputs, *(pair.other for pair in pairs)], materialize_grads=True)
    views = [*(lambda tensor: tensor for _ in inputs), *(pair.view for pair in pairs)]
    for own, other, view in zip(mine, its, views, strict=True):
        assert_close(own, view(other), rtol=1e-9, atol=1e-9)


def nodes(number, channels=8):
    return torch.randn(number, channels, dtype=F64)


SAGE = {
    "mean": ({}, {}),
    "max": ({"aggregation": Max()}, {"aggr": "max"}),
    "sum": ({"aggregation": Sum()}, {"aggr": "sum"}),
    "std": ({"aggregation": Std()}, {"aggr": aggr.StdAggregation()}),
    "without root": ({"root_weight": False}, {"root_weight": False}),
    "without bias": ({"bias": False}, {"bias": False}),
    "normalized": ({"last": normalize}, {"normalize": True}),
    "projected": ({"project": nn.Sequential(nn.Linear(8, 8), nn.ReLU())}, {"project": True}),
}


def sage(options):
    mine, its = SAGE[options]
    ours, theirs = GraphSAGE(8, 4, **mine).double(), pyg.SAGEConv(8, 4, **its).double()
    update = ours.update_function
    pairs = []
    if options == "projected":
        pairs += weights(ours.message_function.network, theirs.lin)
    update = update.update if options == "normalized" else update
    if options == "without root":
        return ours, theirs, [*pairs, *weights(update.linear, theirs.lin_l)]
    return ours, theirs, [*pairs, *weights(update.heard, theirs.lin_l), *weights(update.root, theirs.lin_r)]


@ON_GRAPHS
@pytest.mark.parametrize("options", SAGE)
def test_graph_sage_is_sage_conv(graph, options):
    (number, edges), (ours, theirs, pairs) = GRAPHS[graph], sage(options)
    assert_same(lambda x: ours(x, edges), lambda x: theirs(x, edges), [nodes(number)], pairs)


def test_graph_sage_on_two_kinds_of_nodes_is_sage_conv():
    ours, theirs = GraphSAGE((8, 5), 4).double(), pyg.SAGEConv((8, 5), 4).double()
    pairs = [
        *weights(ours.update_function.heard, theirs.lin_l),
        *weights(ours.update_function.root, theirs.lin_r),
    ]
    edges = torch.tensor([[0, 6, 2, 2], [1, 1, 0, 0]])
    assert_same(lambda j, i: ours((j, i), edges), lambda j, i: theirs((j, i), edges), [nodes(7), nodes(3, 5)], pairs)
    x = nodes(7)
    size = (7, 2)
    assert_close(ours((x, None), Edges(edges, size)), theirs((x, None), edges, size=size), rtol=1e-9, atol=1e-9)


@ON_GRAPHS
@pytest.mark.parametrize("learned", [False, True])
def test_gin_is_gin_conv(graph, learned):
    number, edges = GRAPHS[graph]
    theirs = pyg.GINConv(nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 4)), 0.3, train_eps=learned).double()
    ours = GIN(nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 4)), 0.3, train_eps=learned).double()
    pairs = weights(ours.update_function.function, theirs.nn)
    assert_same(lambda x: ours(x, edges), lambda x: theirs(x, edges), [nodes(number)], pairs)
    pairs += [Pair(ours.update_function.update.eps, theirs.eps)] if learned else []
    assert_same(lambda x: ours(x, edges), lambda x: theirs(x, edges), [nodes(number)], pairs)


@ON_GRAPHS
@pytest.mark.parametrize("edge_dim", [None, 3])
def test_gine_is_gine_conv(graph, edge_dim):
    number, edges = GRAPHS[graph]
    theirs = pyg.GINEConv(nn.Linear(8, 4), train_eps=True, edge_dim=edge_dim).double()
    ours = GINE(nn.Linear(8, 4), train_eps=True, edge=edge_dim and nn.Linear(edge_dim, 8)).double()
    pairs = [*weights(ours.update_function.function, theirs.nn), Pair(ours.update_function.update.eps, theirs.eps)]
    pairs += weights(ours.message_function.edge_value.network, theirs.lin) if edge_dim else []
    inputs = [nodes(number), nodes(edges.size(1), edge_dim or 8)]
    assert_same(lambda x, e: ours(x, edges, e), lambda x, e: theirs(x, edges, e), inputs, pairs)


@pytest.mark.parametrize(("ours", "theirs"), [(GIN, pyg.GINConv), (GINE, pyg.GINEConv)])
def test_gin_and_gine_hear_other_nodes(ours, theirs):
    network, edges = nn.Linear(8, 4).double(), torch.tensor([[0, 6, 2, 2], [1, 1, 0, 0]])
    mine, its = ours(network, eps=0.5).double(), theirs(network, eps=0.5).double()
    edge = () if ours is GIN else (nodes(4),)
    inputs = [nodes(7), nodes(3), *edge]
    assert_same(lambda j, i, *e: mine((j, i), edges, *e), lambda j, i, *e: its((j, i), edges, *e), inputs, [])
