"""The paper's formula, entry by entry; and that PyG's layer of the same docstring is another table."""

import math

import pytest
import torch
from torch.testing import assert_close
from torch_geometric.nn import PositionalEncoding

from graphattn.encoding import grid_coordinates, sinusoidal, sinusoidal_grid
from graphattn.topology import Full

F64 = torch.float64


@pytest.mark.parametrize("channels", [1, 2, 5, 8, 64])
def test_the_table_is_the_papers(channels):
    literal = [
        [
            math.cos(p / 10000 ** ((c - 1) / channels)) if c % 2 else math.sin(p / 10000 ** (c / channels))
            for c in range(channels)
        ]
        for p in range(50)
    ]
    assert_close(sinusoidal(torch.arange(50, dtype=F64), channels), torch.tensor(literal, dtype=F64))


def test_numbers_of_the_paper():
    # d = 4: wavelengths 2 pi and 200 pi.
    assert_close(
        sinusoidal(torch.tensor([1, 100]), 4),
        torch.tensor(
            [[0.84147098, 0.54030231, 0.00999983, 0.99995000], [-0.50636564, 0.86231887, 0.84147098, 0.54030231]]
        ),
    )


def test_far_positions_are_not_rounded():
    position = 2**24 + 1  # float32 does not know this number
    assert sinusoidal(torch.tensor([position]), 2)[0, 0].item() == pytest.approx(math.sin(position), abs=1e-6)


def test_a_shift_of_positions_is_a_rotation_of_pairs():
    table = torch.view_as_complex(sinusoidal(torch.arange(20, dtype=F64), 8).unflatten(-1, (-1, 2)))
    turn = table[3:] / table[:-3]
    assert_close(turn, turn[:1].expand_as(turn), rtol=1e-9, atol=1e-9)


def test_places_in_a_batch_start_anew_and_types_follow():
    place, _ = Full([2, 0, 3]).places()
    assert torch.equal(sinusoidal(place, 6), sinusoidal(torch.tensor([0, 1, 0, 1, 2]), 6))
    assert sinusoidal(place, 6).dtype == torch.float32
    assert sinusoidal(place.to(torch.bfloat16), 6).dtype == torch.bfloat16
    assert sinusoidal(place[:0], 6).shape == (0, 6)
    assert sinusoidal(place.view(5, 1, 1), 6).shape == (5, 1, 1, 6)


def test_pygs_table_is_another():
    position = torch.arange(5.0)
    theirs = PositionalEncoding(4)(position)
    assert_close(theirs[:, [0, 2]], sinusoidal(position, 4)[:, :2])  # sin(p), cos(p)
    assert_close(theirs[:, 1], torch.sin(position * 1e-4))  # the paper: sin(p / 100)
    assert_close(sinusoidal(position, 4)[:, 2], torch.sin(position / 100))


def test_the_grid_is_that_of_masked_autoencoders():
    # `get_2d_sincos_pos_embed` of MAE in its own steps: the column's half before the row's, sines before cosines.
    height, width, channels = 3, 5, 16
    omega = 1 / 10000 ** (torch.arange(channels // 4, dtype=F64) / (channels / 4))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    halves = []
    for position in (columns.reshape(-1), rows.reshape(-1)):
        product = torch.outer(position.double(), omega)
        halves.append(torch.cat([product.sin(), product.cos()], dim=1))
    at = grid_coordinates(torch.arange(height * width), (height, width))
    assert_close(sinusoidal_grid(at.double(), channels), torch.cat(halves, dim=1))


def test_coordinates_run_fastest_along_the_last_axis():
    at = grid_coordinates(torch.arange(24).view(2, 12), (2, 3, 4))
    assert at.shape == (2, 12, 3)
    assert torch.equal(at @ torch.tensor([12, 4, 1]), torch.arange(24).view(2, 12))
    assert grid_coordinates(torch.arange(0), (2, 3)).shape == (0, 2)


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(ValueError, match="at least one channel, got 0"):
        sinusoidal(torch.arange(3), 0)
    with pytest.raises(ValueError, match=r"coordinates \[..., 2\] of row and column, got \[4, 3\]"):
        sinusoidal_grid(torch.zeros(4, 3), 8)
    with pytest.raises(ValueError, match="channels that 4 divides, got 6"):
        sinusoidal_grid(torch.zeros(4, 2), 6)
    with pytest.raises(ValueError, match=r"places below 6 in a grid of \(2, 3\), got 6"):
        grid_coordinates(torch.arange(7), (2, 3))
