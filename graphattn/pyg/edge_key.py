"""GATConv's edge features as one number per head."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.edge_terms import feature
from graphattn.slots import State
from graphattn.topology import Topology


@final
class ProductKey:
    r"""What an edge adds to GAT's score, :math:`a_e \cdot W_e e_{ji}` as one linear map: never ``E x H x C``.

    Args:
        linear: ``W_e``, from ``D`` to ``H C`` channels, without a bias.
        weight: ``a_e``, ``[1, H, C]``.

    Shapes: ``edge["edge_attr"] [E, D] -> [E, H, 1]``.

    >>> key = ProductKey(torch.nn.Linear(3, 8, bias=False), torch.ones(1, 2, 4))
    >>> key.on_edges(Edges(torch.tensor([[0], [1]])), {"edge_attr": torch.ones(1, 3)})[1].shape
    torch.Size([1, 2, 1])
    """

    def __init__(self, linear: nn.Module, weight: Tensor) -> None:
        self.linear = linear
        self.weight = weight

    def on_edges(self, graph: Topology, edge: State) -> tuple[Tensor | None, Tensor]:
        value = feature(edge, "edge_attr")
        identity = torch.eye(value.size(-1), dtype=value.dtype, device=value.device)
        columns = self.linear(identity).unflatten(-1, self.weight.shape[1:])
        return None, (value @ (columns * self.weight).sum(-1)).unsqueeze(-1)
