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
from torch_geometric.utils import add_remaining_self_loops

from graphattn.aggregation import (
    Max,
    Mean,
    Min,
    Multi,
    Std,
    Sum,
    Variance,
    amplification,
    attenuation,
    identity,
    inverse_linear,
    linear,
)
from graphattn.message import Bases, Blocks, Repeat, SplitHeads, as_weighted, by_row, symmetric
from graphattn.topology import Edges, Full
from graphattn.zoo import GCN, GIN, GINE, PNA, RGCN, TABLE, EdgeConv, GatedGraph, GraphSAGE, ResGatedGraph, TokenMixing

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
    "several": ({"aggregation": Multi([Mean(), Max(), Std()])}, {"aggr": ["mean", "max", "std"]}),
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


def gcn(scale, pyg_options):
    ours, theirs = GCN(8, 4, scale=scale).double(), pyg.GCNConv(8, 4, add_self_loops=False, **pyg_options).double()
    return ours, theirs, [*weights(ours.message_function, theirs.lin), Pair(ours.update_function.bias, theirs.bias)]


@ON_GRAPHS
@pytest.mark.parametrize(("scale", "options"), [(symmetric, {}), (as_weighted, {"normalize": False})])
def test_gcn_is_gcn_conv_without_loops(graph, scale, options):
    (number, edges), (ours, theirs, pairs) = GRAPHS[graph], gcn(scale, options)
    inputs = [nodes(number), torch.rand(edges.size(1), dtype=F64) + 0.1]
    assert_same(lambda x, w: ours(x, edges, w), lambda x, w: theirs(x, edges, w), inputs, pairs)


def test_gcn_with_loops_of_two_is_improved_gcn_conv():
    (number, edges), (ours, _, _) = GRAPHS["asymmetric"], gcn(symmetric, {})
    theirs = pyg.GCNConv(8, 4, improved=True).double()
    pairs = [*weights(ours.message_function, theirs.lin), Pair(ours.update_function.bias, theirs.bias)]
    weight = torch.rand(edges.size(1), dtype=F64)
    looped = add_remaining_self_loops(edges, weight, 2.0, number)
    assert_same(lambda x: ours(x, *looped), lambda x: theirs(x, edges, weight), [nodes(number)], pairs)


@ON_GRAPHS
def test_gcn_by_row_is_a_mean_of_projected_neighbours(graph):
    number, edges = GRAPHS[graph]
    ours, theirs = GCN(8, 4, bias=False, scale=by_row).double(), GraphSAGE(8, 4, bias=False, root_weight=False).double()
    pairs = weights(ours.message_function, theirs.update_function)
    assert_same(lambda x: ours(x, edges), lambda x: theirs(x, edges), [nodes(number)], pairs)


@ON_GRAPHS
@pytest.mark.parametrize(("aggregation", "name"), [(Max(), "max"), (Mean(), "mean"), (Sum(), "add")])
def test_edge_conv_is_edge_conv(graph, aggregation, name):
    number, edges = GRAPHS[graph]
    ours, theirs = EdgeConv(nn.Linear(16, 4), aggregation).double(), pyg.EdgeConv(nn.Linear(16, 4), name).double()
    pairs = weights(ours.message_function.network, theirs.nn)
    assert_same(lambda x: ours(x, edges), lambda x: theirs(x, edges), [nodes(number)], pairs)
    across = torch.tensor([[0, 5, 2, 2], [1, 1, 0, 0]])
    inputs = [nodes(6), nodes(3)]
    assert_same(lambda j, i: ours((j, i), across), lambda j, i: theirs((j, i), across), inputs, pairs)


def transposed(tensor):
    return tensor.transpose(-1, -2)


WEIGHTS = {
    "each": ({}, {}),
    "bases": ({"weight": partial(Bases, bases=2)}, {"num_bases": 2}),
    "blocks": ({"weight": partial(Blocks, blocks=2)}, {"num_blocks": 2}),
    "sum": ({"aggregation": Sum()}, {"aggr": "add"}),
    "sum of bases": ({"aggregation": Sum(), "weight": partial(Bases, bases=2)}, {"aggr": "add", "num_bases": 2}),
}


def rgcn(options):
    mine, its = WEIGHTS[options]
    ours, theirs = RGCN((8, 6), 4, 3, **mine).double(), pyg.RGCNConv((8, 6), 4, 3, **its).double()
    said, root = ours.message_function.weight, ours.update_function.linear
    pairs = [Pair(said.weight, theirs.weight), Pair(root.weight, theirs.root, transposed), Pair(root.bias, theirs.bias)]
    return ours, theirs, pairs + ([Pair(said.share, theirs.comp)] if "bases" in options else [])


@pytest.mark.parametrize("options", WEIGHTS)
def test_rgcn_is_rgcn_conv(options):
    ours, theirs, pairs = rgcn(options)
    # Two relations meet in receivers 1 and 0, one of them twice; relation 2 is nowhere, receivers 2 and 3 hear nobody.
    edges, kind = torch.tensor([[0, 6, 2, 2, 5, 1], [1, 1, 0, 0, 1, 1]]), torch.tensor([0, 1, 1, 1, 0, 1])
    assert_same(
        lambda j, i: ours((j, i), edges, {"edge_type": kind}),
        lambda j, i: theirs((j, i), edges, kind),
        [nodes(7), nodes(4, 6)],
        pairs,
    )


@ON_GRAPHS
@pytest.mark.parametrize("root", [True, False])
def test_rgcn_on_one_kind_of_nodes_is_rgcn_conv(graph, root):
    number, edges = GRAPHS[graph]
    kind = torch.arange(edges.size(1)) % 3
    ours = RGCN(8, 4, 3, root_weight=root, bias=root).double()
    theirs = pyg.RGCNConv(8, 4, 3, root_weight=root, bias=root).double()
    pairs = [Pair(ours.message_function.weight.weight, theirs.weight)]
    pairs += [Pair(ours.update_function.linear.weight, theirs.root, transposed)] if root else []
    pairs += [Pair(ours.update_function.linear.bias, theirs.bias)] if root else []
    assert_same(lambda x: ours(x, edges, {"edge_type": kind}), lambda x: theirs(x, edges, kind), [nodes(number)], pairs)


LAYOUTS = {
    "one": (None, {}),
    "repeat": (Repeat(2), {"towers": 2}),
    "split": (SplitHeads(2), {"towers": 2, "divide_input": True}),
}
SCALERS = {
    "identity": identity,
    "amplification": amplification,
    "attenuation": attenuation,
    "linear": linear,
    "inverse_linear": inverse_linear,
}
DEGREES = torch.tensor([1, 2, 1, 0, 2])


@ON_GRAPHS
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("edge_dim", "layers"), [(None, (1, 1)), (3, (1, 1)), (3, (2, 3))])
def test_pna_is_pna_conv(graph, layout, edge_dim, layers):
    (number, edges), (ours, options) = GRAPHS[graph], LAYOUTS[layout]
    listen, names = [Mean(), Min(), Max(), Std(), Variance(), Sum()], ["mean", "min", "max", "std", "var", "sum"]
    options = {"edge_dim": edge_dim, "pre_layers": layers[0], "post_layers": layers[1], **options}
    theirs = pyg.PNAConv(8, 4, names, list(SCALERS), DEGREES, **options).double()
    ours = PNA(8, 4, DEGREES, listen, list(SCALERS.values()), edge_dim, ours, layers).double()
    said, becomes = ours.message_function, ours.update_function
    pairs = [*weights(said.network, theirs.pre_nns), *weights(becomes.update.network, theirs.post_nns)]
    pairs += weights(becomes.function, theirs.lin)
    pairs += weights(said.edge_value.network, theirs.edge_encoder) if edge_dim else []
    inputs = [nodes(number), *([nodes(edges.size(1), edge_dim)] if edge_dim else [])]
    assert_same(lambda x, *e: ours(x, edges, *e), lambda x, *e: theirs(x, edges, *e), inputs, pairs)


def test_pna_listens_as_the_paper_does():
    assert "scalers=(identity, amplification, attenuation)" in repr(PNA(8, 4, DEGREES))
    assert [type(each).__name__ for each in PNA(8, 4, DEGREES).aggregation.aggregations] == [
        "Min",
        "Max",
        "Mean",
        "Std",
    ]


@pytest.mark.parametrize(("channels", "got"), [((9, 4), "9 channels, 2 towers"), ((8, 5), "5 channels, 2 towers")])
def test_towers_must_divide_channels(channels, got):
    with pytest.raises(ValueError, match=f"channels that the towers divide, got {got}"):
        PNA(*channels, DEGREES, layout=SplitHeads(2))


@ON_GRAPHS
@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("root", [True, False])
def test_res_gated_graph_is_res_gated_graph_conv(graph, edge_dim, root):
    number, edges = GRAPHS[graph]
    theirs = pyg.ResGatedGraphConv(8, 4, edge_dim=edge_dim, root_weight=root).double()
    ours = ResGatedGraph(8, 4, edge_channels=edge_dim, root_weight=root).double()
    said, becomes = ours.message_function, ours.update_function
    bias = becomes.linear.bias if root else becomes.bias
    pairs = [Pair(becomes.linear.weight, theirs.lin_skip.weight)] if root else []
    for own, other in (
        (said.receiver, theirs.lin_key),
        (said.sender, theirs.lin_query),
        (said.value, theirs.lin_value),
    ):
        pairs.append(Pair(own.weight, other.weight, lambda weight: weight[:, :8]))
    pairs += [Pair(bias, theirs.bias), Pair(said.value.bias, theirs.lin_value.bias)]
    pairs += [Pair(said.receiver.bias, theirs.lin_key.bias)]
    if edge_dim:
        pairs.append(Pair(said.edge_gate.linear.weight, theirs.lin_key.weight, lambda weight: weight[:, 8:]))
        pairs.append(Pair(said.edge_value.linear.weight, theirs.lin_value.weight, lambda weight: weight[:, 8:]))
    # Theirs has each of these twice, and only their sum matters.
    with torch.no_grad():
        theirs.lin_query.bias.zero_()
    inputs = [nodes(number), *([nodes(edges.size(1), edge_dim)] if edge_dim else [])]

    def theirs_with_one_gate(x, *edge):
        weight = theirs.lin_query.weight
        with torch.no_grad():
            weight[:, 8:] = 0
        return theirs(x, edges, *edge)

    assert_same(lambda x, *e: ours(x, edges, *e), theirs_with_one_gate, inputs, pairs)


def test_res_gated_graph_hears_other_nodes():
    ours = ResGatedGraph((8, 5), 4).double()
    said, becomes = ours.message_function, ours.update_function
    x_j, x_i, edges = nodes(6), nodes(3, 5), torch.tensor([[0, 5, 2, 2], [1, 1, 0, 0]])
    j, i = edges
    gate = (said.receiver(x_i)[i] + said.sender(x_j)[j]).sigmoid()
    truth = becomes.linear(x_i) + torch.zeros(3, 4, dtype=F64).index_add(0, i, gate * said.value(x_j)[j])
    assert_close(ours((x_j, x_i), edges), truth, rtol=1e-9, atol=1e-9)


@ON_GRAPHS
@pytest.mark.parametrize("weighted", [False, True])
def test_gated_graph_is_gated_graph_conv_of_one_step(graph, weighted):
    number, edges = GRAPHS[graph]
    ours, theirs = GatedGraph(8).double(), pyg.GatedGraphConv(8, 1).double()
    pairs = [Pair(ours.message_function.linear.weight, theirs.weight, lambda weight: weight[0].T)]
    pairs += weights(ours.update_function.cell, theirs.rnn)
    inputs = [nodes(number), *([torch.rand(edges.size(1), dtype=F64)] if weighted else [])]
    assert_same(lambda x, *w: ours(x, edges, *w), lambda x, *w: theirs(x, edges, *w), inputs, pairs)


def test_token_mixing_is_a_linear_map_over_tokens():
    ours, theirs = TokenMixing(3).double(), nn.Linear(3, 3).double()
    pairs = [Pair(ours.message_function.table, theirs.weight), Pair(ours.update_function.bias, theirs.bias)]
    assert_same(
        lambda x: ours(x, Full([3, 3])),
        lambda x: theirs(x.view(2, 3, 8).transpose(1, 2)).transpose(1, 2).reshape(6, 8),
        [nodes(6)],
        pairs,
    )


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("row", [row for row in TABLE if "Edges" in row.topologies], ids=lambda row: row.name)
def test_layers_are_mapped_over_states_on_one_graph(row):
    graph = Edges(GRAPHS["asymmetric"][1], 6)
    layer, edge, x = row.make(), row.edge(graph), torch.randn(3, 6, 8)
    assert_close(
        torch.func.vmap(lambda each: layer(each, graph, edge))(x), torch.stack([layer(i, graph, edge) for i in x])
    )
