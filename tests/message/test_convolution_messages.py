"""Messages of convolutions: scaled, copied, gated, concatenated, with edges, by place."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import Mean, Sum
from graphattn.edge_terms import LinearValue, NetworkValue
from graphattn.layer import GraphLayer
from graphattn.message import AddEdge, ByPlace, Concatenate, Copy, Gated, Repeat, SplitHeads, Towers, by_row, symmetric
from graphattn.topology import Edges, Full, Star
from graphattn.update import Replace

F64 = torch.float64
GRAPH = Edges(torch.tensor([[0, 1, 2, 2], [1, 2, 1, 2]]), 4)


def test_by_row_makes_weights_of_a_receiver_sum_to_one():
    assert by_row(GRAPH, None).tolist() == [0.5, 0.5, 0.5, 0.5]
    assert_close(by_row(GRAPH, torch.tensor([1.0, 2.0, 3.0, 6.0])), torch.tensor([0.25, 0.25, 0.75, 0.75]))
    assert by_row(Star([3]), None).sum() == pytest.approx(1)


@pytest.mark.parametrize("scale", [by_row, symmetric])
def test_weights_of_zero_are_not_heard(scale):
    assert scale(GRAPH, torch.zeros(4)).tolist() == [0, 0, 0, 0]


def test_a_network_of_the_sender_is_computed_once_for_each():
    network = nn.Linear(8, 3)
    rows = []
    network.register_forward_hook(lambda module, given, out: rows.append(out.size(0)))
    layer, x = GraphLayer(Copy(network), Mean(), Replace()), torch.randn(3, 8)
    assert_close(layer((x, None), Star([3]))[0], network(x).mean(0))
    assert rows[0] == 3


@pytest.mark.parametrize(
    ("message", "need"),
    [
        (Concatenate(nn.Linear(16, 4)), "a state to lay beside senders"),
        (Gated(8, 4), "a state to gate by"),
    ],
)
def test_receivers_without_a_state_are_refused(message, need):
    with pytest.raises(ValueError, match=f"expected receivers with {need}, got x_i=None"):
        message.project(torch.randn(3, 8), None, Full([3]), None)


@pytest.mark.parametrize(
    "message",
    [
        AddEdge(NetworkValue("edge_attr", nn.Linear(3, 8))),
        Concatenate(nn.Linear(16, 4), NetworkValue("edge_attr", nn.Linear(3, 8))),
        Gated(8, 4, edge_gate=LinearValue("edge_attr", 3, 1, 4)),
        ByPlace(4),
        Copy(nn.Sequential(nn.Linear(8, 8), nn.ReLU())),
    ],
    ids=lambda message: type(message).__name__,
)
def test_parameters_are_drawn_anew(message):
    before = [parameter.clone() for parameter in message.parameters()]
    assert before
    message.reset_parameters()
    assert not any(torch.equal(*pair) for pair in zip(before, message.parameters(), strict=True))


def test_receiver_sender_and_edge_lie_side_by_side():
    message = Concatenate(nn.Identity(), NetworkValue("edge_attr"))
    layer = GraphLayer(message, Sum(), Replace())
    x_j, x_i, edge = torch.tensor([[1.0], [2.0]]), torch.tensor([[5.0]]), torch.tensor([[7.0]])
    assert layer((x_j, x_i), torch.tensor([[1], [0]]), edge).tolist() == [[5, 2, 7]]


@pytest.mark.parametrize(("layout", "width"), [(SplitHeads(2), 4), (Repeat(2), 8)])
def test_towers_hear_their_channels(layout, width):
    networks = [nn.Linear(2 * width, 3) for _ in range(2)]
    layer = GraphLayer(Concatenate(Towers(networks), layout=layout), Sum(), Replace())
    x = torch.randn(4, 8)
    out = layer(x, GRAPH)
    for tower, network in enumerate(networks):
        part = x[:, tower * width : (tower + 1) * width] if width == 4 else x
        alone = GraphLayer(Concatenate(network), Sum(), Replace())
        assert_close(out[:, 3 * tower : 3 * tower + 3], alone(part, GRAPH))
    assert layout.width(8) == width
    assert repr(layout) in ("Split(2)", "Repeat(2)")


def test_a_gate_of_one_lets_the_value_through():
    message = Gated((8, 5), 4, gate=torch.ones_like)
    layer, x_j, x_i = GraphLayer(message, Sum(), Replace()), torch.randn(4, 8), torch.randn(2, 5)
    edges = torch.tensor([[0, 3], [1, 1]])
    assert_close(layer((x_j, x_i), edges), torch.stack([torch.zeros(4), message.value(x_j[[0, 3]]).sum(0)]))


def test_lazy_channels_are_read_from_the_first_input():
    layer = GraphLayer(Gated(-1, 4), Sum(), Replace())
    assert layer(torch.randn(4, 7), GRAPH).shape == (4, 4)
    assert layer.message_function.receiver.weight.shape == (4, 7)


@pytest.mark.parametrize(
    "message",
    [
        AddEdge(NetworkValue("bond", nn.Linear(3, 8))),
        Gated(8, 8, edge_gate=LinearValue("bond", 3, 1, 8), edge_value=LinearValue("bond", 3, 1, 8)),
        Concatenate(nn.Linear(24, 8), NetworkValue("bond", nn.Linear(3, 8, bias=False))),
    ],
    ids=lambda message: type(message).__name__,
)
def test_features_of_kinds_are_those_of_every_edge(message):
    layer, x, table, kind = GraphLayer(message, Sum(), Replace()), torch.randn(4, 8), torch.randn(2, 3), [1, 0, 0, 1]
    truth = layer(x, GRAPH, {"bond": table[kind]})
    assert_close(layer(x, GRAPH, {"bond": table, "bond_kind": torch.tensor(kind)}), truth)


def test_features_of_some_edges_are_zero_on_the_others():
    layer = GraphLayer(AddEdge(NetworkValue("bond")), Sum(), Replace())
    x, rows, graph = torch.randn(3, 8), torch.randn(2, 8), Full([3])
    every = torch.zeros(9, 8).index_copy(0, torch.tensor([4, 1]), rows)
    some = {"bond": rows, "bond_number": torch.tensor([4, 1])}
    assert_close(layer(x, graph, some), layer(x, graph, {"bond": every}))


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        ({}, "expected an edge feature named 'edge_attr', got none"),
        ({"edge_attr": torch.randn(1, 8)}, "expected 4 rows of edge features for Edges.*, got 1"),
        ({"edge_attr": torch.randn(4, 1)}, "with the 8 channels of a sender, got 1 channels"),
    ],
)
def test_edge_features_that_do_not_fit_are_refused(edge, words):
    layer = GraphLayer(AddEdge(NetworkValue("edge_attr")), Sum(), Replace())
    with pytest.raises(ValueError, match=words):
        layer(torch.randn(4, 8), GRAPH, edge)


def test_every_pair_of_places_has_a_factor():
    layer = GraphLayer(ByPlace(4), Sum(), Replace()).double()
    table, x = layer.message_function.table, torch.randn(7, 2, dtype=F64)
    out = layer(x, Full([4, 3]))
    assert_close(out[:4], table @ x[:4])
    assert_close(out[4:], table[:3, :3] @ x[4:])
    assert "receivers=4, senders=4" in repr(layer)


@pytest.mark.parametrize(
    ("places", "graph", "words"),
    [
        ((2,), Full([1, 3]), "at most 2 receivers, got one of 3"),
        ((2, 3), Full([3]), "at most 2 senders, got one of 3"),
    ],
)
def test_graphs_with_more_nodes_than_places_are_refused(places, graph, words):
    with pytest.raises(ValueError, match=words):
        GraphLayer(ByPlace(*places), Sum(), Replace())(torch.randn(graph.num_senders, 4), graph)
