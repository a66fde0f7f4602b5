import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from graphattn.training.craft import rate
from graphattn.training.module import Averaging
from graphattn.training.molecules.ensemble import hide_atoms
from graphattn.training.molecules.packed import Packed


def test_hidden_atoms_are_unknown_in_every_feature(make_graphs):
    batch = Packed.of(make_graphs(24))[range(24)]
    before = batch.x.clone()
    torch.manual_seed(0)
    hidden = hide_atoms(batch, 0.5)
    rows = (hidden.x == 0).all(1)
    assert 0.3 < rows.float().mean() < 0.7
    assert torch.equal(hidden.x[~rows], before[~rows])
    assert torch.equal(batch.x, before)
    assert torch.equal(hidden.edge_index, batch.edge_index)


def test_nothing_is_hidden_at_share_zero(make_graphs):
    batch = Packed.of(make_graphs(2))[[0, 1]]
    assert hide_atoms(batch, 0.0) is batch


def test_rate_of_a_schedule_without_warm_up():
    assert rate(0, 10, 0.0) == 1.0
    assert rate(10, 10, 0.0) == pytest.approx(0.0)


def test_the_moving_average_is_that_of_torch():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    ours, theirs, steps = AveragedModel(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.1)), 3
    average = Averaging(ours, model, 0.1)
    for _ in range(steps):
        model(torch.randn(4, 3))
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight))
        average.update()
        theirs.update_parameters(model)
    assert int(ours.n_averaged) == steps
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=0, atol=0)
