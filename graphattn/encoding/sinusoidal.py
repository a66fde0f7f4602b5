"""Sines and cosines of a position."""

from __future__ import annotations

import torch
from torch import Tensor


def sinusoidal(position: Tensor, channels: int, base: float = 10000.0) -> Tensor:
    r"""The positional encoding of "Attention Is All You Need" (Vaswani et al. 2017), sines and cosines in turn.

    .. math:: PE_{p,\, 2c} = \sin\left(p / 10000^{2c / d}\right) \qquad PE_{p,\, 2c + 1} = \cos\left(p / 10000^{2c / d}\right)

    PyG's ``PositionalEncoding`` has this formula in its docstring and computes another: all sines before all cosines, and other
    frequencies (1 and 1/10000 for ``d = 4``, where the paper has 1 and 1/100).

    Args:
        position: places or any other numbers, ``[...]``; ``graph.places()`` has those of a topology's nodes.
        channels: ``d``; the last one is a sine where they are odd.
        base: 10000 in the paper.

    Shapes: ``[...] -> [..., d]``, of the type of the positions or, for integers, of torch's default.

    Raises:
        ValueError: fewer than one channel.

    >>> sinusoidal(torch.arange(3), 4)
    tensor([[ 0.0000,  1.0000,  0.0000,  1.0000],
            [ 0.8415,  0.5403,  0.0100,  0.9999],
            [ 0.9093, -0.4161,  0.0200,  0.9998]])
    """
    angle = angles(position, channels, base)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)[..., :channels].to(_floating(position))


def angles(position: Tensor, channels: int, base: float) -> Tensor:
    """``p / base^(2c / d)`` for ``c = 0 ... ceil(d / 2) - 1``, in float64: a float32 loses digits of far positions."""
    if channels < 1:
        raise ValueError(f"expected at least one channel, got {channels}")
    exponent = torch.arange(0, channels, 2, device=position.device, dtype=torch.float64) / channels
    return position.double().unsqueeze(-1) / base**exponent


def _floating(position: Tensor) -> torch.dtype:
    return position.dtype if position.is_floating_point() else torch.get_default_dtype()
