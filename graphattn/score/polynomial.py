"""Polynomial score."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor

from graphattn.score.base import dot


@final
class Polynomial:
    r"""Polynomial kernel of query and key ("Transformer Dissection", Tsai et al. 2019).

    .. math:: s_{ij} = \left(\frac{q_i \cdot k_j}{\sqrt{C}} + c\right)^p

    With an even degree it is never negative, so that a normalised sum can listen to it.

    Args:
        degree: ``p``.
        offset: ``c``.

    Shapes: ``query [E, H, C]``, ``key [E, H, C]`` -> ``[E, H]``.

    Raises:
        ValueError: a degree below 1.

    >>> Polynomial(degree=2, offset=1.0)(torch.ones(1, 1, 4), torch.ones(1, 1, 4))
    tensor([[9.]])
    """

    on_matrices = True

    def __init__(self, degree: int = 2, offset: float = 1.0) -> None:
        if degree < 1:
            raise ValueError(f"expected a degree of at least 1, got {degree}")
        self.degree = degree
        self.offset = offset

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        return (dot(query, key) / math.sqrt(query.size(-1)) + self.offset) ** self.degree

    def matrix(self, query: Tensor, key: Tensor) -> Tensor:
        return ((query / math.sqrt(query.size(-1))) @ key.transpose(-1, -2) + self.offset) ** self.degree

    def __repr__(self) -> str:
        return f"Polynomial(degree={self.degree}, offset={self.offset})"
