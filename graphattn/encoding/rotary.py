"""Rotary positions: queries and keys are turned, so that their product knows how far apart they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from graphattn.encoding.grid import grid_coordinates

Turn = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(states [..., C], cosine [..., C / 2], sine [..., C / 2]) -> states``: which channels are turned as a pair."""


def turn_neighbours(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns channels 0 and 1, 2 and 3, ...: the pairs of RoFormer and GPT-J.

    >>> turn_neighbours(torch.arange(4.0), torch.zeros(2), torch.ones(2))
    tensor([-1.,  0., -3.,  2.])
    """
    one, other = states.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((one * cosine - other * sine, one * sine + other * cosine), dim=-1).flatten(-2)


def turn_halves(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns channel 0 with the first of the second half, ...: the pairs of GPT-NeoX and Llama.

    >>> turn_halves(torch.arange(4.0), torch.zeros(2), torch.ones(2))
    tensor([-2., -3.,  0.,  1.])
    """
    one, other = states.chunk(2, dim=-1)
    return torch.cat((one * cosine - other * sine, one * sine + other * cosine), dim=-1)


@final
class Rotary:
    r"""Rotary position embedding (RoFormer, Su et al. 2021): pairs of channels turn by an angle that grows with position.

    .. math:: (q_{2c} + \mathrm{i}\, q_{2c + 1})\, e^{\mathrm{i}\, p\, \theta_c} \qquad \theta_c = 10000^{-2c / d}

    The product of a turned query and a turned key depends on the difference of their positions alone.

    Args:
        channels: ``d``, how many channels of a head are turned, the first ones; the others stay (GPT-NeoX turns a quarter).
        base: 10000 in the paper.
        turn: :func:`turn_neighbours` or :func:`turn_halves`.

    Shapes: states ``[N, H, C]``, position ``[N]`` -> ``[N, H, C]``.

    Raises:
        ValueError: channels that are not even, or more than a head has; positions of another shape.

    >>> from graphattn import Attend, Heads
    >>> message = Attend(16, Heads(2, 8), rotate=Rotary(8))
    >>> Rotary(8)
    Rotary(channels=8, base=10000.0, turn=turn_neighbours)
    """

    def __init__(self, channels: int, base: float = 10000.0, turn: Turn = turn_neighbours) -> None:
        if channels < 2 or channels % 2:
            raise ValueError(f"expected an even number of channels to turn, got {channels}")
        self.channels = channels
        self.base = base
        self.turn = turn

    def __call__(self, states: Tensor, position: Tensor) -> Tensor:
        if position.dim() != 1 or position.size(0) != states.size(0):
            raise ValueError(f"expected positions [{states.size(0)}], got {list(position.shape)}")
        if states.size(-1) < self.channels:
            raise ValueError(f"expected at least {self.channels} channels in a head, got {states.size(-1)}")
        # At least float32: a bfloat16 does not know position 257.
        wide = torch.promote_types(states.dtype, torch.float32)
        exponent = torch.arange(0, self.channels, 2, device=position.device, dtype=wide) / self.channels
        angle = position.to(wide)[:, None, None] * self.base**-exponent
        moving, staying = states.split([self.channels, states.size(-1) - self.channels], dim=-1)
        turned = self.turn(moving, angle.cos().to(states.dtype), angle.sin().to(states.dtype))
        return torch.cat((turned, staying), dim=-1)

    def __repr__(self) -> str:
        turn = getattr(self.turn, "__name__", repr(self.turn))
        return f"Rotary(channels={self.channels}, base={self.base}, turn={turn})"


@final
class AxialRotary:
    r"""Rotary positions along each axis of a grid: the first channels are turned by the row, the next ones by the column.

    .. math:: [\,R_{\text{row}}\; q_{0 \dots d}, \; R_{\text{column}}\; q_{d \dots 2d}, \; q_{2d \dots}\,]

    Used in vision transformers (Heo et al. 2024, "Rotary Position Embedding for Vision Transformer", its axial form).

    Args:
        rotary: turns the ``d`` channels of one axis.
        shape: the grid's size along each axis, to read coordinates from places, row by row.

    Shapes: states ``[N, H, C]``, position ``[N]`` (places) or ``[N, D]`` (coordinates, of any number of axes) -> ``[N, H, C]``.

    Raises:
        ValueError: more channels to turn than a head has; a place beyond the grid (:func:`grid_coordinates`).

    >>> AxialRotary(Rotary(4), shape=(7, 7))(torch.randn(49, 2, 8), torch.arange(49)).shape
    torch.Size([49, 2, 8])
    """

    def __init__(self, rotary: Rotary, shape: tuple[int, ...]) -> None:
        self.rotary = rotary
        self.shape = shape

    def __call__(self, states: Tensor, position: Tensor) -> Tensor:
        at = grid_coordinates(position, self.shape) if position.dim() == 1 else position
        axes, width = at.size(1), self.rotary.channels
        if states.size(-1) < axes * width:
            raise ValueError(
                f"expected at least {axes * width} channels in a head, {width} for each of {axes} axes, got {states.size(-1)}"
            )
        *moving, staying = states.split([*[width] * axes, states.size(-1) - axes * width], dim=-1)
        turned = [self.rotary(part, at[:, axis]) for axis, part in enumerate(moving)]
        return torch.cat((*turned, staying), dim=-1)

    def __repr__(self) -> str:
        return f"AxialRotary({self.rotary}, shape={self.shape})"
