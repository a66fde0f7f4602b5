"""Scores that end somewhere."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn


@final
class SoftCap(nn.Module):
    r"""Scores kept between :math:`-c` and :math:`c`, :math:`c \tanh(s / c)`; as in Gemma 2 (Riviere et al. 2024).

    Args:
        cap: :math:`c`.

    Raises:
        ValueError: a cap that is not above 0.

    >>> SoftCap(2.0)(torch.tensor([[0.1, 1e4]]))
    tensor([[0.0999, 2.0000]])
    """

    def __init__(self, cap: float) -> None:
        super().__init__()
        if cap <= 0:
            raise ValueError(f"expected a cap above 0, got {cap}")
        self.cap = cap

    def forward(self, score: Tensor) -> Tensor:
        return self.cap * (score / self.cap).tanh()

    def extra_repr(self) -> str:
        return f"{self.cap}"
