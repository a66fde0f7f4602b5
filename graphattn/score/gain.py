"""Score of gain modulation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.score.base import dot
from graphattn.topology import Topology


@final
class Gain(nn.Module):
    r"""Gain modulation: a dot product whose channels are turned up and down.

    .. math:: s_{ij} = \sum_c g_c\, q_{ic}\, k_{jc}

    Attention as neuroscience describes it (Reynolds & Heeger 2009): a gain :math:`g_c` multiplies what a channel responds, and
    the softmax divides by what all respond. A channel of gain 0 plays no part in who is heard.

    Args:
        heads, channels: the shape of the learned gains, 1 before training.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> score = Gain(heads=1, channels=2)
    >>> score.gain.data = torch.tensor([[10.0, 0.0]])
    >>> score(torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[5.0, 7.0]]]))
    tensor([[100.]], grad_fn=...)
    """

    linear_in_key = True

    def __init__(self, heads: int, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(heads, channels))

    def reset_parameters(self) -> None:
        nn.init.ones_(self.gain)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query * self.gain, key)

    def prepare(self, query: Tensor, key: Tensor, graph: Topology) -> tuple[Tensor, Tensor]:
        del graph
        return query * self.gain, key

    def compare(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query, key)

    def factor(self, channels: int) -> float:
        """What the dot product of the modulated query and the key is multiplied with: 1."""
        return 1.0
