"""One network from the name of a layer and that of a topology, equal in everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, final

import torch
from torch import nn

from graphattn.blocks import Block, feed_forward
from graphattn.models.by_name.features import Features, NodeEncoder, edge_weights, encoder
from graphattn.models.by_name.topologies import Configuration
from graphattn.models.network import EdgesOf, Network
from graphattn.models.parts.pairs import AllPairs, EdgeEncoder, ListedPairs
from graphattn.models.parts.reading import EachNode, MeanOfNodes
from graphattn.models.parts.trunk import Trunk

Level = Literal["graph", "node"]


@final
@dataclass(frozen=True)
class Size:
    """How large a network is: channels ``width``, ``hidden`` ones of the token-wise network, blocks ``depth``, ``heads``, and
    the share of channels dropped in training.

    Raises:
        ValueError: a number below 1, a width that the heads do not divide, a dropout outside 0 to 1.

    >>> Size(width=64, hidden=128)
    Size(width=64, hidden=128, depth=2, heads=4, dropout=0.0)
    """

    width: int
    hidden: int
    depth: int = 2
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.width, self.hidden, self.depth, self.heads) < 1 or self.width % self.heads:
            raise ValueError(
                f"expected width, hidden, depth and heads of 1 or more, and a width that the heads divide, got {self}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"expected a dropout of at least 0 and below 1, got {self.dropout}")


def named_network(
    configuration: Configuration, size: Size, features: Features, outputs: int, level: Level = "graph", seed: int = 0
) -> Network:
    r"""Blocks of one kind of layer on one topology; embedding, token-wise networks, norms, readout and head are the same for all.

    .. math::
        h = x + \text{layer}(\text{norm}(x), G) \qquad x' = h + \text{mlp}(\text{norm}(h)) \qquad
        y = \text{head}(\text{read}(\text{norm}(x^{(L)})))

    Nodes start as a linear map of their numbers, which are standardised by those of the training part, or the sum of a
    vector for each category, to which one of their place is added if they have one. ``read`` is the mean over the nodes of a
    graph (Zaheer et al. 2017), or nothing where each node has an output. A virtual node starts as a learned vector and is not
    read.

    Args:
        configuration: the layer and the topology.
        size: how large.
        features: columns of the graphs' features (:meth:`~graphattn.models.by_name.features.Features.of`).
        outputs: numbers for each graph or node.
        level: whether each graph or each node has outputs.
        seed: of the weights; torch's generator is left as it was.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]`` or ``[N, outputs]``.

    Raises:
        ValueError: in ``forward``, graphs without what :func:`~graphattn.models.by_name.topologies.prepared` computes for the
            configuration.

    >>> from torch_geometric.data import Data
    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]))
    >>> named_network(Configuration("gcn", "edges"), Size(width=8, hidden=16), Features.of([graph]), 1, "node")(graph).shape
    torch.Size([3, 1])
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        # What configurations share comes first, so that equal seeds and widths draw it equal.
        nodes = NodeEncoder(features, size.width)
        readout = (MeanOfNodes if level == "graph" else EachNode)(size.width, size.heads)
        head = _head(size, outputs)
        blocks = [_block(configuration, size) for _ in range(size.depth)]
        edges = _edges(configuration, features, size.width)
        trunk = Trunk(blocks, size.width, nn.Dropout(size.dropout), hubs=configuration.topology_kind.hubs)
    return Network(nodes, trunk, readout, head, configuration, edges)


def parameters(model: nn.Module) -> int:
    """How many numbers are trained.

    >>> parameters(nn.Linear(3, 2))
    8
    """
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _head(size: Size, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size.width, size.width), nn.GELU(), nn.Dropout(size.dropout), nn.Linear(size.width, outputs)
    )


def _block(configuration: Configuration, size: Size) -> Block:
    layer = configuration.layer_kind.make(size.width, size.heads)
    return Block(layer, size.width, feed_forward(size.width, size.hidden, size.dropout), size.dropout)


def _edges(configuration: Configuration, features: Features, channels: int) -> EdgesOf | None:
    """What edges say, as the layer of the configuration hears it."""
    if "edge_weight" in configuration.reads:
        return partial(edge_weights, hubs=configuration.topology_kind.hubs)
    if "edge_attr" not in configuration.reads:
        return None
    columns = features.edges
    edges = EdgeEncoder(None if columns is None else encoder(columns, channels), channels)
    return AllPairs(edges, channels) if configuration.topology_kind.whole else ListedPairs(edges)
