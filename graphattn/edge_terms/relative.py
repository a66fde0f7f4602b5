"""Tables by how far the sender stands from the receiver (Shaw et al. 2018)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from graphattn.edge_terms.factored import OfKinds
from graphattn.edge_terms.place import heads_first, places_on_edges, places_on_tile
from graphattn.slots import State
from graphattn.topology import Tile, Topology


@final
class RelativeBias(nn.Module):
    r"""A learned number per head for each distance in the order of nodes, clipped on both sides.

    .. math:: b_{ji} = T_{\text{clip}(j - i,\, -K,\, K)}

    where ``j`` and ``i`` are places in the graph. The scalar form of the relative position representations of Shaw et al.
    (2018), whose vectors are :class:`RelativeValue`.

    Args:
        farthest: the distance ``K`` from which on all are alike.
        heads: number of heads.

    Shapes: places ``receiver [...]``, ``sender [...]`` that broadcast -> ``[..., H]``.

    Raises:
        ValueError: ``farthest`` below 0.

    >>> bias = RelativeBias(farthest=2, heads=1)
    >>> with torch.no_grad():
    ...     _ = bias.table.copy_(torch.arange(5.0)[:, None])
    >>> bias(torch.tensor(3), torch.arange(7))[:, 0]
    tensor([0., 0., 1., 2., 3., 4., 4.], grad_fn=...)
    """

    def __init__(self, farthest: int, heads: int) -> None:
        super().__init__()
        self.farthest = _checked(farthest)
        self.table = nn.Parameter(torch.empty(2 * farthest + 1, heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.table, std=0.02)

    def forward(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return embedding(_row(receiver, sender, self.farthest), self.table)

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        return self(*places_on_edges(graph))

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        return heads_first(self(*places_on_tile(tile)), tile)

    def extra_repr(self) -> str:
        return f"farthest={self.farthest}, heads={self.table.size(1)}"


@final
class RelativeValue(nn.Module):
    r"""A learned key or value for each distance in the order of nodes, clipped on both sides (Shaw et al. 2018).

    .. math:: u_{ji} = T_{\text{clip}(j - i,\, -K,\, K)}

    The paper adds one table to the keys and another to the values: ``Attend(..., edge_key=RelativeValue(...),
    edge_value=RelativeValue(...))``, its equations 3 and 4. In dense blocks no pair has a vector of its own (the paper's
    section 3.3): queries meet the table, and weights are added up by distance.

    Args:
        farthest: the distance ``K`` from which on all are alike.
        heads, head_channels: the shape of a key or value.
        tables: how many tables there are; 1, as in the paper, serves all heads, ``heads`` gives each its own.

    Shapes: places ``receiver [...]``, ``sender [...]`` that broadcast -> ``[..., H, C]``.

    Raises:
        ValueError: ``farthest`` below 0, or tables that do not divide the heads.

    >>> RelativeValue(farthest=2, heads=4, head_channels=8)(torch.tensor(3), torch.arange(7)).shape
    torch.Size([7, 4, 8])
    """

    def __init__(self, farthest: int, heads: int, head_channels: int, tables: int = 1) -> None:
        super().__init__()
        if tables < 1 or heads % tables:
            raise ValueError(f"expected tables that divide the heads, got tables={tables} and heads={heads}")
        self.farthest = _checked(farthest)
        self.heads = heads
        self.table = nn.Parameter(torch.empty(2 * farthest + 1, tables, head_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.table, std=0.02)

    def forward(self, receiver: Tensor, sender: Tensor) -> Tensor:
        rows = embedding(_row(receiver, sender, self.farthest), self._by_head().flatten(1))
        return rows.unflatten(-1, (self.heads, -1))

    def on_edges(self, graph: Topology, edge: State) -> tuple[None, Tensor]:
        return None, self(*places_on_edges(graph))

    def on_tile(self, tile: Tile, edge: State) -> OfKinds:
        return OfKinds(_row(*places_on_tile(tile), self.farthest), self._by_head())

    def why_not_listed(self, edge: State) -> None:
        """Nothing speaks against it."""

    def on_list(self, graph: Topology, edge: State) -> OfKinds:
        return OfKinds(_row(*places_on_edges(graph), self.farthest), self._by_head())

    def extra_repr(self) -> str:
        _, tables, channels = self.table.shape
        return f"farthest={self.farthest}, heads={self.heads}, head_channels={channels}, tables={tables}"

    def _by_head(self) -> Tensor:
        return self.table.repeat_interleave(self.heads // self.table.size(1), dim=1)


def _row(receiver: Tensor, sender: Tensor, farthest: int) -> Tensor:
    return (sender - receiver).clamp(-farthest, farthest) + farthest


def _checked(farthest: int) -> int:
    if farthest < 0:
        raise ValueError(f"expected a farthest distance of 0 or more, got {farthest}")
    return farthest
