"""What edges say, made for some of them at a time, reduced, and made again for gradients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from graphattn.slots import Aggregation, Groups
from graphattn.topology import Edges

_TILE = 8192


def why_no_sizes() -> list[str]:
    """Why a loop whose steps depend on the graph cannot be run."""
    if torch.compiler.is_compiling():
        return ["needs sizes that depend on the graph, which a compiled graph cannot hold"]
    if torch._C._are_functorch_transforms_active():
        return ["needs sizes that depend on the graph, which torch.func cannot map"]
    return []


def heard_in_tiles(
    layers: Sequence[nn.Module], aggregation: Aggregation, graph: Edges, own: Tensor, sent: Tensor
) -> Tensor:
    r"""Aggregation of :math:`h(p_i + r_j)`, ``[N_i, C]``: tile by tile, none of which is kept.

    Args:
        layers: ``h``, which treats each row on its own.
        aggregation: over senders.
        graph: the edges.
        own, sent: ``p [N_i, K]`` and ``r [N_j, K]``.
    """

    def aggregate(own: Tensor, sent: Tensor, sender: Tensor, receiver: Tensor) -> Tensor:
        message = own.index_select(0, receiver) + sent.index_select(0, sender)
        for layer in layers:
            message = layer(message)
        return aggregation.reduce(message.unsqueeze(1), Groups(receiver, None, own.size(0), None)).squeeze(1)

    ptr, sender, _ = graph.by_receiver()
    heard, rows = [], _rows(ptr, _least(sent.size(0)))
    for low, high in pairwise(rows):
        row = torch.arange(high - low, device=ptr.device)
        begin, end = int(ptr[low]), int(ptr[high])
        receiver = row.repeat_interleave(ptr[low : high + 1].diff().long(), output_size=end - begin)
        parts = (own[low:high], sent, sender[begin:end].long(), receiver)
        heard.append(checkpoint(aggregate, *parts, use_reentrant=False, preserve_rng_state=False))
    return torch.cat(heard)


def _least(senders: int) -> int:
    # A tile's gradient of senders has a row for each of these: it is no more work than that of the tile's edges.
    return max(_TILE, senders)


def _rows(ptr: Tensor, edges: int) -> list[int]:
    """Boundaries of tiles of whole rows with about as many edges in each; a row of more edges is a tile.

    >>> _rows(torch.tensor([0, 3, 3, 9, 10, 12]), edges=4)
    [0, 2, 3, 5]
    """
    ends, rows = ptr.tolist(), [0]
    for row in range(1, len(ends)):
        if ends[row] - ends[rows[-1]] > edges and row - 1 > rows[-1]:
            rows.append(row - 1)
    return [*rows, len(ends) - 1]
