"""The transformer block over any layers on any graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from graphattn.layer import GraphLayer
from graphattn.slots import State
from graphattn.topology import Topology


@final
class Block(nn.Module):
    r"""The pre-norm transformer block (Xiong et al. 2020) over any layers on any graphs.

    .. math::
        h = x + \sum_k \text{dropout}(\text{layer}_k(\text{norm}(x), G_k)) \qquad
        x' = h + \text{dropout}(\text{mlp}(\text{norm}(h)))

    With one attention layer on a full graph it is a transformer encoder layer; with a local layer on edges beside it, a
    block of GPS.

    Args:
        layers: a layer, or several that hear the same nodes over different graphs.
        channels: channels ``F`` of a node.
        mlp: token-wise network ``F -> F``; a GELU network of width ``4 F`` if not given.
        dropout: share of channels dropped behind layers and mlp in training.

    Shapes: ``x [N, F] -> [N, F]``.

    Raises:
        ValueError: in ``forward``, another number of graphs than layers.

    >>> block = Block(SelfAttention(8, heads=2), channels=8)
    >>> block(torch.randn(5, 8), [Full([3, 2])]).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        layers: GraphLayer | Sequence[GraphLayer],
        channels: int,
        mlp: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList([layers] if isinstance(layers, GraphLayer) else layers)
        self.norm_before_layers = nn.LayerNorm(channels)
        self.norm_before_mlp = nn.LayerNorm(channels)
        self.mlp = mlp if mlp is not None else feed_forward(channels, 4 * channels, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, graphs: Sequence[Topology], edges: Sequence[Tensor | State | None] | None = None
    ) -> Tensor:
        """One graph for each layer, and features of its edges where it takes them."""
        edges = edges if edges is not None else [None] * len(graphs)
        if not len(self.layers) == len(graphs) == len(edges):
            raise ValueError(
                f"expected one graph and one edge feature (or None) for each of {len(self.layers)} layers, "
                f"got {len(graphs)} graphs and {len(edges)} edge features"
            )
        normed = self.norm_before_layers(x)
        for layer, graph, edge in zip(self.layers, graphs, edges, strict=True):
            x = x + self.dropout(layer(normed, graph, edge))
        return x + self.dropout(self.mlp(self.norm_before_mlp(x)))


def feed_forward(channels: int, hidden: int, dropout: float = 0.0) -> nn.Module:
    """Two linear maps with GELU and dropout between, ``F -> hidden -> F``."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, channels))
