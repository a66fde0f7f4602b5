"""A learned vector for each place."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.topology import Topology


@final
class LearnedPlaces(nn.Module):
    """A learned vector for each place in a graph, as of BERT, GPT-2 and the vision transformer.

    Args:
        size: the number of nodes that the largest graph may have.
        channels: channels ``F`` of the vectors.

    Shapes: a topology -> ``[N, F]``, one row for each sender.

    Raises:
        ValueError: in ``forward``, a graph with more nodes than there are vectors.

    >>> LearnedPlaces(512, channels=8)(Full([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(size, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.table, std=0.02)

    def forward(self, graph: Topology) -> Tensor:
        if graph.senders.max > self.table.size(0):
            raise ValueError(f"expected graphs of at most {self.table.size(0)} nodes, got one of {graph.senders.max}")
        return self.table.index_select(0, graph.places()[0])

    def extra_repr(self) -> str:
        return f"size={self.table.size(0)}, channels={self.table.size(1)}"
