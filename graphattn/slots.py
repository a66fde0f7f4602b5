r"""The slots of the equation, as typed aliases in one place.

.. math:: x_i' = \text{update}(x_i, \text{aggregate}_{j \in N(i)}\, \text{message}(x_i, x_j, e_{ji}))

Letters in shapes: ``N`` nodes (``N_j`` senders, ``N_i`` receivers), ``E`` edges, ``H`` heads, ``C`` channels of one head,
``F`` channels of a node, ``B`` graphs in the batch, ``K`` edges that carry a feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

if TYPE_CHECKING:
    from graphattn.edge_terms.factored import OfFeatures, OfKinds
    from graphattn.layer import GraphLayer
    from graphattn.topology import Tile, Topology

State = dict[str, Tensor]
"""Node tensors ``[N, H, ...]`` by name; also the features of edges by name. A KV cache is the senders' State."""


class Sizes(NamedTuple):
    """How many nodes each graph of a batch has: boundaries ``ptr [B + 1]``, the largest, and whether all are equal."""

    ptr: Tensor
    max: int
    equal: bool


class Groups(NamedTuple):
    """Which receiver each edge belongs to: ``index [E]`` into ``size`` receivers, ``ptr [N_i + 1]`` if edges are sorted."""

    index: Tensor  # pyright: ignore[reportIncompatibleMethodOverride]
    ptr: Tensor | None
    size: int
    edge_type: Tensor | None


class Inputs(NamedTuple):
    """What a layer computes with after ``project``: states of senders and receivers, features of edges.

    ``seed`` is the seed of this call's edge dropout, an integer without dimensions; None where nothing is dropped.
    """

    senders: State
    receivers: State
    edge: State
    seed: Tensor | None = None


Positions = Tensor | tuple[Tensor, Tensor]
"""Where nodes are, ``[N]`` or ``[N, D]``; or ``(senders, receivers)`` where they are different nodes."""

Rotate = Callable[[Tensor, Tensor], Tensor]
"""Queries or keys turned by position: ``([N, H, C], position [N] or [N, D]) -> [N, H, C]``."""


Project = Callable[[Tensor, "Tensor | None", "Topology", "Positions | None"], tuple[State, State]]
"""Before any edge exists: ``(x_j [N_j, F], x_i [N_i, F] | None, graph, position) -> (senders, receivers)``."""

Speak = Callable[[State, State, State], tuple["Tensor | None", Tensor]]
"""On one edge: ``(sender, receiver, edge) -> (score [E, H] | None, value [E, H, C])``."""

Weigh = Callable[["Tensor | None", Groups], "Tensor | None"]
"""Aggregation, part 1: ``score [E, H] -> alpha [E, H]``."""

Reduce = Callable[[Tensor, Groups], Tensor]
"""Aggregation, part 2: ``[E, H, C] -> [N_i, H, k C]``."""

Update = Callable[["Tensor | None", Tensor], Tensor]
"""``(x_i [N_i, F] | None, heard [N_i, H, C]) -> [N_i, F']``; ``x_i`` is None where receivers have no state of their own."""


class Message(Protocol):
    """What is said on one edge. ``scored`` tells whether ``speak`` gives a score for the aggregation to weigh."""

    scored: bool

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]: ...

    def on_edges(self, graph: Topology, edge: State) -> State: ...

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[Tensor | None, Tensor]: ...

    def reset_parameters(self) -> None: ...


class Aggregation(Protocol):
    """How a node listens. ``scored`` tells whether it needs scores."""

    scored: bool

    def weigh(self, score: Tensor | None, groups: Groups) -> Tensor | None: ...

    def reduce(self, message: Tensor, groups: Groups) -> Tensor: ...


class Score(Protocol):
    """Similarity of a receiver and a sender: ``query [E, H, C], key [E, H, C] -> [E, H]``."""

    def __call__(self, query: Tensor, key: Tensor) -> Tensor: ...


class EdgeTerm(Protocol):
    """A score that depends on the edge alone.

    The term asks ``graph`` for senders and receivers if it needs them, so that a term on an implicit topology which reads
    ``edge`` only (shortest-path distance, bonds) never forces the list of edges to be built.
    """

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        """``[E, H]`` in the edge order of ``graph``."""
        ...

    def on_tile(self, tile: Tile, edge: State) -> Tensor | None:
        """The same laid out as ``[H, b, n, m]``, anything where there is no edge; None if ``on_edges`` is the shortest way."""
        ...


class EdgeValue(Protocol):
    """A key or value said on some edges besides the sender's: ``(edge number [K] | None for all, value [K, H, C])``."""

    def on_edges(self, graph: Topology, edge: State) -> tuple[Tensor | None, Tensor]: ...


class Factored(Protocol):
    """Keys or values of a tile's edges in two factors, so that no pair has channels (:mod:`graphattn.edge_terms.factored`)."""

    def scores(self, query: Tensor) -> Tensor:
        """The query's product with what each pair says, ``[H, b, n, C] -> [H, b, n, m]``."""
        ...

    def heard(self, alpha: Tensor) -> Tensor:
        """What each receiver hears of the pairs, ``[H, b, n, m] -> [H, b, n, C]``."""
        ...


@runtime_checkable
class FactoredValue(Protocol):
    """An edge value that can be had in two factors; ``on_tile`` gives None where ``on_edges`` is the shortest way."""

    def on_tile(self, tile: Tile, edge: State) -> Factored | None: ...


@runtime_checkable
class ListedValue(Protocol):
    """An edge value that lists of edges can have in two factors, so that no edge has ``H x C`` numbers of its own.

    ``why_not_listed`` tells in a sentence why it cannot be had so; None if it can.
    """

    def why_not_listed(self, edge: State) -> str | None: ...

    def on_list(self, graph: Topology, edge: State) -> OfKinds | OfFeatures: ...


class Backend(Protocol):
    """One way to compute what every receiver hears; never a different result."""

    name: str

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterable[str]:
        """Reasons, in sentences, why this backend cannot be used; none if it can. The dispatcher reads the first only."""
        ...

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        """What every receiver hears, ``[N_i, H, C]``."""
        ...
