"""Places of an edge's two ends, on a list of edges or laid out in a tile; terms compute with either by broadcasting."""

from __future__ import annotations

import torch
from torch import Tensor

from graphattn.topology import Tile, Topology


def places_on_edges(graph: Topology) -> tuple[Tensor, Tensor]:
    """Where each edge's receiver and sender stand in their graph, ``([E], [E])``.

    >>> places_on_edges(Full([1, 2]))
    (tensor([0, 0, 0, 1, 1]), tensor([0, 0, 1, 0, 1]))
    """
    sender, receiver = graph.edge_index()
    at_sender, at_receiver = graph.places()
    return at_receiver.index_select(0, receiver), at_sender.index_select(0, sender)


def places_on_tile(tile: Tile) -> tuple[Tensor, Tensor]:
    """Where receivers and senders of a tile stand in their graphs, ``([1, n, 1], [1, 1, m])``: in all its graphs the same."""
    receiver, sender = (torch.arange(node.size(1), device=node.device) for node in (tile.receiver, tile.sender))
    return receiver[None, :, None], sender[None, None, :]


def heads_first(bias: Tensor, tile: Tile) -> Tensor:
    """A bias ``[b or 1, n, m, H]`` as a tile's scores are laid out, ``[H, b, n, m]``; a view."""
    return bias.permute(3, 0, 1, 2).expand(-1, *tile.shape)
