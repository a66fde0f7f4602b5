"""Images as graphs: a node for each patch or pixel, and edges between those near each other.

``x [N, D]`` are the pixels of a patch, ``place [N]`` its number in the image, row by row, ``pos [N, 2]`` its row and column.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, final

import torch
from torch import Tensor
from torch.nn.functional import unfold
from torch_geometric.data import Data

from graphattn.encoding import grid_coordinates
from graphattn.topology import Grid


def patches(
    images: Tensor, size: int, stride: int | None = None, y: Tensor | Sequence[int] | None = None, radius: int = 0
) -> list[Data]:
    """A graph for each image, a node for each patch.

    Args:
        images: ``[B, channels, height, width]``.
        size: height and width of a patch; 1 makes every pixel a node.
        stride: from one patch to the next; ``size`` if not given, less makes patches overlap.
        y: the label of each image.
        radius: patches so many rows and columns away, and each patch itself, are joined by edges; 0 makes no ``edge_index``.

    Shapes: ``x [N, channels size size]`` in the order of a convolution's weight, ``place [N]``, ``pos [N, 2]``, ``y [1]``.

    Raises:
        ValueError: images of another shape, or smaller than a patch.

    >>> patches(torch.rand(3, 1, 8, 8), size=2, y=[7, 0, 1], radius=1)[0]
    Data(x=[16, 4], edge_index=[2, 100], pos=[16, 2], place=[16], y=[1])
    """
    step = size if stride is None else stride
    if images.dim() != 4 or min(images.shape[2:]) < size:
        raise ValueError(
            f"expected images [B, channels, height, width] of at least {size} x {size}, got {list(images.shape)}"
        )
    shape = patch_grid(images, size, step)
    rows = unfold(images, size, stride=step).transpose(1, 2)
    place = torch.arange(rows.size(1))
    pos = grid_coordinates(place, shape).to(images.dtype)
    edges = Grid(*shape, kernel_size=2 * radius + 1).edge_index() if radius else None
    graphs = [Data(x=each, edge_index=edges, pos=pos, place=place) for each in rows]
    for graph, label in zip(graphs, [] if y is None else y, strict=y is not None):
        graph.y = torch.as_tensor([label])
    return graphs


def pixels(images: Tensor, y: Tensor | Sequence[int] | None = None, radius: int = 0) -> list[Data]:
    """A graph for each image, a node for each pixel: :func:`patches` of size 1.

    >>> pixels(torch.rand(2, 3, 4, 4))[0]
    Data(x=[16, 3], pos=[16, 2], place=[16])
    """
    return patches(images, 1, y=y, radius=radius)


def patch_grid(images: Tensor, size: int, stride: int | None = None) -> tuple[int, int]:
    """How many rows and columns of patches images have.

    >>> patch_grid(torch.rand(1, 1, 8, 8), size=4, stride=2)
    (3, 3)
    """
    step = size if stride is None else stride
    height, width = images.shape[-2:]
    return (height - size) // step + 1, (width - size) // step + 1


@final
class Noisy(Sequence[Data]):
    r"""Graphs whose features are said with noise, drawn anew each time that one is taken (Bishop 1995):
    :math:`x_i + \sigma\, \varepsilon_i`, for training.

    Args:
        graphs: those without noise, which stay as they are.
        deviation: standard deviation :math:`\sigma` of the noise.

    Raises:
        ValueError: a negative deviation.

    >>> graphs = Noisy(patches(torch.zeros(3, 1, 8, 8), size=2), deviation=0.1)
    >>> len(graphs), bool((graphs[0].x != graphs[0].x).all())
    (3, True)
    """

    def __init__(self, graphs: Sequence[Data], deviation: float) -> None:
        if deviation < 0:
            raise ValueError(f"expected a deviation of 0 or more, got {deviation}")
        self.graphs, self.deviation = graphs, deviation

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Noisy(self.graphs[index], self.deviation)
        data = copy(self.graphs[index])
        data.x = data["x"] + self.deviation * torch.randn_like(data["x"])
        return data
