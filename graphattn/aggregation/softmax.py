"""Attention's way to listen."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.aggregation.plain import total
from graphattn.slots import Groups


@final
class SoftmaxSum(nn.Module):
    r"""Attention: the sum of the values, weighted by the softmax of the scores over a receiver's senders.

    .. math:: \alpha_{ij} = \frac{e^{s_{ij}}}{\sum_{k \in N(i)} e^{s_{ik}}} \qquad h_i = \sum_j \alpha_{ij} v_{ij}

    Scores in half precision are weighed in float32. Senders with a score of minus infinity are not heard; a receiver with
    no other senders hears zero.

    Shapes: score ``[E, H]`` -> alpha ``[E, H]``; message ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 1]), None, size=2, edge_type=None)
    >>> SoftmaxSum().weigh(torch.tensor([[1e4], [1e4], [-torch.inf]]), receivers).flatten()
    tensor([0.5000, 0.5000, 0.0000])
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
        norm = weight.new_zeros(top.shape).index_add(0, groups.index, weight)
        norm = torch.where(norm > 0, norm, 1)
        return (weight / norm[groups.index]).to(score.dtype)

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return total(message, groups)
