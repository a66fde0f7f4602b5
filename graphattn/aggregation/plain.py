"""Sums, means and maxima of messages."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.slots import Groups


def total(message: Tensor, groups: Groups) -> Tensor:
    """The sum of each receiver's messages, zero where there is none: ``[E, H, C] -> [N, H, C]``."""
    return message.new_zeros(groups.size, *message.shape[1:]).index_add(0, groups.index, message)


@final
class Sum(nn.Module):
    r"""The sum of the messages, :math:`h_i = \sum_j m_{ij}`. Shapes: ``[E, H, C] -> [N, H, C]``."""

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return total(message, groups)


@final
class Mean(nn.Module):
    r"""The mean of the messages, :math:`h_i = \frac{1}{|N(i)|} \sum_j m_{ij}`. Shapes: ``[E, H, C] -> [N, H, C]``."""

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        count = torch.bincount(groups.index, minlength=groups.size).clamp(min=1)
        return total(message, groups) / count.to(message.dtype)[:, None, None]


@final
class Max(nn.Module):
    r"""The largest message, channel by channel, :math:`h_i = \max_j m_{ij}`; ties share the gradient.

    Shapes: ``[E, H, C] -> [N, H, C]``.
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        index = groups.index[:, None, None].expand_as(message)
        start = message.new_zeros(groups.size, *message.shape[1:])
        return start.scatter_reduce(0, index, message, reduce="amax", include_self=False)
