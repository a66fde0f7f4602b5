"""The way of positive kernels to listen."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.aggregation.plain import total
from graphattn.slots import Groups


@final
class NormalizedSum(nn.Module):
    r"""The mean of the values, weighted by positive kernels: softmax without the exponential (Katharopoulos et al. 2020).

    .. math:: \alpha_{ij} = \frac{s_{ij}}{\sum_{k \in N(i)} s_{ik}} \qquad h_i = \sum_j \alpha_{ij} v_{ij}

    Scores are kernels and must not be negative. Those in half precision are weighed in float32. A receiver whose kernels
    add up to zero (to less than 1e-31 in float32, 1e-292 in float64) hears zero, and one of whose kernels is NaN hears NaN.

    Shapes: score ``[E, H]`` -> alpha ``[E, H]``; message ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 1]), None, size=2, edge_type=None)
    >>> NormalizedSum().weigh(torch.tensor([[1.0], [3.0], [0.0]]), receivers).flatten()
    tensor([0.2500, 0.7500, 0.0000])
    """

    scored = True

    def weigh(self, score: Tensor | None, groups: Groups) -> Tensor:
        if score is None:
            raise ValueError("expected a score on every edge for NormalizedSum, got None from the message")
        wide = score if score.dtype == torch.float64 else score.float()
        whole = wide.new_zeros(groups.size, wide.size(1)).index_add(0, groups.index, wide)
        return share(wide, whole[groups.index]).to(score.dtype)

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return total(message, groups)


def share(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole``; zero where the whole is zero, or so small that its parts are no normal numbers; NaN where it is NaN."""
    number = torch.finfo(whole.dtype)
    silent = whole < number.tiny / number.eps
    return torch.where(silent, 0, part / torch.where(silent, 1, whole))
