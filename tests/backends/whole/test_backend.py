"""Attention on small graphs in kernels equals attention edge by edge: values and gradients, whatever edges add."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum, Sum
from graphattn.backends import explain_backend, use_backend
from graphattn.backends.whole import backend
from graphattn.edge_terms import (
    ALiBi,
    LinearBias,
    LinearValue,
    RelativeValue,
    ShortestPathBias,
    SumOfTerms,
)
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.score import Additive, Cosine
from graphattn.testing import assert_backends_agree, assert_batched_equals_alone
from graphattn.topology import Blockwise, Causal, Cross, Full, Star, Window
from graphattn.update import Replace
from graphattn.zoo import SelfAttention

F64, TWO = torch.float64, Heads(2, 4)
KINDS = {
    "Full": Full,
    "Causal": Causal,
    "Cross": lambda sizes: Cross(sizes, sizes[::-1]),
    "Star": lambda sizes: Star(sizes, hubs=2),
}
# Alone, empty at the front and at the end, more rows than a block has, sizes that fill instructions and that do not.
SIZES = [[4, 2, 9, 1], [0], [1], [0, 2, 5, 0], [16, 3, 8], [70, 33]]
PAIRS = pytest.mark.parametrize("kind", KINDS)
COMPARED = ["small", "dense", "edgewise"]


@pytest.fixture(autouse=True)
def _however_few(monkeypatch):
    monkeypatch.setattr(backend, "FEWEST", 0)
    monkeypatch.setattr(backend, "FUSED", 0)


def layer(heads=TWO, dropout=0.0, **terms):
    return GraphLayer(Attend(8, heads, **terms), SoftmaxSum(), Replace(), dropout=dropout).double()


def nodes(graph, channels=8):
    x = torch.randn(graph.num_senders, channels, dtype=F64)
    return x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, channels, dtype=F64))


def as_type(x, dtype):
    return tuple(each.to(dtype) for each in x) if isinstance(x, tuple) else x.to(dtype)


def bond(graph, form):
    """Features of edges in one of the ways they are given."""
    edges = graph.num_edges
    some = torch.randint(0, max(edges, 1), (min(edges, 7),))
    return {
        "all": lambda: {"bond": torch.randn(edges, 3, dtype=F64)},
        "kinds": lambda: {"bond": torch.randn(5, 3, dtype=F64), "bond_kind": torch.randint(0, 5, (edges,))},
        "some": lambda: {"bond": torch.randn(len(some), 3, dtype=F64), "bond_number": some},
        "some in order": lambda: {"bond": torch.randn(len(some), 3, dtype=F64), "bond_number": some.sort().values},
        "kinds of some": lambda: {
            "bond": torch.randn(5, 3, dtype=F64),
            "bond_kind": torch.randint(0, 5, some.shape),
            "bond_number": some,
        },
        "many kinds of some": lambda: {
            "bond": torch.randn(40, 3, dtype=F64),
            "bond_kind": torch.randint(0, 40, some.shape),
            "bond_number": some,
        },
    }[form]()


@PAIRS
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_kernels_equal_edges(kind, sizes, dropout):
    graph = KINDS[kind](sizes)
    for heads in (Heads(2, 4), Heads(3, 7), Heads(1, 24), Heads(2, 16, value_channels=4), Heads(4, 2, shared=2)):
        assert assert_backends_agree(layer(heads, dropout), nodes(graph), graph) == COMPARED


@PAIRS
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [0, 3, 0], [36, 3]], ids=str)
@pytest.mark.parametrize("form", ["all", "kinds", "some", "some in order", "kinds of some", "many kinds of some"])
def test_biases_in_every_form(kind, sizes, form):
    graph = KINDS[kind](sizes)
    attention = layer(dropout=0.3, edge_bias=LinearBias("bond", 3, heads=2))
    assert assert_backends_agree(attention, nodes(graph), graph, bond(graph, form)) == COMPARED


@PAIRS
@pytest.mark.parametrize("form", ["some", "kinds of some", "many kinds of some"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_keys_and_values_of_some_edges(kind, form, dropout):
    graph, said = KINDS[kind]([4, 2, 9, 1]), LinearValue("bond", 3, 2, 4)
    edge, bias = bond(graph, form), LinearBias("bond", 3, heads=2)
    apart = {f"other{name.removeprefix('bond')}": value.clone() for name, value in bond(graph, form).items()}
    for terms in (
        {"edge_key": said},
        {"edge_value": said},
        {"edge_key": said, "edge_value": said, "edge_bias": bias},
        {"edge_key": said, "edge_value": LinearValue("other", 3, 2, 4)},
        {"edge_bias": bias, "edge_value": LinearValue("other", 3, 2, 4)},
    ):
        attention = layer(dropout=dropout, **terms)
        assert assert_backends_agree(attention, nodes(graph), graph, edge | apart) == COMPARED


def test_sums_of_biases():
    graph = Full([5, 3])
    edge = bond(graph, "kinds") | {"distance": torch.randint(0, 6, (graph.num_edges,))}
    path, kinds = ShortestPathBias(4, heads=2), LinearBias("bond", 3, heads=2)
    for terms in ([path], [path, kinds], [path, kinds, ALiBi(heads=2)], [SumOfTerms(ALiBi(heads=2), path), path]):
        attention = layer(edge_bias=SumOfTerms(*terms))
        assert assert_backends_agree(attention, nodes(graph), graph, edge) == COMPARED


def test_tables_with_too_many_kinds_are_spread_out():
    graph = Full([5, 3])
    edge = {"distance": torch.randint(0, 2000, (graph.num_edges,))}
    attention = layer(edge_bias=ShortestPathBias(2000, heads=2))
    assert assert_backends_agree(attention, nodes(graph), graph, edge) == COMPARED


class Given:
    """A bias that is an edge feature as it is."""

    def on_edges(self, graph, edge):
        return edge["bias"]

    def on_tile(self, tile, edge):
        return None


@PAIRS
@pytest.mark.parametrize("deaf", [-torch.inf, -1e4, 1e4])
def test_a_receiver_whose_senders_are_all_silenced_hears_zero(kind, deaf):
    graph = KINDS[kind]([3, 5])
    bias = torch.randn(graph.num_edges, 2, dtype=F64)
    bias[graph.edge_index()[1] == 1] = deaf
    attention, x = layer(edge_bias=Given()), nodes(graph)
    assert assert_backends_agree(attention, x, graph, {"bias": bias}) == COMPARED
    out = attention(x, graph, {"bias": bias})
    assert bool(out[1].any()) == (deaf > -torch.inf)
    assert torch.isfinite(out).all()


@PAIRS
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_scores_that_are_no_number_reach_their_receiver_as_edge_by_edge(kind, number, dropout, dtype):
    graph = KINDS[kind]([3, 20])
    sender, receiver = graph.edge_index()
    bias, x, results = torch.randn(graph.num_edges, 2, dtype=dtype), as_type(nodes(graph), dtype), []
    bias[receiver == 1] = number  # all of them
    bias[(receiver == graph.num_receivers - 1) & (sender == 5), 0] = number  # one of them, in one head
    attention, leaves = layer(dropout=dropout, edge_bias=Given()).to(dtype), [bias.requires_grad_()]
    for name in ("small", "edgewise"):
        torch.manual_seed(1)
        with use_backend(name):
            out = attention(x, graph, {"bias": bias})
        results.append([out, *torch.autograd.grad(out.sin().sum(), leaves + list(attention.parameters()))])
    assert results[0][0].isnan().any()
    close = 1e-9 if dtype == F64 else 1e-5
    for ours, truth in zip(*results, strict=True):
        assert_close(ours, truth, rtol=close, atol=close, equal_nan=True)


def test_receivers_without_senders_hear_zero():
    graph = Cross([0, 2], [3, 2])
    assert assert_backends_agree(layer(), nodes(graph), graph) == COMPARED
    out = layer()(nodes(graph), graph)
    assert not out[:3].any()
    assert out[3:].any()


@PAIRS
def test_batched_equals_alone(kind):
    attention = layer(heads=Heads(2, 8))
    if kind in ("Full", "Causal"):
        assert_batched_equals_alone(attention, torch.randn(24, 8, dtype=F64), [4, 0, 19, 1], KINDS[kind])


@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_large_scores_stay_finite_and_right(size, dtype):
    attention, graph = SelfAttention(8, heads=1).to(dtype), Full([9, 5])
    x = (torch.randn(14, 8) * size**0.5).to(dtype).requires_grad_()
    results = []
    for name in ("small", "edgewise"):
        with use_backend(name):
            out = attention(x, graph)
        results.append((out, torch.autograd.grad(out.sum(), x)[0]))
        assert torch.isfinite(torch.cat(results[-1])).all()
    near = 1e-4 if dtype == torch.float32 else 1e-9
    assert_close(*results, rtol=near, atol=near)


@PAIRS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_is_within_twice_the_error_of_the_plain_path(kind, dtype):
    graph, attention = KINDS[kind]([40, 7, 21]), layer(heads=Heads(2, 8), edge_bias=LinearBias("bond", 3, heads=2))
    x, edge = nodes(graph), bond(graph, "kinds")
    truth = attention(x, graph, edge)
    low = attention.to(dtype)
    x = as_type(x, dtype)
    edge = {name: value.to(dtype) if value.is_floating_point() else value for name, value in edge.items()}
    errors = {}
    for name in ("small", "edgewise"):
        with use_backend(name):
            out = low(x, graph, edge)
        assert out.dtype == dtype
        errors[name] = (out - truth).abs().max()
    assert errors["small"] <= 2 * errors["edgewise"] + torch.finfo(dtype).eps


def test_autocast_is_heard():
    attention, x, graph = SelfAttention(8, heads=2), torch.randn(9, 8), Full([5, 4])
    with use_backend("small"), torch.autocast("cpu", torch.bfloat16):
        out = attention(x, graph)
    assert_close(out.float(), attention(x, graph), rtol=0.1, atol=0.05)


@pytest.mark.parametrize("kind", ["Full", "Causal"])
def test_no_edge_is_listed(kind, monkeypatch):
    graph, listed = KINDS[kind]([5, 9]), []
    monkeypatch.setattr(Blockwise, "edge_index", lambda self: listed.append(self))
    attention = layer(dropout=0.3, edge_bias=LinearBias("bond", 3, heads=2)).train()
    attention(nodes(graph), graph, bond(graph, "kinds")).sum().backward()
    assert listed == []


def test_the_rule_looks_at_sizes_alone(monkeypatch):
    monkeypatch.undo()

    def chosen(graph):
        return explain_backend(SelfAttention(8), torch.zeros(graph.num_senders, 8), graph)

    assert chosen(Full([20] * 1500)).chosen == "small"
    alike = chosen(Full([20] * 60))
    assert alike.chosen == "dense"
    assert alike.reasons["small"] == [
        f"needs {backend.FUSED} scores where graphs of one size can be fused by torch, got 24000"
    ]
    biased = GraphLayer(Attend(8, TWO, edge_bias=ALiBi(2)), SoftmaxSum(), Replace())
    assert explain_backend(biased, torch.zeros(1200, 8), Full([20] * 60)).chosen == "small"
    dropping = GraphLayer(Attend(8, TWO), SoftmaxSum(), Replace(), dropout=0.1)
    assert explain_backend(dropping, torch.zeros(1200, 8), Full([20] * 60)).chosen == "small"
    assert chosen(Causal([1, 300] + [20] * 60)).chosen == "small"
    few = chosen(Full([20, 20]))
    assert few.chosen == "dense"
    assert few.reasons["small"] == [
        f"needs {backend.FEWEST} pairs of nodes to be worth a kernel, got about 800",
        f"needs {backend.FUSED} scores where graphs of one size can be fused by torch, got 800",
    ]
    large = chosen(Full([backend.LARGEST, backend.LARGEST + 1]))
    assert large.chosen == "dense"
    many = 2 * backend.LARGEST + 1
    assert large.reasons["small"] == [f"needs at most {backend.LARGEST} senders per graph, got {many} in 2 graphs"]
    assert chosen(Causal([backend.CAUSAL])).chosen == "small"
    assert chosen(Causal([backend.CAUSAL + 1])).chosen == "dense"
    nothing = chosen(Full([])).reasons["small"]
    assert nothing == [
        f"needs {backend.FEWEST} pairs of nodes to be worth a kernel, got about 0",
        f"needs {backend.FUSED} scores where graphs of one size can be fused by torch, got 0",
    ]


def test_reasons_are_told():
    graph = Full([6])
    x, edge = nodes(graph), bond(graph, "all") | {"bond_kind": torch.zeros(36, dtype=torch.long)}
    said = LinearValue("bond", 3, 2, 4)
    for attention, reason in (
        (layer(score=Additive(2, 4)), "needs a score that is a multiple of the dot product, got Additive"),
        (
            layer(edge_value=RelativeValue(3, 2, 4)),
            "needs linear keys and values of edges, got the edge_value RelativeValue",
        ),
        (layer(edge_value=said), "needs keys and values of some edges, got the edge_value 'bond' of all"),
    ):
        assert explain_backend(attention, x, graph, edge).reasons["small"] == [reason]
    number = {"bond": edge["bond"], "bond_number": torch.arange(36)}
    curved = LinearValue("bond", 3, 2, 4)
    curved.linear = torch.nn.Sequential(curved.linear, torch.nn.Tanh())
    reasons = explain_backend(layer(edge_value=curved), x, graph, number).reasons["small"]
    assert reasons == ["needs a plain linear map of edge features, got Sequential"]
    reasons = explain_backend(layer(score=Cosine(), edge_key=said), x, graph, number).reasons["small"]
    assert reasons == ["needs a score that is linear in the key of an edge, got Cosine"]
    window = explain_backend(layer(), x, Window([6], radius=1)).reasons["small"]
    assert window == ["needs a topology of whole graphs (Full, Causal, Cross, Star), got Window"]
    copies = GraphLayer(Copy(), Sum(), Replace()).double()
    reasons = explain_backend(copies, x, graph).reasons["small"]
    assert reasons == ["needs the message Attend, got Copy", "needs the aggregation SoftmaxSum, got Sum"]
    half = explain_backend(layer().half(), x.half(), graph).reasons["small"]
    assert half == ["needs float32, float64 or bfloat16 on the CPU, got torch.float16 on cpu"]


def test_edges_and_kinds_that_do_not_exist_are_refused():
    graph = Full([3, 2])
    biased = layer(edge_bias=LinearBias("bond", 3, heads=2))
    rows = torch.randn(4, 3, dtype=F64)
    for kind, error in (
        (torch.full((13,), 4), r"expected kinds from 0 to 3, got 4 to 4"),
        (torch.full((13,), -1), r"expected kinds from 0 to 3, got -1 to -1"),
    ):
        with use_backend("small"), pytest.raises(IndexError, match=error):
            biased(nodes(graph), graph, {"bond": rows, "bond_kind": kind})
    with use_backend("small"), pytest.raises(ValueError, match=r"expected 13 kinds of all edges of Full.*, got \[12\]"):
        biased(nodes(graph), graph, {"bond": rows, "bond_kind": torch.zeros(12, dtype=torch.long)})
    for number in (-1, 13):
        edge = {"bond": rows, "bond_number": torch.tensor([0, 3, number, 5])}
        with use_backend("small"), pytest.raises(IndexError, match="expected numbers of edges from 0 to 12, got"):
            biased(nodes(graph), graph, edge)
