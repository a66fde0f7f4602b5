"""How a batch of graphs is laid out as a few blocks of receivers and senders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from graphattn.topology.blockwise import Blockwise, Run


class Tile(NamedTuple):
    """Graphs of similar size laid out together: ``b`` graphs, ``n`` receivers and ``m`` senders each, after padding.

    ``receiver [b, n]``, ``sender [b, m]`` and ``edge [b, n, m]`` hold node and edge numbers, 0 where there is none.
    ``real_receiver [b, n]`` and ``real_sender [b, m]`` tell what is not padding; None where nothing is.
    ``whole`` says that the tile is the entire batch in its own order, so that views serve instead of gathers.
    ``keep [b, n, m]`` tells who hears whom, false for senders that are padding, true for receivers that are, so that none is
    left without a sender; None where every receiver hears all senders of its graph. ``causal`` says that ``keep`` is the
    lower triangle: a receiver hears the places up to its own.
    """

    receiver: Tensor
    sender: Tensor
    edge: Tensor
    real_receiver: Tensor | None
    real_sender: Tensor | None
    whole: bool
    keep: Tensor | None = None
    causal: bool = False


class Plan(NamedTuple):
    """How a batch is laid out in tiles, and the way back.

    With the rows of all tiles one behind the other (padding included, and one row of zeros behind the last), ``row [N_i]`` is
    where each receiver's row stands. With the pairs of all tiles one behind the other, ``pair [N_i]`` is where each receiver's
    pairs start.
    """

    tiles: list[Tile]
    row: Tensor
    pair: Tensor


class Share(NamedTuple):
    """Graphs that share a tile: their numbers, whether these are all in their own order, whether padding is always masked."""

    graphs: Tensor
    whole: bool = False
    masked: bool = False


def make_plan(graph: Blockwise, shares: Callable[[Blockwise, Tensor], list[Share]]) -> Plan:
    """The batch as tiles; graphs without senders or receivers are in none.

    Args:
        graph: the batch.
        shares: who shares a tile with whom, :func:`alike` or :func:`together`; given the numbers of the other graphs.
    """
    run = graph.heard()
    busy = ((graph.receivers.ptr.diff() > 0) & (graph.senders.ptr.diff() > 0)).nonzero().flatten()
    equal = graph.receivers.equal and graph.senders.equal
    parts = [Share(busy, whole=True)] if equal else shares(graph, busy)
    tiles = [_tile(graph, run, part) for part in parts if part.graphs.numel()]
    return Plan(tiles, *_way_back(tiles, graph.num_receivers, graph.receivers.ptr.device))


def together(graph: Blockwise, busy: Tensor) -> list[Share]:
    """All graphs in one tile, of the same form for every batch: more padding, but a compiler meets nothing new."""
    return [Share(busy, masked=True)]


def alike(graph: Blockwise, busy: Tensor) -> list[Share]:
    """A few tiles of graphs of similar size.

    Sizes are rounded up to a multiple of 8 (of about an eighth of the size above 64) and what rounds alike is padded
    together, to the largest of them.
    """
    wide, high = graph.receivers.ptr.diff(), graph.senders.ptr.diff()
    keys = [_rounded(n) * 2**32 + _rounded(m) for n, m in zip(wide[busy].tolist(), high[busy].tolist(), strict=True)]
    kinds = torch.tensor(keys, device=busy.device).unique(return_inverse=True)[1]
    return [Share(busy[kinds == kind]) for kind in kinds.unique()]


def _tile(graph: Blockwise, run: Run, share: Share) -> Tile:
    graphs, whole, masked = share
    receiver, real_receiver = _laid_out(graph.receivers.ptr, graphs, masked=masked)
    sender, real_sender = _laid_out(graph.senders.ptr, graphs, masked=masked)
    first, many = run.first[receiver], run.many[receiver]
    senders = graph.senders.ptr.diff()[graphs][:, None]
    heard = None
    if not _everywhere(many == senders, real_receiver):
        heard = graph.keep(receiver[:, :, None], sender[:, None, :])
        heard = heard if real_sender is None else heard & real_sender[:, None, :]
    edge = _numbers(run, receiver, graph.senders.ptr[graphs][:, None] + _count_to(sender))
    real = real_sender[:, None, :] if heard is None and real_sender is not None else heard
    if real_receiver is not None:
        real = real_receiver[:, :, None] if real is None else real & real_receiver[:, :, None]
    edge = edge if real is None else edge.masked_fill(~real, 0)
    if heard is None:
        return Tile(receiver, sender, edge, real_receiver, real_sender, whole)
    heard = heard if real_receiver is None else heard | ~real_receiver[:, :, None]
    triangle = (first == graph.senders.ptr[graphs][:, None]) & (many == _count_to(receiver) + 1)
    causal = run.step == 1 and receiver.shape == sender.shape and _everywhere(triangle, real_receiver)
    return Tile(receiver, sender, edge, real_receiver, real_sender, whole, heard, causal)


def _numbers(run: Run, receiver: Tensor, column: Tensor) -> Tensor:
    """The numbers of edges from the nodes ``column [b, m]``, where there is an edge; ``[b, n, m]``."""
    before = run.before()
    if run.step == 1:
        return (before - run.first)[receiver][:, :, None] + column[:, None, :]
    steps = (column[:, None, :] - run.first[receiver][:, :, None]).div(run.step, rounding_mode="floor")
    return before[receiver][:, :, None] + steps


def _count_to(node: Tensor) -> Tensor:
    return torch.arange(node.size(1), device=node.device)


def _everywhere(true: Tensor, real: Tensor | None) -> bool:
    return bool((true if real is None else true | ~real).all())


def _rounded(size: int) -> int:
    step = max(8, 2 ** (size.bit_length() - 4))
    return -(-size // step) * step


def _laid_out(ptr: Tensor, graphs: Tensor, *, masked: bool) -> tuple[Tensor, Tensor | None]:
    start, count = ptr[graphs], ptr.diff()[graphs]
    place = torch.arange(int(count.max()), device=ptr.device)
    real = place < count[:, None]
    node = (start[:, None] + place) * real
    return node, None if not masked and bool(real.all()) else real


def _way_back(tiles: list[Tile], num_receivers: int, device: torch.device) -> tuple[Tensor, Tensor]:
    rows, pairs = sum(tile.receiver.numel() for tile in tiles), 0
    row = torch.full((num_receivers,), rows, device=device)
    pair = torch.zeros(num_receivers, dtype=torch.long, device=device)
    rows = 0
    for tile in tiles:
        receiver, place = tile.receiver.flatten(), torch.arange(tile.receiver.numel(), device=device)
        if tile.real_receiver is not None:
            real = tile.real_receiver.flatten()
            receiver, place = receiver[real], place[real]
        row[receiver] = rows + place
        pair[receiver] = pairs + place * tile.sender.size(1)
        rows, pairs = rows + tile.receiver.numel(), pairs + tile.edge.numel()
    return row, pair
