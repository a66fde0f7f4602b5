"""Scores of any size: whatever computes the weights, they are finite and sum to one, or the receiver hears zero."""

from contextlib import nullcontext
from itertools import product

import pytest
import torch

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.backends import use_backend
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import Cosine, EluKernel, Exponential, Favor, ScaledDot, SoftCap, Then
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Cross, Edges, Full, Prefix
from graphattn.update import Replace
from graphattn.zoo import GAT, GATv2

SIZES = [3, 0, 6, 1]
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}
capped, exponential = Then(ScaledDot(), SoftCap(1e4)), Then(ScaledDot(), Exponential())


def prefix(sizes):
    return Prefix(sizes, prefix=2)


def full_list(sizes):
    return Full(sizes).as_edges()


class Given:
    """The bias that the caller gives."""

    def on_edges(self, graph, edge):
        return edge["bias"]

    def on_tile(self, tile, edge):
        return None


def saying_ones(score, aggregation, edge_bias=None):
    """Attention in which everyone says one, so that a receiver hears the sum of its weights."""
    message = Attend(4, Heads(2, 2), score, edge_bias=edge_bias)
    with torch.no_grad():
        for linear in (message.query, message.key):
            linear.weight.copy_(torch.eye(4))
        message.value.weight.zero_()
        message.value.bias.fill_(1)
    return GraphLayer(message, aggregation, Replace())


def extremes(graph, dtype):
    """Biases of 0, 1e4, -1e4 and minus infinity in turn; the third receiver of a graph hears only minus infinity."""
    sender, receiver = graph.edge_index()
    bias = torch.tensor([0, 1e4, -1e4, -torch.inf], dtype=dtype)[(receiver - sender) % 4]
    silent = graph.places()[1][receiver] == 2
    return bias.masked_fill(silent, -torch.inf)[:, None].repeat(1, 2)


def heard_of(layer, graph, dtype, edge, backend):
    x = (torch.randn(sum(SIZES), 4) * 100).to(dtype).requires_grad_()
    with use_backend(backend):
        heard = layer.to(dtype)(x, graph, edge)
    heard.double().square().sum().backward()
    assert torch.isfinite(x.grad).all()
    return heard.double()


@pytest.mark.parametrize(
    ("topology", "backend", "score", "dtype"),
    [
        *product((Full, Causal, prefix), ("dense", "edgewise"), (ScaledDot(), Cosine(), capped), CLOSE),
        *product((full_list,), ("edgewise",), (ScaledDot(), Cosine(), capped), CLOSE),
        *product((full_list,), ("csr",), (ScaledDot(), Cosine()), (torch.float64, torch.float32)),
    ],
)
def test_softmax_of_extreme_scores_sums_to_one(topology, backend, score, dtype):
    graph = topology(SIZES)
    bias = extremes(graph, dtype)
    heard = heard_of(saying_ones(score, SoftmaxSum(), Given()), graph, dtype, {"bias": bias}, backend)
    audible = torch.zeros(sum(SIZES), dtype=torch.bool)
    audible[graph.edge_index()[1][bias[:, 0] > -torch.inf]] = True
    assert 0 < audible.sum() < sum(SIZES)
    torch.testing.assert_close(heard, audible.double()[:, None].expand_as(heard), rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize(
    ("topology", "backend", "score", "dtype"),
    [
        *product((Full, Causal), ("linear", "edgewise"), (EluKernel(), Favor(2, features=8)), CLOSE),
        *product((Full, full_list), ("edgewise",), (EluKernel(), exponential), CLOSE),
    ],
)
def test_kernels_of_extreme_states_are_shared_out_or_not_heard(topology, backend, score, dtype):
    graph = topology(SIZES)
    heard = heard_of(saying_ones(score, NormalizedSum()), graph, dtype, {}, backend)
    near = torch.minimum(heard.abs(), (heard - 1).abs())
    assert near.max() <= CLOSE[dtype]
    # Everyone hears itself: for the exponential a receiver's own kernel is the largest number there is.
    assert (heard > 0.5).any()


LISTED = Edges(torch.tensor([[0, 1, 2, 2, 3, 3], [1, 1, 1, 0, 3, 0]]), 4)
NAN = {
    **dict.fromkeys(("csr", "sparse", "edgewise"), (LISTED, "dot", "elu", "favor", "GAT", "GATv2")),
    "small": (Cross([70, 30], [40, 25]), "dot"),
    "dense": (Cross([4], [4]), "dot", "GAT"),
    None: (Cross([3, 1], [2, 2]), "dot", "GAT"),  # of unequal graphs, dense leaves NaN to lists of edges
    "linear": (Cross([3, 1], [2, 2]), "elu", "favor"),
}
ATTENTION = {
    "dot": lambda: GraphLayer(Attend(8, Heads(2, 4), ScaledDot()), SoftmaxSum(), Replace()),
    "elu": lambda: GraphLayer(Attend(8, Heads(2, 4), EluKernel()), NormalizedSum(), Replace()),
    "favor": lambda: GraphLayer(Attend(8, Heads(2, 4), Favor(4, 8)), NormalizedSum(), Replace()),
    "GAT": lambda: GAT((8, 8), 4, heads=2),
    "GATv2": lambda: GATv2((8, 8), 4, heads=2),
}


@pytest.mark.parametrize(
    ("backend", "attention"), [(backend, kind) for backend, (_, *kinds) in NAN.items() for kind in kinds]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_receiver_all_of_whose_scores_are_nan_hears_nan_and_nobody_else_does(backend, attention, dtype):
    graph, layer = NAN[backend][0], ATTENTION[attention]().to(dtype)
    senders, receivers = (torch.randn(many, 8, dtype=dtype) for many in (graph.num_senders, graph.num_receivers))
    broken = receivers.index_fill(0, torch.tensor([1]), torch.nan)
    with use_backend(backend) if backend else nullcontext():
        heard, truth = layer((senders, broken), graph), layer((senders, receivers), graph)
    assert heard[1].isnan().all()
    others = torch.arange(graph.num_receivers) != 1
    torch.testing.assert_close(heard[others], truth[others])


@pytest.mark.parametrize("topology", [Full, Causal, full_list])
def test_backends_agree_on_extreme_scores(topology):
    graph = topology(SIZES)
    layer = saying_ones(ScaledDot(), SoftmaxSum(), Given()).double()
    torch.nn.init.normal_(layer.message_function.value.weight)
    x = torch.randn(sum(SIZES), 4, dtype=torch.float64) * 100
    agreed = assert_backends_agree(layer, x, graph, {"bias": extremes(graph, torch.float64)})
    assert agreed == (["csr", "sparse", "edgewise"] if topology is full_list else ["dense", "edgewise"])
