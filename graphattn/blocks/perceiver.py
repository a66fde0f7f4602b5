"""Latent hubs that hear many inputs, then each other."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.blocks.feed_forward import feed_forward
from graphattn.blocks.residual import Residual
from graphattn.blocks.transformer import Block
from graphattn.reset import reset
from graphattn.topology import Full, Star, Topology
from graphattn.zoo import CrossAttention, SelfAttention


@final
class Perceiver(nn.Module):
    r"""A Perceiver block (Jaegle et al. 2021): a few latent hubs hear all nodes of their graph, then each other.

    .. math::
        g = z + \text{attention}(\text{query}: \text{norm}(z), \text{keys and values}: \text{norm}(x)) \qquad
        h = g + \text{mlp}(\text{norm}(g)) \qquad z' = \text{block}_L(\dots \text{block}_1(h))

    with ``L`` pre-norm transformer blocks among the hubs of a graph. The cost grows with nodes times hubs. Latents of one call
    may start the next: with the same block the weights are shared, as in the paper.

    Args:
        channels: channels ``F`` of a latent.
        hubs: latents per graph; each learns where it starts.
        heads: attention heads.
        depth: ``L``.
        input_channels: channels ``F_x`` of a node; ``F`` if not given.
        dropout: share of channels dropped behind every part in training.

    Shapes: ``x [N, F_x] -> [B hubs, F]``. The hubs of a graph without nodes hear each other only.

    Raises:
        ValueError: in ``forward``, a star with another number of hubs.

    >>> block = Perceiver(8, hubs=4, heads=2, input_channels=3)
    >>> latents = block(torch.randn(50, 3), Star([30, 20], hubs=4))
    >>> latents.shape
    torch.Size([8, 8])
    """

    def __init__(
        self,
        channels: int,
        hubs: int,
        heads: int = 1,
        depth: int = 1,
        input_channels: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        from_node = channels if input_channels is None else input_channels
        self.latent = nn.Parameter(torch.empty(hubs, channels))
        self.norm_of_nodes = nn.LayerNorm(from_node)
        self.cross_attention = CrossAttention(from_node, channels, heads)
        self.mlp = feed_forward(channels, 4 * channels, dropout)
        self.around_cross_attention = Residual(channels, dropout=dropout)
        self.around_mlp = Residual(channels, dropout=dropout)
        self.blocks = nn.ModuleList(
            Block(SelfAttention(channels, heads), channels, dropout=dropout) for _ in range(depth)
        )
        self._start()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())
        self._start()

    def forward(self, x: Tensor, star: Star, full: Topology | None = None, latents: Tensor | None = None) -> Tensor:
        """``full`` is who hears whom among the hubs, each other if not given; ``latents`` replace the learned start."""
        hubs, graphs = self.latent.size(0), star.num_graphs
        if star.hubs != hubs:
            raise ValueError(f"expected a Star of {hubs} hubs per graph, got {star.hubs}")
        full = Full(star.receivers) if full is None else full
        nodes = self.norm_of_nodes(x)
        z = self.latent.repeat(graphs, 1) if latents is None else latents
        z = self.around_cross_attention(z, lambda z: self.cross_attention((nodes, z), star), star.receivers)
        z = self.around_mlp(z, self.mlp, star.receivers)
        for block in self.blocks:
            z = block(z, full)
        return z

    def _start(self) -> None:
        nn.init.trunc_normal_(self.latent, std=0.02, a=-2, b=2)
