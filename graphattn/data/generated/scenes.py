"""Scenes of points in the plane, each with a colour, for pictures of who is heard."""

from __future__ import annotations

import torch
from torch_geometric.data import Data


def scene(points: int = 60, clusters: int = 3, spread: float = 0.12, seed: int = 0) -> Data:
    """Points in clusters around a circle: ``pos [N, 2]`` within -1.5 to 1.5 or so, and the cluster of each as ``y [N]``.

    Args:
        points: nodes ``N``, shared evenly among clusters.
        clusters: how many.
        spread: standard deviation of a point around the middle of its cluster.
        seed: of the points.

    >>> scene(7, clusters=2).y
    tensor([0, 1, 0, 1, 0, 1, 0])
    """
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(points) % clusters
    angle = 2 * torch.pi * y / clusters
    middle = torch.stack([angle.cos(), angle.sin()], dim=1)
    pos = middle + spread * torch.randn(points, 2, generator=generator)
    return Data(pos=pos, y=y, num_nodes=points)
