"""GAT's score, split between receiver and sender."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import glorot

from graphattn.topology import Topology


@final
class SplitAdditive(nn.Module):
    r"""Score of "Graph Attention Networks" (Veličković et al. 2018): a number of each node, computed before any edge exists.

    .. math:: s_{ij} = \sigma(a_q \cdot q_i + a_k \cdot k_j)

    An edge key is added within :math:`\sigma`. It is one number per head: what the paper's followers write as
    :math:`a_e \cdot W_e e_{ji}`` is one linear map of :math:``e_{ji}`.

    Args:
        heads, channels: the shape of the learned ``a_q`` and ``a_k``.
        activation: :math:`\sigma`; a leaky ReLU of slope 0.2 if not given.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> score = SplitAdditive(heads=1, channels=2)
    >>> for weight in score.parameters():
    ...     _ = torch.nn.init.ones_(weight)
    >>> score(torch.ones(1, 1, 2), torch.full((1, 1, 2), -2.0))
    tensor([[-0.4000]], grad_fn=...)
    """

    linear_in_key = True
    on_matrices = True

    def __init__(self, heads: int, channels: int, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.query_weight = nn.Parameter(torch.empty(heads, channels))
        self.key_weight = nn.Parameter(torch.empty(heads, channels))
        self.activation = activation if activation is not None else nn.LeakyReLU(0.2)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        glorot(self.query_weight)
        glorot(self.key_weight)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return self.compare(*self._numbers(query, key))

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        del graph
        return self._numbers(query, key)

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return self.activation(query + key).squeeze(-1)

    def matrix(self, query: Tensor, key: Tensor) -> Tensor:
        return self.activation(query + key.transpose(-1, -2))

    def _numbers(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        return (query * self.query_weight).sum(-1, keepdim=True), (key * self.key_weight).sum(-1, keepdim=True)
