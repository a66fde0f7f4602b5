"""Wrong use is refused in words, with the numbers, by shapes, dtypes and devices alone."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric import EdgeIndex
from torch_geometric.utils import to_torch_coo_tensor, to_torch_csc_tensor, to_torch_csr_tensor

from graphattn.aggregation import SoftmaxSum, Sum
from graphattn.binding import as_edges, misfit
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.topology import Edges, Full
from graphattn.update import Replace
from graphattn.zoo import GCN, EdgeConv, SelfAttention

EDGES = torch.tensor([[0, 1, 2, 0, 4], [1, 2, 1, 3, 0]])
X = torch.randn(5, 8)


def attention():
    return SelfAttention(8, heads=2)


def with_bias():
    return SelfAttention(8, heads=2, edge_bias=LinearBias("edge_attr", 3, 2))


WRONG = {
    "channels": (
        attention,
        (torch.randn(5, 7), EDGES),
        ValueError,
        r"expected 8 channels in float32 on cpu for query.*got x \[5, 7\] in float32 on cpu",
    ),
    "channels of receivers": (
        attention,
        ((X, torch.randn(5, 9)), EDGES),
        ValueError,
        r"8 channels .* for query, .*receivers \[5, 9\]",
    ),
    "channels of a network": (
        lambda: EdgeConv(nn.Sequential(nn.Linear(16, 4), nn.ReLU())),
        (torch.randn(5, 7), EDGES),
        ValueError,
        r"expected .* equal channels, 16 together, for network.0, got receivers \[5, 7\] and senders \[5, 7\]",
    ),
    "channels of a network's two sides": (
        lambda: EdgeConv(nn.Sequential(nn.Linear(16, 4), nn.ReLU())),
        ((X[:, :6], torch.randn(5, 10)), EDGES),
        ValueError,
        r"16 together, for network.0, got receivers \[5, 10\] and senders \[5, 6\]",
    ),
    "channels of edges": (
        with_bias,
        (X, EDGES, torch.randn(5, 2)),
        ValueError,
        r"3 channels .* for edge_bias.linear, .*edge_attr \[5, 2\]",
    ),
    "several weights of an edge": (lambda: GCN(8, 4), (X, EDGES, torch.randn(5, 3)), ValueError, r"edge_attr \[5, 3\]"),
    "dtype": (attention, (X.double(), EDGES), TypeError, r"channels in float32 .*, got x \[5, 8\] in float64"),
    "category numbers": (attention, (X.long(), EDGES), TypeError, r"channels in float32 .*, got x \[5, 8\] in int64"),
    "dtypes of both sides": (
        attention,
        ((X, X.double()), EDGES),
        TypeError,
        "senders and receivers of one dtype, got torch.float32 and torch.float64",
    ),
    "device": (attention, (X.to("meta"), EDGES), ValueError, "edge_index and x on one device, got cpu and meta"),
    "device of edge_index": (attention, (X, EDGES.to("meta")), ValueError, "on one device, got meta and cpu"),
    "device of a topology": (
        attention,
        (X.to("meta"), Full([3, 2])),
        ValueError,
        r"expected everything on cpu, where Full\(.*\) is, got senders on meta, receivers on meta: .*graph.to",
    ),
    "device of receivers": (
        attention,
        ((X, X.to("meta")), Edges(EDGES, (5, 5))),
        ValueError,
        "got senders on cpu, receivers on meta",
    ),
    "device of edges": (
        lambda: GCN(8, 4),
        (X, Edges(EDGES), torch.rand(5, device="meta")),
        ValueError,
        "edge feature 'edge_attr' on meta",
    ),
    "number too large": (attention, (X, EDGES + 3), ValueError, "expected sender numbers below 5, got 7 in edge_index"),
    "number too small": (attention, (X, EDGES - 1), ValueError, "expected node numbers of 0 or more, got -1"),
    "no numbers": (
        attention,
        (X, EDGES.float()),
        ValueError,
        r"integer edge_index .* got torch.float32 of shape \[2, 5\]",
    ),
    "transposed": (attention, (X, EDGES.T), ValueError, r"of shape \[2, E\], got torch.int64 of shape \[5, 2\]"),
    "another batch": (attention, (X, Full([2, 2])), ValueError, r"expected 4 rows of senders .*Full.*, got 5"),
    "another matrix": (
        attention,
        lambda: (X, to_torch_coo_tensor(EDGES, size=6)),
        ValueError,
        "expected 6 rows of senders in x for Edges.*, got 5",
    ),
    "edges missing": (with_bias, (X, EDGES), ValueError, "expected an edge feature named 'edge_attr', got none"),
    "edges unexpected": (
        attention,
        (X, EDGES, torch.randn(5, 2)),
        ValueError,
        r"expected no edge_attr, as the message Attend takes no edge features here, got edge_attr of shape \[5, 2\]",
    ),
    "edges unexpected by a difference": (
        lambda: EdgeConv(nn.Linear(16, 4)),
        (X, EDGES, torch.randn(5, 2)),
        ValueError,
        "the message Difference takes no edge features",
    ),
    "edges of another graph": (
        with_bias,
        (X, EDGES, torch.randn(4, 3)),
        ValueError,
        "expected 5 rows in edge_attr .*, got 4",
    ),
}


# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(("make", "inputs", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_in_words(make, inputs, error, message):
    given = inputs() if callable(inputs) else inputs
    with pytest.raises(error, match=message):
        make()(*given)


@pytest.mark.parametrize("first", [True, False])
def test_edge_features_nobody_hears_are_refused_on_every_call(first):
    layer = attention()
    if first:
        layer(X, EDGES)
    for _ in range(2):
        with pytest.raises(ValueError, match="takes no edge features"):
            layer(X, EDGES, torch.randn(5, 2))
    assert layer(X, EDGES).shape == (5, 8)


@pytest.mark.parametrize(
    ("message", "aggregation", "text"),
    [
        (Copy, SoftmaxSum, r"Copy \(without a score\) and SoftmaxSum \(needs scores\)"),
        (lambda: Attend(8, Heads(1, 8)), Sum, r"Attend \(with a score\) and Sum \(takes no scores\)"),
    ],
)
def test_a_message_and_an_aggregation_that_do_not_fit_are_refused(message, aggregation, text):
    with pytest.raises(ValueError, match=text):
        GraphLayer(message(), aggregation(), Replace())


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), torch.OutOfMemoryError("size of tensor")])
def test_other_errors_stay_what_they_are(error):
    assert misfit(error, Copy(), X, None) is None

    class Broken(nn.Module):
        def forward(self, x):
            raise error

    with pytest.raises(type(error)) as raised:
        EdgeConv(Broken())(X, EDGES)
    assert raised.value is error


def test_autocast_may_mix_dtypes():
    layer = attention()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer((X, X.bfloat16()), EDGES).dtype == torch.bfloat16


LAYOUTS = {"csc": to_torch_csc_tensor, "coo": to_torch_coo_tensor, "csr": to_torch_csr_tensor}


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_graph_may_come_in_every_form_of_pyg(layout):
    layer = attention()
    truth = layer(X, EDGES)
    assert_close(layer(X, layout(EDGES, size=(5, 5)).t()), truth)
    assert_close(layer(X, EDGES.int()), truth)
    assert_close(layer(X, EdgeIndex(EDGES, sparse_size=(5, 5))), truth)
    assert_close(layer(X, Edges(EDGES, 5)), truth)
    ends = torch.tensor([[0, 4, 2], [0, 0, 2]])
    both = (X, torch.randn(3, 8))
    assert_close(layer(both, layout(ends, size=(5, 3)).t()), layer(both, ends))


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_values_of_a_matrix_are_edge_weights_and_rows_are_edge_features(layout):
    weight, layer = torch.rand(5, requires_grad=True), GCN(8, 4)
    out, truth = layer(X, layout(EDGES, weight, size=(5, 5)).t()), layer(X, EDGES, weight)
    assert_close(out, truth)
    if layout is to_torch_csr_tensor:
        assert_close(*(torch.autograd.grad(each.sin().sum(), weight)[0] for each in (out, truth)))
    if layout is not to_torch_csc_tensor:
        rows = torch.randn(5, 3)
        order = (EDGES[1] * 5 + EDGES[0]).argsort()
        adj_t = layout(EDGES[:, order].flip(0), rows[order], size=(5, 5))
        biased = with_bias()
        assert_close(biased(X, adj_t), biased(X, EDGES, rows))


def test_receivers_without_a_state_are_as_many_as_senders():
    assert as_edges(torch.tensor([[0, 4], [1, 1]]), X, None).num_receivers == 5


def test_tensors_of_inference_mode_are_read_anew():
    layer = attention()
    with torch.inference_mode():
        edge_index = torch.tensor([[0, 1], [1, 2]])
        before = layer(X, edge_index)
        edge_index[0, 0] = 4
        assert not torch.equal(layer(X, edge_index), before)
