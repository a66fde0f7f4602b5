"""GAT over sorted senders is GAT over all pairs: values and gradients, float64, within 1e-9."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn import GATConv

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.backends import explain_backend, sorted_attention, use_backend
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import SplitAdditive
from graphattn.testing import assert_backends_agree, assert_batched_equals_alone
from graphattn.topology import Causal, Cross, Full, Star
from graphattn.update import Replace
from graphattn.zoo import GAT, SelfAttention

F64 = torch.float64
ALL = ["closed_form", "dense", "edgewise"]


@pytest.fixture
def small(monkeypatch):
    """Small graphs are sorted, too."""
    monkeypatch.setattr(sorted_attention, "_LEAST", 0)


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 3), st.sampled_from([0.0, 0.2, 1.0]))
def test_any_sizes_give_all_pairs(sizes, heads, slope):
    torch.manual_seed(0)
    layer = GAT(8, 4, heads=heads, negative_slope=slope).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_attention, "_LEAST", 0)
        assert assert_backends_agree(layer, 3 * torch.randn(sum(sizes), 8, dtype=F64), Full(sizes)) == ALL


@pytest.mark.parametrize("graph", [Cross([3, 0, 2, 4], [2, 4, 0, 1]), Star([3, 0, 2], hubs=2)], ids=repr)
def test_two_sets_of_nodes(graph, small):
    layer = GAT((8, 8), 4, heads=2).double()
    x = (torch.randn(graph.num_senders, 8, dtype=F64), torch.randn(graph.num_receivers, 8, dtype=F64))
    assert assert_backends_agree(layer, x, graph) == ALL
    assert not layer(x, graph)[graph.degrees() == 0].any()


def test_it_is_pygs_layer():
    theirs, ours = GATConv(8, 4, heads=2, add_self_loops=False).double(), GAT(8, 4, heads=2).double()
    message = ours.message_function
    with torch.no_grad():
        message.key.weight.copy_(theirs.lin.weight)
        message.score.key_weight.copy_(theirs.att_src[0])
        message.score.query_weight.copy_(theirs.att_dst[0])
        ours.update_function.bias.copy_(theirs.bias)
    x, graph = torch.randn(300, 8, dtype=F64), Full([300])
    assert explain_backend(ours, x, graph).chosen == "closed_form"
    assert_close(ours(x, graph), theirs(x, graph.edge_index()), rtol=1e-9, atol=1e-9)


def test_batched_equals_alone_whatever_the_others_say(small):
    x = torch.randn(9, 8, dtype=F64)
    x[3:5] *= 1e3
    assert_batched_equals_alone(GAT(8, 4, heads=2).double(), x, [3, 2, 0, 4], Full)


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_huge_scores_stay_exact_and_finite(scale, small):
    layer, x = GAT(8, 4, heads=2).double(), torch.randn(13, 8, dtype=F64)
    with torch.no_grad():
        layer.message_function.score.key_weight.mul_(scale)
        layer.message_function.score.query_weight.mul_(scale)
    with use_backend("dense"):
        truth = layer(x, Full([4, 9]))
    assert_close(layer(x, Full([4, 9])), truth, rtol=1e-9, atol=1e-9)
    for dtype in (torch.float32, torch.bfloat16):
        low = x.to(dtype).requires_grad_()
        out = layer.to(dtype)(low, Full([4, 9]))
        out.sum().backward()
        assert out.dtype == dtype
        assert torch.isfinite(out).all()
        assert torch.isfinite(low.grad).all()


def test_equal_scores_share_alike(small):
    x = torch.ones(5, 8, dtype=F64)
    assert assert_backends_agree(GAT(8, 4).double(), x, Full([3, 2])) == ALL


def test_gradients_are_those_of_differences_and_gradients_have_gradients(small):
    layer, x = GAT(4, 2, heads=2).double(), torch.randn(4, 4, dtype=F64, requires_grad=True)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x: layer(x, Full([3, 1])), x)


def test_memory_grows_with_nodes():
    graph, x = Full([50_000]), torch.randn(50_000, 8)
    assert GAT(8, 4, heads=2)(x, graph).shape == (50_000, 8)  # as pairs: 20 GB of scores


def test_a_planned_graph_compiles(small):
    layer, x, graph = GAT(8, 4, heads=2), torch.randn(9, 8), Full([6, 3]).prepare()
    torch._dynamo.reset()
    assert_close(torch.compile(layer, fullgraph=True, backend="eager")(x, graph), layer(x, graph))


def attend(score, **terms):
    return GraphLayer(Attend(8, Heads(2, 4), score, **terms), SoftmaxSum(), Replace())


LARGE = Full([300])


@pytest.mark.parametrize(
    ("layer", "graph", "reason"),
    [
        (SelfAttention(8), LARGE, "needs the score SplitAdditive for attention, got ScaledDot"),
        (attend(SplitAdditive(2, 4, nn.ELU())), LARGE, "needs a leaky ReLU in the score, got ELU"),
        (GAT(8, 4, negative_slope=1.5), LARGE, "needs a slope of 0 to 1 below zero, got 1.5"),
        (GAT(8, 4), Causal([300]), "needs a topology of whole graphs (Full, Cross, Star), got Causal"),
        (GAT(8, 4), Full([200, 100]), "needs a graph of at least 256 senders, below which pairs are faster, got 200"),
        (
            attend(SplitAdditive(2, 4), edge_bias=LinearBias("edge_attr", 2, 2)),
            LARGE,
            "needs edges that add nothing, got an edge bias, key or value",
        ),
        (
            GraphLayer(Attend(8, Heads(2, 4), SplitAdditive(2, 4)), NormalizedSum(), Replace()),
            LARGE,
            "needs the aggregation SoftmaxSum, got NormalizedSum",
        ),
        (GAT(8, 4, dropout=0.5), LARGE, "messages are dropped edge by edge"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_reason_is_told(layer, graph, reason):
    edge = {"edge_attr": torch.randn(300 * 300, 2)} if "edges that" in reason else {}
    assert explain_backend(layer, torch.randn(300, 8), graph, edge).reasons["closed_form"] == [reason]
