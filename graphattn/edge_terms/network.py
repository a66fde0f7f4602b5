"""What a network makes of an edge feature."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.edge_terms.factored import OfFeatures, OfKinds, is_table, one_at_least, table_of, untouched, with_one
from graphattn.edge_terms.linear import on_their_edges
from graphattn.edge_terms.reading import feature, read_feature
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Tile, Topology


@final
class NetworkValue(nn.Module):
    r"""What a network makes of an edge feature, as a value, :math:`u_{ji} = h(e_{ji})`; the feature as it is without a network.

    Args:
        name: the edge feature.
        network: ``h``, from the feature's channels to ``H C``.
        heads: number of heads ``H``.

    Shapes: feature ``[K, F]`` -> value ``[K, H, C]``.

    >>> value = NetworkValue("edge_attr", torch.nn.Linear(3, 8), heads=2)
    >>> value.on_edges(Full([2]), {"edge_attr": torch.randn(4, 3)})[1].shape
    torch.Size([4, 2, 4])
    """

    def __init__(self, name: str, network: nn.Module | None = None, heads: int = 1) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.heads = heads

    def reset_parameters(self) -> None:
        reset(self.network)

    def read(self, graph: Topology, edge: State) -> State:
        return read_feature(graph, edge, self.name)

    def on_edges(self, graph: Topology, edge: State) -> tuple[Tensor | None, Tensor]:
        value, kind = self._of_rows(edge), edge.get(f"{self.name}_kind")
        return edge.get(f"{self.name}_number"), value if kind is None else value.index_select(0, kind)

    def on_tile(self, tile: Tile, edge: State) -> OfKinds | None:
        kind = edge.get(f"{self.name}_kind")
        return (
            None
            if kind is None or f"{self.name}_number" in edge
            else OfKinds(one_at_least(kind)[tile.edge], self._of_rows(edge))
        )

    def why_not_listed(self, edge: State) -> str | None:
        """A network of the wrong end; but where edges are of kinds, no network is."""
        kinds = f"{self.name}_kind" in edge and f"{self.name}_number" not in edge
        if kinds or self._last() is not None or (self.network is None and self.heads == 1):
            return None
        if self.network is None:
            return f"needs a network behind values of {self.heads} heads, got none"
        last = self.network[-1] if isinstance(self.network, nn.Sequential) and len(self.network) else self.network
        return f"needs a network that ends with a linear map, got {type(last).__name__}"

    def on_list(self, graph: Topology, edge: State) -> OfKinds | OfFeatures:
        rows, last = feature(edge, self.name), self._last()
        if last is None and (self.network is not None or self.heads > 1):
            return OfKinds(edge[f"{self.name}_kind"], self._of_rows(edge))
        if last is None:
            table = torch.eye(rows.size(-1), dtype=rows.dtype, device=rows.device).unsqueeze(1)
            return OfFeatures(on_their_edges(rows, self.name, graph, edge), table)
        if isinstance(self.network, nn.Sequential):
            rows = self.network[:-1](rows)
        table = table_of(last, self.heads)
        return OfFeatures(on_their_edges(with_one(rows, last), self.name, graph, edge), table)

    def _last(self) -> nn.Module | None:
        """The linear map that the network ends with, if it does."""
        network = self.network
        if not isinstance(network, nn.Sequential) or not len(network):
            return network if network is not None and is_table(network) else None
        last = network[-1]
        return last if is_table(last) and untouched(network) else None

    def _of_rows(self, edge: State) -> Tensor:
        rows = feature(edge, self.name)
        return (rows if self.network is None else self.network(rows)).unflatten(-1, (self.heads, -1))
