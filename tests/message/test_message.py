import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from graphattn.aggregation import SoftmaxSum
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Difference, Heads, OwnScore, Scaled, as_weighted, symmetric
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full, Star
from graphattn.update import Replace

GRAPH = Edges(torch.tensor([[0, 1, 2, 2], [1, 2, 1, 2]]), 4)


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 2.0, 3.0, 1.0])])
def test_symmetric_scale_is_gcn_norm(weight):
    truth = gcn_norm(GRAPH.edge_index(), weight, 4, add_self_loops=False)[1]
    assert_close(symmetric(GRAPH, weight), truth, check_dtype=False)


def test_symmetric_scale_needs_one_set_of_nodes():
    with pytest.raises(ValueError, match="symmetric normalisation, got 3 senders and 1 receivers"):
        symmetric(Star([3]), None)


def test_as_weighted_is_the_weight_or_one():
    assert as_weighted(GRAPH, None).tolist() == [1, 1, 1, 1]
    weight = torch.arange(4.0)
    assert as_weighted(GRAPH, weight) is weight


@pytest.mark.parametrize(
    ("message", "need"),
    [
        (Attend(4, Heads(2, 2)), "a state to make queries from"),
        (Difference(nn.Linear(8, 4)), "a state to take differences to"),
    ],
)
def test_receivers_without_a_state_are_refused(message, need):
    with pytest.raises(ValueError, match=f"expected receivers with {need}, got x_i=None"):
        message.project(torch.randn(3, 4), None, Full([3]), None)


@pytest.mark.parametrize(
    "message",
    [
        Attend(4, Heads(2, 2)),
        OwnScore(nn.Linear(4, 2)),
        Scaled(4, 4),
        Difference(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4))),
    ],
)
def test_parameters_are_drawn_anew_and_by_seed(message):
    before = [parameter.clone() for parameter in message.parameters()]
    draws = []
    for _ in range(2):
        torch.manual_seed(1)
        message.reset_parameters()
        draws.append([parameter.clone() for parameter in message.parameters()])
    assert before
    assert not any(torch.equal(old, new) for old, new in zip(before, draws[0], strict=True))
    assert all(torch.equal(first, second) for first, second in zip(*draws, strict=True))


def test_a_copy_is_the_sender_and_learns_nothing():
    copy = Copy()
    copy.reset_parameters()
    x = torch.randn(3, 4)
    senders, receivers = copy.project(x, None, Star([3]), None)
    assert receivers == {}
    assert copy.on_edges(Star([3]), {}) == {}
    score, value = copy.speak(senders, {}, {})
    assert score is None
    assert torch.equal(value.squeeze(1), x)
    assert not list(copy.parameters())


def test_messages_print_what_they_are():
    assert "heads=(2, 2, None, None), score=ScaledDot()" in repr(Attend(4, Heads(2, 2)))
    assert "scale=symmetric" in repr(Scaled(4, 4))


@pytest.mark.parametrize("shared", [1, 2, 4])
def test_shared_keys_and_values_serve_groups_of_heads(shared):
    grouped = GraphLayer(Attend(8, Heads(4, 3, shared, value_channels=5)), SoftmaxSum(), Replace()).double()
    own = GraphLayer(Attend(8, Heads(4, 3, value_channels=5)), SoftmaxSum(), Replace()).double()
    said, truth = grouped.message_function, own.message_function
    truth.query.load_state_dict(said.query.state_dict())
    for name in ("key", "value"):
        for part, whole in zip(getattr(said, name).parameters(), getattr(truth, name).parameters(), strict=True):
            by_group = part.data.unflatten(0, (shared, -1)).repeat_interleave(4 // shared, dim=0)
            whole.data.copy_(by_group.flatten(0, 1))
    x, graph = torch.randn(7, 8, dtype=torch.float64), Full([3, 4])
    assert grouped(x, graph).shape == (7, 20)
    assert_close(grouped(x, graph), own(x, graph))
    assert assert_backends_agree(grouped, x, graph) == ["dense", "edgewise"]


def test_shared_heads_must_divide_the_heads():
    with pytest.raises(
        ValueError, match=r"shared heads that divide the heads, got Heads\(number=4, channels=2, shared=3"
    ):
        Attend(8, Heads(4, 2, 3))


@pytest.mark.parametrize("position", [None, torch.tensor([0, 1, 2, 0, 1])])
def test_queries_and_keys_are_turned_by_position(position):
    def turned(state, place):
        return state * (place[:, None, None] + 1)

    said = Attend(8, Heads(2, 4), rotate=turned)
    plain = Attend(8, Heads(2, 4))
    plain.load_state_dict(said.state_dict())
    x, graph = torch.randn(5, 8), Full([3, 2])
    senders, receivers = said.project(x, x, graph, position)
    keys, queries = plain.project(x, x, graph, None)
    factor = torch.tensor([1, 2, 3, 1, 2])[:, None, None]
    assert_close(senders["key"], keys["key"] * factor)
    assert_close(receivers["query"], queries["query"] * factor)
    assert_close(senders["value"], keys["value"])
