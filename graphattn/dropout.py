"""Edge dropout as a hash of the edge, so that every backend drops the same messages and none has to store a mask."""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF


def must_be_share(dropout: object) -> None:
    """Refuse what is no share of messages: ``layer.dropout`` may be set by hand.

    Raises:
        ValueError: a number outside of 0 to 1, or NaN.
        TypeError: no number.

    >>> must_be_share(1.5)
    Traceback (most recent call last):
    ValueError: expected a dropout from 0 to 1, got 1.5
    """
    if not isinstance(dropout, (int, float)) or isinstance(dropout, bool):
        raise TypeError(f"expected a number from 0 to 1 as dropout, got {dropout!r}")
    if not 0 <= dropout <= 1:
        raise ValueError(f"expected a dropout from 0 to 1, got {dropout}")


def draw_seed() -> Tensor:
    """A seed for one call of one layer, from torch's generator: an integer without dimensions."""
    return torch.randint(2**31, ())


def dropout_scale(
    seed: Tensor,
    receiver: Tensor,
    sender: Tensor,
    number: Tensor,
    heads: int,
    dropout: float,
    dtype: torch.dtype,
) -> Tensor:
    """The factor of every message: 0 for the share ``dropout`` of them, ``1 / (1 - dropout)`` for the others.

    Args:
        seed: the seed of the call, without dimensions.
        receiver, sender, number: the edge's ends and its number in the edge order, integers that broadcast to ``[...]``.
        heads: number of heads; each drops other messages.
        dropout: share of the messages dropped.
        dtype: of the factors: the layer's, so that every backend multiplies with the same number.

    Shapes: -> ``[..., H]``.

    >>> edge = torch.arange(100_000)
    >>> factor = dropout_scale(torch.tensor(7), edge, edge, edge, 2, 0.25, torch.float32)
    >>> factor.unique()
    tensor([0.0000, 1.3333])
    >>> (factor == 0).float().mean(0)
    tensor([0.25, 0.25])
    """
    word = _mixed(seed.to(receiver.device) & _WORD)
    for part in (receiver, sender, number):
        word = _mixed(word ^ (part & _WORD))
    head = torch.arange(heads, device=receiver.device)
    word = _mixed(word.unsqueeze(-1) ^ head)
    kept = (word >= round(dropout * 2**32)).to(dtype)
    return kept if dropout == 1 else kept / (1 - dropout)


def _mixed(word: Tensor) -> Tensor:
    """Wellons' 32-bit mixer (lowbias32): every bit of the result depends on every bit of the word."""
    word = ((word ^ (word >> 16)) * 0x7FEB352D) & _WORD
    word = ((word ^ (word >> 15)) * 0x846CA68B) & _WORD
    return word ^ (word >> 16)
