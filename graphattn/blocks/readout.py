"""Reading a graph out."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.topology import Star
from graphattn.zoo import SelfAttention


@final
class Readout(nn.Module):
    r"""Attention pooling: learned hubs hear all nodes of their graph, on a ``Star``.

    .. math:: g_k = \text{attention}(\text{query}: h_k, \text{keys and values}: \{x_j\})

    Args:
        channels: channels ``F`` of a node.
        heads: attention heads.
        hubs: hubs per graph; each learns its own query.

    Shapes: ``x [N, F] -> [B, hubs F]``. A graph without nodes gets the layer's output bias.

    >>> Readout(8, heads=2)(torch.randn(5, 8), Star([3, 0, 2])).shape
    torch.Size([3, 8])
    """

    def __init__(self, channels: int, heads: int = 1, hubs: int = 1) -> None:
        super().__init__()
        self.hub = nn.Parameter(torch.empty(hubs, channels))
        self.layer = SelfAttention(channels, heads)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        nn.init.normal_(self.hub)
        self.layer.reset_parameters()

    def forward(self, x: Tensor, star: Star) -> Tensor:
        """``star`` with as many hubs per graph as the readout learned."""
        if star.hubs != self.hub.size(0):
            raise ValueError(f"expected a Star of {self.hub.size(0)} hubs per graph, got {star.hubs}")
        hubs = self.hub.repeat(star.num_graphs, 1)
        return self.layer((x, hubs), star).view(star.num_graphs, -1)
