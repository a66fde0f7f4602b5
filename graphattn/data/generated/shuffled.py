"""Nodes with numbers that decide, and edges that say nothing: a graph that must not help."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.generated.coloured import random_edges

_LARGEST = 24
_CLEAR = 0.5


def shuffled_edges(count: int, features: int = 4, degree: float = 3.0, seed: int = 0) -> list[Data]:
    r"""Graphs whose label depends on the numbers of their nodes alone, with edges drawn at random.

    .. math:: y = \Big[\frac{1}{n} \sum_i w \cdot x_i > 0\Big] \qquad x \sim \mathcal{N}(0, 1)

    Half of the labels are 1. Graphs whose mean is within half a standard deviation of 0 are not drawn. The mean of the nodes is
    all there is to know; whoever hears neighbours hears noise.

    Args:
        count: graphs, of 8 to 24 nodes.
        features: numbers of each node.
        degree: neighbours of a node, on average.
        seed: of numbers and edges; ``w`` is drawn from ``features`` alone, so that other seeds are new data of one function.

    Shapes: ``x [n, features]``, ``edge_index [2, K]`` in both directions, ``y [1]``.

    Raises:
        ValueError: no features.

    >>> graphs = shuffled_edges(100)
    >>> graphs[0].x.size(1), sum(int(data.y) for data in graphs)
    (4, 50)
    """
    if features < 1:
        raise ValueError(f"expected 1 feature or more, got {features}")
    weight = torch.randn(features, generator=torch.Generator().manual_seed(features))
    generator = torch.Generator().manual_seed(seed)
    graphs = list[Data]()
    for number in range(count):
        x = _numbers(weight, generator)
        # A graph with the other label becomes one with this label: normal numbers are as likely with either sign.
        x = x if bool(x.mean(0) @ weight > 0) == (number % 2 == 0) else -x
        y = torch.tensor([1 - number % 2])
        graphs.append(Data(x=x, edge_index=random_edges(len(x), degree, generator), y=y))
    return graphs


def _numbers(weight: Tensor, generator: torch.Generator) -> Tensor:
    """The numbers of some nodes, ``[n, features]``, of a clear label."""
    while True:
        nodes = int(torch.randint(_LARGEST // 3, _LARGEST + 1, (1,), generator=generator))
        x = torch.randn(nodes, len(weight), generator=generator)
        if (x.mean(0) @ weight).abs() * nodes**0.5 > _CLEAR * weight.norm():
            return x
