"""Towers: several networks side by side, each on channels of its own (Gilmer et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn


@final
class SplitHeads:
    """The channels of a node divided among the towers, ``[N, T F] -> [N, T, F]``.

    >>> SplitHeads(2)(torch.arange(4)[None])
    tensor([[[0, 1],
             [2, 3]]])
    """

    def __init__(self, towers: int) -> None:
        self.towers = towers

    def __call__(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.towers, -1))

    def width(self, channels: int) -> int:
        """Channels that each tower gets of a node's.

        Raises:
            ValueError: channels that the towers do not divide.
        """
        if channels % self.towers:
            raise ValueError(f"expected channels that the towers divide, got {channels} channels, {self.towers} towers")
        return channels // self.towers

    def __repr__(self) -> str:
        return f"Split({self.towers})"


@final
class Repeat:
    """All channels of a node for each of the towers, ``[N, F] -> [N, T, F]``.

    >>> Repeat(2)(torch.arange(2)[None])
    tensor([[[0, 1],
             [0, 1]]])
    """

    def __init__(self, towers: int) -> None:
        self.towers = towers

    def __call__(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1).expand(-1, self.towers, -1)

    def width(self, channels: int) -> int:
        """Channels that each tower gets of a node's: all."""
        return channels

    def __repr__(self) -> str:
        return f"Repeat({self.towers})"


@final
class Towers(nn.Module):
    """Several networks side by side, the t-th on the channels of tower t.

    Args:
        networks: one for each tower, each from ``F`` to ``C`` channels.

    Shapes: ``[..., T, F] -> [..., T, C]``.

    >>> Towers(torch.nn.Linear(4, 3) for _ in range(2))(torch.randn(5, 2, 4)).shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([network(part) for network, part in zip(self.networks, x.unbind(-2), strict=True)], dim=-2)
