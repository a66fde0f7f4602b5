"""The vision transformer: patches and a class node that hear each other."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.models.network import GraphOf
from graphattn.models.parts.embedding import FeatureEmbedding, places
from graphattn.models.parts.positional import NOWHERE, Positional
from graphattn.models.parts.trunk import Transformer
from graphattn.reset import reset
from graphattn.topology import Full, Topology, WithHubs


@final
class ViT(nn.Module):
    r"""The vision transformer (Dosovitskiy et al. 2021): a class node behind the patches of each image hears them and is read.

    .. math:: y = W z_{\text{class}} + b \qquad z = \text{blocks}([W_E x_i + p_i;\, x_{\text{class}}],\, G)

    Patches hear each other on any graph; the class node hears all of them, and they hear it. An image may lack patches.

    Args:
        pixels: numbers in a patch, the channels of ``data.x``.
        outputs: classes.
        channels: channels ``F`` of a node.
        heads: attention heads.
        layers: blocks.
        dropout: share dropped in training.
        positional: what is told about places, such as ``learned(16)``; the class node stands nowhere: nothing is added to it or
            to scores with it, and it is not turned.
        graph: who hears whom among the patches.

    Shapes: ``data.x [N, pixels]``, ``data.place [N]`` -> ``[B, outputs]``.

    >>> from graphattn.data.images import patches
    >>> from graphattn.models import learned
    >>> from torch_geometric.data import Batch
    >>> images = Batch.from_data_list(patches(torch.rand(3, 1, 8, 8), size=2))
    >>> ViT(4, outputs=10, channels=8, heads=2, positional=learned(16))(images).shape
    torch.Size([3, 10])
    """

    def __init__(
        self,
        pixels: int,
        outputs: int,
        channels: int = 64,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
        positional: Positional = NOWHERE,
        graph: GraphOf = Full,
    ) -> None:
        super().__init__()
        self.embedding = FeatureEmbedding(pixels, channels)
        self.class_node = nn.Parameter(torch.empty(channels))
        self.trunk = Transformer(channels, heads, layers, dropout, positional)
        self.head = nn.Linear(channels, outputs)
        self.graph = graph
        self._start()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())
        self._start()

    def forward(self, data: Data) -> Tensor:
        x, hubs = self._heard(data)
        return self.head(x.index_select(0, hubs.hub_rows.flatten()))

    def states(self, data: Data) -> Tensor:
        """The states of all patches behind the last block, ``[N, F]``."""
        x, hubs = self._heard(data)
        return x.index_select(0, hubs.node_rows)

    def _heard(self, data: Data) -> tuple[Tensor, WithHubs]:
        graph = self.graph(data)
        hubs, place = WithHubs(graph), places(data, graph)
        x = self.trunk.start(self.embedding(data), place)
        x = hubs.rows(x, self.class_node.expand(graph.num_graphs, 1, -1))
        stands = place.new_full((x.size(0),), -1).index_copy(0, hubs.node_rows, place)
        return self.trunk(x, _all_heard(graph, hubs), stands.clamp(min=0), {"place": stands}), hubs

    def _start(self) -> None:
        nn.init.normal_(self.class_node, std=0.02)


def _all_heard(graph: Topology, hubs: WithHubs) -> Topology:
    """With class nodes; a full graph stays one, which fast backends know, and others become lists of edges."""
    return Full(hubs.receivers) if isinstance(graph, Full) else hubs.as_edges()
