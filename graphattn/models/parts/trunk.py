"""The trunk that models share: blocks on one graph, and a norm; a transformer's is of attention, told where nodes are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn

from graphattn.blocks import Around, Block, feed_forward
from graphattn.blocks.cache import Growth, hear
from graphattn.blocks.residual import residual
from graphattn.layer import GraphLayer
from graphattn.models.parts.positional import NOWHERE, Positional, add_places
from graphattn.models.parts.reading import leave_out_of_edge_masks
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Topology, WithHubs
from graphattn.zoo import SelfAttention


@final
class Trunk(nn.Module):
    r"""Blocks one behind the other on one graph, and a norm.

    .. math:: x^{(l+1)} = \text{block}_l(x^{(l)}, G, e) \qquad x' = \text{norm}(x^{(L)})

    Args:
        blocks: each called as ``block(x, graph, edge_attr, position=place)``.
        channels: ``F``.
        dropout: of the states in front of the first block.
        added: a map of places ``[N]`` to what is added to the states there, if anything is.
        hubs: virtual nodes of each graph, connected with all its nodes in both directions; they start as learned vectors and
            are no rows of what is returned.

    Shapes: ``x [N, F]``, ``place [N] -> [N, F]``.

    >>> from graphattn.zoo import GCN
    >>> trunk = Trunk([Block(GCN(4, 4), 4)], channels=4, hubs=1)
    >>> trunk(torch.randn(3, 4), Edges(torch.tensor([[0, 1], [1, 2]]), 3)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        channels: int,
        dropout: nn.Module | None = None,
        added: nn.Module | None = None,
        hubs: int = 0,
    ) -> None:
        super().__init__()
        self.added = added
        self.dropout = nn.Identity() if dropout is None else dropout
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(channels)
        self.hubs = nn.Parameter(torch.randn(hubs, channels)) if hubs else None
        leave_out_of_edge_masks(self)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())
        if self.hubs is not None:
            nn.init.normal_(self.hubs)

    def start(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        """The states ``[N, F]`` with what is added by place, and dropout."""
        return self.dropout(x if place is None else add_places(x, self.added, place))

    def forward(
        self, x: Tensor, graph: Topology, place: Tensor | None = None, edge_attr: State | None = None
    ) -> Tensor:
        """``x`` as :meth:`start` gave it; ``edge_attr`` are the features of edges that the layers' edge terms read."""
        x, graph = self._with_hubs(x, graph)
        for block in self.blocks:
            x = block(x, graph, edge_attr, position=place)
        return self.norm(_nodes(x, graph))

    def states(
        self, x: Tensor, graph: Topology, place: Tensor | None = None, edge_attr: State | None = None
    ) -> list[Tensor]:
        """The states ``[N, F]`` in front of the first block, which are ``x``, and behind each block, before the norm."""
        states, (x, graph) = [x], self._with_hubs(x, graph)
        for block in self.blocks:
            x = block(x, graph, edge_attr, position=place)
            states.append(_nodes(x, graph))
        return states

    def grow(
        self, x: Tensor, growth: Growth, place: Tensor, kept: tuple[State, ...]
    ) -> tuple[Tensor, tuple[State, ...]]:
        """New nodes beside those whose senders' states are ``kept`` for each block: their states, and what they say."""
        said: list[State] = []
        for block, before in zip(self.blocks, kept, strict=True):
            assert isinstance(block, Block)
            x, state = _grown(block, x, growth, place, before)
            said.append(state)
        return self.norm(x), tuple(said)

    def _with_hubs(self, x: Tensor, graph: Topology) -> tuple[Tensor, Topology]:
        if self.hubs is None:
            return x, graph
        joined = WithHubs(graph, len(self.hubs))
        return joined.rows(x, self.hubs.expand(graph.num_graphs, -1, -1)), joined


def Transformer(  # noqa: N802  named as the field names the model
    channels: int, heads: int, layers: int, dropout: float = 0.0, positional: Positional = NOWHERE
) -> Trunk:
    """The trunk of pre-norm attention blocks (Vaswani et al. 2017, Xiong et al. 2020), told where nodes are.

    Args:
        channels: channels ``F`` of a node.
        heads: attention heads.
        layers: blocks ``L``.
        dropout: share dropped in training: of attention weights, of hidden channels, and behind attention and network.
        positional: what is told about places.

    >>> from graphattn.models import rotary
    >>> graph = Full([3, 2])
    >>> Transformer(8, heads=2, layers=2, positional=rotary())(torch.randn(5, 8), graph, graph.places()[0]).shape
    torch.Size([5, 8])
    """
    added = None if positional.added is None else positional.added(channels)
    blocks = [block(channels, heads, dropout, positional) for _ in range(layers)]
    return Trunk(blocks, channels, nn.Dropout(dropout), added)


def attention(channels: int, heads: int, dropout: float, positional: Positional) -> GraphLayer:
    """Self-attention that is told where nodes are."""
    bias = None if positional.edge_bias is None else positional.edge_bias(heads)
    rotate = None if positional.rotate is None else positional.rotate(channels // heads)
    return SelfAttention(channels, heads, edge_bias=bias, rotate=rotate, dropout=dropout)


def block(channels: int, heads: int, dropout: float, positional: Positional) -> Block:
    """One block of the trunk."""
    layer = attention(channels, heads, dropout, positional)
    return Block(layer, channels, feed_forward(channels, 4 * channels, dropout), dropout)


def _nodes(x: Tensor, graph: Topology) -> Tensor:
    """The states without those of hubs."""
    return x[graph.node_rows] if isinstance(graph, WithHubs) else x


def _grown(block: Block, x: Tensor, growth: Growth, place: Tensor, kept: State) -> tuple[Tensor, State]:
    """What the block makes of new nodes, with its layer heard from a cache."""
    layer, said = block.layers[0], []
    assert isinstance(layer, GraphLayer)

    def heard(x: Tensor) -> Tensor:
        heard, state = hear(layer, x, growth, kept, place)
        said.append(state)
        return block.dropout(heard)

    around_layers = Around(block.norm_before_layers, block.norm_after_layers, block.norm_outside_layers)
    around_mlp = Around(block.norm_before_mlp, block.norm_after_mlp, block.norm_outside_mlp)
    x = residual(x, heard, around_layers, growth.sizes)
    return residual(x, lambda x: block.dropout(block.mlp(x)), around_mlp, growth.sizes), said[0]
