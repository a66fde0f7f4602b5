"""Attention messages: which maps there are, what is computed once, and who shares it."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric.nn import Linear

from graphattn.aggregation import SoftmaxSum
from graphattn.edge_terms import LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Gram, Heads
from graphattn.score import Additive, Bilinear, Cosine, SplitAdditive
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full, Star
from graphattn.update import Replace

F64 = torch.float64
EDGES = Edges(torch.tensor([[0, 1, 2, 2], [1, 1, 1, 0]]), 4)


def layer_of(message):
    return GraphLayer(message, SoftmaxSum(), Replace()).double()


def counted(module):
    calls = []
    module.register_forward_hook(lambda *call: calls.append(1))
    return calls


def test_one_map_in_three_places_is_computed_and_counted_once():
    message = Attend(8, Heads(2, 4))
    message.set_maps(message.value, message.value, message.value)
    calls, x = counted(message.value), torch.randn(4, 8)
    senders, receivers = message.project(x, x, EDGES, None)
    assert len(calls) == 1
    assert receivers["query"] is senders["key"] or torch.equal(receivers["query"], senders["key"])
    assert torch.equal(senders["key"], senders["value"])
    assert [name for name, _ in message.named_parameters()] == ["query.weight", "query.bias"]


def test_one_map_is_computed_for_each_set_of_nodes():
    message = Attend(8, Heads(2, 4))
    message.set_maps(query=message.key)
    calls = counted(message.key)
    senders, receivers = message.project(
        torch.randn(4, 8), torch.randn(2, 8), Edges(EDGES.edge_index()[:, :0], (4, 2)), None
    )
    assert len(calls) == 2
    assert senders["key"].shape == (4, 2, 4)
    assert receivers["query"].shape == (2, 2, 4)


def test_maps_that_are_not_named_stay():
    message = Attend(8, Heads(2, 4))
    query, value, key = message.query, message.value, Linear(8, 8)
    assert message.set_maps(key=key) is message
    assert (message.query, message.key, message.value) == (query, key, value)
    assert message.set_maps(value=nn.Sequential()).value is not value  # an empty network is a map, too


def test_shared_maps_stay_shared_when_copied_and_pickled():
    layer = layer_of(Attend(8, Heads(2, 4)))
    layer.message_function.set_maps(key=layer.message_function.value)
    x = torch.randn(4, 8, dtype=F64)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.message_function.key is other.message_function.value
        assert torch.equal(other(x, EDGES), layer(x, EDGES))


@pytest.mark.parametrize("score", [None, Cosine(), Bilinear(2, 4), Additive(2, 4), SplitAdditive(2, 4)], ids=repr)
def test_a_gram_message_compares_the_states_themselves(score):
    message = Gram(8, heads=2, score=score).double()
    x = torch.randn(4, 8, dtype=F64)
    _, (ends, alpha) = layer_of(message)(x, EDGES, return_attention_weights=True)
    by_head = x.unflatten(-1, (2, 4))
    scores = message.score(by_head[ends[1]], by_head[ends[0]])
    truth = torch.stack([scores[ends[1] == node].softmax(0).sum(0) for node in (0, 1)])
    assert_close(truth, torch.ones(2, 2, dtype=F64))
    for node in (0, 1):
        assert_close(alpha[ends[1] == node], scores[ends[1] == node].softmax(0), rtol=1e-12, atol=1e-12)
    assert {name for name, _ in message.named_parameters() if "score" not in name} == {"value.weight", "value.bias"}


def test_a_gram_message_on_a_full_graph_is_dense_and_needs_heads_that_divide():
    x = torch.randn(7, 8, dtype=F64)
    assert assert_backends_agree(layer_of(Gram(8, 2)), x, Full([3, 4])) == ["dense", "edgewise"]
    with pytest.raises(ValueError, match="expected channels that the heads divide, got channels=8 and heads=3"):
        Gram(8, 3)


@pytest.mark.parametrize("graph", [Star([3, 0, 2], hubs=2), Full([5])], ids=repr)
@pytest.mark.parametrize("shared", [1, 2, 4])
def test_heads_are_grouped_on_every_topology(graph, shared):
    layer = layer_of(Attend(8, Heads(4, 3, shared, value_channels=5)))
    x = torch.randn(5, 8, dtype=F64)
    given = (x, torch.randn(6, 8, dtype=F64)) if isinstance(graph, Star) else x
    assert assert_backends_agree(layer, given, graph) == ["dense", "edgewise"]
    assert layer.message_function.key.weight.shape == (3 * shared, 8)
    assert layer.message_function.value.weight.shape == (5 * shared, 8)


@pytest.mark.parametrize("score", [Bilinear(4, 3), SplitAdditive(4, 3), Additive(4, 3), Cosine()], ids=repr)
def test_scores_see_every_head_where_keys_are_shared(score):
    layer = layer_of(Attend(8, Heads(4, 3, 2), score))
    message, x = layer.message_function, torch.randn(4, 8, dtype=F64)
    ends = EDGES.edge_index()
    query = message.query(x).unflatten(-1, (4, 3))
    key = message.key(x).unflatten(-1, (2, 3)).repeat_interleave(2, dim=1)
    scores = message.score(query[ends[1]], key[ends[0]])
    assert_close(layer.attention(x, EDGES)[ends[1] == 1], scores[ends[1] == 1].softmax(0), rtol=1e-12, atol=1e-12)


def test_an_edge_that_speaks_as_key_and_value_is_mapped_once():
    said = LinearValue("edge_attr", 3, 2, 4)
    message, calls = Attend(8, Heads(2, 4), edge_key=said, edge_value=said), counted(said.linear)
    terms = message.on_edges(EDGES, {"edge_attr": torch.randn(4, 3)})
    assert len(calls) == 1
    assert terms["key"] is terms["value"]
    other = Attend(8, Heads(2, 4), edge_key=said, edge_value=LinearValue("edge_attr", 3, 2, 4))
    terms = other.on_edges(EDGES, {"edge_attr": torch.randn(4, 3)})
    assert not torch.equal(terms["key"], terms["value"])


def test_a_score_with_parameters_is_printed_once_and_drawn_anew():
    message = Attend(8, Heads(2, 4), Bilinear(2, 4))
    assert repr(message).count("Bilinear") == 1
    before = message.score.weight.clone()
    message.reset_parameters()
    assert not torch.equal(message.score.weight, before)
