"""Tokens mixed by learned weights of their places, then channels."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from graphattn.blocks.feed_forward import feed_forward
from graphattn.blocks.residual import Residual
from graphattn.reset import reset
from graphattn.topology import Star, Topology
from graphattn.zoo import TokenMixing


@final
class Mixer(nn.Module):
    r"""A block of MLP-Mixer (Tolstikhin et al. 2021): a network over the places of a graph, then one over the channels.

    .. math::
        U = X + W_2\, \text{GELU}(W_1\, \text{norm}(X) + b_1) + b_2 \qquad X' = U + \text{mlp}(\text{norm}(U))

    ``W_1`` and ``W_2`` act on the nodes of a graph, in their order, and are the same for every channel: ``W_1`` is a layer from
    nodes to hubs, ``W_2`` one from hubs to nodes, each with a learned weight for every pair of places. A graph of fewer nodes
    than places uses the first columns and rows.

    Args:
        channels: channels ``F`` of a node.
        places: how many nodes a graph may have; patches of an image in the paper.
        hubs: the hidden width of the network over places; twice the places if not given.
        mlp: token-wise network over the channels; a GELU network of width ``4 F`` if not given.
        dropout: share dropped in training, of hidden states and behind both networks.

    Shapes: ``x [N, F] -> [N, F]``.

    Raises:
        ValueError: in ``forward``, a star with another number of hubs, or a graph of more nodes than places.

    >>> block = Mixer(8, places=4, hubs=6)
    >>> block(torch.randn(7, 8), Star([4, 3], hubs=6)).shape
    torch.Size([7, 8])
    """

    def __init__(
        self, channels: int, places: int, hubs: int | None = None, mlp: nn.Module | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        hubs = 2 * places if hubs is None else hubs
        self.hubs = hubs
        self.to_hubs = TokenMixing(places, hubs)
        # Graphs may have fewer nodes than places, so that the bias of a node is looked up by its place.
        self.to_nodes = TokenMixing(hubs, places, bias=False)
        self.bias = nn.Parameter(torch.zeros(places))
        self.mlp = mlp if mlp is not None else feed_forward(channels, 4 * channels, dropout)
        self.dropout = nn.Dropout(dropout)
        self.around_mixing = Residual(channels, dropout=dropout)
        self.around_mlp = Residual(channels, dropout=dropout)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, star: Star, back: Topology | None = None) -> Tensor:
        """``star`` leads from nodes to hubs, ``back`` from hubs to nodes; made from the star if not given."""
        if star.hubs != self.hubs:
            raise ValueError(f"expected a Star of {self.hubs} hubs per graph, got {star.hubs}")
        back = star.reverse() if back is None else back
        x = self.around_mixing(x, lambda x: self._mixed(x, star, back), star.senders)
        return self.around_mlp(x, self.mlp, star.senders)

    def _mixed(self, x: Tensor, star: Star, back: Topology) -> Tensor:
        hidden = self.dropout(gelu(self.to_hubs((x, None), star)))
        return self.to_nodes((hidden, None), back) + self.bias[star.places()[0]].unsqueeze(-1)
