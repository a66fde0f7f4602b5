"""Where a node of a grid is: its row and column, and their encoding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from graphattn.encoding.sinusoidal import angles


def grid_coordinates(place: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Coordinates of places in a grid, row by row: the last axis runs fastest.

    Args:
        place: integers ``[...]``, as of ``graph.places()``.
        shape: the grid's size along each of its ``D`` axes, such as ``(height, width)``.

    Shapes: ``[...] -> [..., D]``.

    Raises:
        ValueError: a place beyond the grid; not looked for on CUDA and in a compiled graph, which would have to wait for it.

    >>> grid_coordinates(torch.arange(6), (2, 3)).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    """
    waits = place.is_cuda or torch.compiler.is_compiling()
    if not waits and place.numel() and int(place.max()) >= math.prod(shape):
        raise ValueError(f"expected places below {math.prod(shape)} in a grid of {shape}, got {int(place.max())}")
    return torch.stack(torch.unravel_index(place, shape), dim=-1)


def sinusoidal_grid(coordinates: Tensor, channels: int, base: float = 10000.0) -> Tensor:
    r"""Sines and cosines of column and row, as in masked autoencoders (MAE, He et al. 2022).

    .. math:: \big[\sin(c\, \omega),\; \cos(c\, \omega),\; \sin(r\, \omega),\; \cos(r\, \omega)\big] \qquad
        \omega_k = 10000^{-4 k / d}, \; k < d / 4

    Columns before rows and sines before cosines, as MAE's weights have it; a vision transformer (Dosovitskiy et al. 2021)
    learns its encoding instead (:class:`LearnedPlaces`).

    Args:
        coordinates: row and column, ``[..., 2]``, as of :func:`grid_coordinates`.
        channels: ``d``, a multiple of 4.
        base: 10000 in the paper.

    Shapes: ``[..., 2] -> [..., d]``, of the type of the coordinates or, for integers, of torch's default.

    Raises:
        ValueError: other than two coordinates; channels that 4 does not divide.

    >>> sinusoidal_grid(grid_coordinates(torch.arange(3), (2, 2)), 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0000, 1.0000],
            [0.0000, 1.0000, 0.8415, 0.5403]])
    """
    if coordinates.dim() == 0 or coordinates.size(-1) != 2:
        raise ValueError(f"expected coordinates [..., 2] of row and column, got {list(coordinates.shape)}")
    if channels < 4 or channels % 4:
        raise ValueError(f"expected channels that 4 divides, got {channels}")
    angle = angles(coordinates.flip(-1), channels // 2, base)
    dtype = coordinates.dtype if coordinates.is_floating_point() else torch.get_default_dtype()
    return torch.stack((angle.sin(), angle.cos()), dim=-2).flatten(-3).to(dtype)
