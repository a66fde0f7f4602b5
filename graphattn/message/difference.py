"""The message of EdgeConv."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from graphattn.reset import reset
from graphattn.slots import Positions, State
from graphattn.topology import Topology


@final
class Difference(nn.Module):
    r"""The message of EdgeConv (Wang et al. 2019): receiver and difference to the sender through a network.

    .. math:: m_{ij} = h(x_i \,\|\, x_j - x_i)

    Args:
        network: ``h``, from ``2 F`` to ``C`` channels.

    Shapes: ``x_j [N_j, F]``, ``x_i [N_i, F]`` -> value ``[E, 1, C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).

    >>> from graphattn import GraphLayer, Max, Replace
    >>> edge_conv = GraphLayer(Difference(torch.nn.Linear(8, 3)), Max(), Replace())
    >>> edge_conv(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 3])
    """

    scored = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def reset_parameters(self) -> None:
        reset(self.network)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
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
