"""A transformer encoder over tokens or patches, on any graph of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.models.embedding import Embedding, out_of_order, places
from graphattn.models.positional import NOWHERE, Positional
from graphattn.models.reading import MeanOfNodes, Reading
from graphattn.models.transformer import Transformer
from graphattn.reset import reset
from graphattn.topology import Edges, Full, Topology, read_sizes

GraphOf = Callable[[Data], Topology]
"""Who hears whom in a PyG batch: ``Full``, ``Causal``, ``partial(Window, radius=3)``, :func:`of_edges`."""


def of_edges(data: Data) -> Edges:
    """The graph that the batch brings as ``edge_index``, such as patches and their neighbours.

    >>> of_edges(Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2))
    Edges(graphs=1, receivers=2, senders=2, edges=2)
    """
    return Edges(data["edge_index"], ptr=read_sizes(data).ptr)


@final
class Encoder(nn.Module):
    r"""A classifier of graphs or nodes by attention (Vaswani et al. 2017): an embedding, blocks on a graph, a readout.

    .. math:: y = W \,\text{read}(\text{blocks}(\text{embedding} + \text{position},\, G)) + b

    Args:
        embedding: of tokens or features; its channels are the model's.
        outputs: numbers for each graph, or for each node with ``readout=EachNode``.
        heads: attention heads.
        layers: blocks.
        dropout: share dropped in training.
        positional: what is told about places (:mod:`graphattn.models.positional`); nothing by default.
        graph: who hears whom in a batch.
        readout: what is read, a class of :mod:`graphattn.models.reading`.

    Shapes: a batch of ``N`` nodes in ``B`` graphs, with ``place [N]`` where nodes do not stand in order ->
    ``[B, outputs]`` or ``[N, outputs]``. Graphs of a batch may be of any size.

    >>> from graphattn.data.sequences import sequence
    >>> from graphattn.models import TokenEmbedding, sinusoids
    >>> from torch_geometric.data import Batch
    >>> model = Encoder(TokenEmbedding(10, channels=8), outputs=2, heads=2, positional=sinusoids())
    >>> model(Batch.from_data_list([sequence([1, 2, 3]), sequence([4])])).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        embedding: Embedding,
        outputs: int,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
        positional: Positional = NOWHERE,
        graph: GraphOf = Full,
        readout: Reading = MeanOfNodes,
    ) -> None:
        super().__init__()
        channels = embedding.channels
        self.embedding = embedding
        self.trunk = Transformer(channels, heads, layers, dropout, positional)
        self.readout = readout(channels, heads)
        self.head = nn.Linear(channels, outputs)
        self.graph = graph

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        return self.head(self.readout(self.states(data), read_sizes(data)))

    def states(self, data: Data) -> Tensor:
        """The states of all nodes behind the last block, ``[N, F]``."""
        graph = self.graph(data)
        place = places(data, graph)
        return self.trunk(self.trunk.start(self.embedding(data), place), graph, place, out_of_order(data, graph))
