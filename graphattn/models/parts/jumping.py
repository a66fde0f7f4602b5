"""A trunk that lays the states behind all layers side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn

from graphattn.layer import GraphLayer
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Topology


@final
class Jumping(nn.Module):
    r"""Layers one behind the other, of which all states are read (jumping knowledge, Xu et al. 2018).

    .. math:: x' = \text{ReLU}\big(W [x^{(0)} \,\|\, \dots \,\|\, x^{(L)}] + b\big) \qquad
        x^{(l+1)} = \text{ReLU}(\text{norm}(\text{layer}_l(x^{(l)}, G, e)))

    Args:
        layers: each from ``F`` to ``F`` channels; none leaves a network of each node alone.
        channels: ``F``.
        outputs: channels ``F'`` of what is read.
        dropout: share of the channels behind a layer that is dropped in training.

    Shapes: ``x [N, F] -> [N, F']``.

    >>> from graphattn.zoo import GCN
    >>> trunk = Jumping([GCN(4, 4), GCN(4, 4)], channels=4, outputs=3)
    >>> trunk(torch.randn(3, 4), Edges(torch.tensor([[0, 1], [1, 2]]), 3)).shape
    torch.Size([3, 3])
    """

    def __init__(self, layers: Iterable[GraphLayer], channels: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Normed(layer, channels, dropout) for layer in layers)
        self.join = nn.Linear((1 + len(self.blocks)) * channels, outputs)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def start(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        """The states ``[N, F]`` of an embedding, through a ReLU."""
        return x.relu()

    def forward(
        self, x: Tensor, graph: Topology, place: Tensor | None = None, edge_attr: State | None = None
    ) -> Tensor:
        """``x`` as :meth:`start` gave it; ``edge_attr`` are the features of edges that the layers read."""
        return self.join(torch.cat(self.states(x, graph, place, edge_attr), dim=1)).relu()

    def states(
        self, x: Tensor, graph: Topology, place: Tensor | None = None, edge_attr: State | None = None
    ) -> list[Tensor]:
        """The states ``[N, F]`` in front of the first layer, which are ``x``, and behind each layer."""
        states = [x]
        for block in self.blocks:
            states.append(block(states[-1], graph, edge_attr, place))
        return states


class _Normed(nn.Module):
    def __init__(self, layer: GraphLayer, channels: int, dropout: float) -> None:
        super().__init__()
        self.layer, self.norm, self.dropout = layer, nn.LayerNorm(channels), nn.Dropout(dropout)

    def forward(self, x: Tensor, graph: Topology, edge_attr: State | None, place: Tensor | None) -> Tensor:
        return self.dropout(self.norm(self.layer(x, graph, edge_attr, place)).relu())
