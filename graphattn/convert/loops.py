"""Self-loops that PyG's convolutions add by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.utils import add_remaining_self_loops, add_self_loops, remove_self_loops

from graphattn.layer import GraphLayer
from graphattn.message.edge_values import must_be_one_each
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

    Raises:
        TypeError: a ``torch.sparse`` matrix.
        ValueError: edge features of another number of edges.
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
        graph = edge_index if isinstance(edge_index, Topology) else _as_edges(edge_index, x)
        size = graph.num_senders, graph.num_receivers
        if edge_attr is not None:
            must_be_one_each(edge_attr, graph)
        edges, edge_attr = self.add(graph.edge_index(), edge_attr, min(size))
        return self.layer(x, Edges(edges, size[0] if graph.senders is graph.receivers else size), edge_attr)


def _as_edges(edge_index: Tensor, x: Tensor | tuple[Tensor, Tensor | None]) -> Edges:
    if edge_index.layout != torch.strided:
        raise TypeError(
            f"expected an edge_index of shape [2, E] or a topology to add self-loops to, got {edge_index.layout}"
        )
    if isinstance(x, Tensor):
        return Edges(edge_index, x.size(0))
    return Edges(edge_index, (x[0].size(0), x[0].size(0) if x[1] is None else x[1].size(0)))


def anew(
    edges: Tensor, edge: Tensor | None, nodes: int, fill_value: float | Tensor | str
) -> tuple[Tensor, Tensor | None]:
    """Every node gets one loop, instead of those it has; ``fill_value`` as in PyG's ``add_self_loops``."""
    edges, edge = remove_self_loops(edges, edge)
    return add_self_loops(edges, edge, fill_value, nodes)


def remaining(edges: Tensor, edge: Tensor | None, nodes: int, weight: float) -> tuple[Tensor, Tensor | None]:
    """Nodes without a loop get one; a node's loops become one, of the weight of its last."""
    return add_remaining_self_loops(edges, edge, weight, nodes)
