"""Receiver, sender and edge side by side, through a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from graphattn.message.edge_values import on_every_edge
from graphattn.message.towers import Repeat
from graphattn.reset import reset
from graphattn.slots import EdgeValue, Positions, State
from graphattn.topology import Topology


@final
class Concatenate(nn.Module):
    r"""Receiver, sender and edge side by side, through a network (Gilmer et al. 2017).

    .. math:: m_{ij} = h(x_i \,\|\, x_j \,\|\, u(e_{ji}))

    Args:
        network: ``h``, on tensors ``[E, H, 2 F + D]``.
        edge_value: ``u``, ``[E, 1, D]`` (:class:`~graphattn.edge_terms.NetworkValue`); the network hears no edges if not given.
        layout: lays the channels of a node out for the heads, ``[N, F'] -> [N, H, F]``
            (:class:`~graphattn.message.SplitHeads`, :class:`~graphattn.message.Repeat`); one head if not given.

    Shapes: ``x_j [N_j, F']``, ``x_i [N_i, F']`` -> value ``[E, H, C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).

    >>> from graphattn import GraphLayer, Mean, Replace
    >>> layer = GraphLayer(Concatenate(torch.nn.Linear(8, 3)), Mean(), Replace())
    >>> layer(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 3])
    """

    scored = False

    def __init__(
        self,
        network: nn.Module,
        edge_value: EdgeValue | None = None,
        layout: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.edge_value = edge_value
        self.layout = layout or Repeat(1)

    def reset_parameters(self) -> None:
        reset(self.network, self.edge_value)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        if x_i is None:
            raise ValueError(
                "expected receivers with a state to lay beside senders, got x_i=None: give x=(senders, receivers)"
            )
        return {"x": self.layout(x_j)}, {"x": self.layout(x_i)}

    def on_edges(self, graph: Topology, edge: State) -> State:
        return {} if self.edge_value is None else {"value": on_every_edge(self.edge_value, graph, edge)}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        parts = [receiver["x"], sender["x"]]
        if "value" in edge:
            parts.append(edge["value"].expand(-1, parts[0].size(1), -1))
        return None, self.network(torch.cat(parts, dim=-1))
