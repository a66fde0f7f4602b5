"""Additive scores, in which a network looks at query and key together."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import glorot


@final
class Additive(nn.Module):
    r"""Additive score of "Neural Machine Translation by Jointly Learning to Align and Translate" (Bahdanau et al. 2015).

    .. math:: s_{ij} = a \cdot \sigma(q_i + k_j)

    With a leaky ReLU as :math:`\sigma` it is the score of GATv2 (Brody et al. 2022).

    Args:
        heads, channels: the shape of the learned ``a``.
        activation: :math:`\sigma`; a hyperbolic tangent if not given.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> score = Additive(heads=1, channels=2)
    >>> _ = torch.nn.init.ones_(score.weight)
    >>> score(torch.ones(1, 1, 2), torch.zeros(1, 1, 2))
    tensor([[1.5232]], grad_fn=...)
    """

    def __init__(self, heads: int, channels: int, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, channels))
        self.activation = activation if activation is not None else nn.Tanh()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        glorot(self.weight)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return (self.activation(query + key) * self.weight).sum(-1)
