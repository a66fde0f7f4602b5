"""Sums, means and extremes of messages."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.slots import Groups


def total(message: Tensor, groups: Groups) -> Tensor:
    """The sum of each receiver's messages, zero where there is none: ``[E, H, C] -> [N, H, C]``."""
    return message.new_zeros(groups.size, *message.shape[1:]).index_add(0, groups.index, message)


def count(index: Tensor, size: int) -> Tensor:
    """How often each number from 0 to ``size`` occurs, ``[size]``; unlike ``bincount`` it never waits for the device."""
    return index.new_zeros(size).index_add(0, index, torch.ones_like(index))


def mean(message: Tensor, groups: Groups) -> Tensor:
    """The mean of each receiver's messages, zero where there is none: ``[E, H, C] -> [N, H, C]``."""
    return total(message, groups) / count(groups.index, groups.size).clamp(min=1).to(message.dtype)[:, None, None]


@final
class Sum(nn.Module):
    r"""The sum of the messages, :math:`h_i = \sum_j m_{ij}`.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> Sum().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([4., 0., 5.])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return total(message, groups)


@final
class Mean(nn.Module):
    r"""The mean of the messages, :math:`h_i = \frac{1}{|N(i)|} \sum_j m_{ij}`.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> Mean().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([2., 0., 5.])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return mean(message, groups)


@final
class Max(nn.Module):
    r"""The largest message, channel by channel, :math:`h_i = \max_j m_{ij}`; ties share the gradient.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> Max().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([3., 0., 5.])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return _extreme(message, groups, "amax")


@final
class Min(nn.Module):
    r"""The smallest message, channel by channel, :math:`h_i = \min_j m_{ij}`; ties share the gradient.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> Min().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([1., 0., 5.])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return _extreme(message, groups, "amin")


def _extreme(message: Tensor, groups: Groups, which: str) -> Tensor:
    index = groups.index[:, None, None].expand_as(message)
    start = message.new_zeros(groups.size, *message.shape[1:])
    return start.scatter_reduce(0, index, message, reduce=which, include_self=False)
