"""Attention with linear biases."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from graphattn.edge_terms.place import heads_first, places_on_edges, places_on_tile
from graphattn.slots import State
from graphattn.topology import Tile, Topology


def alibi_slopes(heads: int) -> Tensor:
    """The slopes of the paper: ``2^(-8 h / H)`` for ``h = 1 ... H``, where H is a power of two.

    For other numbers the paper's code takes the slopes of the next lower power of two, then every second slope of the next
    higher one.

    Shapes: ``[H]``.

    Raises:
        ValueError: fewer than one head.

    >>> alibi_slopes(8)
    tensor([0.5000, 0.2500, 0.1250, 0.0625, 0.0312, 0.0156, 0.0078, 0.0039])
    >>> alibi_slopes(6)
    tensor([0.2500, 0.0625, 0.0156, 0.0039, 0.5000, 0.1250])
    """
    if heads < 1:
        raise ValueError(f"expected at least one head, got {heads}")
    lower = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * head / lower) for head in range(1, lower + 1)]
    between = [2 ** (-4 * head / lower) for head in range(1, 2 * lower + 1, 2)]
    return torch.tensor([*slopes, *between[: heads - lower]])


@final
class ALiBi(nn.Module):
    r"""A penalty that grows with the distance in the order of nodes, at another slope in each head (Press et al. 2022).

    .. math:: b_{ji}^h = -m_h \,|i - j|

    where ``i`` and ``j`` are places in the graph and :math:`m_h` are :func:`alibi_slopes`. In the paper receivers hear only what
    stands before them; here the penalty is the same on both sides. Nothing is learned.

    Args:
        heads: number of heads.

    Shapes: places ``receiver [...]``, ``sender [...]`` that broadcast -> ``[..., H]``.

    >>> ALiBi(heads=2)(torch.tensor(2), torch.arange(4))
    tensor([[-0.1250, -0.0078],
            [-0.0625, -0.0039],
            [-0.0000, -0.0000],
            [-0.0625, -0.0039]])
    """

    slopes: Tensor

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.register_buffer("slopes", alibi_slopes(heads), persistent=False)

    def forward(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return (receiver - sender).abs().unsqueeze(-1) * -self.slopes

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        return self(*places_on_edges(graph))

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        return heads_first(self(*places_on_tile(tile)), tile)

    def extra_repr(self) -> str:
        return f"heads={self.slopes.numel()}"
