"""Attention in blocks equals attention edge by edge on every topology that has blocks: values and gradients."""

from contextlib import nullcontext

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import dense, explain_backend, use_backend
from graphattn.backends.layout import bands
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.testing import assert_backends_agree
from graphattn.topology import Blockwise, Causal, Cross, Full, Prefix, Star, Window
from graphattn.update import Replace

F64 = torch.float64
KINDS = {
    "Full": Full,
    "Causal": Causal,
    "Causal reversed": lambda sizes: Causal(sizes).reverse(),
    "Window": lambda sizes: Window(sizes, radius=2),
    "Window of itself": lambda sizes: Window(sizes, radius=0),
    "Window dilated": lambda sizes: Window(sizes, radius=2, dilation=3),
    "Window causal": lambda sizes: Window(sizes, radius=3, causal=True),
    "Window ahead": lambda sizes: Window(sizes, radius=2, dilation=2, causal=True).reverse(),
    "Window wide": lambda sizes: Window(sizes, radius=99, causal=True),
    "Prefix": lambda sizes: Prefix(sizes, prefix=3),
    "Prefix of each": lambda sizes: Prefix(sizes, prefix=list(range(len(sizes)))),
    "Prefix reversed": lambda sizes: Prefix(sizes, prefix=2).reverse(),
    "Cross": lambda sizes: Cross(sizes, sizes[::-1]),
    "Star": lambda sizes: Star(sizes, hubs=2),
}
SIZES = [[4, 2, 9, 1], [6, 6], [0], [], [1], [2, 0, 5, 0], [20, 3, 17]]
PAIRS = pytest.mark.parametrize("kind", KINDS)


def layer(bias=None, value=None, dropout=0.0):
    message = Attend(8, Heads(2, 4), edge_bias=bias, edge_value=value)
    return GraphLayer(message, SoftmaxSum(), Replace(), dropout=dropout).double()


def nodes(graph):
    x = torch.randn(graph.num_senders, 8, dtype=F64)
    return x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, 8, dtype=F64))


@PAIRS
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_blocks_equal_edges(kind, sizes):
    graph = KINDS[kind](sizes)
    assert assert_backends_agree(layer(), nodes(graph), graph) == ["dense", "edgewise"]


@PAIRS
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_prepared_blocks_equal_edges(kind, sizes):
    """In one tile, whatever the sizes: with edge terms, dropout and receivers without senders."""
    graph = KINDS[kind](sizes).prepare()
    assert len(graph.plan().tiles) <= 1
    assert assert_backends_agree(layer(), nodes(graph), graph) == ["dense", "edgewise"]
    terms = LinearBias("bond", 3, heads=2), LinearValue("bond", 3, heads=2, head_channels=4)
    edge = {"bond": torch.randn(graph.num_edges, 3, dtype=F64)}
    assert assert_backends_agree(layer(*terms, 0.4), nodes(graph), graph, edge) == ["dense", "edgewise"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "Window" in kind])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("block", [1, 2, 5])
def test_bands_equal_edges(kind, sizes, block, monkeypatch):
    monkeypatch.setattr(bands, "_BLOCK", block)
    graph = KINDS[kind](sizes)
    for dropout in (0.0, 0.4):
        assert assert_backends_agree(layer(dropout=dropout), nodes(graph), graph) == ["dense", "edgewise"]
    assert assert_backends_agree(layer(), nodes(graph), KINDS[kind](sizes).prepare()) == ["dense", "edgewise"]


def test_a_window_takes_bands_where_they_are_cheaper():
    def pairs(graph):
        layer()(nodes(graph), graph)
        return sum(tile.receiver.numel() * tile.sender.size(1) for tile in graph.narrow_plan().tiles)

    assert pairs(Window([640], radius=8)) <= 640 * 80
    assert pairs(Window([640], radius=8, dilation=3)) < 640 * 100
    assert pairs(Window([640, 90], radius=8, causal=True)) < 740 * 90
    assert pairs(Window([640], radius=600)) == 640**2
    assert pairs(Window([60], radius=1)) == 60**2
    assert pairs(Causal([640])) == 640**2


def test_memory_of_a_window_grows_with_nodes():
    graph = Window([100_000], radius=16)
    assert layer()(nodes(graph), graph).shape == (100_000, 8)  # as pairs: 80 GB for each head


@PAIRS
@pytest.mark.parametrize("sizes", [[4, 0, 9, 1], [6, 6]], ids=str)
@pytest.mark.parametrize("terms", ["bias", "both"])
@pytest.mark.parametrize("by_kind", [False, True])
def test_blocks_equal_edges_with_edge_terms_and_dropout(kind, sizes, terms, by_kind):
    graph = KINDS[kind](sizes)
    bias = LinearBias("bond", 3, heads=2) if terms != "value" else None
    value = LinearValue("bond", 3, heads=2, head_channels=4) if terms != "bias" else None
    edge = {"bond": torch.randn(graph.num_edges, 3, dtype=F64)}
    if by_kind:
        edge = {"bond": torch.randn(5, 3, dtype=F64), "bond_kind": torch.randint(0, 5, (graph.num_edges,))}
    for dropout in (0.0, 0.4):
        attention = layer(bias, value, dropout)
        assert assert_backends_agree(attention, nodes(graph), graph, edge) == ["dense", "edgewise"]


@PAIRS
def test_blocks_equal_edges_with_values_on_some_edges_and_dropout_alone(kind):
    graph = KINDS[kind]([5, 3, 8])
    number = torch.randperm(graph.num_edges)[:6].sort().values
    edge = {"bond": torch.randn(len(number), 3, dtype=F64), "bond_number": number}
    value = LinearValue("bond", 3, heads=2, head_channels=4)
    assert assert_backends_agree(layer(value=value), nodes(graph), graph, edge) == ["dense", "edgewise"]
    assert assert_backends_agree(layer(dropout=0.5), nodes(graph), graph) == ["dense", "edgewise"]


class Given:
    """A bias that is an edge feature as it is."""

    def on_edges(self, graph, edge):
        return edge["bias"]

    def on_tile(self, tile, edge):
        return None


@pytest.mark.parametrize("kind", ["Causal", "Window", "Prefix", "Cross"])
@pytest.mark.parametrize("deaf", [-torch.inf, -1e4, 1e4])
def test_a_receiver_whose_senders_are_all_silenced_hears_zero(kind, deaf):
    graph = KINDS[kind]([3, 5])
    bias = torch.randn(graph.num_edges, 2, dtype=F64)
    bias[graph.edge_index()[1] == 1] = deaf
    attention, x = layer(Given()), nodes(graph)
    assert assert_backends_agree(attention, x, graph, {"bias": bias}) == ["dense", "edgewise"]
    out = attention(x, graph, {"bias": bias})
    assert bool(out[1].any()) == (deaf > -torch.inf)
    assert torch.isfinite(out).all()


def test_receivers_without_senders_hear_zero():
    graph = Cross([0, 2], [3, 2])
    out = layer()(nodes(graph), graph)
    assert not out[:3].any()
    assert out[3:].any()


@pytest.mark.parametrize("kind", ["Causal", "Window wide"])
def test_a_causal_tile_is_left_to_the_kernel(kind, monkeypatch):
    seen = []
    honest = dense.scaled_dot_product_attention

    def watch(*states, attn_mask, is_causal, scale):
        seen.append((attn_mask is None, is_causal))
        return honest(*states, attn_mask=attn_mask, is_causal=is_causal, scale=scale)

    monkeypatch.setattr(dense, "scaled_dot_product_attention", watch)
    graph = KINDS[kind]([6, 5, 90])
    with use_backend("dense"):
        layer()(nodes(graph), graph)
    assert seen == [(True, True)] * 2
    seen.clear()
    with use_backend("dense"):
        layer()(nodes(Full([6, 6])), Full([6, 6]))
    assert seen == [(True, False)]


@PAIRS
def test_no_edge_is_listed(kind, monkeypatch):
    graph, listed = KINDS[kind]([5, 9]), []
    monkeypatch.setattr(Blockwise, "edge_index", lambda self: listed.append(self))
    layer(dropout=0.3)(nodes(graph), graph)
    assert listed == []


@pytest.mark.parametrize("kind", ["Causal", "Window", "Prefix"])
def test_low_precision_is_within_twice_the_error_of_the_plain_path(kind):
    graph = KINDS[kind]([40, 7])
    attention, x = layer(), torch.randn(47, 8)
    truth = attention(x.double(), graph)
    for dtype in (torch.float32, torch.bfloat16):
        attention.to(dtype)
        errors = {}
        for name in ("dense", "edgewise"):
            with use_backend(name):
                errors[name] = (attention(x.to(dtype), graph).double() - truth).abs().max()
        assert errors["dense"] <= 2 * errors["edgewise"] + torch.finfo(dtype).eps


@pytest.mark.parametrize("kind", ["Causal", "Window", "Prefix"])
def test_gradients_are_those_of_differences_and_gradients_have_gradients(kind):
    graph, attention = KINDS[kind]([3, 2]), layer()
    x = torch.randn(5, 8, dtype=F64, requires_grad=True)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x: attention(x, graph), x)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("kind", ["Causal", "Window", "Prefix", "Full", "Star", "Causal reversed"])
def test_a_sender_that_is_no_number_reaches_those_alone_that_hear_it(kind, number):
    """Others hear what they heard, and gradients are those edge by edge: in another graph, too, where its node is padding."""
    graph = KINDS[kind]([5, 8])
    x = nodes(graph)
    states = [part.requires_grad_() for part in (x if isinstance(x, tuple) else (x,))]
    attention, alone = layer(), ~graph.mask()[:, 0]
    x = tuple(states) if isinstance(x, tuple) else states[0]
    before = attention(x, graph)
    with torch.no_grad():
        states[0][0] = number
    found = []
    for name in (None, "edgewise"):
        with nullcontext() if name is None else use_backend(name):
            out = attention(x, graph)
        found.append((out, *torch.autograd.grad(out[alone].sum(), states)))
    assert alone.any()
    assert_close(found[0][0][alone], before[alone])
    for ours, truth in zip(*found, strict=True):
        assert_close(ours, truth, equal_nan=True)


@pytest.mark.parametrize("kind", ["Causal", "Full", "Star"])
def test_a_feature_that_is_no_number_reaches_its_receiver_alone(kind):
    graph = KINDS[kind]([5, 8])
    x, bond = nodes(graph), torch.randn(graph.num_edges, 3, dtype=F64)
    attention, alone = layer(value=LinearValue("bond", 3, 2, 4)), torch.arange(graph.num_receivers) != 0
    before = attention(x, graph, {"bond": bond})
    bond[0, 1] = torch.nan
    after = attention(x, graph, {"bond": bond})
    assert_close(after[alone], before[alone])
    assert after[0].isnan().all()


def test_broken_states_are_let_through_where_a_list_of_edges_would_be_large(monkeypatch):
    graph, x = Causal([6]), nodes(Causal([6]))
    x[5] = torch.nan
    told = "needs finite states where not every receiver hears all senders, got infinity or NaN"
    assert explain_backend(layer(), x, graph).reasons["dense"] == [told]
    assert explain_backend(layer(), x, Full([6])).reasons["dense"] == []
    monkeypatch.setattr(dense, "_FEW", 20)
    assert explain_backend(layer(), x, graph).reasons["dense"] == []
