"""How many a node hears."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, one_hot

from graphattn.encoding.reading import check_edges
from graphattn.topology import Topology


def degree(edge_index: Tensor, num_nodes: int, most: int) -> Tensor:
    """How many edges reach each node, as one column for each number; the last one stands for ``most`` or more.

    Args:
        edge_index: ``[2, E]``, sender above receiver.
        num_nodes: number n of nodes; may be 0 or 1.
        most: the number from which on all are alike.

    Returns:
        float32 ``[n, most + 1]``, a single one in each row.

    Raises:
        ValueError: what is no ``edge_index`` of n nodes; ``most`` below 1.

    >>> degree(torch.tensor([[0, 1, 3, 0], [2, 2, 2, 1]]), num_nodes=4, most=2)
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.],
            [1., 0., 0.]])
    """
    check_edges(edge_index, num_nodes)
    if most < 1:
        raise ValueError(f"expected a largest degree of at least 1, got most={most}")
    return one_hot(torch.bincount(edge_index[1], minlength=num_nodes).clamp(max=most), most + 1).float()


@final
class DegreeEmbedding(nn.Module):
    r"""A learned vector for each number of senders that a node hears (Graphormer's centrality encoding, Ying et al. 2021).

    .. math:: z_i = T_{\min(|N(i)|,\, M)}

    Args:
        most: ``M``, the number from which on all are alike.
        channels: channels ``F`` of the vectors.

    Shapes: a topology -> ``[N, F]``, one row for each receiver.

    >>> DegreeEmbedding(most=8, channels=4)(Edges(torch.tensor([[0, 1], [1, 2]]))).shape
    torch.Size([3, 4])
    """

    def __init__(self, most: int, channels: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(most + 1, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.table, std=0.02)

    def forward(self, graph: Topology) -> Tensor:
        return embedding(graph.degrees().clamp(max=self.table.size(0) - 1), self.table)

    def extra_repr(self) -> str:
        return f"most={self.table.size(0) - 1}, channels={self.table.size(1)}"
