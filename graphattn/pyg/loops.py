"""Graphs with the loops and weights that PyG's layers give them on every call, made once for an ``edge_index``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import add_remaining_self_loops, add_self_loops, remove_self_loops

from graphattn.binding import as_edges
from graphattn.lasting import remembered
from graphattn.topology import Edges

Size = int | tuple[int, int]
"""The number of nodes, or of senders and of receivers."""


def with_new_loops(edge_index: Tensor, nodes: int, size: Size) -> tuple[Tensor, Edges]:
    """The graph of GAT, as PyG's ``edge_index`` and as a topology: each of ``nodes`` has one loop, behind all other edges.

    >>> with_new_loops(torch.tensor([[0, 0], [0, 1]]), 2, 2)[0]
    tensor([[0, 0, 1],
            [1, 0, 1]])
    """

    def make() -> tuple[Tensor, Edges]:
        plain: Any = remove_self_loops(edge_index)[0]
        ends: Any = add_self_loops(plain, num_nodes=nodes)[0]
        return ends, Edges(ends, size if ends.layout == torch.strided else None)

    return remembered(edge_index, ("new loops", nodes, size), make)


def looped(edge_index: Tensor, x: Tensor) -> Edges:
    """The graph of GCN, with a loop where a node has none.

    >>> looped(torch.tensor([[0, 1], [1, 1]]), torch.ones(2, 4)).edge_index()
    tensor([[0, 0, 1],
            [1, 0, 1]])
    """
    nodes = x.size(0)
    return remembered(
        edge_index,
        ("remaining loops", nodes),
        lambda: Edges(add_remaining_self_loops(edge_index, num_nodes=nodes)[0], nodes),
    )


def normalised(
    edge_index: Tensor, weight: Tensor | None, x: Tensor, *, improved: bool, loops: bool
) -> tuple[Edges, Tensor]:
    """The graph of GCN, with a loop where a node has none if ``loops``, and each edge's weight by PyG's ``gcn_norm``.

    Of a ``torch.sparse`` matrix every node gets a loop, beside its own one: for a sum, their weights add up as in PyG.

    >>> graph, weight = normalised(torch.tensor([[0], [1]]), None, torch.ones(2, 4), improved=False, loops=True)
    >>> graph.edge_index(), weight
    (tensor([[0, 0, 1],
            [1, 0, 1]]), tensor([0.7071, 1.0000, 0.5000]))
    """
    if edge_index.layout != torch.strided:
        return _of_matrix(edge_index, x, improved=improved, loops=loops)
    nodes = x.size(0)

    def make() -> tuple[Edges, Tensor]:
        result: Any = gcn_norm(edge_index, weight, nodes, improved, loops, dtype=x.dtype)
        return looped(edge_index, x) if loops else as_edges(edge_index, x, x), result[1]

    return make() if weight is not None else remembered(edge_index, ("weights", nodes, improved, loops, x.dtype), make)


def _of_matrix(matrix: Tensor, x: Tensor, *, improved: bool, loops: bool) -> tuple[Edges, Tensor]:
    graph, weight, nodes = as_edges(matrix, x, x), matrix.values(), x.size(0)
    if loops:
        plain, loop = graph.edge_index(), torch.arange(nodes, device=x.device).expand(2, -1)
        graph = remembered(matrix, ("all loops", nodes), lambda: Edges(torch.cat([plain, loop], dim=1), nodes))
        weight = torch.cat([weight, weight.new_full((nodes,), 2.0 if improved else 1.0)])
    result: Any = gcn_norm(graph.edge_index(), weight, nodes, add_self_loops=False)
    return graph, result[1]
