"""What helps deep stacks learn: branches that start small, and branches that are skipped."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class LayerScale(nn.Module):
    r"""A learned factor for each channel of a branch, small at first (Touvron et al. 2021): :math:`x' = \gamma \odot x`.

    Args:
        channels: channels ``F``.
        initial: where the factors start.

    Shapes: ``[N, F] -> [N, F]``.

    >>> LayerScale(2, initial=0.1)(torch.ones(1, 2)).tolist()
    [[0.1, 0.1]]
    """

    def __init__(self, channels: int, initial: float = 1e-5) -> None:
        super().__init__()
        self.initial = initial
        self.scale = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start small again."""
        nn.init.constant_(self.scale, self.initial)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale

    def extra_repr(self) -> str:
        return f"{self.scale.numel()}, initial={self.initial}"


@final
class DropPath(nn.Module):
    r"""Stochastic depth (Huang et al. 2016): in training a graph skips a branch as a whole; those that do not, hear it louder.

    .. math:: x_i' = \frac{r_{g(i)}}{1 - p}\, x_i \qquad r_g \sim \text{Bernoulli}(1 - p)

    Args:
        share: ``p``, the share of graphs that skip.

    Shapes: ``x [N, F]``, the graph of each node ``batch [N]``, their number ``batch_size`` -> ``[N, F]``. Without ``batch`` all
    nodes are one graph.

    Raises:
        ValueError: a share outside 0 to 1.

    >>> DropPath(0.5)(torch.ones(5, 1), torch.tensor([0, 0, 1, 1, 2]), 3).flatten()
    tensor([0., 0., 2., 2., 0.])
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"expected a share of at least 0 and below 1 to drop, got {share}")
        self.share = share

    def forward(self, x: Tensor, batch: Tensor | None = None, batch_size: int = 1) -> Tensor:
        if not self.training or not self.share:
            return x
        stays = torch.rand(batch_size, device=x.device) >= self.share
        factor = (stays / (1 - self.share)).to(x.dtype).unsqueeze(-1)
        return x * (factor if batch is None else factor.index_select(0, batch))

    def extra_repr(self) -> str:
        return f"share={self.share}"
