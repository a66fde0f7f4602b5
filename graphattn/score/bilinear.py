"""Bilinear score."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import glorot

from graphattn.score.base import dot
from graphattn.topology import Topology


@final
class Bilinear(nn.Module):
    r"""Bilinear score, the "general" one of Luong et al. (2015).

    .. math:: s_{ij} = q_i^\top W k_j

    Args:
        heads, channels: the shape of the learned ``W``, ``[H, C, C]``.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> score = Bilinear(heads=1, channels=2)
    >>> score.weight.data = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    >>> score(torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[5.0, 7.0]]]))
    tensor([[14.]], grad_fn=...)
    """

    linear_in_key = True

    def __init__(self, heads: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, channels, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        glorot(self.weight)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(self._turned(query), key)

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        del graph
        return self._turned(query), key

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query, key)

    def factor(self, channels: int) -> float:
        """What the dot product of the mapped query and the key is multiplied with: 1."""
        return 1.0

    def _turned(self, query: Tensor) -> Tensor:
        return torch.einsum("nhc,hcd->nhd", query, self.weight)
