"""Self-loops that PyG's convolutions add by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn
from torch_geometric.utils import add_remaining_self_loops, add_self_loops, remove_self_loops

from graphattn.layer import GraphLayer
from graphattn.topology import Edges, Topology

AddLoops = Callable[[Tensor, "Tensor | None", int], tuple[Tensor, "Tensor | None"]]
"""``(edge_index, edge features, number of nodes) -> (edge_index, edge features)``."""


@final
class WithLoops(nn.Module):
    """A layer on the graph it is given and self-loops, which PyG's ``GCNConv``, ``GATConv`` and ``GATv2Conv`` add by themselves.

    Call ``layer`` inside on ``graph.with_self_loops()`` to add them once for all layers.

    Args:
        layer: the layer.
        add: adds the loops, and what their features are.
    """

    def __init__(self, layer: GraphLayer, add: AddLoops) -> None:
        super().__init__()
        self.layer = layer
        self.add = add

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Tensor | Topology,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """As :class:`~graphattn.layer.GraphLayer`."""
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        known = edge_index if isinstance(edge_index, Topology) else None
        receivers = x_j if x_i is None and known is None else x_i
        size = (x_j.size(0), receivers.size(0) if receivers is not None else known.num_receivers)  # pyright: ignore[reportOptionalMemberAccess]
        edges = known.edge_index() if known is not None else edge_index
        looped, edge_attr = self.add(edges, edge_attr, min(size))  # pyright: ignore[reportArgumentType]
        return self.layer(x, Edges(looped, size[0] if x_i is x_j else size), edge_attr)


def anew(
    edges: Tensor, edge: Tensor | None, nodes: int, fill_value: float | Tensor | str
) -> tuple[Tensor, Tensor | None]:
    """Every node gets one loop, instead of those it has; ``fill_value`` as in PyG's ``add_self_loops``."""
    edges, edge = remove_self_loops(edges, edge)
    return add_self_loops(edges, edge, fill_value, nodes)


def remaining(edges: Tensor, edge: Tensor | None, nodes: int, weight: float) -> tuple[Tensor, Tensor | None]:
    """Nodes without a loop get one; a node's loops become one, of the weight of its last."""
    return add_remaining_self_loops(edges, edge, weight, nodes)
