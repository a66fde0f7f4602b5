"""Temperatures of scores."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class Temperature(nn.Module):
    r"""Scores divided by a number, :math:`s / \tau`: the lower, the fewer senders are heard.

    Args:
        temperature: :math:`\tau`.

    Raises:
        ValueError: a temperature that is not above 0.

    >>> Temperature(0.5)(torch.tensor([[1.0, 2.0]]))
    tensor([[2., 4.]])
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"expected a temperature above 0, got {temperature}")
        self.temperature = temperature

    def forward(self, score: Tensor) -> Tensor:
        return score / self.temperature

    def extra_repr(self) -> str:
        return f"{self.temperature}"


@final
class LearnedTemperature(nn.Module):
    r"""Scores divided by a number that each head learns, :math:`s^h e^{-t^h}`; as in Swin Transformer V2 (Liu et al. 2022).

    Args:
        heads: number of heads.
        start: the temperature :math:`e^t` before training.

    Raises:
        ValueError: a temperature that is not above 0.

    >>> LearnedTemperature(heads=2, start=0.5)(torch.tensor([[1.0, 2.0]]))
    tensor([[2., 4.]], grad_fn=...)
    """

    def __init__(self, heads: int, start: float = 1.0) -> None:
        super().__init__()
        if start <= 0:
            raise ValueError(f"expected a temperature above 0, got {start}")
        self.start = start
        self.log_temperature = nn.Parameter(torch.empty(heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        with torch.no_grad():
            self.log_temperature.fill_(self.start).log_()

    def forward(self, score: Tensor) -> Tensor:
        return score * (-self.log_temperature).exp()

    def extra_repr(self) -> str:
        return f"heads={self.log_temperature.numel()}, start={self.start}"
