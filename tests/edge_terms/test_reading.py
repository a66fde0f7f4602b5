"""Features of edges that do not fit the edges are refused with both numbers, on every topology and by every backend."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import use_backend
from graphattn.edge_terms import (
    ALiBi,
    GaussianKernels,
    LinearBias,
    LinearValue,
    NetworkValue,
    ShortestPathBias,
    SpatialBias,
    SumOfTerms,
    read,
)
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads, as_weighted, by_row, symmetric
from graphattn.models.parts.positional import AtPlaces
from graphattn.topology import Causal, Cross, Edges, Full, Grid, Star, Window
from graphattn.update import Replace
from graphattn.zoo import GCN, SelfAttention

GRAPHS = {
    "Edges": Edges(torch.randint(5, (2, 13)), 5),
    "Full": Full([3, 2]),
    "Causal": Causal([3, 2]),
    "Window": Window([3, 2], radius=1),
    "Grid": Grid(1, 5),
    "Union": Full([3, 2]) | Edges(torch.tensor([[0], [1]]), ptr=torch.tensor([0, 3, 5])),
    "large": Full([64]),
}
TERMS = {
    "bias": lambda: {"edge_bias": LinearBias("bond", 3, 2)},
    "value": lambda: {"edge_value": LinearValue("bond", 3, 2, 4)},
    "key": lambda: {"edge_key": LinearValue("bond", 3, 2, 4)},
    "network": lambda: {"edge_value": NetworkValue("bond", nn.Linear(3, 8), 2)},
    "sum": lambda: {"edge_bias": SumOfTerms(LinearBias("bond", 3, 2), LinearBias("bond", 3, 2))},
}


def attention(**terms):
    return GraphLayer(Attend(8, Heads(2, 4), **terms), SoftmaxSum(), Replace())


def long(*values):
    return torch.tensor(values)


def wrong(edges):
    """Features in forms that do not fit so many edges: what is refused, and with which words."""
    kinds, four = torch.zeros(edges, dtype=torch.long), {"bond": torch.ones(4, 3)}
    return {
        "fewer rows": ({"bond": torch.ones(edges - 1, 3)}, ValueError, rf"{edges} features .*, got \[{edges - 1}, 3\]"),
        "more rows": ({"bond": torch.ones(edges + 1, 3)}, ValueError, rf"{edges} features .*, got \[{edges + 1}, 3\]"),
        "one row": ({"bond": torch.ones(1, 3)}, ValueError, rf"{edges} features of all edges of .*, got \[1, 3\]"),
        "fewer kinds": ({**four, "bond_kind": kinds[1:]}, ValueError, rf"{edges} kinds .*, got \[{edges - 1}\]"),
        "more kinds": (
            {**four, "bond_kind": torch.zeros(edges + 1).long()},
            ValueError,
            rf"{edges} kinds .*, got \[{edges + 1}\] in edge\['bond_kind'\]",
        ),
        "a kind too large": ({**four, "bond_kind": kinds + 4}, IndexError, "kinds from 0 to 3, got 4 to 4"),
        "a kind below 0": ({**four, "bond_kind": kinds - 1}, IndexError, "kinds from 0 to 3, got -1 to -1"),
        "kinds of float": ({**four, "bond_kind": kinds.float()}, TypeError, r"edge\['bond_kind'\], got torch.float32"),
        "kinds of bool": ({**four, "bond_kind": kinds > 0}, TypeError, r"edge\['bond_kind'\], got torch.bool"),
        "kinds in two rows": ({**four, "bond_kind": kinds[None]}, ValueError, rf"in one row, got \[1, {edges}\]"),
        "an edge too many": (
            {"bond": torch.ones(2, 3), "bond_number": long(0, edges)},
            IndexError,
            rf"numbers of edges from 0 to {edges - 1}, got 0 to {edges} in edge\['bond_number'\]",
        ),
        "an edge below 0": ({"bond": torch.ones(2, 3), "bond_number": long(-3, 1)}, IndexError, "got -3 to 1"),
        "fewer rows than numbers": (
            {"bond": torch.ones(2, 3), "bond_number": long(0, 1, 2)},
            ValueError,
            r"expected 3 features of all edges of edge\['bond_number'\], got \[2, 3\]",
        ),
        "more rows than numbers": ({"bond": torch.ones(9, 3), "bond_number": long(0, 1)}, ValueError, r"2 features .*\[9, 3\]"),
        "fewer kinds than numbers": (
            {**four, "bond_kind": long(1), "bond_number": long(0, 1)},
            ValueError,
            r"expected 2 kinds of all edges of edge\['bond_number'\], got \[1\]",
        ),
        "nothing": ({}, ValueError, "an edge feature named 'bond', got none"),
    }  # fmt: skip


@pytest.mark.parametrize("name", wrong(9))
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_features_that_do_not_fit_are_refused_with_both_numbers(graph, term, name):
    graph = GRAPHS[graph]
    layer, x = attention(**TERMS[term]()), torch.randn(graph.num_senders, 8)
    edge, error, message = wrong(graph.num_edges)[name]
    with pytest.raises(error, match=message):
        layer(x, graph, edge)


@pytest.mark.parametrize("graph", ["Edges", "Full", "large"])
@pytest.mark.parametrize("term", ["bias", "value", "key", "sum"])
def test_kinds_and_numbers_are_the_layers_own_from_its_call_on(graph, term):
    graph = GRAPHS[graph]
    layer, x = attention(**TERMS[term]()), torch.randn(graph.num_senders, 8, requires_grad=True)
    for form in (
        {"bond_kind": torch.randint(4, (graph.num_edges,))},
        {"bond_number": torch.randperm(graph.num_edges)[:4]},
    ):
        edge = {"bond": torch.randn(4, 3, requires_grad=True), **form}
        with use_backend("edgewise"):
            truth = layer(x, graph, edge)
        slopes = torch.autograd.grad(truth.sin().sum(), (x, edge["bond"]))
        out = layer(x, graph, edge)
        for numbers in form.values():
            numbers.numpy()[:] = 10**9
        assert_close(out, truth)
        for ours, theirs in zip(torch.autograd.grad(out.sin().sum(), (x, edge["bond"])), slopes, strict=True):
            assert_close(ours, theirs)
        with pytest.raises(IndexError, match="got 1000000000 to 1000000000"):
            layer(x, graph, edge)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_kinds_may_be_any_integers(dtype):
    layer, x, graph = SelfAttention(8, heads=2, edge_bias=LinearBias("bond", 3, 2)), torch.randn(5, 8), Full([3, 2])
    edge = {"bond": torch.randn(4, 3), "bond_kind": torch.arange(13) % 4}
    assert_close(layer(x, graph, {**edge, "bond_kind": edge["bond_kind"].to(dtype)}), layer(x, graph, edge))


def test_lengths_of_shortest_paths_are_rows_of_the_table():
    layer, x, graph = SelfAttention(8, heads=2, edge_bias=ShortestPathBias(3, 2)), torch.randn(5, 8), Full([3, 2])
    for lengths, error, message in (
        (torch.full((13,), 5), IndexError, r"kinds from 0 to 4, got 5 to 5 in edge\['distance'\]"),
        (torch.full((13,), -1), IndexError, "got -1 to -1"),
        (torch.zeros(12).long(), ValueError, r"13 kinds of all edges of Full.*, got \[12\]"),
        (torch.zeros(13), TypeError, r"integers in edge\['distance'\], got torch.float32"),
    ):
        with pytest.raises(error, match=message):
            layer(x, graph, {"distance": lengths})


def test_kinds_of_pairs_and_positions_are_one_for_each():
    layer = SelfAttention(8, edge_bias=SpatialBias(GaussianKernels(2, kinds=3), nn.Linear(2, 1)))
    x, graph, position = torch.randn(5, 8), Full([3, 2]), torch.randn(5, 3)
    with pytest.raises(ValueError, match=r"13 kinds of all edges of Full.*, got \[14\] in edge\['position_kind'\]"):
        layer(x, graph, {"position": position, "position_kind": torch.zeros(14).long()})
    with pytest.raises(ValueError, match=r"5 positions of all senders of Full.*, got \[6, 3\]"):
        layer(x, graph, {"position": torch.randn(6, 3)})
    with pytest.raises(IndexError):
        layer(x, graph, {"position": position, "position_kind": torch.full((13,), 3)})


def test_places_are_one_for_each_node():
    layer = SelfAttention(8, edge_bias=AtPlaces(ALiBi(1)))
    with pytest.raises(ValueError, match=r"5 places of all nodes of Full.*, got \[6\] in edge\['place'\]"):
        layer(torch.randn(5, 8), Full([3, 2]), {"place": torch.arange(6)})


@pytest.mark.parametrize(
    "graph", [Edges(torch.randint(5, (2, 40)), 5), Full([3, 2])], ids=lambda graph: type(graph).__name__
)
@pytest.mark.parametrize("scale", [symmetric, by_row, as_weighted])
def test_weights_of_edges_are_one_for_each(graph, scale):
    layer, x = GCN(8, 4, scale=scale), torch.randn(5, 8)
    many = graph.num_edges
    for shape in ((many + 1,), (many - 1, 1), (1,), (many, 2)):
        with pytest.raises(
            ValueError, match=rf"one weight for each of the {many} edges .*, got edge_attr \[{shape[0]}"
        ):
            layer(x, graph, {"edge_attr": torch.ones(shape)})


def test_a_term_without_features_reads_nothing_and_one_of_a_callers_own_may():
    class Own:
        def read(self, graph, edge):
            return {"mine": edge["mine"] + graph.num_edges}

    edge = {"mine": torch.zeros(1), "other": torch.ones(1)}
    assert read([None, ALiBi(2)], Full([2]), edge) is edge
    assert read([Own()], Full([2]), edge)["mine"].item() == 4
    assert edge["mine"].item() == 0


def test_queries_and_keys_of_other_channels_are_refused():
    message = Attend(8, Heads(2, 4)).set_maps(key=nn.Linear(8, 12))
    with pytest.raises(ValueError, match="queries and keys of as many channels, got 4 and 6 in a head"):
        message.project(torch.randn(5, 8), torch.randn(5, 8), Full([5]), None)


@pytest.mark.parametrize("graph", [Star([3, 2]), Cross([3, 2], [1, 2])], ids=lambda graph: type(graph).__name__)
def test_bipartite_graphs_count_their_edges(graph):
    layer = SelfAttention(8, heads=2, edge_bias=LinearBias("bond", 3, 2))
    x = (torch.randn(graph.num_senders, 8), torch.randn(graph.num_receivers, 8))
    with pytest.raises(ValueError, match=rf"expected {graph.num_edges} features"):
        layer(x, graph, {"bond": torch.ones(graph.num_edges + 1, 3)})
