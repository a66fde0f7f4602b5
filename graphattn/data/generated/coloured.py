"""Random graphs of coloured nodes: what generators of graph tasks share."""

from __future__ import annotations

import torch
from torch import Tensor


def random_edges(nodes: int, degree: float, generator: torch.Generator) -> Tensor:
    """Each pair of nodes is joined with one probability (Erdős & Rényi 1959), in both directions: ``[2, K]``, sorted.

    >>> edges = random_edges(4, degree=3, generator=torch.Generator())
    >>> edges.shape
    torch.Size([2, 12])
    """
    drawn = torch.rand(nodes, nodes, generator=generator).triu(1)
    pairs = (drawn > 1 - degree / (nodes - 1)).nonzero().T
    return both_ways(pairs, nodes)


def both_ways(pairs: Tensor, nodes: int) -> Tensor:
    """Pairs ``[2, K]`` as edges in both directions, ``[2, 2 K]``, sorted by sender, then receiver."""
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    return edges[:, (edges[0] * nodes + edges[1]).argsort()]
