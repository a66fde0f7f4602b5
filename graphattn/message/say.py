"""The sender's state, as it is or through a network of its own."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.reset import reset
from graphattn.slots import Positions, State
from graphattn.topology import Topology


@final
class Copy(nn.Module):
    r"""The sender's state as it is, :math:`m_{ij} = x_j`, or through a network, :math:`m_{ij} = h(x_j)`.

    What a mean or a sum over nodes hears. A network is computed once for each sender, not for each edge.

    Args:
        network: ``h``, from ``F`` to ``C`` channels; none if not given.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, 1, C]``.

    >>> from graphattn import GraphLayer, Mean, Replace
    >>> mean = GraphLayer(Copy(), Mean(), Replace())
    >>> mean(torch.tensor([[1.0], [3.0]]), Full([2])).flatten()
    tensor([2., 2.])
    """

    scored = False

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network

    def reset_parameters(self) -> None:
        reset(self.network)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        value = x_j if self.network is None else self.network(x_j)
        return {"value": value.unsqueeze(1)}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        return None, sender["value"]
