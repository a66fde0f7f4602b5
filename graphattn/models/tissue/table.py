"""The models of tissue by name, each made from what is known of the training graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from torch import nn
from torch_geometric.data import Data

from graphattn.models.by_name.features import Features, NodeEncoder
from graphattn.models.by_name.network import Level
from graphattn.models.parts.reading import EachNode, GatedAttention, MeanOfNodes, Reading
from graphattn.models.tissue.edges import EdgeFeatures
from graphattn.models.tissue.gland_graph import AttentionMIL, GlandGraph
from graphattn.models.tissue.slide_graph import SlideGraph
from graphattn.models.tissue.transformer import TissueTransformer
from graphattn.zoo import LinearAttention, SelfAttention

LARGE = 4096
"""Nodes of a graph beyond which attention to all of them is linear."""


@final
class TissueInputs(NamedTuple):
    """What the models have to know of the training graphs.

    Columns of the features of nodes and edges with means and deviations; how many nodes have 0, 1, 2, ... senders; nodes of the
    largest graph.
    """

    features: Features
    degrees: tuple[int, ...] = (0, 1)
    largest: int = 0

    @classmethod
    def of(cls, graphs: Sequence[Data]) -> TissueInputs:
        """Read from the training graphs; places of nodes are left out, so that nobody learns where the slide was cut.

        >>> graph = Data(x=torch.tensor([[1.0], [3.0]]), pos=torch.rand(2, 2), edge_index=torch.tensor([[0], [1]]))
        >>> TissueInputs.of([graph])[1:]
        ((1, 1), 2)
        """
        senders = [
            torch.bincount(graph["edge_index"][1], minlength=graph.num_nodes or 0)
            for graph in graphs
            if "edge_index" in graph
        ]
        degrees = torch.bincount(torch.cat(senders)) if senders else torch.tensor([0, 1])
        known = degrees if len(degrees) > 1 else torch.tensor([0, 1])
        features = Features.of(graphs)._replace(places=0, extent=1.0)
        return cls(features, tuple(known.tolist()), max(graph.num_nodes or 0 for graph in graphs))


TissueModel = Callable[[TissueInputs, int, Level, int, int], nn.Module]
"""``(inputs, outputs, level, channels, layers) ->`` a model that gives ``[B, outputs]``, or ``[N, outputs]`` at the level of
nodes.
"""


def slide_graph(
    inputs: TissueInputs, outputs: int, level: Level = "graph", channels: int = 16, layers: int = 2
) -> SlideGraph:
    """:class:`SlideGraph` whose last edge convolution has half the channels of the others.

    >>> graph = Data(x=torch.randn(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))
    >>> slide_graph(TissueInputs.of([graph]), outputs=2, level="node").eval()(graph).shape
    torch.Size([3, 2])
    """
    embedding = NodeEncoder(inputs.features, channels)
    widths = (*[channels] * (layers - 1), channels // 2)
    return SlideGraph(embedding, outputs, widths, readout=_read(level, MeanOfNodes))


def gland_graph(
    inputs: TissueInputs, outputs: int, level: Level = "graph", channels: int = 16, layers: int = 2
) -> nn.Module:
    """:func:`GlandGraph` with the features of edges.

    >>> graph = Data(x=torch.randn(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))
    >>> gland_graph(TissueInputs.of([graph]), outputs=2)(graph).shape
    torch.Size([1, 2])
    """
    embedding, edges = NodeEncoder(inputs.features, channels), _edges(inputs)
    readout = _read(level, GatedAttention)
    degrees = torch.tensor(inputs.degrees, device="cpu")
    return GlandGraph(embedding, outputs, degrees, layers, edges, dropout=0.1, readout=readout)


def tissue_transformer(
    inputs: TissueInputs, outputs: int, level: Level = "graph", channels: int = 16, layers: int = 2
) -> nn.Module:
    """:func:`TissueTransformer` with blocks of four heads; attention to all is linear where graphs are large.

    >>> graph = Data(x=torch.randn(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))
    >>> tissue_transformer(TissueInputs.of([graph]), outputs=2)(graph).shape
    torch.Size([1, 2])
    """
    embedding, edges = NodeEncoder(inputs.features, channels), _edges(inputs)
    attention = LinearAttention if inputs.largest > LARGE else SelfAttention
    readout = _read(level, MeanOfNodes)
    return TissueTransformer(embedding, outputs, 4, layers, edges, 0.1, attention, readout)


def attention_mil(
    inputs: TissueInputs, outputs: int, level: Level = "graph", channels: int = 16, layers: int = 2
) -> nn.Module:
    """:func:`AttentionMIL`, which has no edges, and so no layers of them.

    >>> graph = Data(x=torch.randn(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))
    >>> attention_mil(TissueInputs.of([graph]), outputs=2)(graph).shape
    torch.Size([1, 2])
    """
    embedding = NodeEncoder(inputs.features, channels)
    return AttentionMIL(embedding, outputs, dropout=0.1, readout=_read(level, GatedAttention))


TISSUE_MODELS: dict[str, TissueModel] = {
    "slide_graph": slide_graph,
    "gland_graph": gland_graph,
    "tissue_transformer": tissue_transformer,
    "attention_mil": attention_mil,
}
"""By name."""


def _read(level: Level, readout: Reading) -> Reading:
    return readout if level == "graph" else EachNode


def _edges(inputs: TissueInputs) -> EdgeFeatures | None:
    return None if inputs.features.edges is None else EdgeFeatures(inputs.features.edges)
