import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv2d
from torch_geometric.data import Batch

from graphattn.data.images import Noisy, patch_grid, patches, pixels


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 4), st.integers(0, 4))
def test_a_map_of_patches_is_a_convolution(size, stride, more_rows, more_columns):
    images = torch.rand(2, 3, size + more_rows, size + more_columns, dtype=torch.float64)
    weight = torch.randn(5, 3, size, size, dtype=torch.float64)
    truth = conv2d(images, weight, stride=stride)
    batch = Batch.from_data_list(patches(images, size, stride))
    mapped = (batch.x @ weight.flatten(1).T).view(2, -1, 5).transpose(1, 2)
    torch.testing.assert_close(mapped.reshape_as(truth), truth)
    assert patch_grid(images, size, stride) == truth.shape[2:]


def test_places_are_row_by_row():
    (graph,) = patches(torch.arange(24.0).view(1, 1, 4, 6), 2)
    assert graph.x[:, 0].tolist() == [0, 2, 4, 12, 14, 16]
    assert graph.pos.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert graph.place.tolist() == list(range(6))
    assert graph.edge_index is None


def test_patches_near_each_other_are_joined_both_ways_and_to_themselves():
    (graph,) = patches(torch.rand(1, 1, 6, 8), 2, radius=1)
    sender, receiver = graph.edge_index
    near = (graph.pos[:, None] - graph.pos[None]).abs().amax(-1) <= 1
    matrix = torch.zeros(12, 12, dtype=torch.bool)
    matrix[receiver, sender] = True
    assert torch.equal(matrix, near)
    assert len(sender) == int(near.sum())


def test_pixels_are_patches_of_one():
    images = torch.rand(2, 3, 4, 5)
    graphs = pixels(images, y=[3, 4])
    torch.testing.assert_close(graphs[1].x.T.view(3, 4, 5), images[1])
    assert [int(graph.y) for graph in graphs] == [3, 4]


def test_images_are_large_enough_and_labelled_one_by_one():
    with pytest.raises(ValueError, match=r"at least 4 x 4, got \[1, 1, 3, 5\]"):
        patches(torch.rand(1, 1, 3, 5), 4)
    with pytest.raises(ValueError, match=r"at least 1 x 1, got \[3, 5\]"):
        pixels(torch.rand(3, 5))
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        pixels(torch.rand(2, 1, 3, 3), y=[1])


def test_noise_is_drawn_anew_for_each_time_and_leaves_the_graphs_as_they_are():
    graphs = patches(torch.full((40, 1, 16, 16), 0.5), size=4, y=[3] * 40, radius=1)
    noisy = Noisy(graphs, deviation=0.2)
    seen = torch.stack([each.x for each in noisy])
    assert seen.shape == (40, 16, 16)
    assert seen.mean().item() == pytest.approx(0.5, abs=0.01)
    assert seen.std().item() == pytest.approx(0.2, abs=0.01)
    assert not torch.equal(noisy[0].x, seen[0])
    assert graphs[0].x.unique().tolist() == [0.5]
    assert noisy[-1].edge_index is graphs[-1].edge_index
    assert noisy[-1].y.item() == 3


def test_noise_is_that_of_the_seed_and_none_of_deviation_zero():
    graphs = patches(torch.rand(3, 1, 4, 4), size=2)
    torch.manual_seed(1)
    first = Noisy(graphs, 0.1)[1:]
    once = [each.x for each in first]
    torch.manual_seed(1)
    torch.testing.assert_close(once, [each.x for each in Noisy(graphs[1:], 0.1)], rtol=0, atol=0)
    assert len(once) == len(first) == 2
    assert torch.equal(Noisy(graphs, 0.0)[2].x, graphs[2].x)


def test_noise_has_a_deviation():
    with pytest.raises(ValueError, match=r"expected a deviation of 0 or more, got -0\.1"):
        Noisy([], -0.1)
