"""Token-wise networks: what a node makes of its own state, alone."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn.functional import silu


def feed_forward(
    channels: int, hidden: int, dropout: float = 0.0, activation: nn.Module | None = None, bias: bool = True
) -> nn.Sequential:
    r"""Two linear maps with an activation and dropout between, :math:`W_2\, \sigma(W_1 x + b_1) + b_2` (Vaswani et al. 2017).

    Args:
        channels, hidden: channels ``F`` of a node, and of the layer between.
        dropout: share of hidden channels dropped in training.
        activation: GELU if not given; ``nn.ReLU()`` is the paper's.
        bias: whether the linear maps have a bias.

    Shapes: ``[N, F] -> [N, F]``.

    >>> feed_forward(8, 32, activation=torch.nn.ReLU())(torch.randn(3, 8)).shape
    torch.Size([3, 8])
    """
    first, second = nn.Linear(channels, hidden, bias), nn.Linear(hidden, channels, bias)
    between = activation if activation is not None else nn.GELU()
    return nn.Sequential(first, between, nn.Dropout(dropout), second)


@final
class SwiGLU(nn.Module):
    r"""A gated network (Shazeer 2020), as in LLaMA: :math:`W_2\,(\text{SiLU}(W_1 x) \odot V x)`.

    Args:
        channels, hidden: channels ``F`` of a node, and of the layer between.
        dropout: share of hidden channels dropped in training.
        bias: whether the three linear maps have a bias; the paper's have none.

    Shapes: ``[N, F] -> [N, F]``.

    >>> SwiGLU(8, 32)(torch.randn(3, 8)).shape
    torch.Size([3, 8])
    """

    def __init__(self, channels: int, hidden: int, dropout: float = 0.0, bias: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, hidden, bias)
        self.up = nn.Linear(channels, hidden, bias)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(hidden, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.dropout(silu(self.gate(x)) * self.up(x)))
