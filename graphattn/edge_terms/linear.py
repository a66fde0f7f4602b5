"""Linear maps of edge features."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.edge_terms.factored import OfFeatures, OfKinds, is_table, one_at_least, table_of, with_one
from graphattn.edge_terms.reading import feature, read_feature
from graphattn.edge_terms.tabled import InTable
from graphattn.slots import State
from graphattn.topology import Tile, Topology


@final
class LinearBias(nn.Module):
    r"""A linear map of an edge feature to one number per head, :math:`b_{ji} = W e_{ji}`; zero on edges without the feature.

    On kinds of edges it is a learned table, as the spatial and edge encodings of Graphormer (Ying et al. 2021).

    Args:
        name: the edge feature.
        channels: its channels ``F``.
        heads: number of heads.

    >>> bias = LinearBias("distance", 4, heads=2)
    >>> kinds = {"distance": torch.randn(3, 4), "distance_kind": torch.tensor([0, 1, 2, 1])}
    >>> bias.on_edges(Full([2]), kinds).shape
    torch.Size([4, 2])
    """

    def __init__(self, name: str, channels: int, heads: int) -> None:
        super().__init__()
        self.name = name
        self.linear = Linear(channels, heads, bias=False)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def read(self, graph: Topology, edge: State) -> State:
        return read_feature(graph, edge, self.name)

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        bias = _of_kind(self.linear(feature(edge, self.name)), edge.get(f"{self.name}_kind"))
        number = edge.get(f"{self.name}_number")
        return bias if number is None else bias.new_zeros(graph.num_edges, bias.size(1)).index_add(0, number, bias)

    def on_tile(self, tile: Tile, edge: State) -> Tensor | None:
        kind = edge.get(f"{self.name}_kind")
        if kind is None or f"{self.name}_number" in edge:
            return None
        table = self.linear(feature(edge, self.name)).t()
        return table.index_select(1, one_at_least(kind)[tile.edge.flatten()]).view(-1, *tile.shape)

    def in_table(self, edge: State) -> InTable | None:
        kind, number = edge.get(f"{self.name}_kind"), edge.get(f"{self.name}_number")
        return None if kind is None and number is None else InTable(self.linear(feature(edge, self.name)), kind, number)


@final
class LinearValue(nn.Module):
    r"""A linear map of an edge feature as a value beside the sender's, :math:`u_{ji} = W e_{ji}`.

    Args:
        name: the edge feature.
        channels: its channels ``F``.
        heads, head_channels: the shape of the value.

    >>> number, said = LinearValue("bond", 4, heads=2, head_channels=3).on_edges(Full([2]), {"bond": torch.randn(4, 4)})
    >>> number, said.shape
    (None, torch.Size([4, 2, 3]))
    """

    def __init__(self, name: str, channels: int, heads: int, head_channels: int) -> None:
        super().__init__()
        self.name = name
        self.by_head = (heads, head_channels)
        self.linear = Linear(channels, heads * head_channels, bias=False)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def read(self, graph: Topology, edge: State) -> State:
        return read_feature(graph, edge, self.name)

    def on_edges(self, graph: Topology, edge: State) -> tuple[Tensor | None, Tensor]:
        value = _of_kind(self.linear(feature(edge, self.name)), edge.get(f"{self.name}_kind"))
        return edge.get(f"{self.name}_number"), value.unflatten(-1, self.by_head)

    def on_tile(self, tile: Tile, edge: State) -> OfKinds | OfFeatures | None:
        rows, kind = feature(edge, self.name), edge.get(f"{self.name}_kind")
        if f"{self.name}_number" in edge:
            return None
        if kind is not None:
            return OfKinds(one_at_least(kind)[tile.edge], self.linear(rows).unflatten(-1, self.by_head))
        if not is_table(self.linear):
            return None
        return OfFeatures(one_at_least(with_one(rows, self.linear))[tile.edge], table_of(self.linear, self.by_head[0]))

    def why_not_listed(self, edge: State) -> str | None:
        """Another module in the place of the linear map."""
        kinds = f"{self.name}_kind" in edge and f"{self.name}_number" not in edge
        if kinds or is_table(self.linear):
            return None
        return f"needs a plain linear map of edge features, got {type(self.linear).__name__}"

    def on_list(self, graph: Topology, edge: State) -> OfFeatures | OfKinds:
        rows, kind = feature(edge, self.name), edge.get(f"{self.name}_kind")
        if kind is not None and f"{self.name}_number" not in edge:
            return OfKinds(kind, self.linear(rows).unflatten(-1, self.by_head))
        table = table_of(self.linear, self.by_head[0])
        return OfFeatures(on_their_edges(with_one(rows, self.linear), self.name, graph, edge), table)


def on_their_edges(rows: Tensor, name: str, graph: Topology, edge: State) -> Tensor:
    """Rows of kinds, or of some of the edges, as those of every edge ``[E, F]``; zero on edges without the feature."""
    rows, number = _of_kind(rows, edge.get(f"{name}_kind")), edge.get(f"{name}_number")
    return rows if number is None else rows.new_zeros(graph.num_edges, rows.size(1)).index_add(0, number, rows)


def _of_kind(rows: Tensor, kind: Tensor | None) -> Tensor:
    return rows if kind is None else rows.index_select(0, kind)
