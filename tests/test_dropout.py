import pytest
import torch

from graphattn.aggregation import SoftmaxSum, Sum
from graphattn.dropout import draw_seed, loudness
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full
from graphattn.update import Replace

EDGE = torch.arange(20_000)


def dropped(seed=3, receiver=EDGE, sender=EDGE, number=EDGE, heads=2, dropout=0.5):
    return loudness(torch.tensor(seed), receiver, sender, number, heads, dropout, torch.float32) == 0


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_is_kept(dropout):
    factor = loudness(torch.tensor(1), EDGE, EDGE, EDGE, 4, dropout, torch.float32)
    assert (factor == 0).float().mean() == pytest.approx(dropout, abs=0.01)
    assert factor.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("other", [{"seed": 4}, {"receiver": EDGE + 1}, {"sender": EDGE + 1}, {"number": EDGE + 1}])
def test_seed_ends_number_and_head_decide_independently(other):
    both = (dropped() & dropped(**other)).float().mean()
    assert both == pytest.approx(0.25, abs=0.01)
    assert (dropped()[:, 0] & dropped()[:, 1]).float().mean() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(dropped(), dropped())


def test_the_hash_is_written_down():
    factor = loudness(torch.tensor(5), torch.arange(4), torch.arange(4), torch.arange(4), 3, 0.5, torch.float32)
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


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_a_dropout_that_is_no_share_is_refused(dropout):
    with pytest.raises(ValueError, match=f"expected a dropout of at least 0 and below 1, got {dropout}"):
        GraphLayer(Copy(), Sum(), Replace(), dropout=dropout)


def test_the_others_speak_up_by_the_same_factor_in_every_precision():
    factor = loudness(torch.tensor(1), EDGE, EDGE, EDGE, 1, 0.3, torch.float64)
    assert set(factor.flatten().tolist()) == {0.0, 1 / 0.7}
