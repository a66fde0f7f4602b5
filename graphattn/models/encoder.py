"""A transformer encoder over tokens or patches, on any graph of them."""

from __future__ import annotations

from torch import nn

from graphattn.models.network import GraphOf, Network
from graphattn.models.parts.embedding import Embedding, out_of_order, places
from graphattn.models.parts.positional import NOWHERE, Positional
from graphattn.models.parts.reading import MeanOfNodes, Reading
from graphattn.models.parts.trunk import Transformer
from graphattn.topology import Full


def Encoder(  # noqa: N802  named as the field names the model
    embedding: Embedding,
    outputs: int,
    heads: int = 4,
    layers: int = 2,
    dropout: float = 0.0,
    positional: Positional = NOWHERE,
    graph: GraphOf = Full,
    readout: Reading = MeanOfNodes,
) -> Network:
    r"""A classifier of graphs or nodes by attention (Vaswani et al. 2017): an embedding, blocks on a graph, a readout.

    .. math:: y = W \,\text{read}(\text{blocks}(\text{embedding} + \text{position},\, G)) + b

    Args:
        embedding: of tokens or features; its channels are the model's.
        outputs: numbers for each graph, or for each node with ``readout=EachNode``.
        heads: attention heads.
        layers: blocks.
        dropout: share dropped in training.
        positional: what is told about places (:mod:`graphattn.models.parts.positional`); nothing by default.
        graph: who hears whom in a batch.
        readout: what is read, a class of :mod:`graphattn.models.parts.reading`.

    Shapes: a batch of ``N`` nodes in ``B`` graphs, with ``place [N]`` where nodes do not stand in order ->
    ``[B, outputs]`` or ``[N, outputs]``. Graphs of a batch may be of any size.

    >>> from graphattn.data.sequences import sequence
    >>> from graphattn.models import TokenEmbedding, sinusoids
    >>> from torch_geometric.data import Batch
    >>> model = Encoder(TokenEmbedding(10, channels=8), outputs=2, heads=2, positional=sinusoids())
    >>> model(Batch.from_data_list([sequence([1, 2, 3]), sequence([4])])).shape
    torch.Size([2, 2])
    """
    channels = embedding.channels
    trunk = Transformer(channels, heads, layers, dropout, positional)
    reading = readout(channels, heads)
    return Network(embedding, trunk, reading, nn.Linear(channels, outputs), graph, out_of_order, places)
