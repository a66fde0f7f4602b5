"""Structured topologies as masks of blocks: the same graph as ``keep``, and on the CPU the same values."""

import pytest
import torch
from torch.nn.attention.flex_attention import create_mask
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import explain_backend, flex, use_backend
from graphattn.edge_terms import ALiBi
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Causal, Cross, Edges, Full, Prefix, Star, Window
from graphattn.update import Replace
from graphattn.zoo import SelfAttention

SIZES = [5, 0, 16, 3, 1]
GRAPHS = pytest.mark.parametrize(
    "graph",
    [
        Full(SIZES),
        Full([8, 16]),
        Causal(SIZES),
        Causal([32]),
        Window(SIZES, radius=2),
        Window([40], radius=2, dilation=3),
        Window([40], radius=9, causal=True),
        Prefix(SIZES, prefix=4),
        Cross([3, 0, 20], [9, 2, 0]),
        Star(SIZES),
    ],
    ids=str,
)


@GRAPHS
def test_the_mask_of_blocks_is_the_graph(graph):
    block, truth = 8, graph.mask()
    made = flex.make_mask(graph, block)
    device = truth.device
    pairs = create_mask(made.mask_mod, 1, 1, graph.num_receivers, graph.num_senders, device=device)[0, 0]
    assert torch.equal(pairs, truth)
    rows, columns = -(-graph.num_receivers // block), -(-graph.num_senders // block)
    padded = torch.zeros(rows * block, columns * block, dtype=torch.bool)
    padded[: truth.size(0), : truth.size(1)] = truth
    tiles = padded.view(rows, block, columns, block).transpose(1, 2).flatten(2)
    listed = dense(made.kv_num_blocks, made.kv_indices), dense(made.full_kv_num_blocks, made.full_kv_indices)
    assert not (listed[0] & listed[1]).any()
    assert (listed[0] | listed[1] | ~tiles.any(2)).all()
    assert (tiles.all(2) | ~listed[1]).all()
    if isinstance(graph, Full | Causal):
        assert torch.equal(listed[1], tiles.all(2))


def dense(many, indices):
    rows, columns = indices.shape[-2:]
    found = torch.zeros(rows, columns, dtype=torch.bool)
    for row in range(rows):
        found[row, indices[0, 0, row, : many[0, 0, row]].long()] = True
    return found


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@GRAPHS
def test_values_equal_those_of_edgewise(graph):
    layer = GraphLayer(Attend(8, Heads(2, 16)), SoftmaxSum(), Replace())
    x = torch.randn(graph.num_senders, 8), torch.randn(graph.num_receivers, 8)
    with torch.no_grad():
        _, bound, inputs = layer.prepare(x, graph)
        found = flex.attention(inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"], bound, 0.25)
        with use_backend("edgewise"):
            assert_close(found.flatten(1), layer(x, graph), rtol=1e-5, atol=1e-5)


def test_masks_are_made_once_for_a_graph():
    graph = Full([3, 2])
    assert flex.mask_of(graph) is flex.mask_of(graph)
    assert flex.mask_of(Full([3, 2])) is not flex.mask_of(graph)


def test_reasons_are_told():
    here = "needs tensors on a CUDA device, got cpu"
    unequal, x = Full([3, 2]), torch.randn(5, 16)

    def reasons(layer, x, graph):
        return explain_backend(layer, x, graph).reasons["flex"]

    assert reasons(SelfAttention(16), x, unequal) == [here]
    assert reasons(SelfAttention(16), x, Full([5])) == [
        here,
        "needs graphs of unequal size: equal ones are one call of scaled_dot_product_attention",
    ]
    assert reasons(SelfAttention(16, heads=2), x, unequal) == [here, "needs at least 16 channels in a head, got 8"]
    assert reasons(SelfAttention(16), x, Edges(torch.zeros(2, 1, dtype=torch.long), 5)) == [
        here,
        "needs a topology of runs of senders (Blockwise), got Edges",
    ]
    assert reasons(SelfAttention(16), x[:0], Full([])) == [
        here,
        "needs at least one sender and one receiver, got an empty graph",
    ]
    biased = GraphLayer(Attend(16, Heads(1, 16), edge_bias=ALiBi(1)), SoftmaxSum(), Replace(), dropout=0.1)
    assert reasons(biased, x, unequal) == [
        here,
        "needs nodes that speak alone, got the edge_bias ALiBi",
        "needs messages of which none is dropped",
    ]
