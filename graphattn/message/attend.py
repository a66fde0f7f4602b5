"""Attention: a score and a value on every edge."""

from __future__ import annotations

from typing import NamedTuple, Self, final

from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.counts import must_be_counts
from graphattn.edge_terms.reading import read
from graphattn.reset import reset
from graphattn.score import NodeScore, ScaledDot
from graphattn.score.base import has_node_part
from graphattn.slots import EdgeTerm, EdgeValue, Positions, Rotate, Score, State
from graphattn.topology import Topology


class Heads(NamedTuple):
    """Heads of an attention message: ``number`` of them, each with ``channels`` of query and key.

    ``shared`` keys and values serve all query heads in equal groups (grouped-query attention, Ainslie et al. 2023; 1 is
    multi-query attention, Shazeer 2019); each query head has its own if not given. ``value_channels`` are those of a value
    where they differ from those of a key.
    """

    number: int
    channels: int
    shared: int | None = None
    value_channels: int | None = None


@final
class Attend(nn.Module):
    r"""Attention: a score and a value on every edge.

    .. math:: s_{ij} = \text{score}(W_q x_i, W_k x_j + w(e_{ji})) + b(e_{ji}) \qquad v_{ij} = W_v x_j + u(e_{ji})

    with an optional edge bias ``b`` (one number per head), edge key ``w`` and edge value ``u``. Queries and keys may be turned by
    the positions of their nodes before they meet. What a score can compute per node is computed before any edge exists. The
    three maps are the modules ``query``, ``key`` and ``value``; :meth:`set_maps` shares or replaces them.

    Args:
        channels: channels ``F`` of senders and receivers, or ``(senders, receivers)``; -1 reads them from the first input.
        heads: number and channels of the heads.
        score: similarity of query and key; scaled dot product if not given.
        bias: whether the three linear maps have a bias.
        edge_bias: ``b``, an :class:`~graphattn.slots.EdgeTerm`.
        edge_key: ``w``, an :class:`~graphattn.slots.EdgeValue`.
        edge_value: ``u``, an :class:`~graphattn.slots.EdgeValue`.
        rotate: turns queries and keys by position; a node's place in its graph, where the layer is given no positions.

    Shapes: ``x_j [N_j, F]``, ``x_i [N_i, F]`` -> score ``[E, H]``, value ``[E, H, C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None) have no query; shared heads that do not divide the heads; heads
            or channels of them fewer than 1.

    >>> Attend(8, Heads(4, 2, shared=2)).key
    Linear(8, 4, bias=True)
    """

    scored = True

    def __init__(
        self,
        channels: int | tuple[int, int],
        heads: Heads,
        score: Score | None = None,
        bias: bool = True,
        edge_bias: EdgeTerm | None = None,
        edge_key: EdgeValue | None = None,
        edge_value: EdgeValue | None = None,
        rotate: Rotate | None = None,
    ) -> None:
        super().__init__()
        from_sender, from_receiver = (channels, channels) if isinstance(channels, int) else channels
        self.heads = heads = Heads(*heads)
        must_be_counts("Heads", **heads._asdict())
        self.groups = heads.shared or heads.number
        if heads.number % self.groups:
            raise ValueError(f"expected shared heads that divide the heads, got {heads}")
        self.score = score if score is not None else ScaledDot()
        self.query: nn.Module = Linear(from_receiver, heads.number * heads.channels, bias=bias)
        self.key: nn.Module = Linear(from_sender, self.groups * heads.channels, bias=bias)
        self.value: nn.Module = Linear(from_sender, self.groups * (heads.value_channels or heads.channels), bias=bias)
        self.edge_bias = edge_bias
        self.edge_key = edge_key
        self.edge_value = edge_value
        self.rotate = rotate

    def reset_parameters(self) -> None:
        parts = (self.query, self.key, self.value, self.score, self.edge_bias, self.edge_key, self.edge_value)
        reset(*parts, self.rotate)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        if x_i is None:
            raise ValueError(
                "expected receivers with a state to make queries from, got x_i=None: give x=(senders, receivers)"
            )
        said = self.value(x_j)
        offered = said if self.key is self.value else self.key(x_j)
        asked = offered if self.query is self.key and x_i is x_j else self.query(x_i)
        query, key, value = self._by_head(asked), self._by_group(offered), self._by_group(said)
        if self.rotate is not None:
            at_sender, at_receiver = graph.places() if position is None else _both(position)
            query, key = self.rotate(query, at_receiver), self.rotate(key, at_sender)
        key = self._for_all(key)
        ahead = self._node_score()
        if ahead is not None:
            query, key = ahead.prepare(query, key, graph)
        elif query.size(-1) != key.size(-1):
            raise ValueError(
                f"expected queries and keys of as many channels, got {query.size(-1)} and {key.size(-1)} in a head"
            )
        return {"key": key, "value": self._for_all(value)}, {"query": query}

    def read(self, graph: Topology, edge: State) -> State:
        """Features of edges as its terms read them: checked, kinds and numbers as copies that nobody else holds."""
        return read((self.edge_bias, self.edge_key, self.edge_value), graph, edge)

    def on_edges(self, graph: Topology, edge: State) -> State:
        terms: State = {}
        if self.edge_bias is not None:
            terms["bias"] = self.edge_bias.on_edges(graph, edge)
        if self.edge_key is not None:
            terms["key"] = _on_every_edge(self.edge_key, graph, edge)
        if self.edge_value is not None:
            shared = self.edge_value is self.edge_key
            terms["value"] = terms["key"] if shared else _on_every_edge(self.edge_value, graph, edge)
        return terms

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[Tensor, Tensor]:
        key = sender["key"] + edge["key"] if "key" in edge else sender["key"]
        ahead = self._node_score()
        score = (self.score if ahead is None else ahead.compare)(receiver["query"], key)
        if "bias" in edge:
            score = score + edge["bias"]
        return score, sender["value"] + edge["value"] if "value" in edge else sender["value"]

    def set_maps(
        self, query: nn.Module | None = None, key: nn.Module | None = None, value: nn.Module | None = None
    ) -> Self:
        """Put other maps in place of its own; a module in several places is computed once and counted once.

        ``query`` maps ``[N_i, F]`` to heads times channels, ``key`` and ``value`` map ``[N_j, F]`` to shared heads times theirs.

        >>> message = Attend(8, Heads(2, 4))
        >>> message.set_maps(key=message.value).key is message.value
        True
        """
        self.query = self.query if query is None else query
        self.key = self.key if key is None else key
        self.value = self.value if value is None else value
        return self

    def extra_repr(self) -> str:
        score = "" if isinstance(self.score, nn.Module) else f", score={self.score}"
        return f"heads={tuple(self.heads)}{score}"

    def _node_score(self) -> NodeScore | None:
        # An edge key is added to the key itself; a score that is not linear in the key cannot be prepared before.
        score = self.score
        return score if has_node_part(score) and (self.edge_key is None or score.linear_in_key) else None

    def _by_head(self, state: Tensor) -> Tensor:
        return state.unflatten(-1, (self.heads.number, -1))

    def _by_group(self, state: Tensor) -> Tensor:
        return state.unflatten(-1, (self.groups, -1))

    def _for_all(self, state: Tensor) -> Tensor:
        times = self.heads.number // self.groups
        return state if times == 1 else state.repeat_interleave(times, dim=1)


def _on_every_edge(term: EdgeValue, graph: Topology, edge: State) -> Tensor:
    number, said = term.on_edges(graph, edge)
    return said if number is None else said.new_zeros(graph.num_edges, *said.shape[1:]).index_add(0, number, said)


def _both(position: Positions) -> tuple[Tensor, Tensor]:
    return position if isinstance(position, tuple) else (position, position)
