"""A transformer over cells: attention to neighbours that knows how far and where they are, and attention to all cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from graphattn.blocks import GPS, feed_forward
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.models.by_name.features import NodeEncoder
from graphattn.models.network import Network, of_edges
from graphattn.models.parts.embedding import Embedding
from graphattn.models.parts.reading import MeanOfNodes, Reading
from graphattn.models.parts.trunk import Trunk
from graphattn.models.tissue.edges import EdgeFeatures
from graphattn.reset import reset
from graphattn.slots import Positions, State
from graphattn.topology import Full, Topology
from graphattn.zoo import SelfAttention


def TissueTransformer(  # noqa: N802  named as the field names the model
    embedding: Embedding | NodeEncoder,
    outputs: int,
    heads: int = 4,
    layers: int = 2,
    edges: EdgeFeatures | None = None,
    dropout: float = 0.0,
    attention: Callable[[int, int], GraphLayer] = SelfAttention,
    readout: Reading = MeanOfNodes,
) -> Network:
    r"""Attention to neighbours beside attention to all cells, block by block (after GPS, Rampasek et al. 2022).

    .. math:: h = \text{norm}(x + \text{local}(x, G, e)) + \text{norm}(x + \text{attention}(x, \text{Full})) \qquad
        x' = \text{norm}(h + \text{mlp}(h)) \qquad
        s_{ij}^{\text{local}} = \frac{q_i \cdot k_j}{\sqrt{C}} + w \cdot \text{GELU}(W_e e_{ji})

    Args:
        embedding: of the features of cells; its channels are the model's.
        outputs: numbers for each graph, or for each node with ``readout=EachNode``.
        heads: attention heads.
        layers: blocks.
        edges: distance and direction of neighbours in the score of the local attention, if any.
        dropout: share of channels dropped in training.
        attention: makes the attention to all cells from ``(channels, heads)``; with ``LinearAttention`` time and memory grow
            with the number of cells, with ``SelfAttention`` time grows with its square.
        readout: a class of :mod:`graphattn.models.parts.reading`.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]`` or ``[N, outputs]``.

    >>> from graphattn.models import FeatureEmbedding
    >>> from torch_geometric.data import Data
    >>> cells = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    >>> TissueTransformer(FeatureEmbedding(5, channels=8), outputs=2, heads=2)(cells).shape
    torch.Size([1, 2])
    """
    channels = embedding.channels
    blocks = [
        _NearAndFar(_local(channels, heads, edges), attention(channels, heads), channels, dropout)
        for _ in range(layers)
    ]
    trunk = Trunk(blocks, channels, nn.Dropout(dropout))
    return Network(embedding, trunk, readout(channels, heads), nn.Linear(channels, outputs), of_edges, edges)


@final
class _NearAndFar(nn.Module):
    """A GPS layer on a list of edges, and on all nodes of its graphs."""

    def __init__(self, local: GraphLayer, attention: GraphLayer, channels: int, dropout: float) -> None:
        super().__init__()
        mlp = feed_forward(channels, 2 * channels, dropout)
        self.both = GPS(local, attention, channels, mlp, dropout, norm=nn.LayerNorm)

    def reset_parameters(self) -> None:
        reset(self.both)

    def forward(
        self, x: Tensor, graph: Topology, edge_attr: State | None = None, position: Positions | None = None
    ) -> Tensor:
        return self.both(x, graph, Full(graph.receivers), edge_attr)


def _local(channels: int, heads: int, edges: EdgeFeatures | None) -> GraphLayer:
    bias = None if edges is None else LinearBias("edge_attr", edges.channels, heads)
    return SelfAttention(channels, heads, edge_bias=bias)
