"""Tables by how many rows and columns lie between two places of a grid (Swin)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from graphattn.edge_terms.place import heads_first, places_on_edges, places_on_tile
from graphattn.encoding.grid import grid_coordinates
from graphattn.slots import State
from graphattn.topology import Tile, Topology


@final
class GridBias(nn.Module):
    r"""A learned number per head for each offset of rows and columns (Swin, Liu et al. 2021).

    .. math:: b_{ji} = T_{(r_i - r_j + h - 1)(2 w - 1) + c_i - c_j + w - 1}

    where row ``r`` and column ``c`` of a node follow from its place, row by row. The table has the order of Swin's
    ``relative_position_bias_table``, which can be copied into it.

    Args:
        height, width: ``h`` and ``w`` of the grid; graphs may end before the grid does.
        heads: number of heads.

    Shapes: places ``receiver [...]``, ``sender [...]`` that broadcast -> ``[..., H]``.

    Raises:
        ValueError: a graph with more nodes than the grid has places.

    >>> GridBias(7, 7, heads=3).table.shape
    torch.Size([169, 3])
    """

    def __init__(self, height: int, width: int, heads: int) -> None:
        super().__init__()
        self.shape = (height, width)
        self.table = nn.Parameter(torch.empty((2 * height - 1) * (2 * width - 1), heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, receiver: Tensor, sender: Tensor) -> Tensor:
        height, width = self.shape
        steps = grid_coordinates(receiver, self.shape) - grid_coordinates(sender, self.shape)
        rows, columns = steps.unbind(-1)
        number = (rows + height - 1) * (2 * width - 1) + columns + width - 1
        return embedding(number, self.table)

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        self._check(max(graph.receivers.max, graph.senders.max))
        return self(*places_on_edges(graph))

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        self._check(max(tile.shape[1:]))
        return heads_first(self(*places_on_tile(tile)), tile)

    def extra_repr(self) -> str:
        return f"height={self.shape[0]}, width={self.shape[1]}, heads={self.table.size(1)}"

    def _check(self, nodes: int) -> None:
        height, width = self.shape
        if nodes > height * width:
            raise ValueError(f"expected at most {height} x {width} = {height * width} nodes in a graph, got {nodes}")
