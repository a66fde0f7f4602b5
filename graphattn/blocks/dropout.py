"""Dropout that takes sixteen random bits for a number."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

_STEPS = 2**16


@final
class Dropout(nn.Dropout):
    r"""Channels that are zero in training with probability ``p``, the others louder, :math:`y = x\, m / (1 - p)`.

    It is ``nn.Dropout`` (Srivastava et al. 2014). On a CPU, where drawing the numbers is most of its work, four share a random
    word, so that ``p`` is rounded to a multiple of :math:`2^{-16}`; torch's generator draws them, and its seed repeats them.

    Args:
        p: share of the numbers that become zero.
        inplace: as in torch.

    Shapes: any.

    >>> dropout = Dropout(0.25)
    >>> dropout(torch.ones(100_000)).unique()
    tensor([0.0000, 1.3333])
    >>> dropout.eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        dropped = round(self.p * _STEPS)
        if not self.training or self.inplace or not 0 < dropped < _STEPS or not _plain(input):
            return dropout(input, self.p, self.training, self.inplace)
        return input * _dropout_scale(input, dropped)


def _plain(x: Tensor) -> bool:
    # Compilers have generators of their own, and torch.func has rules for torch's dropout.
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return x.device.type == "cpu" and x.is_floating_point()


@torch.no_grad()
def _dropout_scale(x: Tensor, dropped: int) -> Tensor:
    """The factor of every number: zero for ``dropped`` of 65,536 words, and one over the share of the others."""
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    word = words.view(torch.int16)[: x.numel()].view(x.shape)
    kept = torch.ge(word, dropped - _STEPS // 2, out=torch.empty(x.shape, dtype=x.dtype))
    return kept.mul_(_STEPS / (_STEPS - dropped))
