"""The sender's state as it is."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.slots import Positions, State
from graphattn.topology import Topology


@final
class Copy(nn.Module):
    r"""The sender's state as it is, :math:`m_{ij} = x_j`: what a mean or a sum over nodes hears.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, 1, F]``.
    """

    scored = False

    def reset_parameters(self) -> None:
        """Nothing is learned here."""

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        return {"value": x_j.unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        return None, sender["value"]
