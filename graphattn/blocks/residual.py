"""A residual connection around any branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from graphattn.blocks.placement import Around, Chain, Norm, Placement, pre_norm
from graphattn.reset import reset
from graphattn.slots import Sizes

Branch = Callable[[Tensor], Tensor]
"""What a residual connection leads around, ``[N, F] -> [N, F]``."""


@final
class Residual(nn.Module):
    r"""A residual connection around any branch, with norms and dropout where they belong.

    .. math:: x' = \text{outside}(x + \text{after}(\text{dropout}(\text{branch}(\text{before}(x)))))

    Args:
        channels: channels ``F`` of a node.
        norm: makes the norms.
        placement: where they stand.
        dropout: share of channels dropped behind the branch in training.

    Shapes: ``x [N, F] -> [N, F]``; ``sizes`` are those of the graphs of ``x``.

    >>> from graphattn.topology import read_sizes
    >>> Residual(8)(torch.randn(5, 8), torch.nn.Linear(8, 8), read_sizes([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(
        self, channels: int, norm: Norm = nn.LayerNorm, placement: Placement = pre_norm, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.before, self.after, self.outside = placement(norm, channels)
        self.dropout = nn.Dropout(dropout)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, x: Tensor, branch: Branch, sizes: Sizes) -> Tensor:
        around = Around(self.before, self.after, self.outside)
        return residual(x, lambda normed: self.dropout(branch(normed)), around, sizes)


def residual(x: Tensor, branch: Branch, around: Around, sizes: Sizes) -> Tensor:
    r"""What becomes of ``x [N, F]``: :math:`\text{outside}(x + \text{after}(\text{branch}(\text{before}(x))))`."""
    heard = _applied(around.after, branch(_applied(around.before, x, sizes)), sizes)
    return _applied(around.outside, x + heard, sizes)


def _applied(part: nn.Module, x: Tensor, sizes: Sizes) -> Tensor:
    return part(x, sizes) if isinstance(part, Chain) else part(x)
