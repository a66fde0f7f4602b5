"""The message of GINE: sender and edge together."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from graphattn.message.edge_values import on_every_edge
from graphattn.reset import reset
from graphattn.slots import EdgeValue, Positions, State
from graphattn.topology import Topology


@final
class AddEdge(nn.Module):
    r"""The sender's state plus what the edge says, rectified: the message of GINE (Hu et al. 2020).

    .. math:: m_{ij} = \sigma(x_j + u(e_{ji}))

    Args:
        edge_value: ``u``, as many channels as a sender (:class:`~graphattn.edge_terms.NetworkValue`).
        activation: :math:`\sigma`.

    Shapes: ``x_j [N_j, F]``, edge value ``[E, 1, F]`` -> value ``[E, 1, F]``.

    Raises:
        ValueError: an edge value with other channels than the sender.
    """

    scored = False

    def __init__(self, edge_value: EdgeValue, activation: Callable[[Tensor], Tensor] = torch.relu) -> None:
        super().__init__()
        self.edge_value = edge_value
        self.activation = activation

    def reset_parameters(self) -> None:
        reset(self.edge_value, self.activation)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        return {"value": x_j.unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {"value": on_every_edge(self.edge_value, graph, edge)}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        node, said = sender["value"], edge["value"]
        if node.size(-1) != said.size(-1):
            raise ValueError(
                f"expected edge values with the {node.size(-1)} channels of a sender, got {said.size(-1)} channels"
            )
        return None, self.activation(node + said)
