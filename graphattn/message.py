"""Message: what is said on one edge. Projected once per node, spoken once per edge.

Letters: ``E`` edges, ``H`` heads, ``C`` channels per head, ``F`` channels of a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.score import ScaledDot
from graphattn.slots import EdgeTerm, EdgeValue, Score, State
from graphattn.topology import Topology

Scale = Callable[[Topology, "Tensor | None"], Tensor]
"""The factor of each edge: ``(graph, edge weights [E] | None) -> [E]``."""


@runtime_checkable
class Resettable(Protocol):
    """What draws its parameters anew."""

    def reset_parameters(self) -> None: ...


@final
class Attend(nn.Module):
    r"""Attention: a score and a value on every edge.

    .. math:: s_{ij} = \text{score}(W_q x_i, W_k x_j) + b(e_{ji}) \qquad v_{ij} = W_v x_j + u(e_{ji})

    with an optional edge bias ``b`` (one number per head) and edge value ``u``.

    Args:
        channels: channels ``F`` of senders and receivers, or ``(senders, receivers)``; -1 reads them from the first input.
        heads: number of heads ``H``.
        head_channels: channels ``C`` of one head.
        score: similarity of query and key; scaled dot product if not given.
        bias: whether the three linear maps have a bias.
        edge_bias: ``b``, an :class:`~graphattn.slots.EdgeTerm`.
        edge_value: ``u``, an :class:`~graphattn.slots.EdgeValue`.

    Shapes: ``x_j [N_j, F]``, ``x_i [N_i, F]`` -> score ``[E, H]``, value ``[E, H, C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None) have no query.
    """

    scored = True

    def __init__(
        self,
        channels: int | tuple[int, int],
        heads: int,
        head_channels: int,
        score: Score | None = None,
        bias: bool = True,
        edge_bias: EdgeTerm | None = None,
        edge_value: EdgeValue | None = None,
    ) -> None:
        super().__init__()
        from_sender, from_receiver = (channels, channels) if isinstance(channels, int) else channels
        self.heads = heads
        self.head_channels = head_channels
        self.score = score if score is not None else ScaledDot()
        self.query = Linear(from_receiver, heads * head_channels, bias=bias)
        self.key = Linear(from_sender, heads * head_channels, bias=bias)
        self.value = Linear(from_sender, heads * head_channels, bias=bias)
        self.edge_bias = edge_bias
        self.edge_value = edge_value

    def reset_parameters(self) -> None:
        for part in (self.query, self.key, self.value, self.score, self.edge_bias, self.edge_value):
            if isinstance(part, Resettable):
                part.reset_parameters()

    def project(self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Tensor | None) -> tuple[State, State]:
        if x_i is None:
            raise ValueError(
                "expected receivers with a state to make queries from, got x_i=None: give x=(senders, receivers)"
            )
        by_head = (self.heads, self.head_channels)
        senders = {"key": self.key(x_j).unflatten(-1, by_head), "value": self.value(x_j).unflatten(-1, by_head)}
        return senders, {"query": self.query(x_i).unflatten(-1, by_head)}

    def on_edges(self, graph: Topology, edge: State) -> State:
        terms: State = {}
        if self.edge_bias is not None:
            terms["bias"] = self.edge_bias.on_edges(graph, edge)
        if self.edge_value is not None:
            number, value = self.edge_value.on_edges(graph, edge)
            if number is not None:
                value = value.new_zeros(graph.num_edges, *value.shape[1:]).index_add(0, number, value)
            terms["value"] = value
        return terms

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[Tensor, Tensor]:
        score, value = self.score(receiver["query"], sender["key"]), sender["value"]
        if "bias" in edge:
            score = score + edge["bias"]
        if "value" in edge:
            value = value + edge["value"]
        return score, value

    def extra_repr(self) -> str:
        return f"heads={self.heads}, head_channels={self.head_channels}, score={self.score}"


def symmetric(graph: Topology, weight: Tensor | None) -> Tensor:
    r"""Symmetric normalisation :math:`w_{ji} / \sqrt{d_i d_j}` with weighted in-degrees ``d`` (Kipf & Welling 2017).

    Raises:
        ValueError: senders and receivers are different nodes, so that a sender has no in-degree.

    >>> symmetric(Edges(torch.tensor([[0, 1, 1], [1, 1, 0]])), None)
    tensor([0.7071, 0.5000, 0.7071], dtype=torch.float64)
    """
    if graph.num_senders != graph.num_receivers:
        raise ValueError(
            "expected senders and receivers to be the same nodes for symmetric normalisation, "
            f"got {graph.num_senders} senders and {graph.num_receivers} receivers"
        )
    sender, receiver = graph.edge_index()
    weight = torch.ones(sender.numel(), dtype=torch.float64, device=sender.device) if weight is None else weight
    degree = weight.new_zeros(graph.num_receivers).index_add(0, receiver, weight)
    root = torch.where(degree > 0, degree, 1).rsqrt() * (degree > 0)
    return root[sender] * weight * root[receiver]


def as_weighted(graph: Topology, weight: Tensor | None) -> Tensor:
    """No normalisation: the edge's own weight, or one."""
    return torch.ones(graph.num_edges, device=graph.receivers.ptr.device) if weight is None else weight


@final
class Scaled(nn.Module):
    r"""The sender's projected state times a factor that depends on the graph alone: the message of a GCN.

    .. math:: m_{ij} = c_{ij}\, W x_j

    Args:
        in_channels: channels of a sender; -1 reads them from the first input.
        out_channels: channels of the message.
        scale: gives the factors ``c`` of all edges from the graph and the edge weights, :func:`symmetric` or :func:`as_weighted`.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, 1, C]``; edge weights are ``edge["edge_attr"]``, ``[E]`` or ``[E, 1]``.
    """

    scored = False

    def __init__(self, in_channels: int, out_channels: int, scale: Scale = symmetric) -> None:
        super().__init__()
        self.scale = scale
        self.linear = Linear(in_channels, out_channels, bias=False, weight_initializer="glorot")

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def project(self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Tensor | None) -> tuple[State, State]:
        return {"value": self.linear(x_j).unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        weight = edge.get("edge_attr")
        return {"scale": self.scale(graph, None if weight is None else weight.flatten())}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        value = sender["value"]
        return None, value * edge["scale"].to(value.dtype)[:, None, None]

    def extra_repr(self) -> str:
        return f"scale={getattr(self.scale, '__name__', self.scale)}"


@final
class Copy(nn.Module):
    r"""The sender's state as it is, :math:`m_{ij} = x_j`: what a mean or a sum over nodes hears.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, 1, F]``.
    """

    scored = False

    def reset_parameters(self) -> None:
        """Nothing is learned here."""

    def project(self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Tensor | None) -> tuple[State, State]:
        return {"value": x_j.unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        return None, sender["value"]


@final
class Difference(nn.Module):
    r"""The message of EdgeConv (Wang et al. 2019): receiver and difference to the sender through a network.

    .. math:: m_{ij} = h(x_i \,\|\, x_j - x_i)

    Args:
        network: ``h``, from ``2 F`` to ``C`` channels.

    Shapes: ``x_j [N_j, F]``, ``x_i [N_i, F]`` -> value ``[E, 1, C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).
    """

    scored = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def reset_parameters(self) -> None:
        for part in self.network.modules():
            if part is not self.network and isinstance(part, Resettable):
                part.reset_parameters()
        if isinstance(self.network, Resettable):
            self.network.reset_parameters()

    def project(self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Tensor | None) -> tuple[State, State]:
        if x_i is None:
            raise ValueError(
                "expected receivers with a state to take differences to, got x_i=None: give x=(senders, receivers)"
            )
        return {"x": x_j}, {"x": x_i}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        x_i, x_j = receiver["x"], sender["x"]
        return None, self.network(torch.cat([x_i, x_j - x_i], dim=-1)).unsqueeze(1)
