"""The trunk that models share: attention blocks on one graph, told where nodes are."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.blocks import Around, Block, feed_forward
from graphattn.blocks.residual import residual
from graphattn.convert.cache import Growth, hear
from graphattn.layer import GraphLayer
from graphattn.models.positional import NOWHERE, Positional, add_places
from graphattn.models.reading import leave_out_of_edge_masks
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Topology
from graphattn.zoo import SelfAttention


@final
class Transformer(nn.Module):
    r"""Pre-norm attention blocks one behind the other, and a norm (Vaswani et al. 2017, Xiong et al. 2020).

    .. math:: x' = \text{norm}(\text{block}_L(\dots \text{block}_1(x, G) \dots, G))

    Args:
        channels: channels ``F`` of a node.
        heads: attention heads.
        layers: blocks ``L``.
        dropout: share dropped in training: of attention weights, of hidden channels, and behind attention and network.
        positional: what is told about places.

    Shapes: ``x [N, F]``, ``place [N] -> [N, F]``.

    >>> from graphattn.models import rotary
    >>> graph = Full([3, 2])
    >>> Transformer(8, heads=2, layers=2, positional=rotary())(torch.randn(5, 8), graph, graph.places()[0]).shape
    torch.Size([5, 8])
    """

    def __init__(
        self, channels: int, heads: int, layers: int, dropout: float = 0.0, positional: Positional = NOWHERE
    ) -> None:
        super().__init__()
        self.added = None if positional.added is None else positional.added(channels)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(block(channels, heads, dropout, positional) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        leave_out_of_edge_masks(self)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def start(self, x: Tensor, place: Tensor) -> Tensor:
        """The states ``[N, F]`` with what is added by place, and dropout."""
        return self.dropout(add_places(x, self.added, place))

    def forward(self, x: Tensor, graph: Topology, place: Tensor, edge_attr: State | None = None) -> Tensor:
        """``x`` as :meth:`start` gave it; ``edge_attr`` tells edge terms of places where nodes do not stand in order."""
        for block in self.blocks:
            x = block(x, graph, edge_attr, position=place)
        return self.norm(x)

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


def attention(channels: int, heads: int, dropout: float, positional: Positional) -> GraphLayer:
    """Self-attention that is told where nodes are."""
    bias = None if positional.edge_bias is None else positional.edge_bias(heads)
    rotate = None if positional.rotate is None else positional.rotate(channels // heads)
    return SelfAttention(channels, heads, edge_bias=bias, rotate=rotate, dropout=dropout)


def block(channels: int, heads: int, dropout: float, positional: Positional) -> Block:
    """One block of the trunk."""
    layer = attention(channels, heads, dropout, positional)
    return Block(layer, channels, feed_forward(channels, 4 * channels, dropout), dropout)


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
