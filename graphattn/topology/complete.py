"""Topologies in which every receiver of a graph hears every sender of that graph: tiles, never lists of edges."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, Self

import torch
from torch import Tensor

from graphattn.slots import Sizes
from graphattn.topology.base import Topology
from graphattn.topology.sizes import graph_of


class Tile(NamedTuple):
    """Graphs of similar size laid out together: ``b`` graphs, ``n`` receivers and ``m`` senders each, after padding.

    ``receiver [b, n]``, ``sender [b, m]`` and ``edge [b, n, m]`` hold node and edge numbers, 0 where padded.
    ``real_receiver [b, n]`` and ``real_sender [b, m]`` tell what is not padding; None where nothing is.
    ``whole`` says that the tile is the entire batch in its own order, so that views serve instead of gathers.
    """

    receiver: Tensor
    sender: Tensor
    edge: Tensor
    real_receiver: Tensor | None
    real_sender: Tensor | None
    whole: bool


class Plan(NamedTuple):
    """How a batch is laid out in tiles, and the way back.

    With the rows of all tiles one behind the other (padding included, and one row of zeros behind the last), ``row [N_i]`` is
    where each receiver's row stands. With the pairs of all tiles one behind the other, ``pair [N_i]`` is where each receiver's
    pairs start.
    """

    tiles: list[Tile]
    row: Tensor
    pair: Tensor


class Complete(Topology):
    """Every receiver of a graph hears every sender of the same graph. Edges are ordered receiver-major."""

    _plan: Plan | None = None

    @abstractmethod
    def _bound_to(self, receivers: Sizes, senders: Sizes) -> Self:
        """The same kind of topology over other sizes."""

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return graph_of(self.receivers.ptr, receiver) == graph_of(self.senders.ptr, sender)

    @property
    def num_edges(self) -> int:
        return int((self.receivers.ptr.diff() * self.senders.ptr.diff()).sum())

    def degrees(self) -> Tensor:
        return self.senders.ptr.diff().repeat_interleave(self.receivers.ptr.diff(), output_size=self.num_receivers)

    def edge_index(self) -> Tensor:
        degrees = self.degrees()
        receiver = torch.arange(self.num_receivers, device=degrees.device).repeat_interleave(degrees)
        number = torch.arange(receiver.numel(), device=degrees.device)
        sender = number - self._first_edge()[receiver] + self._first_sender()[receiver]
        return torch.stack([sender, receiver])

    def edge_number(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Where the edge from ``sender`` to ``receiver`` stands in ``edge_index()``, without building it.

        Raises:
            ValueError: a pair that lies in two graphs has no edge.
        """
        strangers = ~self.keep(receiver, sender)
        if bool(strangers.any()):
            pair = (int(receiver[strangers][0]), int(sender[strangers][0]))
            raise ValueError(f"expected pairs within one graph, got receiver {pair[0]} and sender {pair[1]}")
        return self._first_edge()[receiver] + sender - self._first_sender()[receiver]

    def receiver_of(self, number: Tensor) -> Tensor:
        """The receivers of the edges with these numbers."""
        return torch.searchsorted(self.degrees().cumsum(0), number, right=True)

    def pair_of(self, number: Tensor) -> Tensor:
        """Where the edges with these numbers stand among the pairs of all tiles of the plan."""
        receiver = self.receiver_of(number)
        return self.plan().pair[receiver] + number - self._first_edge()[receiver]

    def to(self, device: torch.device | str) -> Self:
        receivers = self.receivers._replace(ptr=self.receivers.ptr.to(device))
        if self.senders is self.receivers:
            return self._bound_to(receivers, receivers)
        return self._bound_to(receivers, self.senders._replace(ptr=self.senders.ptr.to(device)))

    def plan(self) -> Plan:
        """The batch as a few tiles of graphs of similar size; graphs without senders or receivers are in none.

        Sizes are rounded up to a multiple of 8 (of about an eighth of the size above 64) and what rounds alike is padded
        together, to the largest of them. Made once for a batch, not once for a layer.
        """
        if self._plan is None:
            tiles = self._make_tiles()
            self._plan = Plan(tiles, *_way_back(tiles, self.num_receivers, self.receivers.ptr.device))
        return self._plan

    def _make_tiles(self) -> list[Tile]:
        wide, high = self.receivers.ptr.diff(), self.senders.ptr.diff()
        busy = ((wide > 0) & (high > 0)).nonzero().flatten()
        if busy.numel() == 0:
            return []
        if self.receivers.equal and self.senders.equal:
            return [self._tile(busy, whole=True)]
        keys = [
            _rounded(n) * 2**32 + _rounded(m) for n, m in zip(wide[busy].tolist(), high[busy].tolist(), strict=True)
        ]
        kinds = torch.tensor(keys, device=busy.device).unique(return_inverse=True)[1]
        return [self._tile(busy[kinds == kind], whole=False) for kind in range(int(kinds.max()) + 1)]

    def _tile(self, graphs: Tensor, *, whole: bool) -> Tile:
        receiver, real_receiver = _laid_out(self.receivers.ptr, graphs)
        sender, real_sender = _laid_out(self.senders.ptr, graphs)
        column = torch.arange(sender.size(1), device=sender.device)
        edge = self._first_edge()[receiver][:, :, None] + column
        if real_receiver is not None or real_sender is not None:
            real = torch.ones_like(edge, dtype=torch.bool)
            real &= True if real_receiver is None else real_receiver[:, :, None]
            real &= True if real_sender is None else real_sender[:, None, :]
            edge = edge.masked_fill(~real, 0)
        return Tile(receiver, sender, edge, real_receiver, real_sender, whole)

    def _first_edge(self) -> Tensor:
        degrees = self.degrees()
        return degrees.cumsum(0) - degrees

    def _first_sender(self) -> Tensor:
        return self.senders.ptr[:-1].repeat_interleave(self.receivers.ptr.diff(), output_size=self.num_receivers)


def _rounded(size: int) -> int:
    step = max(8, 2 ** (size.bit_length() - 4))
    return -(-size // step) * step


def _laid_out(ptr: Tensor, graphs: Tensor) -> tuple[Tensor, Tensor | None]:
    start, count = ptr[graphs], ptr.diff()[graphs]
    place = torch.arange(int(count.max()), device=ptr.device)
    real = place < count[:, None]
    node = (start[:, None] + place) * real
    return node, None if bool(real.all()) else real


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
