import pytest
import torch
from matplotlib.figure import Figure

from graphattn.explain.attention_drawing import draw_arcs, draw_graph, draw_heat_map, draw_overlay, draw_star

WEIGHTS = torch.tensor([[0.9, 0.1, 0.0], [0.02, 0.98, 0.0], [0.3, 0.3, 0.4]])


@pytest.fixture
def axes():
    return Figure().subplots()


def saved(axes, tmp_path):
    path = tmp_path / "picture.png"
    axes.figure.savefig(path)
    return path.stat().st_size


def test_heat_map_has_a_cell_for_each_pair(axes, tmp_path):
    image = draw_heat_map(WEIGHTS, axes, list("abc"), most=1.0)
    assert image.get_array().tolist() == WEIGHTS.double().tolist()
    assert image.get_clim() == (0, 1)
    assert saved(axes, tmp_path) < 100_000


def test_heat_map_of_many_or_other_nodes(axes):
    draw_heat_map(torch.rand(50, 2), axes, list("x" * 50), ["to", "be"])
    assert [len(axes.get_yticks()), len(axes.get_xticks())] == [0, 2]
    with pytest.raises(ValueError, match="expected 50 labels, got 1"):
        draw_heat_map(torch.rand(50, 2), axes, ["x"])


def test_arcs_of_earlier_tokens_are_above(axes, tmp_path):
    draw_arcs(WEIGHTS, axes, ["to", "be", "or"])
    above = [patch.theta1 == 0 for patch in axes.patches]
    assert sorted(above) == [False, True, True]
    assert [text.get_text() for text in axes.texts] == ["to", "be", "or"]
    assert saved(axes, tmp_path) < 100_000


def test_arcs_of_one_receiver(axes):
    draw_arcs(WEIGHTS, axes, ["to", "be", "or"], receiver=0)
    assert len(axes.patches) == 1
    assert [text.get_weight() for text in axes.texts] == ["bold", "normal", "normal"]
    with pytest.raises(ValueError, match="expected 3 labels, got 2"):
        draw_arcs(WEIGHTS, axes, ["to", "be"])


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8)])
def test_overlay_is_as_strong_as_the_weight(axes, shape, tmp_path):
    laid = draw_overlay(torch.rand(shape), axes, torch.tensor([0.0, 1.0, 2.0, 4.0]), (2, 2))
    assert laid.get_array()[..., 3].flatten().tolist() == pytest.approx([0.0, 0.175, 0.35, 0.7])
    assert saved(axes, tmp_path) < 100_000


def test_overlay_has_a_weight_for_each_patch(axes):
    with pytest.raises(ValueError, match="expected weights of 2 x 2 patches, got 3"):
        draw_overlay(torch.rand(4, 4), axes, torch.rand(3), (2, 2))


@pytest.mark.parametrize("pos", [None, torch.rand(3, 2)])
def test_graph_has_an_arrow_for_each_weight(axes, pos, tmp_path):
    draw_graph(WEIGHTS, axes, pos, ["a", "b", "c"], least=0.05)
    assert len(axes.patches) == 3
    assert saved(axes, tmp_path) < 100_000


def test_pictures_of_one_node(axes):
    draw_graph(torch.ones(1, 1), axes)
    draw_arcs(torch.ones(1, 1), axes, ["a"])
    draw_heat_map(torch.ones(1, 1), axes)
    assert len(axes.patches) == 0


def test_star_has_an_arrow_for_each_sender_that_is_heard(axes, tmp_path):
    draw_star(torch.tensor([0.5, 0.001, 0.499, 0.0]), axes, torch.tensor([True, False, False, False]))
    assert len(axes.patches) == 2
    (nodes,) = axes.collections
    assert torch.allclose(
        torch.tensor(nodes.get_offsets()).double()[:3], torch.tensor([[0, 0], [0, 1], [1, 0]]).double(), atol=1e-6
    )
    assert [tuple(colour) for colour in nodes.get_facecolors()].count((1.0, 1.0, 1.0, 1.0)) == 3
    axes.figure.savefig(tmp_path / "star.png")


def test_star_has_a_choice_for_each_sender(axes):
    with pytest.raises(ValueError, match="each of 2 weights, got 3"):
        draw_star(torch.ones(2), axes, torch.ones(3, dtype=torch.bool))
