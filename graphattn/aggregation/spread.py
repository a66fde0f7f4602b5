"""How far the messages lie apart."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.aggregation.plain import mean
from graphattn.slots import Groups

# PyG's: a smaller variance counts as none, so that the root has a gradient everywhere.
_LEAST = 1e-5


@final
class Variance(nn.Module):
    r"""The variance of the messages, channel by channel, zero where there is at most one.

    .. math:: h_i = \frac{1}{|N(i)|} \sum_j (m_{ij} - \bar{m}_i)^2

    Taken around the mean, so that large messages do not cancel; half precision is computed in float32.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> Variance().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([1., 0., 0.])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        return _variance(message, groups).to(message.dtype)


@final
class Std(nn.Module):
    r"""The standard deviation of the messages, channel by channel; zero where the variance is at most 1e-5, as in PyG.

    .. math:: h_i = \sqrt{\tfrac{1}{|N(i)|} \textstyle\sum_j (m_{ij} - \bar{m}_i)^2}

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> Std().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([1., 0., 0.])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        variance = _variance(message, groups)
        root = variance.clamp(min=_LEAST).sqrt()
        return root.masked_fill(variance <= _LEAST, 0).to(message.dtype)


def _variance(message: Tensor, groups: Groups) -> Tensor:
    wide = message if message.dtype == torch.float64 else message.float()
    return mean((wide - mean(wide, groups).index_select(0, groups.index)).square(), groups)
