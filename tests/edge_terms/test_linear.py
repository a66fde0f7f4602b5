"""Edge features: the same given plainly, by kind, or for some edges only; the same on every backend."""

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.nn import TransformerConv

from graphattn.edge_terms import LinearBias, LinearValue, feature
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full, Star
from graphattn.zoo import SelfAttention

F64 = torch.float64
SIZES = [3, 0, 9, 1, 20, 3]
GRAPH = Full(SIZES)
TABLE = torch.randn(5, 6, dtype=F64)
KIND = torch.randint(0, 5, (GRAPH.num_edges,))
NUMBER = torch.tensor([4, 3, 50, 99, 499])


def layer(bias=None, value=None):
    return SelfAttention(8, heads=2, edge_bias=bias, edge_value=value).double()


def nodes(graph=GRAPH):
    return torch.randn(graph.num_senders, 8, dtype=F64)


GIVEN = {
    "plain": {"bond": TABLE[KIND]},
    "kinds": {"bond": TABLE, "bond_kind": KIND},
    "some": {"bond": TABLE, "bond_number": NUMBER},
    "some kinds": {"bond": TABLE, "bond_kind": torch.tensor([0, 1, 1, 4, 0]), "bond_number": NUMBER},
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("terms", ["bias", "value", "both"])
def test_backends_agree_with_edge_terms(given, terms):
    bias = LinearBias("bond", 6, heads=2) if terms != "value" else None
    value = LinearValue("bond", 6, heads=2, head_channels=4) if terms != "bias" else None
    compared = assert_backends_agree(layer(bias, value), nodes(), GRAPH, GIVEN[given])
    assert compared == ["dense", "edgewise"]


@pytest.mark.parametrize("sizes", [[4, 4], [0, 0], [1], [2, 5, 0]], ids=str)
def test_backends_agree_on_equal_and_empty_graphs(sizes):
    graph = Full(sizes)
    edge = {"bond": TABLE, "bond_kind": torch.randint(0, 5, (graph.num_edges,))}
    attention = layer(LinearBias("bond", 6, heads=2), LinearValue("bond", 6, heads=2, head_channels=4))
    assert "dense" in assert_backends_agree(attention, nodes(graph), graph, edge)


def test_backends_agree_on_a_star():
    star = Star(SIZES, hubs=2)
    x = (nodes(), torch.randn(star.num_receivers, 8, dtype=F64))
    edge = {"bond": torch.randn(star.num_edges, 6, dtype=F64)}
    assert "dense" in assert_backends_agree(layer(LinearBias("bond", 6, heads=2)), x, star, edge)
    assert "dense" in assert_backends_agree(layer(), x, star)


def test_kinds_and_some_edges_mean_what_they_say():
    bias, value = LinearBias("bond", 6, heads=2).double(), LinearValue("bond", 6, heads=2, head_channels=4).double()
    plain = TABLE[KIND] @ bias.linear.weight.T
    assert_close(bias.on_edges(GRAPH, GIVEN["plain"]), plain)
    assert_close(bias.on_edges(GRAPH, GIVEN["kinds"]), plain)
    some = torch.zeros_like(plain)
    some[NUMBER] = TABLE @ bias.linear.weight.T
    assert_close(bias.on_edges(GRAPH, GIVEN["some"]), some)
    number, said = value.on_edges(GRAPH, GIVEN["some kinds"])
    assert number is NUMBER
    assert_close(said[1], (TABLE[1] @ value.linear.weight.T).view(2, 4))


def test_bonds_on_a_full_graph_are_transformer_conv_with_edge_features_where_all_pairs_are_bonds():
    theirs = TransformerConv(8, 4, heads=2, edge_dim=6, root_weight=False).double()
    # TransformerConv adds the edge to key and value; the key's part alone is no linear bias, so it is set to zero here.
    with torch.no_grad():
        theirs.lin_query.weight.zero_()
        theirs.lin_query.bias.zero_()
    ours = layer(value=LinearValue("edge_attr", 6, heads=2, head_channels=4))
    said = ours.message_function
    for own, other in ((said.query, theirs.lin_query), (said.key, theirs.lin_key), (said.value, theirs.lin_value)):
        own.load_state_dict(other.state_dict())
    said.edge_value.linear.load_state_dict(theirs.lin_edge.state_dict())
    graph = Full([4])
    x, edge = torch.randn(4, 8, dtype=F64), torch.randn(16, 6, dtype=F64)
    truth = ours.update_function.linear(theirs(x, graph.edge_index(), edge))
    assert_close(ours(x, graph, edge), truth, rtol=1e-9, atol=1e-9)
    assert_close(ours(x, Edges(graph.edge_index()), edge), truth, rtol=1e-9, atol=1e-9)


class Given:
    """A bias that is an edge feature as it is."""

    def on_edges(self, graph, edge):
        return edge["bias"]

    def on_tile(self, tile, edge):
        return None


@pytest.mark.parametrize("deaf", [-torch.inf, -1e4])
def test_a_bias_of_minus_infinity_silences_and_a_deaf_receiver_hears_zero(deaf):
    attention = SelfAttention(8, heads=2, bias=False, edge_bias=Given()).double()
    graph = Full([3, 5])
    bias = torch.randn(graph.num_edges, 2, dtype=F64)
    bias[:3] = deaf  # all that receiver 0 could hear
    bias[4] = deaf
    x = nodes(graph)
    assert "dense" in assert_backends_agree(attention, x, graph, {"bias": bias})
    out = attention(x, graph, {"bias": bias})
    assert bool(out[0].any()) == (deaf > -torch.inf)
    assert torch.isfinite(out).all()


def test_a_missing_feature_is_named():
    with pytest.raises(ValueError, match=r"an edge feature named 'bond', got \['distance'\]"):
        feature({"distance": TABLE}, "bond")
    with pytest.raises(ValueError, match="an edge feature named 'bond', got none"):
        layer(LinearBias("bond", 6, heads=2))(nodes(), GRAPH)


def test_no_list_of_pairs_is_built_and_no_pair_has_channels(monkeypatch):
    monkeypatch.setattr(Full, "edge_index", lambda self: pytest.fail("the pairs were listed"))
    attention = SelfAttention(
        8, heads=2, edge_bias=LinearBias("bond", 6, heads=2), edge_value=LinearValue("bond", 6, 2, 4)
    )
    largest = 0

    def watch(tensor):
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    graph = Full([40, 40])
    edge = {"bond": torch.randn(5, 6), "bond_number": torch.arange(5)}
    with torch.autograd.graph.saved_tensors_hooks(watch, lambda tensor: tensor):
        attention(torch.randn(80, 8, requires_grad=True), graph, edge).sum().backward()
    assert 0 < largest <= graph.num_edges * 2
