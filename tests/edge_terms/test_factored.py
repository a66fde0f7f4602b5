"""Keys and values of edges in two factors: the same as a vector for each edge, which never exists."""

from itertools import product

import pytest
import torch

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import use_backend
from graphattn.edge_terms import LinearValue, NetworkValue, RelativeValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import Bilinear, Cosine, Dot, ScaledDot, SoftCap, Then
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Cross, Full, Prefix, Window
from graphattn.update import Replace

F64 = torch.float64
SIZES = [3, 0, 9, 1, 20, 3]
TERMS = {
    "relative": lambda: RelativeValue(2, 2, 3),
    "relative by head": lambda: RelativeValue(4, 2, 3, tables=2),
    "linear": lambda: LinearValue("bond", 5, 2, 3),
    "lazy": lambda: LinearValue("bond", -1, 2, 3),
    "network": lambda: NetworkValue("bond", torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh()), heads=2),
}
TOPOLOGIES = {
    "Full": Full,
    "equal": lambda sizes: Full([4, 4, 4]),
    "Causal": Causal,
    "Window": lambda sizes: Window(sizes, radius=2, dilation=2),
    "Prefix": lambda sizes: Prefix(sizes, prefix=2),
    "Cross": lambda sizes: Cross(sizes, [2, 1, 0, 4, 3, 3]),
    "empty": lambda sizes: Full([0, 0]),
    "no graph": lambda sizes: Full([]),
}


def attention(key, value, score=None):
    message = Attend(6, Heads(2, 3), score, edge_key=key, edge_value=value)
    return GraphLayer(message, SoftmaxSum(), Replace(), dropout=0.3).double()


def states(graph):
    x = torch.randn(graph.num_senders, 6, dtype=F64)
    return x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, 6, dtype=F64))


def bonds(graph, given):
    """A feature of all edges, of kinds of them, of some, or of kinds of some."""
    edges = graph.num_edges
    some = torch.arange(0, edges, 3)
    return {
        "none": {},
        "plain": {"bond": torch.randn(edges, 5, dtype=F64)},
        "kinds": {"bond": torch.randn(4, 5, dtype=F64), "bond_kind": torch.arange(edges) % 4},
        "some": {"bond": torch.randn(some.numel(), 5, dtype=F64), "bond_number": some},
        "some kinds": {"bond": torch.randn(4, 5, dtype=F64), "bond_kind": some % 4, "bond_number": some},
    }[given]


@pytest.mark.parametrize(
    ("topology", "term", "given"),
    [
        *product(TOPOLOGIES, ["relative"], ["none"]),
        *product(TOPOLOGIES, ["linear"], ["plain", "kinds"]),
        *product(["Full", "Window"], ["linear", "network"], ["some", "some kinds"]),
        *product(["Full"], ["lazy", "network"], ["plain", "kinds"]),
        ("Full", "relative by head", "none"),
    ],
)
def test_dense_blocks_hear_what_every_edge_says(topology, term, given):
    graph, make = TOPOLOGIES[topology](SIZES), TERMS[term]
    shared = make()
    for key, value in ((make(), make()), (make(), None), (shared, shared)):
        layer, edge = attention(key, value), bonds(graph, given)
        layer.train(value is not key)
        assert assert_backends_agree(layer, states(graph), graph, edge) == ["dense", "edgewise"]


@pytest.mark.parametrize("score", [Dot(), ScaledDot(), Bilinear(2, 3)], ids=repr)
def test_edge_keys_meet_every_product(score):
    graph = Full(SIZES)
    layer = attention(RelativeValue(2, 2, 3), None, score)
    assert assert_backends_agree(layer, states(graph), graph) == ["dense", "edgewise"]


@pytest.mark.parametrize("score", [Cosine(), Then(ScaledDot(), SoftCap(5.0))], ids=["Cosine", "Then"])
def test_edge_keys_of_other_scores_are_refused_in_words(score):
    layer, graph = attention(RelativeValue(2, 2, 3), None, score), Full(SIZES)
    name = type(score).__name__
    with (
        use_backend("dense"),
        pytest.raises(ValueError, match=f"a dot product to add the edge key to, got the score {name}"),
    ):
        layer(states(graph), graph)


@pytest.mark.parametrize("term", ["relative", "linear", "network"])
def test_no_pair_has_channels(term):
    graph = Full([40, 40])
    layer = attention(*(make() for make in (TERMS[term], TERMS[term]))).eval()
    edge = {"bond": torch.randn(4, 5, dtype=F64), "bond_kind": torch.arange(graph.num_edges) % 4}
    largest = 0

    def watch(tensor):
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(watch, lambda tensor: tensor):
        layer(torch.randn(80, 6, dtype=F64, requires_grad=True), graph, edge).sum().backward()
    assert 0 < largest <= graph.num_edges * 2
