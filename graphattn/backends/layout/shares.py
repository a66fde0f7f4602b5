r"""Which pieces of a batch share a tile: a rule of their sizes alone.

.. math:: \text{cost} = \sum_{\text{tiles}} (c + b\, n\, m)

counted in pairs of nodes: ``b`` pieces are padded to the ``n`` receivers and ``m`` senders of the largest, and every tile
costs as much as ``c`` pairs more, for the calls it takes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphattn.backends.layout.tiles import Pieces, Share

# On a CPU a tile takes about 0.25 ms besides its pairs, forward and backward, and a pair of 8 heads of 32 about 70 ns.
# 48 graphs of 30 to 400 nodes: 24 tiles with 1 % padding, 1.7 times as fast as one padded block; 1,024 and 16,384 do no better.
# On a GPU both were estimated from the launches of kernels and from their bandwidth.
_CALL = {"cpu": 4096}
_CALL_ELSEWHERE = 2**21
_KINDS = 64


def in_order(pieces: Pieces, busy: Tensor) -> list[Share]:
    """All pieces in one tile as they lie in memory: for graphs of equal size."""
    return [Share(busy, whole=True)]


def alike(pieces: Pieces, busy: Tensor) -> list[Share]:
    """Tiles of pieces of similar size, as few and as tight as costs least."""
    if busy.numel() == 0:
        return []
    wide, high = pieces.receivers.many[busy], pieces.senders.many[busy]
    kinds, kind = _kinds(torch.stack([wide, high], dim=1))
    many = torch.bincount(kind, minlength=len(kinds)).tolist()
    tile_of_kind = torch.tensor(cheapest(kinds, many, _CALL.get(busy.device.type, _CALL_ELSEWHERE)))
    tile = tile_of_kind.to(kind.device)[kind]
    return [Share(busy[tile == number]) for number in range(int(tile_of_kind[-1]) + 1)]


def cheapest(sizes: list[tuple[int, int]], many: list[int], call: int) -> list[int]:
    """Which tile each kind of piece goes to, of rising sizes ``(n, m)``, ``many`` pieces each: the cheapest in that order.

    >>> cheapest([(10, 10), (11, 11), (90, 90)], [50, 50, 1], call=4096)
    [0, 0, 1]
    """
    best: list[tuple[int, int]] = [(0, 0)]  # for the first kinds: what they cost, and where the last tile starts
    for end in range(1, len(sizes) + 1):
        count, n, m, options = 0, 0, 0, []
        for start in range(end - 1, -1, -1):
            count, n, m = count + many[start], max(n, sizes[start][0]), max(m, sizes[start][1])
            options.append((best[start][0] + call + count * n * m, start))
        best.append(min(options))
    starts, end = [], len(sizes)
    while end:
        end = best[end][1]
        starts.append(end)
    firsts = set(starts) - {0}
    tiles, tile = [], 0
    for kind in range(len(sizes)):
        tile += kind in firsts
        tiles.append(tile)
    return tiles


def _kinds(sizes: Tensor) -> tuple[list[tuple[int, int]], Tensor]:
    """The different sizes ``[p, 2]`` in rising order, and which of them each piece has; rounded up until they are few."""
    step = 1
    while True:
        rounded = (sizes + step - 1).div(step, rounding_mode="floor") * step
        kinds, kind = rounded.unique(dim=0, return_inverse=True)
        if kinds.size(0) <= _KINDS:
            return [(n, m) for n, m in kinds.tolist()], kind
        step *= 2
