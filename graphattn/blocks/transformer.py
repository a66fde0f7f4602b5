"""The transformer block over any layers on any graphs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import final

import torch
from torch import Tensor, nn

from graphattn.blocks.feed_forward import feed_forward
from graphattn.blocks.placement import Around, Norm, Placement, post_norm, pre_norm
from graphattn.blocks.residual import residual
from graphattn.layer import GraphLayer
from graphattn.message import Heads
from graphattn.reset import reset
from graphattn.slots import Positions, Sizes, State
from graphattn.topology import Topology
from graphattn.zoo import SelfAttention

Edge = Tensor | State | None
"""Features of the edges of one graph, or none."""


@final
class Block(nn.Module):
    r"""The transformer block over any layers on any graphs.

    .. math::
        h = x + \sum_k \text{dropout}(\text{layer}_k(\text{norm}(x), G_k)) \qquad
        x' = h + \text{dropout}(\text{mlp}(\text{norm}(h)))

    This is with norms in front (Xiong et al. 2020); ``placement`` puts them elsewhere. With one attention layer on a full graph
    it is a transformer encoder layer; layers on other graphs beside it are heard at the same time.

    Args:
        layers: a layer, or several that hear the same nodes over different graphs.
        channels: channels ``F`` of a node.
        mlp: token-wise network ``F -> F``; a GELU network of width ``4 F`` if not given.
        dropout: share of channels dropped behind layers and mlp in training.
        norm: makes the norms, from their channels.
        placement: where the norms stand (:mod:`graphattn.blocks.placement`).

    Shapes: ``x [N, F] -> [N, F]``. Norms and drop path that look at whole graphs go by the topology that knows most graphs: a
    list of edges knows one, or those of ``Edges(edge_index, ptr=...)``.

    Raises:
        ValueError: no layer; in ``forward``, another number of graphs or of edge features than of layers.

    >>> block = Block(SelfAttention(8, heads=2), channels=8)
    >>> block(torch.randn(5, 8), Full([3, 2])).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        layers: GraphLayer | Sequence[GraphLayer],
        channels: int,
        mlp: nn.Module | None = None,
        dropout: float = 0.0,
        norm: Norm = nn.LayerNorm,
        placement: Placement = pre_norm,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList([layers] if isinstance(layers, GraphLayer) else layers)
        if len(self.layers) == 0:
            raise ValueError("expected one layer or more, got none")
        around = placement(norm, channels)
        self.norm_before_layers, self.norm_after_layers, self.norm_outside_layers = around
        self.norm_before_mlp, self.norm_after_mlp, self.norm_outside_mlp = placement(norm, channels)
        self.mlp = mlp if mlp is not None else feed_forward(channels, 4 * channels, dropout)
        self.dropout = nn.Dropout(dropout)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(
        self,
        x: Tensor,
        graphs: Topology | Sequence[Topology],
        edge_attr: Edge | Sequence[Edge] = None,
        position: Positions | None = None,
    ) -> Tensor:
        """What every node becomes.

        Args:
            x: node states ``[N, F]``.
            graphs: a graph, or one for each layer.
            edge_attr: features of its edges, as layers take them, or one for each layer.
            position: positions of the nodes, for layers that use them.
        """
        pairs = self._paired(graphs, edge_attr)
        sizes = _most([graph.receivers for _, graph, _ in pairs])
        around_layers = Around(self.norm_before_layers, self.norm_after_layers, self.norm_outside_layers)
        around_mlp = Around(self.norm_before_mlp, self.norm_after_mlp, self.norm_outside_mlp)
        x = residual(x, lambda x: self._heard(x, pairs, position), around_layers, sizes)
        return residual(x, lambda x: self.dropout(self.mlp(x)), around_mlp, sizes)

    def _heard(self, x: Tensor, pairs: list[tuple[nn.Module, Topology, Edge]], position: Positions | None) -> Tensor:
        return reduce(torch.add, [self.dropout(layer(x, graph, edge, position)) for layer, graph, edge in pairs])

    def _paired(
        self, graphs: Topology | Sequence[Topology], edge_attr: Edge | Sequence[Edge]
    ) -> list[tuple[nn.Module, Topology, Edge]]:
        graphs = [graphs] if isinstance(graphs, Topology) else list(graphs)
        edge_attr = [None] * len(graphs) if edge_attr is None else edge_attr
        given = [edge_attr] if isinstance(edge_attr, (Tensor, dict)) else list(edge_attr)
        if not len(self.layers) == len(graphs) == len(given):
            raise ValueError(
                f"expected one graph and one edge_attr (or None) for each of {len(self.layers)} layers, "
                f"got {len(graphs)} graphs and {len(given)} edge_attr"
            )
        return list(zip(self.layers, graphs, given, strict=True))


def _most(known: list[Sizes]) -> Sizes:
    """The sizes of most graphs: a list of edges may not know that it is of several."""
    most = known[0]
    for sizes in known[1:]:  # dynamo has no max by a key
        most = sizes if sizes.ptr.numel() > most.ptr.numel() else most
    return most


def EncoderBlock(  # noqa: N802  named as the field names the block
    channels: int,
    heads: int | Heads = 1,
    mlp: nn.Module | None = None,
    dropout: float = 0.0,
    bias: bool = True,
    norm: Norm = nn.LayerNorm,
    placement: Placement = post_norm,
) -> Block:
    r"""A transformer encoder layer (Vaswani et al. 2017), as ``nn.TransformerEncoderLayer``: on ``Full``, or on any graph.

    .. math:: h = \text{norm}(x + \text{attention}(x)) \qquad x' = \text{norm}(h + W_2\, \text{ReLU}(W_1 h))

    A key padding mask is what unequal sizes are, an attention mask is another graph: ``block(x, Causal(sizes))`` is a layer of
    a language model.

    Args:
        channels: channels ``F`` of a node.
        heads: attention heads, or :class:`~graphattn.message.Heads` for grouped queries.
        mlp: token-wise network; the paper's, with ReLU and width ``4 F``, if not given.
        dropout: share dropped in training: of attention weights, of hidden channels, and behind attention and mlp.
        bias: whether the linear maps have a bias.
        norm, placement: as in :class:`Block`; torch's ``norm_first=True`` is ``pre_norm``.

    Shapes: ``x [N, F] -> [N, F]``.

    >>> EncoderBlock(8, heads=2)(torch.randn(5, 8), Full([3, 2])).shape
    torch.Size([5, 8])
    """
    attention = SelfAttention(channels, heads, bias, dropout=dropout)
    mlp = mlp if mlp is not None else feed_forward(channels, 4 * channels, dropout, nn.ReLU(), bias)
    return Block(attention, channels, mlp, dropout, norm, placement)
