"""What every topology can do: who hears whom, as a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

import networkx
import torch
from torch import Tensor

from graphattn.lasting import lasting, mark
from graphattn.slots import Sizes
from graphattn.topology.sizes import known, made, spans

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graphattn.topology.edges import Edges
    from graphattn.topology.union import Union

_GIVEN = ("_known_types", "_types_mark", "_list", "_list_mark", "_counts")

Nodes = Tensor | tuple[Tensor, Tensor]
"""Some of the nodes, bool ``[N]`` or rising numbers; or ``(senders, receivers)`` where these are different nodes."""


class Topology(ABC):
    """Who hears whom in a batch of graphs; graphs of a batch never hear each other.

    Immutable. ``keep`` is the definition; lists, masks and counts follow from it and are made only when asked for.
    ``edge_index`` is ``[sender, receiver]``, matrices are ``[receiver, sender]``.
    """

    receivers: Sizes
    senders: Sizes
    num_receivers: int
    num_senders: int
    _known_types: Tensor | None = None
    _types_mark: Hashable = None
    _edges: Edges | None = None
    # Of a tree: numbers as shapes, and the parts that there were (:mod:`graphattn.topology.pytrees`).
    _counts: tuple[Any, ...] | None = None
    _parts: tuple[str, ...] | None = None

    @abstractmethod
    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Whether ``receiver`` hears ``sender``: broadcasting tensors of node numbers in, bool out."""

    @abstractmethod
    def edge_index(self) -> Tensor:
        """All edges, ``[2, E]``: row 0 senders, row 1 receivers."""

    @property
    @abstractmethod
    def num_edges(self) -> int:
        """Number of edges, without listing them where the topology is implicit."""

    @abstractmethod
    def degrees(self) -> Tensor:
        """How many senders each receiver hears, ``[N_i]``."""

    @abstractmethod
    def with_self_loops(self) -> Topology:
        """The same graph in which every node also hears itself."""

    @abstractmethod
    def reverse(self) -> Topology:
        """The graph in which those who were heard hear: every edge turned round."""

    @abstractmethod
    def _joined(self, graphs: Sequence[Any]) -> Topology:
        """One batch of several of the same kind and with the same options; this one is the first of them."""

    def _options(self) -> dict[str, object]:
        """What was chosen besides sizes, by name."""
        return {}

    @property
    def device(self) -> torch.device:
        """Where the topology is."""
        return self.receivers.ptr.device

    @property
    def num_graphs(self) -> int:
        """Number of graphs in the batch, empty ones included."""
        return self.receivers.ptr.numel() - 1

    @property
    def num_edge_types(self) -> int:
        """Number of types of edges; 1 where the topology knows none."""
        return 1

    def edge_type(self) -> Tensor | None:
        """The type of each edge, ``[E]`` in edge order, where the topology knows types; else None."""
        return None

    def known_types(self) -> Tensor | None:
        """``edge_type()``, made once and then the same tensor, so that what is read from it is read once for a graph."""
        if torch.compiler.is_compiling():
            return self.edge_type() if self._known_types is None else self._known_types
        if self._known_types is None or mark(self._known_types) != self._types_mark:
            with lasting(self.receivers.ptr):
                self._known_types = self.edge_type()
            self._types_mark = None if self._known_types is None else mark(self._known_types)
        return self._known_types

    def as_edges(self) -> Edges:
        """The same graph as a list of edges, in the same order."""
        return self._listed_as(self.edge_index(), self.edge_type())

    def _listed_as(self, ends: Tensor, types: Tensor | None) -> Edges:
        from graphattn.topology.edges import Edges

        if self.senders is self.receivers:
            return Edges(ends, self.num_senders, ptr=self.receivers.ptr, edge_type=types)
        ptr = (self.senders.ptr, self.receivers.ptr)
        return Edges(ends, (self.num_senders, self.num_receivers), ptr=ptr, edge_type=types)

    def listed(self) -> Edges:
        """The same graph as a list of edges, in the same order, made once: what kernels for lists of edges compute with.

        >>> graph = Full([2, 1])
        >>> graph.listed() is graph.listed(), graph.listed().num_edges
        (True, 5)
        """
        if self._edges is not None:
            return self._edges
        # What a compiler traces must not outlive the trace.
        if torch.compiler.is_compiling():
            return self.as_edges()
        with lasting(self.receivers.ptr):
            self._edges = self.as_edges()
        return self._edges

    @property
    def grouped(self) -> bool:
        """Whether the edges are listed and grouped by both ends already, so that no kernel has to wait for it."""
        return self._edges is not None and self._edges.grouped

    def check(self) -> None:
        """See that nobody has written into the boundaries of graphs, which a topology shows and kernels read.

        Raises:
            ValueError: somebody has.
        """
        known(self.receivers)
        if self.senders is not self.receivers:
            known(self.senders)

    def subgraph(self, nodes: Nodes) -> Topology:
        """The graph among some of the nodes only, which are numbered anew in their old order.

        Args:
            nodes: bool ``[N]``, or their numbers in rising order; ``(senders, receivers)`` where those are different nodes.

        Raises:
            ValueError: numbers that do not rise, or that are not there; one tensor where two are needed.

        >>> Full([3, 2]).subgraph(torch.tensor([0, 2, 4]))
        Full(graphs=2, receivers=3, senders=3, edges=5)
        """
        return self.as_edges().subgraph(nodes)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """The same topology on another device."""
        moved = copy(self)
        for name, value in list(vars(moved).items()):
            setattr(moved, name, _moved(value, device, non_blocking))
        if self.senders is self.receivers:
            moved.senders = moved.receivers
        return moved

    def __getstate__(self) -> dict[str, Any]:
        # What callers may hold is made again by a copy, a pickle, and on another device.
        return {name: value for name, value in vars(self).items() if name not in _GIVEN}

    def places(self) -> tuple[Tensor, Tensor]:
        """Where each sender and each receiver stands in its graph, counted from 0: ``([N_j], [N_i])``."""
        return _places(self.senders, self.num_senders), _places(self.receivers, self.num_receivers)

    def prepare(self) -> Self:
        """Itself, with all made that is made once for a graph: for ``torch.compile`` and ``torch.export``, which cannot keep it.

        >>> Full([3, 2]).prepare()
        Full(graphs=2, receivers=5, senders=5, edges=13)
        """
        self.listed().prepare()
        return self

    def mask(self) -> Tensor:
        """Who hears whom as a matrix, bool ``[N_i, N_j]``."""
        device = self.receivers.ptr.device
        receiver = torch.arange(self.num_receivers, device=device)
        sender = torch.arange(self.num_senders, device=device)
        return self.keep(receiver[:, None], sender[None, :])

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A networkx graph with an arc from sender to receiver for each edge.

        Nodes are numbers; where senders and receivers are different nodes, they are ``("sender", j)`` and ``("receiver", i)``.
        """
        graph = networkx.MultiDiGraph()
        bipartite = self.senders is not self.receivers
        senders = [("sender", j) for j in range(self.num_senders)] if bipartite else list(range(self.num_senders))
        receivers = [("receiver", i) for i in range(self.num_receivers)] if bipartite else senders
        graph.add_nodes_from(senders)
        graph.add_nodes_from(receivers)
        graph.add_edges_from((senders[j], receivers[i]) for j, i in self.edge_index().T.tolist())
        return graph

    def draw(self, title: str | None = None, receiver: int | None = None) -> Figure:
        """A picture of the graph: nodes and arrows beside the matrix (:mod:`graphattn.explain.topology`)."""
        from graphattn.explain.topology import draw

        return draw(self, title, receiver)

    def __or__(self, other: Topology) -> Union:
        """All edges of both, as a multigraph: :class:`~graphattn.topology.Union`."""
        from graphattn.topology.union import Union

        return Union(self, other)

    def __repr__(self) -> str:
        options = "".join(f"{name}={value}, " for name, value in self._options().items())
        return (
            f"{type(self).__name__}({options}graphs={self.num_graphs}, receivers={self.num_receivers}, "
            f"senders={self.num_senders}, edges={self.num_edges})"
        )


def collate(graphs: Sequence[Topology]) -> Topology:
    """One topology of the graphs of several, one behind the other, of the same kind and with the same options.

    PyG's ``DataLoader`` and ``Batch`` leave an attribute of ``Data`` that is a topology as a list: ``collate(batch.graph)``
    is its topology. ``batch.to(device)`` moves it.

    Raises:
        ValueError: no topologies, topologies of several kinds, or with other options.

    >>> from graphattn.topology import Causal
    >>> collate([Causal([3]), Causal([2, 1])])
    Causal(graphs=3, receivers=6, senders=6, edges=10)
    """
    if not graphs:
        raise ValueError("expected one topology or more, got none")
    first = graphs[0]
    for graph in graphs[1:]:
        if (
            type(graph) is not type(first)
            or graph._options() != first._options()
            or (graph.senders is graph.receivers) != (first.senders is first.receivers)
        ):
            raise ValueError(
                f"expected topologies of one kind with the same options, got {first} and {graph}; "
                "graph.as_edges() is a list of edges of any kind"
            )
    return first._joined(graphs)


def _places(sizes: Sizes, count: int) -> Tensor:
    return torch.arange(count, device=sizes.ptr.device) - spans(sizes, count)[0]


def _moved(value: object, device: torch.device | str, non_blocking: bool) -> object:
    if isinstance(value, (Tensor, Topology)):
        return value.to(device, non_blocking=non_blocking)
    if isinstance(value, Sizes):
        return made(Sizes(value.ptr.to(device, non_blocking=non_blocking), value.max, value.equal))
    if isinstance(value, (tuple, list)):
        make = getattr(type(value), "_make", type(value))
        return make([_moved(part, device, non_blocking) for part in value])
    return value
