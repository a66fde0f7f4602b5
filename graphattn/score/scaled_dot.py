"""Scaled dot-product score."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor


@final
class ScaledDot:
    r"""Scaled dot product of "Attention Is All You Need" (Vaswani et al. 2017).

    .. math:: s_{ij} = \frac{q_i \cdot k_j}{\sqrt{C}}

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> ScaledDot()(torch.ones(1, 2, 4), torch.ones(1, 2, 4))
    tensor([[2., 2.]])
    """

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return (query * key).sum(-1) * self.factor(query.size(-1))

    def factor(self, channels: int) -> float:
        """What the plain dot product is multiplied with: ``1 / sqrt(C)``."""
        return 1 / math.sqrt(channels)

    def __repr__(self) -> str:
        return "ScaledDot()"
