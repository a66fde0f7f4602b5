"""A learned factor for every pair of places."""

from __future__ import annotations

from math import sqrt
from typing import final

import torch
from torch import Tensor, nn

from graphattn.slots import Positions, State
from graphattn.topology import Topology


@final
class ByPlace(nn.Module):
    r"""The sender's state times a learned factor of both places: how MLP-Mixer mixes tokens (Tolstikhin et al. 2021).

    .. math:: m_{ij} = T_{p(i),\, p(j)}\, x_j

    On a full graph whose nodes stand in a fixed order, the sum of these messages is a linear map over the nodes, the same for
    each channel. Smaller graphs use the first rows and columns of the table.

    Args:
        places: how many places senders have.
        receiver_places: how many places receivers have; as many if not given.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, 1, F]``; the table is ``[receivers, senders]``.

    Raises:
        ValueError: a graph with more nodes than places.

    >>> from graphattn import GraphLayer, Replace, Sum
    >>> mixing = GraphLayer(ByPlace(3), Sum(), Replace())
    >>> mixing(torch.randn(6, 4), Full([3, 3])).shape
    torch.Size([6, 4])
    """

    scored = False

    def __init__(self, places: int, receiver_places: int | None = None) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(receiver_places or places, places))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.table, a=sqrt(5))

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        return {"value": x_j.unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        self.check(graph)
        sender, receiver = graph.edge_index()
        at_sender, at_receiver = graph.places()
        return {"factor": self.table[at_receiver[receiver], at_sender[sender]]}

    def check(self, graph: Topology) -> None:
        """Refuse graphs with more nodes than there are places."""
        for role, sizes, places in zip(
            ("receivers", "senders"), (graph.receivers, graph.senders), self.table.shape, strict=True
        ):
            if sizes.max > places:
                raise ValueError(f"expected graphs of at most {places} {role}, got one of {sizes.max}")

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        return None, sender["value"] * edge["factor"][:, None, None]

    def extra_repr(self) -> str:
        return f"receivers={self.table.size(0)}, senders={self.table.size(1)}"
