"""A bias by the length of the shortest path (Graphormer)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from graphattn.edge_terms.place import heads_first
from graphattn.edge_terms.reading import feature, read_kinds
from graphattn.edge_terms.tabled import InTable
from graphattn.slots import State
from graphattn.topology import Tile, Topology


@final
class ShortestPathBias(nn.Module):
    r"""A learned number per head for each length of the shortest path (Graphormer's spatial encoding, Ying et al. 2021).

    .. math:: b_{ji} = T_{\phi(j, i)}

    where :math:`\phi` counts the edges of the shortest path from ``j`` to ``i``: 0 to ``farthest``, which stands for that many or
    more, and ``farthest + 1`` where there is no path. :func:`~graphattn.encoding.shortest_path` computes it, once for a graph.

    Args:
        farthest: the length from which on all are alike, as given to ``shortest_path``.
        heads: number of heads.
        name: the edge feature that holds :math:`\phi`, integers ``[E]`` in the edge order of the topology.

    Shapes: ``[...]`` integers -> ``[..., H]``.

    Raises:
        ValueError: there is no such feature.

    On a path of three nodes, with everyone hearing everyone:

    >>> from graphattn.encoding import shortest_path
    >>> length = shortest_path(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, farthest=20)
    >>> ShortestPathBias(farthest=20, heads=4).on_edges(Full([3]), {"distance": length}).shape
    torch.Size([9, 4])
    """

    def __init__(self, farthest: int, heads: int, name: str = "distance") -> None:
        super().__init__()
        self.name = name
        self.table = nn.Parameter(torch.empty(farthest + 2, heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.table, std=0.02)

    def forward(self, length: Tensor) -> Tensor:
        return embedding(length, self.table)

    def read(self, graph: Topology, edge: State) -> State:
        return read_kinds(graph, edge, self.name, self.table.size(0))

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        return self(feature(edge, self.name))

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        return heads_first(self(feature(edge, self.name)[tile.edge]), tile)

    def in_table(self, edge: State) -> InTable:
        return InTable(self.table, feature(edge, self.name))

    def extra_repr(self) -> str:
        return f"farthest={self.table.size(0) - 2}, heads={self.table.size(1)}, name={self.name!r}"
