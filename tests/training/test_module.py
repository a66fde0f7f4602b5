import pytest
import torch

from graphattn.training.module import hide_atoms
from graphattn.training.packed import Packed


def test_hidden_atoms_are_unknown_in_every_feature(make_graphs):
    batch = Packed(make_graphs(24))[range(24)]
    before = batch.x.clone()
    torch.manual_seed(0)
    hidden = hide_atoms(batch, 0.5)
    rows = (hidden.x == 0).all(1)
    assert 0.3 < rows.float().mean() < 0.7
    assert torch.equal(hidden.x[~rows], before[~rows])
    assert torch.equal(batch.x, before)
    assert torch.equal(hidden.edge_index, batch.edge_index)


def test_nothing_is_hidden_at_share_zero(make_graphs):
    batch = Packed(make_graphs(2))[[0, 1]]
    assert hide_atoms(batch, 0.0) is batch


def test_rate_of_a_schedule_without_warm_up():
    from graphattn.training.module import rate

    assert rate(0, 10, 0.0) == 1.0
    assert rate(10, 10, 0.0) == pytest.approx(0.0)
