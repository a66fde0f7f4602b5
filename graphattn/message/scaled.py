"""The message of a GCN: a projected state, scaled by the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.edge_terms.reading import is_counted
from graphattn.slots import Positions, State
from graphattn.topology import Topology

Scale = Callable[[Topology, "Tensor | None"], Tensor]
"""The factor of each edge: ``(graph, edge weights [E] | None) -> [E]``."""


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


def by_row(graph: Topology, weight: Tensor | None) -> Tensor:
    r"""Normalisation by receiver, :math:`w_{ji} / d_i` with weighted in-degrees ``d``: a (weighted) mean of the neighbours.

    >>> by_row(Edges(torch.tensor([[0, 1, 1], [1, 1, 0]])), None)
    tensor([0.5000, 0.5000, 1.0000], dtype=torch.float64)
    """
    receiver = graph.edge_index()[1]
    weight = torch.ones(receiver.numel(), dtype=torch.float64, device=receiver.device) if weight is None else weight
    degree = weight.new_zeros(graph.num_receivers).index_add(0, receiver, weight)
    return weight / torch.where(degree > 0, degree, torch.inf)[receiver]


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
        scale: gives the factors ``c`` of all edges from the graph and the edge weights: :func:`symmetric`, :func:`by_row` or
            :func:`as_weighted`.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, 1, C]``; edge weights are ``edge["edge_attr"]``, ``[E]`` or ``[E, 1]``.

    >>> from graphattn import GraphLayer, Replace, Sum
    >>> gcn = GraphLayer(Scaled(4, 3, symmetric), Sum(), Replace())
    >>> gcn(torch.randn(2, 4), Full([2])).shape
    torch.Size([2, 3])
    """

    scored = False

    def __init__(self, in_channels: int, out_channels: int, scale: Scale = symmetric) -> None:
        super().__init__()
        self.scale = scale
        self.linear = Linear(in_channels, out_channels, bias=False, weight_initializer="glorot")

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        return {"value": self.linear(x_j).unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        weight = edge.get("edge_attr")
        if weight is not None and is_counted(graph) and weight.numel() != graph.num_edges:
            raise ValueError(
                f"expected one weight for each of the {graph.num_edges} edges of {graph}, got edge_attr {list(weight.shape)}"
            )
        return {"scale": self.scale(graph, None if weight is None else weight.flatten())}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        value = sender["value"]
        return None, value * edge["scale"].to(value.dtype)[:, None, None]

    def extra_repr(self) -> str:
        return f"scale={getattr(self.scale, '__name__', self.scale)}"
