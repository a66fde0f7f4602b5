import pytest
import torch

from graphattn.blocks import DropPath, LayerScale

BATCH = torch.arange(400).repeat_interleave(3)


def test_a_layer_scale_starts_where_told_and_starts_anew():
    scale = LayerScale(3, initial=0.2)
    assert scale(torch.full((1, 3), 10.0)).tolist() == [[2, 2, 2]]
    with torch.no_grad():
        scale.scale.add_(1)
    scale.reset_parameters()
    assert torch.equal(scale.scale, torch.full((3,), 0.2))


def test_a_dropped_path_is_dropped_for_a_whole_graph_and_the_mean_stays():
    dropped = DropPath(0.25)(torch.ones(1200, 2), BATCH, 400).view(400, 6)
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 6))
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)


def test_a_dropped_path_follows_the_seed_and_is_off_outside_training():
    path, x, draws = DropPath(0.5), torch.ones(1200, 1), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(path(x, BATCH, 400))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert path.eval()(x, BATCH, 400) is x
    assert DropPath(0)(x) is x


def test_without_a_batch_all_nodes_are_one_graph():
    path = DropPath(0.5)
    seen = {tuple(path(torch.ones(3, 1)).flatten().tolist()) for _ in range(20)}
    assert seen == {(0, 0, 0), (2, 2, 2)}
    assert path(torch.ones(0, 2), BATCH[:0], 0).shape == (0, 2)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match=f"a share of at least 0 and below 1 to drop, got {share}"):
        DropPath(share)
