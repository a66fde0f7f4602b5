"""Graph attention equals PyG's: values, gradients of inputs and of every parameter, float64, within 1e-9.

Our layer is called with parameters made from theirs, so that both sides have gradients of the same tensors.
"""

import pytest
import torch
from torch.func import functional_call
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.aggregation import SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Edges, Full
from graphattn.update import AddRoot, GatedRoot, MeanHeads, Replace
from graphattn.zoo import GAT, GATv2, GraphTransformer

F64 = torch.float64
# Asymmetric, with a node that hears nobody (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
HEADS, WIDTH, EDGE = 2, 4, 3


def drawn(module):
    """The module in float64 with every parameter drawn at random, biases too."""
    for parameter in module.double().parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def assert_same_layer(ours, theirs, made_of, x, edge_index, edge_attr=None):
    """``made_of`` names each of our parameters and says what it is in terms of theirs."""
    assert set(made_of) == {name for name, _ in ours.named_parameters()}
    x = tuple(part.clone().requires_grad_() for part in x) if isinstance(x, tuple) else x.clone().requires_grad_()
    inputs = [*(x if isinstance(x, tuple) else [x]), *([] if edge_attr is None else [edge_attr.requires_grad_()])]
    result = functional_call(ours.double(), made_of, (x, edge_index, edge_attr))
    truth = theirs(x, edge_index, edge_attr)
    assert_close(result, truth, rtol=1e-9, atol=1e-9)
    wanted = [*inputs, *theirs.parameters()]
    gradients = [
        torch.autograd.grad(out.sin().sum(), wanted, retain_graph=True, materialize_grads=True)
        for out in (result, truth)
    ]
    for mine, its in zip(*gradients, strict=True):
        assert_close(mine, its, rtol=1e-9, atol=1e-9)


def of_linear(ours, theirs):
    return {f"{ours}.{name}": parameter for name, parameter in theirs.named_parameters()}


def inputs(channels, edge_dim, edge_index=EDGES, scale=1.0):
    x = tuple(torch.randn(6, width, dtype=F64) * scale for width in channels) if isinstance(channels, tuple) else None
    x = torch.randn(6, channels, dtype=F64) * scale if x is None else x
    edge = None if edge_dim is None else torch.randn(edge_index.size(1), edge_dim, dtype=F64)
    return x, edge_index, edge


CHANNELS = pytest.mark.parametrize("channels", [8, (8, 5)], ids=["one", "bipartite"])
EDGE_DIMS = pytest.mark.parametrize("edge_dim", [None, EDGE], ids=["plain", "edges"])
GRAPHS = pytest.mark.parametrize(
    "edge_index", [EDGES, EDGES[:, :0], EDGES[:, :1]], ids=["graph", "no edge", "one edge"]
)


def transformer_pair(channels, edge_dim=None, heads=HEADS, concat=True, beta=False, root_weight=True, bias=True):
    theirs = drawn(pyg.TransformerConv(channels, WIDTH, heads, concat, beta, 0.0, edge_dim, bias, root_weight))
    receiver, width = channels[1] if isinstance(channels, tuple) else channels, WIDTH * (heads if concat else 1)
    update = (GatedRoot if beta else AddRoot)(receiver, width, bias) if root_weight else Replace()
    ours = GraphTransformer(channels, WIDTH, heads, edge_dim, bias, update if concat else MeanHeads(update))
    made_of = {}
    for name in ("query", "key", "value"):
        made_of |= of_linear(f"message_function.{name}", getattr(theirs, f"lin_{name}"))
    if edge_dim:
        made_of |= of_linear("message_function.edge_key.linear", theirs.lin_edge)
    prefix = "update_function" if concat else "update_function.update"
    if root_weight:
        made_of |= of_linear(f"{prefix}.linear", theirs.lin_skip)
    if beta:
        made_of |= of_linear(f"{prefix}.gate", theirs.lin_beta)
    return ours, theirs, made_of


@CHANNELS
@EDGE_DIMS
@GRAPHS
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"concat": False},
        {"beta": True},
        {"beta": True, "concat": False},
        {"root_weight": False},
        {"root_weight": False, "concat": False},
        {"bias": False, "heads": 1},
    ],
    ids=str,
)
def test_graph_transformer_is_transformer_conv(channels, edge_dim, edge_index, options):
    ours, theirs, made_of = transformer_pair(channels, edge_dim, **options)
    assert_same_layer(ours, theirs, made_of, *inputs(channels, edge_dim, edge_index))


def test_graph_transformer_adds_a_root_unless_told_otherwise():
    update = GraphTransformer((8, 5), 4, heads=2, bias=False).update_function
    assert isinstance(update, AddRoot)
    assert (update.linear.in_channels, update.linear.out_channels, update.linear.bias) == (5, 8, None)


def gat_pair(channels, edge_dim=None, heads=HEADS, concat=True, residual=False, bias=True, slope=0.2, loops=False):
    theirs = pyg.GATConv(
        channels, WIDTH, heads, concat, slope, 0.0, loops, edge_dim, bias=bias, residual=residual, fill_value=0.5
    )
    ours = GAT(channels, WIDTH, heads, edge_dim, slope, gat_update(channels, heads, concat, residual, bias))
    theirs, made_of = drawn(theirs), gat_update_made_of(theirs, concat, residual)
    made_of["message_function.score.query_weight"] = theirs.att_dst[0]
    made_of["message_function.score.key_weight"] = theirs.att_src[0]
    if edge_dim:
        merged = torch.einsum("hc,hcf->hf", theirs.att_edge[0], theirs.lin_edge.weight.unflatten(0, (heads, -1)))
        made_of["message_function.edge_key.linear.weight"] = merged
    if isinstance(channels, tuple):
        made_of |= of_linear("message_function.query", theirs.lin_dst) | of_linear(
            "message_function.key", theirs.lin_src
        )
    else:
        made_of |= of_linear("message_function.query", theirs.lin)
    return ours, theirs, made_of


def gat_update(channels, heads, concat, residual, bias):
    width = WIDTH * (heads if concat else 1)
    receiver = channels[1] if isinstance(channels, tuple) else channels
    update = AddRoot(receiver, width, bias) if residual else Replace(width if bias else None)
    return update if concat else MeanHeads(update)


def gat_update_made_of(theirs, concat, residual):
    prefix = "update_function" if concat else "update_function.update"
    made_of = of_linear(f"{prefix}.linear", theirs.res) if residual else {}
    if theirs.bias is not None:
        made_of[f"{prefix}.linear.bias" if residual else f"{prefix}.bias"] = theirs.bias
    return made_of


GAT_OPTIONS = pytest.mark.parametrize(
    "options",
    [
        {},
        {"concat": False},
        {"residual": True},
        {"residual": True, "concat": False, "bias": False},
        {"bias": False, "heads": 1},
    ],
    ids=str,
)


@CHANNELS
@EDGE_DIMS
@GRAPHS
@GAT_OPTIONS
def test_gat_is_gat_conv_without_loops(channels, edge_dim, edge_index, options):
    ours, theirs, made_of = gat_pair(channels, edge_dim, **options)
    assert_same_layer(ours, theirs, made_of, *inputs(channels, edge_dim, edge_index))


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_gat_has_a_slope(slope):
    ours, theirs, made_of = gat_pair(8, slope=slope)
    assert_same_layer(ours, theirs, made_of, *inputs(8, None))


def gatv2_pair(channels, edge_dim=None, heads=HEADS, concat=True, residual=False, bias=True, share=False, loops=False):
    theirs = pyg.GATv2Conv(
        channels,
        WIDTH,
        heads,
        concat,
        add_self_loops=loops,
        edge_dim=edge_dim,
        fill_value=0.5,
        bias=bias,
        share_weights=share,
        residual=residual,
    )
    ours = GATv2(channels, WIDTH, heads, edge_dim, bias, share, gat_update(channels, heads, concat, residual, bias))
    theirs, made_of = drawn(theirs), gat_update_made_of(theirs, concat, residual)
    made_of["message_function.score.weight"] = theirs.att[0]
    if edge_dim:
        made_of |= of_linear("message_function.edge_key.linear", theirs.lin_edge)
    made_of |= of_linear("message_function.query", theirs.lin_r)
    if not share:
        made_of |= of_linear("message_function.key", theirs.lin_l)
    return ours, theirs, made_of


@CHANNELS
@EDGE_DIMS
@GRAPHS
@GAT_OPTIONS
def test_gatv2_is_gatv2_conv_without_loops(channels, edge_dim, edge_index, options):
    ours, theirs, made_of = gatv2_pair(channels, edge_dim, **options)
    assert_same_layer(ours, theirs, made_of, *inputs(channels, edge_dim, edge_index))


@EDGE_DIMS
@pytest.mark.parametrize("channels", [8, (8, 8)], ids=["one", "bipartite"])
def test_gatv2_can_share_one_map(channels, edge_dim):
    ours, theirs, made_of = gatv2_pair(channels, edge_dim, share=True)
    assert_same_layer(ours, theirs, made_of, *inputs(channels, edge_dim))


@pytest.mark.parametrize("pair", [gat_pair, gatv2_pair])
def test_loops_given_by_the_graph_are_those_that_pyg_adds(pair):
    ours, theirs, made_of = pair(8, loops=True)
    x = torch.randn(6, 8, dtype=F64)
    result = functional_call(ours.double(), made_of, (x, Edges(EDGES, 6).with_self_loops()))
    assert_close(result, theirs(x, EDGES), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pair", [transformer_pair, gat_pair, gatv2_pair])
def test_scores_of_ten_thousand_are_theirs(pair):
    ours, theirs, made_of = pair(8, EDGE)
    assert_same_layer(ours, theirs, made_of, *inputs(8, EDGE, scale=1e4 if pair is gatv2_pair else 1e2))


@pytest.mark.parametrize("pair", [transformer_pair, gat_pair, gatv2_pair])
def test_attention_weights_are_theirs(pair):
    ours, theirs, made_of = pair(8, EDGE)
    x, edge_index, edge = inputs(8, EDGE)
    _, (ends, alpha) = functional_call(
        ours.double(), made_of, (x, edge_index, edge), {"return_attention_weights": True}
    )
    _, (truth_ends, truth) = theirs(x, edge_index, edge, return_attention_weights=True)
    assert torch.equal(ends, truth_ends)
    assert_close(alpha, truth, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda **dropout: GraphTransformer(8, 4, 2, **dropout),
        lambda **dropout: GAT(8, 4, 2, **dropout),
        lambda **dropout: GATv2(8, 4, 2, **dropout),
    ],
)
def test_rows_drop_messages_in_training_alone(make):
    layer, x = make(dropout=0.5), torch.randn(6, 8)
    assert layer.dropout == 0.5
    assert not torch.equal(layer(x, EDGES), layer(x, EDGES))
    layer.eval()
    assert torch.equal(layer(x, EDGES), layer(x, EDGES))


@pytest.mark.parametrize("make", [GraphTransformer, GAT, GATv2])
@pytest.mark.parametrize("channels", [-1, (-1, -1)])
def test_channels_are_read_from_the_first_input(make, channels):
    layer = make(channels, 4, heads=2)
    x = torch.randn(6, 8)
    assert layer(x if channels == -1 else (x, torch.randn(6, 5)), EDGES).shape == (6, 8)


def test_gat_maps_each_node_once():
    layer, calls = GAT(8, 4, heads=2), []
    layer.message_function.key.register_forward_hook(lambda *call: calls.append(1))
    layer(torch.randn(6, 8), EDGES)
    assert len(calls) == 1


def test_edges_that_speak_twice_are_mapped_once():
    layer, calls = GraphTransformer(8, 4, edge_dim=3), []
    layer.message_function.edge_key.linear.register_forward_hook(lambda *call: calls.append(1))
    layer(torch.randn(6, 8), EDGES, torch.randn(8, 3))
    assert len(calls) == 1


def test_on_a_full_graph_without_a_root_it_is_self_attention():
    x, graph = torch.randn(5, 8), Full([2, 3])
    layer = GraphTransformer(8, 4, heads=2, update=Replace())
    plain = GraphLayer(Attend(8, Heads(2, 4)), SoftmaxSum(), Replace())
    plain.load_state_dict(layer.state_dict())
    assert_close(layer(x, graph), plain(x, graph))
