"""What the functions of kernels share."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.operators.rules import Order
from graphattn.dropout import loudness
from graphattn.slots import Groups


class Dropped(NamedTuple):
    """Which messages are not heard: the call's seed, None if all are, and the share."""

    seed: Tensor | None = None
    share: float = 0.0


EVERYTHING = Dropped()


def pulled(score: Tensor, want: Tensor, rows: int, dropped: Dropped, order: Order) -> tuple[Tensor, Tensor]:
    """Weights behind dropout, and gradients of scores, from scores and what each weight would add to the loss, ``[E, H]``."""
    receiver, sender, number = order.receivers(), order.sender.long(), order.number.long()
    alpha = SoftmaxSum().weigh(score, Groups(receiver, None, rows, None))
    heard = alpha
    if dropped.seed is not None:
        heard = alpha * loudness(dropped.seed, receiver, sender, number, score.size(1), dropped.share, score.dtype)
    mean = want.new_zeros(rows, score.size(1)).index_add(0, receiver, heard * want)
    return heard, heard * want - alpha * mean[receiver]
