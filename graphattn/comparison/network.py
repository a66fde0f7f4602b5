"""One network for a problem, from the name of a layer and that of a topology, equal in everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import Block, feed_forward
from graphattn.comparison.entry import Everywhere, Features, NodeEncoder, OnEdges
from graphattn.comparison.graphs import TOPOLOGIES, Cell, TopologyKind
from graphattn.comparison.layers import LAYERS, LayerKind
from graphattn.comparison.problem import Level, Problem
from graphattn.models.reading import EachNode, MeanOfNodes, leave_out_of_edge_masks
from graphattn.topology import Topology, WithHubs, read_sizes


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


@final
class Network(nn.Module):
    r"""Blocks of one kind of layer on one topology; the encoder, the token-wise networks, norms, readout and head are the same.

    .. math::
        h = x + \text{layer}(\text{norm}(x), G) \qquad x' = h + \text{mlp}(\text{norm}(h)) \qquad
        y = \text{head}(\text{read}(\text{norm}(x^{(L)})))

    Nodes start as a linear map of their numbers, which are standardised by those of the training part, or the sum of a
    vector for each category, to which one of their place is added if they have one. ``read`` is the mean over the nodes of a
    graph (Zaheer et al. 2017), or nothing where nodes are asked. A virtual node starts as a learned vector and is not read. The
    graph of a batch is built once for all blocks.

    Args:
        cell: the layer and the topology.
        size: how large.
        features: what the graphs bring (:meth:`~graphattn.comparison.entry.Features.of`).
        outputs: numbers for each graph or node.
        level: which of these is asked.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]`` or ``[N, outputs]``.

    Raises:
        ValueError: in ``forward``, graphs without what :func:`~graphattn.comparison.graphs.prepared` makes for the cell.
    """

    def __init__(self, cell: Cell, size: Size, features: Features, outputs: int, level: Level) -> None:
        super().__init__()
        self.cell, self.size = cell, size
        # What cells share comes first, so that equal seeds and widths draw it equal.
        self.nodes = NodeEncoder(features, size.width)
        self.dropout = nn.Dropout(size.dropout)
        self.norm = nn.LayerNorm(size.width)
        self.read = (MeanOfNodes if level == "graph" else EachNode)(size.width, size.heads)
        self.head = _head(size, outputs)
        self.blocks = nn.ModuleList(self._block() for _ in range(size.depth))
        told = Everywhere if self.topology.whole else OnEdges
        self.pairs = told(features.edges, size.width) if self.kind.pairs else None
        self.hubs = nn.Parameter(torch.randn(self.topology.hubs, size.width)) if self.topology.hubs else None
        leave_out_of_edge_masks(self)

    def forward(self, data: Data) -> Tensor:
        return self.head(self.read(self.norm(self.states(data)[-1]), read_sizes(data)))

    @property
    def kind(self) -> LayerKind:
        """The layer, found by its name, so that a network can be pickled."""
        return LAYERS[self.cell.layer]

    @property
    def topology(self) -> TopologyKind:
        """The topology, found by its name."""
        return TOPOLOGIES[self.cell.topology]

    def graph(self, data: Data) -> Topology:
        """Who hears whom in the batch, virtual nodes included."""
        graph = self.kind.graph(self.topology.make(data))
        return graph if self.hubs is None else WithHubs(graph, len(self.hubs))

    def states(self, data: Data) -> list[Tensor]:
        """The states of all nodes ``[N, F]`` in front of the first block and behind each, without virtual nodes."""
        return self.through(self.dropout(self.nodes(data)), data)

    def through(self, x: Tensor, data: Data) -> list[Tensor]:
        """The same, from given states in front of the first block."""
        graph = self.graph(data)
        edge = None if self.pairs is None else self.pairs(data, graph)
        states, x = [x], self._with_hubs(x, graph)
        for block in self.blocks:
            x = block(x, graph, edge)
            states.append(x[graph.node_rows] if isinstance(graph, WithHubs) else x)
        return states

    def _with_hubs(self, x: Tensor, graph: Topology) -> Tensor:
        if self.hubs is None or not isinstance(graph, WithHubs):
            return x
        return graph.rows(x, self.hubs.expand(graph.num_graphs, -1, -1))

    def _block(self) -> Block:
        width, size = self.size.width, self.size
        return Block(
            self.kind.make(width, size.heads), width, feed_forward(width, size.hidden, size.dropout), size.dropout
        )


def network(
    problem: Problem, cell: Cell, size: Size, seed: int = 0, learned_from: Sequence[Data] | None = None
) -> Network:
    """The network of a cell for a problem, its weights drawn from ``seed``; torch's generator is left as it was.

    Numbers are standardised by the graphs that it is ``learned_from``, by all of the problem if these are not given.

    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.arange(3.0))
    >>> problem = Problem("one", [graph], "regression", level="node")
    >>> network(problem, Cell("gcn", "edges"), Size(width=8, hidden=16))(graph).shape
    torch.Size([3, 1])
    """
    features = Features.of(problem)
    features = features if learned_from is None else features.standardised(learned_from)
    return drawn(features, problem, cell, size, seed)


def drawn(features: Features, problem: Problem, cell: Cell, size: Size, seed: int = 0) -> Network:
    """The same where the features of the problem's graphs were read before."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return Network(cell, size, features, problem.outputs, problem.level)


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
