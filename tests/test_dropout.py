import re
from functools import partial

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.nn import GATConv, TransformerConv

from graphattn.aggregation import SoftmaxSum, Sum
from graphattn.dropout import draw_seed, dropout_scale
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.testing import assert_backends_agree
from graphattn.topology import Causal, Edges, Full, Window
from graphattn.update import Replace
from graphattn.zoo import GAT, GraphTransformer

EDGE = torch.arange(20_000)


def dropped(seed=3, receiver=EDGE, sender=EDGE, number=EDGE, heads=2, dropout=0.5):
    return dropout_scale(torch.tensor(seed), receiver, sender, number, heads, dropout, torch.float32) == 0


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_is_kept(dropout):
    factor = dropout_scale(torch.tensor(1), EDGE, EDGE, EDGE, 4, dropout, torch.float32)
    assert (factor == 0).float().mean() == pytest.approx(dropout, abs=0.01)
    assert factor.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("other", [{"seed": 4}, {"receiver": EDGE + 1}, {"sender": EDGE + 1}, {"number": EDGE + 1}])
def test_seed_ends_number_and_head_decide_independently(other):
    both = (dropped() & dropped(**other)).float().mean()
    assert both == pytest.approx(0.25, abs=0.01)
    assert (dropped()[:, 0] & dropped()[:, 1]).float().mean() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(dropped(), dropped())


def test_the_hash_is_written_down():
    factor = dropout_scale(torch.tensor(5), torch.arange(4), torch.arange(4), torch.arange(4), 3, 0.5, torch.float32)
    assert factor.int().tolist() == [[2, 2, 0], [2, 2, 0], [0, 2, 2], [0, 2, 2]]


def test_seeds_follow_torch():
    torch.manual_seed(1)
    first = [int(draw_seed()) for _ in range(3)]
    torch.manual_seed(1)
    assert [int(draw_seed()) for _ in range(3)] == first
    assert len(set(first)) == 3


def test_backends_drop_the_same_messages_and_evaluation_drops_none():
    layer = GraphLayer(Attend(8, Heads(2, 4)), SoftmaxSum(), Replace(), dropout=0.3).double()
    x, graph = torch.randn(10, 8, dtype=torch.float64), Full([4, 0, 6])
    assert assert_backends_agree(layer, x, graph) == ["dense", "edgewise"]
    assert not torch.equal(layer(x, graph), layer(x, graph))
    layer.eval()
    assert torch.equal(layer(x, graph), layer(x, graph))


def test_messages_without_scores_are_dropped_too():
    layer = GraphLayer(Copy(), Sum(), Replace(), dropout=0.5)
    heard = layer((torch.ones(2000, 1), None), Edges(torch.stack([EDGE[:2000], EDGE[:2000] % 2]), (2000, 2)))
    assert heard.flatten().tolist() == pytest.approx([1000, 1000], rel=0.1)
    assert set(layer((torch.ones(9, 1), None), Edges(EDGE[:9].expand(2, -1), (9, 9))).flatten().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("dropout", "kind", "said"),
    [
        (-0.1, ValueError, "expected a dropout from 0 to 1, got -0.1"),
        (1.5, ValueError, "expected a dropout from 0 to 1, got 1.5"),
        (float("nan"), ValueError, "expected a dropout from 0 to 1, got nan"),
        ("0.1", TypeError, "expected a number from 0 to 1 as dropout, got '0.1'"),
        (True, TypeError, "expected a number from 0 to 1 as dropout, got True"),
        ((0.1, 0.2), TypeError, "expected a number from 0 to 1 as dropout, got (0.1, 0.2)"),
    ],
)
def test_a_dropout_that_is_no_share_is_refused_when_a_layer_is_made_and_when_it_was_set_by_hand(dropout, kind, said):
    with pytest.raises(kind, match=re.escape(said)):
        GraphLayer(Copy(), Sum(), Replace(), dropout=dropout)
    layer = GraphLayer(Copy(), Sum(), Replace())
    layer.dropout = dropout
    with pytest.raises(kind, match=re.escape(said)):
        layer(torch.ones(3, 1), Full([3]))


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("graph", [Full([2, 0, 3]), Causal([5]), Window([5], radius=1), Full([2, 3]).as_edges()])
@pytest.mark.parametrize(
    ("make", "theirs"),
    [(partial(GAT, 8, 4, heads=2), GATConv), (partial(GraphTransformer, 8, 4, heads=2), TransformerConv)],
)
def test_a_dropout_of_everything_leaves_what_pyg_leaves(make, theirs, graph, by_hand):
    """Zero from all senders on every backend, and no gradient: the bias, or the node's own part, alone."""
    layer, conv = make(dropout=0.0 if by_hand else 1.0), theirs(8, 4, heads=2, dropout=1.0)
    layer.dropout = 1.0
    x = torch.randn(5, 8, requires_grad=True)
    assert_backends_agree(layer, x, graph)
    out, root = layer(x, graph), conv.lin_skip if theirs is TransformerConv else None
    assert_close(conv(x, graph.edge_index()), torch.zeros(5, 8) + (0 if root is None else root(x)))
    assert_close(out, torch.zeros(5, 8) + (0 if root is None else layer.update_function.linear(x)))
    if root is None:
        assert torch.autograd.grad(out.sum(), x)[0].abs().max() == 0


def test_the_others_speak_up_by_the_same_factor_in_every_precision():
    factor = dropout_scale(torch.tensor(1), EDGE, EDGE, EDGE, 1, 0.3, torch.float64)
    assert set(factor.flatten().tolist()) == {0.0, 1 / 0.7}
