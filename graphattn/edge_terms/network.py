"""What a network makes of an edge feature."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.edge_terms.factored import OfKinds
from graphattn.edge_terms.linear import feature
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

    def on_edges(self, graph: Topology, edge: State) -> tuple[Tensor | None, Tensor]:
        value, kind = self._of_rows(edge), edge.get(f"{self.name}_kind")
        return edge.get(f"{self.name}_number"), value if kind is None else value.index_select(0, kind)

    def on_tile(self, tile: Tile, edge: State) -> OfKinds | None:
        kind = edge.get(f"{self.name}_kind")
        return None if kind is None or f"{self.name}_number" in edge else OfKinds(kind[tile.edge], self._of_rows(edge))

    def _of_rows(self, edge: State) -> Tensor:
        rows = feature(edge, self.name)
        return (rows if self.network is None else self.network(rows)).unflatten(-1, (self.heads, -1))
