"""How a batch of graphs is laid out as a few blocks of receivers and senders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch._dynamo.decorators import mark_unbacked

if TYPE_CHECKING:
    from graphattn.topology.blockwise import Blockwise, Run

# Edge numbers of fewer pairs are kept (8 MB), of more they are made anew by whoever asks: most layers never do.
_FEW = 2**20


class Columns(NamedTuple):
    """Senders of each receiver, as columns of a tile: ``many [b, n]`` of them from ``first [b, n]`` on, ``step`` apart.

    ``before [b, n]`` is the number of the edge to the first of them; the edges to the others follow it.
    """

    first: Tensor
    many: Tensor
    before: Tensor
    step: int

    def heard(self, columns: int) -> tuple[Tensor, Tensor]:
        """Of each pair whether there is an edge, and its number, 0 where there is none: ``[b, n, m]``."""
        ahead = torch.arange(columns, device=self.first.device) - self.first.unsqueeze(-1)
        rank = ahead if self.step == 1 else ahead.div(self.step, rounding_mode="floor")
        heard = (rank >= 0) & (rank < self.many.unsqueeze(-1))
        heard = heard if self.step == 1 else heard & (rank * self.step == ahead)
        return heard, (self.before.unsqueeze(-1) + rank) * heard


class Tile(NamedTuple):
    """Graphs of similar size laid out together: ``b`` graphs, ``n`` receivers and ``m`` senders each, after padding.

    ``receiver [b, n]`` and ``sender [b, m]`` hold node numbers, 0 where there is none; ``columns`` the senders of each receiver.
    ``real_receiver [b, n]`` and ``real_sender [b, m]`` tell what is not padding; None where nothing is.
    ``whole`` says that the tile is the entire batch in its own order, so that views serve instead of gathers;
    ``complete`` that all senders of a graph are joined to every receiver; ``causal`` that ``keep`` is the lower triangle: a
    receiver has the senders up to its own place. ``known`` are ``keep`` and ``edge`` where they are small.
    """

    receiver: Tensor
    sender: Tensor
    columns: Columns
    real_receiver: Tensor | None
    real_sender: Tensor | None
    whole: bool
    complete: bool
    causal: bool
    known: tuple[Tensor | None, Tensor] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(b, n, m)``."""
        return self.receiver.size(0), self.receiver.size(1), self.sender.size(1)

    @property
    def edge(self) -> Tensor:
        """Edge numbers ``[b, n, m]``, 0 where there is none."""
        return self.columns.heard(self.sender.size(1))[1] if self.known is None else self.known[1]

    @property
    def keep(self) -> Tensor | None:
        """Mask of edges, ``[b, n, m]``; None where graphs are complete.

        False for senders that are padding, true for receivers that are, so that none is left without a sender.
        """
        if self.complete:
            return None
        if self.known is not None:
            return self.known[0]
        heard = self.columns.heard(self.sender.size(1))[0]
        return heard if self.real_receiver is None else heard | ~self.real_receiver.unsqueeze(-1)


class Plan(NamedTuple):
    """How a batch is laid out in tiles, and the way back.

    With the rows of all tiles one behind the other (padding included, and one row of zeros behind the last), ``row [N_i]`` is
    where each receiver's row stands. With the pairs of all tiles one behind the other, ``pair [N_i]`` is where the pair of each
    receiver and its first sender stands; its others follow ``step`` apart.
    """

    tiles: list[Tile]
    row: Tensor
    pair: Tensor
    step: int


class Stretch(NamedTuple):
    """Nodes in equal steps: ``many [p]`` of them from ``first [p]`` on, for each of ``p`` pieces of a batch."""

    first: Tensor
    many: Tensor


class Pieces(NamedTuple):
    """Parts of a batch without edges between them, ``p`` of them: receivers and senders, ``step`` nodes apart."""

    receivers: Stretch
    senders: Stretch
    step: int = 1

    def of(self, number: Tensor) -> Pieces:
        """The pieces with these numbers."""
        receivers, senders = (Stretch(*(part[number] for part in stretch)) for stretch in self[:2])
        return Pieces(receivers, senders, self.step)


def of_any_number(plan: Plan) -> Plan:
    """Itself, which a compiler takes for a plan of any number of graphs: else it makes a program of its own for a graph alone."""
    for receiver, sender, columns, *_ in () if torch.compiler.is_compiling() else plan.tiles:
        for tensor in (receiver, sender, *columns[:3]):
            mark_unbacked(tensor, 0)
    return plan


class Share(NamedTuple):
    """Pieces that share a tile: their numbers, and whether these are all in their own order."""

    pieces: Tensor
    whole: bool = False


def graphs_of(graph: Blockwise) -> Pieces:
    """The graphs of a batch, each a piece."""
    listening, speaking = graph.receivers.ptr, graph.senders.ptr
    return Pieces(Stretch(listening[:-1], listening.diff()), Stretch(speaking[:-1], speaking.diff()))


def make_plan(graph: Blockwise, pieces: Pieces, shares: Callable[[Pieces, Tensor], list[Share]]) -> Plan:
    """The batch as tiles; pieces without senders or receivers are in none.

    Args:
        graph: the batch.
        pieces: its graphs, or parts of them.
        shares: who shares a tile with whom, :func:`~graphattn.backends.layout.shares.alike` or
            :func:`~graphattn.backends.layout.shares.in_order`; given the numbers of the pieces that are not empty.
    """
    run = graph.heard()
    busy = ((pieces.receivers.many > 0) & (pieces.senders.many > 0)).nonzero().flatten()
    parts = [part for part in shares(pieces, busy) if part.pieces.numel()]
    tiles = [_tile(run, pieces.of(part.pieces), part.whole) for part in parts]
    return Plan(tiles, *_way_back(tiles, graph), run.step // pieces.step)


def one_tile(graph: Blockwise, pieces: Pieces, shape: tuple[int, int], *, even: bool, whole: bool) -> Plan:
    """The batch as one tile of ``shape``, without a look at any value: a compiler meets the same form in every batch.

    Args:
        graph: the batch.
        pieces: its graphs, or parts of them, of at most ``shape`` receivers and senders.
        shape: the largest number of receivers and of senders of a piece.
        even: whether all pieces are of this shape, so that nothing is padding.
        whole: whether the pieces are the graphs.
    """
    run = graph.heard()
    if shape[0] == 0 or shape[1] == 0:
        return Plan([], *_way_back([], graph), run.step // pieces.step)
    receiver, real_receiver = _laid_out(pieces.receivers, pieces.step, shape[0])
    sender, real_sender = _laid_out(pieces.senders, pieces.step, shape[1])
    if even:
        real = real_receiver = real_sender = None
    else:
        # Where nobody speaks, somebody seems to, so that no softmax is one of nothing; these receivers are left out.
        silent = pieces.senders.many[:, None] == 0
        real, real_sender = real_receiver & ~silent, real_sender | silent
    columns = _columns(run, pieces, receiver, real)
    tile = Tile(
        receiver, sender, columns, real, real_sender, even, whole and graph.complete, whole and graph.triangular
    )
    return Plan([tile], *_way_back([tile], graph), columns.step)


def _tile(run: Run, pieces: Pieces, whole: bool) -> Tile:
    receiver, real_receiver = _laid_out(pieces.receivers, pieces.step, int(pieces.receivers.many.max()))
    sender, real_sender = _laid_out(pieces.senders, pieces.step, int(pieces.senders.many.max()))
    real_receiver, real_sender = (None if bool(real.all()) else real for real in (real_receiver, real_sender))
    columns = _columns(run, pieces, receiver, real_receiver)
    first, many, _, step = columns
    complete = _everywhere(many == pieces.senders.many[:, None], real_receiver)
    place = torch.arange(receiver.size(1), device=receiver.device)
    triangle = (first == 0) & (many == place + 1)
    causal = step == 1 and receiver.shape == sender.shape and _everywhere(triangle, real_receiver)
    tile = Tile(receiver, sender, columns, real_receiver, real_sender, whole, complete, causal and not complete)
    return tile._replace(known=(tile.keep, tile.edge)) if receiver.numel() * sender.size(1) <= _FEW else tile


def _columns(run: Run, pieces: Pieces, receiver: Tensor, real: Tensor | None) -> Columns:
    first = (run.first[receiver] - pieces.senders.first[:, None]).div(pieces.step, rounding_mode="floor")
    many = run.many[receiver] if real is None else run.many[receiver] * real
    return Columns(first, many, run.before()[receiver], run.step // pieces.step)


def _everywhere(true: Tensor, real: Tensor | None) -> bool:
    return bool((true if real is None else true | ~real).all())


def _laid_out(stretch: Stretch, step: int, long: int) -> tuple[Tensor, Tensor]:
    place = torch.arange(long, device=stretch.many.device)
    real = place < stretch.many[:, None]
    return (stretch.first[:, None] + place * step) * real, real


def _way_back(tiles: list[Tile], graph: Blockwise) -> tuple[Tensor, Tensor]:
    device, rows, pairs = graph.receivers.ptr.device, sum(tile.receiver.numel() for tile in tiles), 0
    # One place more, which takes what is padding.
    row = torch.full((graph.num_receivers + 1,), rows, device=device)
    pair = torch.zeros(graph.num_receivers + 1, dtype=torch.long, device=device)
    rows = 0
    for tile in tiles:
        receiver, place = tile.receiver.flatten(), torch.arange(tile.receiver.numel(), device=device)
        if tile.real_receiver is not None:
            receiver = receiver.masked_fill(~tile.real_receiver.flatten(), graph.num_receivers)
        row[receiver] = rows + place
        pair[receiver] = pairs + place * tile.sender.size(1) + tile.columns.first.flatten()
        rows, pairs = rows + tile.receiver.numel(), pairs + tile.receiver.numel() * tile.sender.size(1)
    return row[:-1], pair[:-1]
