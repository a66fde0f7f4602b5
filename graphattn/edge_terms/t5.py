"""T5's bias by buckets of distances."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from graphattn.edge_terms.place import heads_first, places_on_edges, places_on_tile
from graphattn.slots import State
from graphattn.topology import Tile, Topology

Buckets = Callable[[Tensor, int, int], Tensor]
"""``(place of the sender minus place of the receiver, number of buckets, farthest) -> bucket``."""


def buckets_both_ways(offset: Tensor, buckets: int = 32, farthest: int = 128) -> Tensor:
    """Buckets of T5's encoder: the first half for senders at or before the receiver, the second for those after it.

    Near distances have a bucket each, farther ones share buckets of logarithmic width, up to ``farthest``.

    Raises:
        ValueError: as :class:`T5Bias`.

    >>> buckets_both_ways(torch.tensor([-1000, -20, -8, -3, 0, 3, 8, 20, 1000]))
    tensor([15, 10,  8,  3,  0, 19, 24, 26, 31])
    """
    after = torch.where(offset > 0, buckets // 2, 0)
    return after + _logarithmic(offset.abs(), buckets // 2, farthest)


def buckets_backwards(offset: Tensor, buckets: int = 32, farthest: int = 128) -> Tensor:
    """Buckets of T5's decoder: all for senders before the receiver; later ones are in the bucket of distance 0.

    Raises:
        ValueError: as :class:`T5Bias`.

    >>> buckets_backwards(torch.tensor([-1000, -20, -8, -3, 0, 3]))
    tensor([31, 17,  8,  3,  0,  0])
    """
    return _logarithmic((-offset).clamp(min=0), buckets, farthest)


@final
class T5Bias(nn.Module):
    r"""A learned number per head for each bucket of distances (T5, Raffel et al. 2020).

    .. math:: b_{ji} = T_{\text{bucket}(j - i)}

    where ``j`` and ``i`` are places in the graph. The table is the ``relative_attention_bias`` of T5 in transformers. T5 shares
    it among its layers (one object given to all of them does) and does not scale scores.

    Args:
        heads: number of heads.
        buckets: number of buckets.
        farthest: the distance from which on all are in the last bucket.
        bucket: :func:`buckets_both_ways` (the encoder) or :func:`buckets_backwards` (the decoder).

    Shapes: places ``receiver [...]``, ``sender [...]`` that broadcast -> ``[..., H]``.

    Raises:
        ValueError: fewer buckets than there must be, or ``farthest`` within the distances that have a bucket each.

    >>> T5Bias(heads=2)(torch.arange(5)[:, None], torch.arange(5)).shape
    torch.Size([5, 5, 2])
    """

    bucket: Tensor

    def __init__(self, heads: int, buckets: int = 32, farthest: int = 128, bucket: Buckets = buckets_both_ways) -> None:
        super().__init__()
        self.farthest = farthest
        # A table, so that the rounding of a logarithm is the same on every device.
        offset = torch.arange(-farthest, farthest + 1)
        self.register_buffer("bucket", bucket(offset, buckets, farthest), persistent=False)
        self.table = nn.Parameter(torch.empty(buckets, heads))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.table, std=0.02)

    def forward(self, receiver: Tensor, sender: Tensor) -> Tensor:
        offset = (sender - receiver).clamp(-self.farthest, self.farthest)
        return embedding(self.bucket[offset + self.farthest], self.table)

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        return self(*places_on_edges(graph))

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        return heads_first(self(*places_on_tile(tile)), tile)

    def extra_repr(self) -> str:
        return f"heads={self.table.size(1)}, buckets={self.table.size(0)}, farthest={self.farthest}"


def _logarithmic(distance: Tensor, buckets: int, farthest: int) -> Tensor:
    exact = buckets // 2
    if exact < 1 or farthest <= exact:
        raise ValueError(
            "expected at least 2 buckets in each direction and a farthest distance beyond those that have a bucket each, "
            f"got {buckets} buckets in a direction, {exact} of them exact, and farthest={farthest}"
        )
    # In float32 and in this order, as T5 computes it: where a bucket ends depends on the rounding.
    share = torch.log(distance.clamp(min=1).float() / exact) / math.log(farthest / exact)
    wide = (exact + (share * (buckets - exact)).long()).clamp(max=buckets - 1)
    return torch.where(distance < exact, distance, wide)
