"""Aggregation: how a node listens to all that its senders say. A node with no sender hears zero."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.slots import Groups


def _sum(message: Tensor, groups: Groups) -> Tensor:
    return message.new_zeros(groups.size, *message.shape[1:]).index_add(0, groups.index, message)


@final
class Sum(nn.Module):
    r"""The sum of the messages, :math:`h_i = \sum_j m_{ij}`. Shapes: ``[E, H, C] -> [N, H, C]``."""

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return _sum(message, groups)


@final
class Mean(nn.Module):
    r"""The mean of the messages, :math:`h_i = \frac{1}{|N(i)|} \sum_j m_{ij}`. Shapes: ``[E, H, C] -> [N, H, C]``."""

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        count = torch.bincount(groups.index, minlength=groups.size).clamp(min=1)
        return _sum(message, groups) / count.to(message.dtype)[:, None, None]


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


@final
class SoftmaxSum(nn.Module):
    r"""Attention: the sum of the values, weighted by the softmax of the scores over a receiver's senders.

    .. math:: \alpha_{ij} = \frac{e^{s_{ij}}}{\sum_{k \in N(i)} e^{s_{ik}}} \qquad h_i = \sum_j \alpha_{ij} v_{ij}

    Scores in half precision are weighed in float32. Senders with a score of minus infinity are not heard; a receiver with
    no other senders hears zero.

    Shapes: score ``[E, H]`` -> alpha ``[E, H]``; message ``[E, H, C] -> [N, H, C]``.
    """

    scored = True

    def weigh(self, score: Tensor | None, groups: Groups) -> Tensor:
        if score is None:
            raise ValueError("expected a score on every edge for SoftmaxSum, got None from the message")
        wide = score if score.dtype == torch.float64 else score.float()
        index = groups.index[:, None].expand_as(wide)
        top = wide.new_full((groups.size, wide.size(1)), -torch.inf)
        top = top.scatter_reduce(0, index, wide.detach(), reduce="amax")
        top = top.masked_fill(top == -torch.inf, 0)
        weight = (wide - top[groups.index]).exp()
        total = weight.new_zeros(top.shape).index_add(0, groups.index, weight)
        total = torch.where(total > 0, total, 1)
        return (weight / total[groups.index]).to(score.dtype)

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return _sum(message, groups)
