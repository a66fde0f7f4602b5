r"""A model on graphs: an embedding, blocks on a graph, a readout, a head.

.. math:: y = \text{head}(\text{readout}(\text{norm}(x^{(L)}))) \qquad
    x^{(l+1)} = \text{block}_l(x^{(l)}, G, e) \qquad x^{(0)} = \text{embedding}(\text{data})

Letters: ``N`` nodes, ``B`` graphs, ``F`` channels, ``L`` blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.models.parts.jumping import Jumping
from graphattn.models.parts.trunk import Trunk
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Edges, Topology, read_sizes

GraphOf = Callable[[Data], Topology]
"""The edges among the nodes of a PyG batch: ``Full``, ``Causal``, ``partial(Window, radius=3)``, :func:`of_edges`."""

EdgesOf = Callable[[Data, Topology], State | None]
"""Features of the pairs of nodes in a batch, for edge terms; called with the batch and its graph."""

PlaceOf = Callable[[Data, Topology], Tensor]
"""The place of each node, ``[N]``; called with the batch and its graph."""


def of_edges(data: Data) -> Edges:
    """The graph that the batch brings as ``edge_index``, such as patches and their neighbours.

    >>> of_edges(Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2))
    Edges(graphs=1, receivers=2, senders=2, edges=2)
    """
    return Edges(data["edge_index"], ptr=read_sizes(data).ptr)


@final
class Network(nn.Module):
    r"""A model on graphs, from its parts: an embedding, blocks on a graph, a readout, a head.

    :func:`~graphattn.models.Encoder`, :func:`~graphattn.models.MoleculeTransformer` and
    :func:`~graphattn.models.by_name.network.named_network` are configurations of it.

    Args:
        embedding: from a batch the states of its nodes, ``[N, F]``.
        trunk: blocks on the graph.
        readout: of the states, called with ``(x [N, F], sizes)``: :mod:`graphattn.models.parts.reading`.
        head: from what is read to the outputs.
        graph: the edges among the nodes of a batch.
        edges: features of these edges for the layers' edge terms; none if not given.
        place: the places of nodes, for models that are told them.
        beside: what joins each graph's readout in front of the head, from a batch ``[B, D]``.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]``, or ``[N, outputs]`` where each node is read.

    >>> from graphattn.blocks import Block
    >>> from graphattn.models import EachNode, FeatureEmbedding
    >>> from graphattn.zoo import GCN
    >>> trunk = Trunk([Block(GCN(8, 8), 8)], channels=8)
    >>> model = Network(FeatureEmbedding(3, 8), trunk, EachNode(8, heads=1), nn.Linear(8, 2), of_edges)
    >>> model(Data(x=torch.randn(2, 3), edge_index=torch.tensor([[0, 1], [1, 0]]))).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        embedding: nn.Module,
        trunk: Trunk | Jumping,
        readout: nn.Module,
        head: nn.Module,
        graph: GraphOf,
        edges: EdgesOf | None = None,
        place: PlaceOf | None = None,
        beside: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embedding, self.trunk, self.readout, self.head = embedding, trunk, readout, head
        self.graph, self.edges, self.place, self.beside = graph, edges, place, beside

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        return self.head(self.embed(data))

    def embed(self, data: Data) -> Tensor:
        """What the head reads of each graph: the readout, and what joins it, ``[B, F + D]``."""
        read = self.readout(self.states(data), read_sizes(data))
        return read if self.beside is None else torch.cat([read, self.beside(data)], dim=1)

    def states(self, data: Data) -> Tensor:
        """The states of all nodes behind the last block and its norm, ``[N, F]``."""
        graph, place, edges = self._graph(data)
        return self.trunk(self.trunk.start(self.embedding(data), place), graph, place, edges)

    def node_scores(self, data: Data) -> Tensor:
        """Scores of all nodes ``[N, outputs]``, whose mean over the nodes of a graph is exactly what the model says of it.

        Raises:
            ValueError: a readout that is no weighted mean of nodes, or another head than a linear one of what is read alone.
        """
        each = getattr(self.readout, "each", None)
        if each is None or not isinstance(self.head, nn.Linear) or self.beside is not None:
            raise ValueError(
                "expected a linear head on a weighted mean of nodes, MeanOfNodes or GatedAttention, for scores of nodes, got "
                f"{type(self.head).__name__} on {type(self.readout).__name__}{'' if self.beside is None else ' and more'}"
            )
        return self.head(each(self.states(data), read_sizes(data)))

    def start(self, data: Data) -> Tensor:
        """The states of all nodes in front of the first block, ``[N, F]``."""
        return self.trunk.start(self.embedding(data), self._graph(data)[1])

    def through(self, x: Tensor, data: Data) -> list[Tensor]:
        """The states ``[N, F]`` in front of the first block, which are ``x``, and behind each block, before the norm."""
        return self.trunk.states(x, *self._graph(data))

    def _graph(self, data: Data) -> tuple[Topology, Tensor | None, State | None]:
        graph = self.graph(data)
        place = None if self.place is None else self.place(data, graph)
        return graph, place, None if self.edges is None else self.edges(data, graph)
