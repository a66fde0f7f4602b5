"""A gate times the sender."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear

from graphattn.message.edge_values import on_every_edge
from graphattn.reset import reset
from graphattn.slots import EdgeValue, Positions, State
from graphattn.topology import Topology


@final
class Gated(nn.Module):
    r"""The sender's value, let through by a gate that receiver and sender hold together (Bresson & Laurent 2017).

    .. math:: m_{ij} = \sigma(W_r x_i + W_s x_j + w(e_{ji}) + b) \odot (W_v x_j + c + u(e_{ji}))

    Args:
        channels: channels ``F`` of senders and receivers, or ``(senders, receivers)``; -1 reads them from the first input.
        out_channels: channels ``C`` of the message.
        gate: :math:`\sigma`, from any number to one between 0 and 1.
        edge_gate: ``w``, one head of ``C`` channels (:class:`~graphattn.edge_terms.LinearValue`).
        edge_value: ``u``, likewise.

    Shapes: ``x_j [N_j, F]``, ``x_i [N_i, F]`` -> value ``[E, 1, C]``.

    Raises:
        ValueError: receivers without a state (``x_i`` is None).
    """

    scored = False

    def __init__(
        self,
        channels: int | tuple[int, int],
        out_channels: int,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
        edge_gate: EdgeValue | None = None,
        edge_value: EdgeValue | None = None,
    ) -> None:
        super().__init__()
        from_sender, from_receiver = (channels, channels) if isinstance(channels, int) else channels
        self.receiver = Linear(from_receiver, out_channels)
        # One bias serves the gate: a second would be the same parameter twice.
        self.sender = Linear(from_sender, out_channels, bias=False)
        self.value = Linear(from_sender, out_channels)
        self.gate = gate
        self.edge_gate = edge_gate
        self.edge_value = edge_value

    def reset_parameters(self) -> None:
        reset(self.receiver, self.sender, self.value, self.gate, self.edge_gate, self.edge_value)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        if x_i is None:
            raise ValueError("expected receivers with a state to gate by, got x_i=None: give x=(senders, receivers)")
        senders = {"gate": self.sender(x_j).unsqueeze(1), "value": self.value(x_j).unsqueeze(1)}
        return senders, {"gate": self.receiver(x_i).unsqueeze(1)}

    def on_edges(self, graph: Topology, edge: State) -> State:
        terms = (("gate", self.edge_gate), ("value", self.edge_value))
        return {name: on_every_edge(term, graph, edge) for name, term in terms if term is not None}

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        gate = receiver["gate"] + sender["gate"]
        gate = gate + edge["gate"] if "gate" in edge else gate
        value = sender["value"] + edge["value"] if "value" in edge else sender["value"]
        return None, self.gate(gate) * value
