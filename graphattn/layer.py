r"""The equation, once.

.. math:: x_i' = \text{update}(x_i, \text{aggregate}_{j \in N(i)}\, \text{message}(x_i, x_j, e_{ji}))
"""

from __future__ import annotations

from typing import Dict, Optional, final  # noqa: UP035  PyG's inspector reads these spellings

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from graphattn.backends import dispatch
from graphattn.binding import bind, misfit
from graphattn.dropout import draw_seed, dropout_scale, must_be_share
from graphattn.slots import Aggregation, Groups, Inputs, Message, Positions, State
from graphattn.topology import Edges, Topology


@final
class GraphLayer(MessagePassing):
    r"""One layer of message passing: topology, message, aggregation, update.

    .. math:: x_i' = \text{update}(x_i, \text{aggregate}_{j \in N(i)}\, \text{message}(x_i, x_j, e_{ji}))

    The topology is given to ``forward``; everything else here. The result is computed by the first backend that can,
    :func:`~graphattn.backends.explain_backend` tells which and why.

    Args:
        message: what is said on one edge (:mod:`graphattn.message`).
        aggregation: how a node listens (:mod:`graphattn.aggregation`).
        update: what the node becomes (:mod:`graphattn.update`).
        name: the layer's name when printed.
        dropout: share of messages that a receiver does not hear in training, head by head; the others speak up.

    Raises:
        ValueError: an aggregation that weighs scores with a message that has none, or the other way round; a dropout outside
            0 to 1.
        TypeError: something else in the place of a part.

    >>> from graphattn import Full, SelfAttention
    >>> layer = SelfAttention(16, heads=4)
    >>> layer(torch.randn(5, 16), Full([3, 2])).shape
    torch.Size([5, 16])
    """

    # PyG generates `propagate` per class name; stated here, it does not depend on the source being readable.
    propagate_type = {  # noqa: RUF012
        "senders": "Dict[str, Tensor]",
        "receivers": "Dict[str, Tensor]",
        "edge": "Dict[str, Tensor]",
        "seed": "Optional[Tensor]",
    }

    def __init__(
        self,
        message: Message,
        aggregation: Aggregation,
        update: nn.Module,
        name: str = "GraphLayer",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(aggr=None, node_dim=0)
        _must_be_parts(message, aggregation, update)
        if message.scored != aggregation.scored:
            raise ValueError(
                f"expected a message and an aggregation that agree on scores, got {type(message).__name__} "
                f"({'with' if message.scored else 'without'} a score) and {type(aggregation).__name__} "
                f"({'needs' if aggregation.scored else 'takes no'} scores)"
            )
        self.message_function = message
        self._hears_edges: bool | None = None
        self._alpha: Optional[Tensor] = None
        self.aggregation = aggregation
        must_be_share(dropout)
        self.update_function = update
        self.name = name
        self.dropout = dropout

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        super().reset_parameters()
        for part in (self.message_function, self.aggregation, self.update_function):
            reset = getattr(part, "reset_parameters", None)
            if reset is not None:
                reset()

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Tensor | Topology,
        edge_attr: Tensor | State | None = None,
        position: Positions | None = None,
        return_attention_weights: bool | None = None,
    ) -> Tensor | tuple[Tensor, tuple[Tensor, Tensor]]:
        """What every node becomes.

        Args:
            x: node states ``[N, F]``, or ``(senders [N_j, F_j], receivers [N_i, F_i] | None)``.
            edge_index: a topology, or what PyG takes: a plain ``edge_index``, an ``EdgeIndex``, or a ``torch.sparse`` matrix
                ``[receiver, sender]`` (``adj_t``), whose rows of values are edge features.
            edge_attr: edge features ``[E, D]`` in the topology's edge order, or several by name.
            position: positions of the nodes, for messages that use them.
            return_attention_weights: whether to return alpha, too.

        Returns:
            ``[N_i, F']``; or that and ``(edge_index [2, E], alpha [E, H])``, alpha before dropout.

        Raises:
            ValueError: ``x`` or ``edge_attr`` with another number of rows than the topology has nodes or edges, with other
                channels than the layer has, on another device, or where the message takes none; attention weights of an
                aggregation that weighs no scores; a call under ``torch.jit.trace``.
            TypeError: senders and receivers of different dtypes.
        """
        try:
            x_i, graph, inputs = self.prepare(x, edge_index, edge_attr, position)
            out = self.become(x_i, graph, inputs)
        except RuntimeError as error:
            raise misfit(error, self.message_function, x, edge_attr) or error from None
        return (out, (graph.edge_index(), self.weights(graph, inputs))) if return_attention_weights else out

    def become(self, x_i: Tensor | None, graph: Topology, inputs: Inputs) -> Tensor:
        """What every node becomes from what ``prepare`` gave, or from that and what senders said before (a KV cache)."""
        return self.update_function(x_i, dispatch.choose(self, graph, inputs).heard(self, graph, inputs))

    def attention(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Tensor | Topology,
        edge_attr: Tensor | State | None = None,
        position: Positions | None = None,
    ) -> Tensor:
        """How much each receiver hears each sender: alpha ``[E, H]`` in the topology's edge order, before dropout.

        Takes what ``forward`` takes. A receiver's weights sum to one, or it hears nobody.

        Raises:
            ValueError: a layer whose aggregation weighs no scores; and as ``forward`` does.
        """
        _, graph, inputs = self.prepare(x, edge_index, edge_attr, position)
        return self.weights(graph, inputs)

    def prepare(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Tensor | Topology,
        edge_attr: Tensor | State | None = None,
        position: Positions | None = None,
    ) -> tuple[Tensor | None, Topology, Inputs]:
        """Receivers' states, the topology, and what backends compute with; takes what ``forward`` takes."""
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        message = self.message_function
        graph, edge = bind(message, x_j, x_i, edge_index, edge_attr)
        if isinstance(edge_attr, Tensor):
            self._check_heard(graph, edge)
        must_be_share(self.dropout)
        seed = draw_seed() if self.training and self.dropout else None
        return x_i, graph, Inputs(*message.project(x_j, x_i, graph, position), edge, seed)

    def hear_edgewise(self, graph: Topology, inputs: Inputs) -> Tensor:
        """What every receiver hears, edge by edge through PyG's ``propagate``: the specification, ``[N_i, H, C]``.

        Raises:
            ValueError: an explainer's edge mask on a topology that is not a list of edges.
        """
        if self.explain and not isinstance(graph, Edges):
            raise ValueError(
                f"expected Edges under an explainer with an edge mask, got {type(graph).__name__}: "
                "its edges are not those of the mask; set layer.explain = False to leave this layer out"
            )
        edge = self.message_function.on_edges(graph, inputs.edge)
        size = (graph.num_senders, graph.num_receivers)
        heard = self.propagate(
            graph.edge_index(),
            senders=inputs.senders,
            receivers=inputs.receivers,
            edge=edge,
            seed=inputs.seed,
            size=size,
        )
        self._alpha = None
        return heard

    def message(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        senders: Dict[str, Tensor],  # noqa: UP006
        receivers: Dict[str, Tensor],  # noqa: UP006
        edge: Dict[str, Tensor],  # noqa: UP006
        seed: Optional[Tensor],
        edge_index_j: Tensor,
        edge_index_i: Tensor,
        size_i: Optional[int],
    ) -> Tensor:
        """PyG's hook: what is said on every edge, weighed, ``[E, H, C]``."""
        ends = torch.stack([edge_index_j, edge_index_i])
        self._alpha, value = self._weighed(Inputs(senders, receivers, edge), ends, _known(size_i))
        heard = value if self._alpha is None else self._alpha.unsqueeze(-1) * value
        if seed is None:
            return heard
        number = torch.arange(heard.size(0), device=heard.device)
        factor = dropout_scale(seed, edge_index_i, edge_index_j, number, heard.size(1), self.dropout, heard.dtype)
        return heard * factor.unsqueeze(-1)

    def weights(self, graph: Topology, inputs: Inputs) -> Tensor:
        """The same of what ``prepare`` gave."""
        if not self.aggregation.scored:
            raise ValueError(f"expected an aggregation that weighs scores, got {type(self.aggregation).__name__}")
        edge = self.message_function.on_edges(graph, inputs.edge)
        alpha, _ = self._weighed(inputs._replace(edge=edge), graph.edge_index(), graph.num_receivers)
        assert alpha is not None
        return alpha

    def _check_heard(self, graph: Topology, edge: State) -> None:
        # What is asked once outside of a compiler must not be another thing for it later.
        if torch.compiler.is_compiling():
            return
        # A message without a word about edges that have no features, and no complaint, takes none. Asked once.
        if self._hears_edges is None:
            try:
                self._hears_edges = bool(self.message_function.on_edges(graph, {}))
            except (ValueError, KeyError):
                self._hears_edges = True
        if self._hears_edges is False:
            raise ValueError(
                f"expected no edge_attr, as the message {type(self.message_function).__name__} takes no edge features here, "
                f"got edge_attr of shape {list(edge['edge_attr'].shape)}"
            )

    def _weighed(self, inputs: Inputs, ends: Tensor, size: int) -> tuple[Tensor | None, Tensor]:
        sender = {name: state.index_select(0, ends[0]) for name, state in inputs.senders.items()}
        receiver = {name: state.index_select(0, ends[1]) for name, state in inputs.receivers.items()}
        score, value = self.message_function.speak(sender, receiver, inputs.edge)
        return self.aggregation.weigh(score, Groups(ends[1], None, size, inputs.edge.get("edge_type"))), value

    def aggregate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        inputs: Tensor,
        index: Tensor,
        edge: Dict[str, Tensor],  # noqa: UP006
        dim_size: Optional[int] = None,
    ) -> Tensor:
        """PyG's hook: all that a receiver hears, ``[N_i, H, C]``."""
        return self.aggregation.reduce(inputs, Groups(index, None, _known(dim_size), edge.get("edge_type")))

    def _get_name(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return nn.Module.__repr__(self)


def _must_be_parts(message: object, aggregation: object, update: object) -> None:
    fits = {
        "message": hasattr(message, "speak"),
        "aggregation": hasattr(aggregation, "weigh"),
        "update": callable(update),
    }
    for (name, fit), part in zip(fits.items(), (message, aggregation, update), strict=True):
        if not fit:
            raise TypeError(f"expected {name} to be one of graphattn.{name}, got {part!r}")


def _known(size: int | None) -> int:
    assert size is not None
    return size
