"""Attention: a score and a value on every edge."""

from __future__ import annotations

from typing import NamedTuple, final

from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.message.reset import reset
from graphattn.score import ScaledDot
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
    the positions of their nodes before they meet.

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
        ValueError: receivers without a state (``x_i`` is None) have no query; shared heads that do not divide the heads.

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
        self.groups = heads.shared or heads.number
        if heads.number % self.groups:
            raise ValueError(f"expected shared heads that divide the heads, got {heads}")
        self.score = score if score is not None else ScaledDot()
        self.query = Linear(from_receiver, heads.number * heads.channels, bias=bias)
        self.key = Linear(from_sender, self.groups * heads.channels, bias=bias)
        self.value = Linear(from_sender, self.groups * (heads.value_channels or heads.channels), bias=bias)
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
        query = self.query(x_i).unflatten(-1, (self.heads.number, -1))
        key = self.key(x_j).unflatten(-1, (self.groups, -1))
        value = self.value(x_j).unflatten(-1, (self.groups, -1))
        if self.rotate is not None:
            at_sender, at_receiver = graph.places() if position is None else _both(position)
            query, key = self.rotate(query, at_receiver), self.rotate(key, at_sender)
        return {"key": self._for_all(key), "value": self._for_all(value)}, {"query": query}

    def on_edges(self, graph: Topology, edge: State) -> State:
        terms: State = {}
        if self.edge_bias is not None:
            terms["bias"] = self.edge_bias.on_edges(graph, edge)
        for name, term in (("key", self.edge_key), ("value", self.edge_value)):
            if term is not None:
                number, said = term.on_edges(graph, edge)
                if number is not None:
                    said = said.new_zeros(graph.num_edges, *said.shape[1:]).index_add(0, number, said)
                terms[name] = said
        return terms

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[Tensor, Tensor]:
        key = sender["key"] + edge["key"] if "key" in edge else sender["key"]
        score = self.score(receiver["query"], key)
        if "bias" in edge:
            score = score + edge["bias"]
        return score, sender["value"] + edge["value"] if "value" in edge else sender["value"]

    def extra_repr(self) -> str:
        return f"heads={tuple(self.heads)}, score={self.score}"

    def _for_all(self, state: Tensor) -> Tensor:
        times = self.heads.number // self.groups
        return state if times == 1 else state.repeat_interleave(times, dim=1)


def _both(position: Positions) -> tuple[Tensor, Tensor]:
    return position if isinstance(position, tuple) else (position, position)
