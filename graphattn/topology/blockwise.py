"""Topologies that are computed in blocks of scores, a tile for graphs of similar size, never from a list of edges."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, Self

import torch
from torch import Tensor

from graphattn.backends.layout.bands import bands_of, narrow, one_form, shape_of
from graphattn.backends.layout.shares import alike, in_order
from graphattn.backends.layout.tiles import Plan, graphs_of, make_plan, of_any_number, one_tile
from graphattn.lasting import lasting
from graphattn.slots import Sizes
from graphattn.topology.base import Topology
from graphattn.topology.sizes import graph_of


class Run(NamedTuple):
    """For each node a run of other nodes: ``many [N]`` of them from ``first [N]`` on, ``step`` apart."""

    first: Tensor
    many: Tensor
    step: int = 1

    def edge_index(self, num_edges: int) -> Tensor:
        """The edges from the nodes of each run to the run's node, in this order, ``[2, E]``."""
        device = self.many.device
        node = torch.arange(self.many.numel(), device=device)
        receiver = node.repeat_interleave(self.many, output_size=num_edges)
        number = torch.arange(num_edges, device=device)
        return torch.stack([self.node(receiver, number), receiver])

    def node(self, receiver: Tensor, number: Tensor) -> Tensor:
        """The node at the other end of the edges with these numbers."""
        return self.first[receiver] + (number - self.before()[receiver]) * self.step

    def before(self) -> Tensor:
        """How many edges there are before those of each node."""
        return self.many.cumsum(0) - self.many


def everyone(listening: Sizes, speaking: Sizes, count: int) -> Run:
    """The run of all ``speaking`` nodes of its graph, for each of the ``count`` listening nodes."""
    times = listening.ptr.diff()
    first = speaking.ptr[:-1].repeat_interleave(times, output_size=count)
    return Run(first, speaking.ptr.diff().repeat_interleave(times, output_size=count))


class Blockwise(Topology):
    """Every receiver hears a run of the senders of its graph: all of them, a stretch, or some in equal steps.

    Edges are ordered receiver-major and known by their number without a list. ``complete`` says that every receiver hears all
    senders of its graph, ``triangular`` that it hears those up to itself.
    """

    complete: bool = False
    triangular: bool = False
    _plan: Plan | None = None
    _bands: Plan | None = None
    _prepared: bool = False
    _num_edges: int | None = None

    @abstractmethod
    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Whether ``receiver`` hears ``sender``, given that both lie in one graph; may broadcast."""

    @abstractmethod
    def heard(self) -> Run:
        """Whom each receiver hears."""

    @abstractmethod
    def hearing(self) -> Run:
        """Who hears each sender."""

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        together = graph_of(self.receivers.ptr, receiver) == graph_of(self.senders.ptr, sender)
        return together & self.within(receiver, sender)

    @property
    def num_edges(self) -> int:
        if self._num_edges is not None:
            return self._num_edges
        number = int(self.degrees().sum())
        # What a compiler traces is a symbol, which must not outlive the trace.
        if not torch.compiler.is_compiling():
            self._num_edges = number
        return number

    def degrees(self) -> Tensor:
        return self.heard().many

    def edge_index(self) -> Tensor:
        return self.heard().edge_index(self.num_edges)

    def edge_number(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Where the edge from ``sender`` to ``receiver`` stands in ``edge_index()``, without building it.

        Raises:
            ValueError: a pair without an edge, in two graphs or in one.
        """
        strangers = ~self.keep(receiver, sender)
        if bool(strangers.any()):
            pair = (int(receiver[strangers][0]), int(sender[strangers][0]))
            raise ValueError(f"expected pairs that {self} joins, got receiver {pair[0]} and sender {pair[1]}")
        run = self.heard()
        return run.before()[receiver] + (sender - run.first[receiver]).div(run.step, rounding_mode="floor")

    def receiver_of(self, number: Tensor) -> Tensor:
        """The receivers of the edges with these numbers."""
        return torch.searchsorted(self.degrees().cumsum(0), number, right=True)

    def pair_of(self, number: Tensor) -> Tensor:
        """Where the edges with these numbers stand among the pairs of all tiles of the plan."""
        receiver, plan = self.receiver_of(number), self.plan()
        return plan.pair[receiver] + (number - self.heard().before()[receiver]) * plan.step

    def with_self_loops(self) -> Topology:
        """Itself: every node hears itself already."""
        return self

    def reverse(self) -> Topology:
        from graphattn.topology.reversed import Reversed

        return Reversed(self)

    def reach(self) -> tuple[int, int] | None:
        """How many nodes before and behind itself a receiver hears at most, in steps of its run; None where that is all."""
        return None

    def prepare(self) -> Self:
        """Itself, laid out in one tile: padded to its largest graph, but of one form, so that batches compile alike.

        Graphs of one size need no padding: a form of its own.
        """
        self._num_edges, self._prepared = self.num_edges, True
        with lasting(self.receivers.ptr):
            even = self.receivers.equal and self.senders.equal
            plan = self._in_one_tile(even=even)
            self._plan, self._bands = of_any_number(plan) if even else plan, self._in_one_band()
        return self

    def plan(self) -> Plan:
        """The batch as a few tiles of graphs of similar size; graphs without senders or receivers are in none.

        Made once for a batch, not once for a layer. While a graph is compiled or exported: in one tile, whatever the sizes.
        """
        if torch.compiler.is_compiling() and not self._prepared:
            # A program that is exported takes any number of graphs; a compiler makes another one for a graph alone.
            alone = not torch.compiler.is_exporting() and self.num_graphs == 1
            return self._in_one_tile(even=alone)
        if self._plan is None:
            shares = in_order if self.receivers.equal and self.senders.equal else alike
            with lasting(self.receivers.ptr):
                self._plan = make_plan(self, graphs_of(self), shares)
        return self._plan

    def narrow_plan(self) -> Plan:
        """The batch in bands of a few senders around each block of receivers, where that is cheaper; else as ``plan()``."""
        if torch.compiler.is_compiling() and not self._prepared:
            return self._in_one_band() or self.plan()
        reach = narrow(self) if self._bands is None else None
        if reach is not None:
            with lasting(self.receivers.ptr):
                self._bands = make_plan(self, bands_of(self, *reach), alike)
        return self.plan() if self._bands is None else self._bands

    def _in_one_tile(self, *, even: bool) -> Plan:
        # Where there are no edges there are no features of edges to be laid out.
        shape = (self.receivers.max, self.senders.max) if self._num_edges != 0 else (0, 0)
        return one_tile(self, graphs_of(self), shape, even=even, whole=True)

    def _in_one_band(self) -> Plan | None:
        form = one_form(self)
        if form is None or self.receivers.max == 0:
            return None
        return one_tile(self, bands_of(self, *form), shape_of(self, *form), even=False, whole=False)
