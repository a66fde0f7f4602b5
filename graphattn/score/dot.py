"""Dot-product score."""

from __future__ import annotations

from typing import final

from torch import Tensor

from graphattn.score.base import dot


@final
class Dot:
    r"""Dot product of "Effective Approaches to Attention-based Neural Machine Translation" (Luong et al. 2015).

    .. math:: s_{ij} = q_i \cdot k_j

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    >>> Dot()(torch.ones(1, 2, 4), torch.ones(1, 2, 4))
    tensor([[4., 4.]])
    """

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return dot(query, key)

    def factor(self, channels: int) -> float:
        """What the plain dot product is multiplied with: 1."""
        return 1.0

    def __repr__(self) -> str:
        return "Dot()"
