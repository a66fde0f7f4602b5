"""A smooth maximum of messages."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.aggregation.plain import total
from graphattn.slots import Groups


@final
class LogSumExp(nn.Module):
    r"""The logarithm of the sum of exponentials, a smooth maximum, :math:`h_i = \log \sum_j e^{m_{ij}}`, channel by channel.

    The largest message is taken out first, so that nothing overflows; half precision is computed in float32. A message of
    minus infinity is not heard; a receiver with no other messages hears zero.

    Shapes: ``[E, H, C] -> [N, H, C]``.

    >>> receivers = Groups(torch.tensor([0, 0, 2]), None, size=3, edge_type=None)
    >>> LogSumExp().reduce(torch.tensor([1.0, 3.0, 5.0])[:, None, None], receivers).flatten()
    tensor([3.1269, 0.0000, 5.0000])
    """

    scored = False

    def weigh(self, score: Tensor | None, groups: Groups) -> None:
        return None

    def reduce(self, message: Tensor, groups: Groups) -> Tensor:
        wide = message if message.dtype == torch.float64 else message.float()
        index = groups.index[:, None, None].expand_as(wide)
        top = wide.new_full((groups.size, *wide.shape[1:]), -torch.inf)
        top = top.scatter_reduce(0, index, wide.detach(), reduce="amax")
        top = top.masked_fill(top.isinf(), 0)
        heard = total((wide - top.index_select(0, groups.index)).exp(), groups)
        return (torch.where(heard > 0, heard, 1).log() + top).to(message.dtype)
