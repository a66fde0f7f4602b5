"""GlandGraph: principal neighbourhood aggregation on named features, read by gated attention; and the same without edges."""

from __future__ import annotations

from torch import Tensor, nn

from graphattn.models.by_name.features import NodeEncoder
from graphattn.models.network import GraphOf, Network, of_edges
from graphattn.models.parts.embedding import Embedding
from graphattn.models.parts.jumping import Jumping
from graphattn.models.parts.reading import GatedAttention, Reading
from graphattn.models.tissue.edges import EdgeFeatures
from graphattn.topology import Full
from graphattn.zoo import PNA


def GlandGraph(  # noqa: N802  named as the field names the model
    embedding: Embedding | NodeEncoder,
    outputs: int,
    degrees: Tensor,
    layers: int = 2,
    edges: EdgeFeatures | None = None,
    dropout: float = 0.0,
    graph: GraphOf = of_edges,
    readout: Reading = GatedAttention,
) -> Network:
    r"""Principal neighbourhood aggregation of named features, in the manner of IGUANA (Graham et al. 2023).

    .. math:: y = W \sum_k a_k z_k + b \qquad z = \text{ReLU}(W_z [x^{(0)} \,\|\, \dots \,\|\, x^{(L)}]) \qquad
        x^{(l+1)} = \text{ReLU}(\text{norm}(\text{PNA}_l(x^{(l)})))

    Aggregations are minimum, maximum, mean and standard deviation, scaled by degree in three ways; :math:`a` is gated attention.
    Norms are of each node alone, where the paper's are of the batch. ``node_scores`` explains what a graph is by its nodes,
    :func:`~graphattn.explain.feature_shares` by its features.

    Args:
        embedding: of the named features; its channels ``F`` are the model's, 12 in the paper.
        outputs: numbers for each graph, or for each node with ``readout=EachNode``.
        degrees: how many nodes of the training set have 0, 1, 2, ... senders.
        layers: ``L``.
        edges: features of edges that messages take, if any.
        dropout: share of channels dropped in training.
        graph: the edges among the nodes of a batch.
        readout: a class of :mod:`graphattn.models.parts.reading`.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]`` or ``[N, outputs]``.

    >>> from graphattn.models import FeatureEmbedding
    >>> from torch_geometric.data import Data
    >>> glands = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    >>> model = GlandGraph(FeatureEmbedding(5, channels=12), outputs=2, degrees=torch.tensor([0, 2, 1]))
    >>> torch.allclose(model(glands), model.node_scores(glands).mean(dim=0), atol=1e-6)
    True
    """
    channels = embedding.channels
    width = None if edges is None else edges.channels
    stack = [PNA(channels, channels, degrees, edge_channels=width) for _ in range(layers)]
    trunk = Jumping(stack, channels, channels, dropout)
    return Network(embedding, trunk, readout(channels, 1), nn.Linear(channels, outputs), graph, edges)


def AttentionMIL(  # noqa: N802  named as the field names the model
    embedding: Embedding | NodeEncoder, outputs: int, dropout: float = 0.0, readout: Reading = GatedAttention
) -> Network:
    r"""Multiple instance learning by gated attention (Ilse et al. 2018): a bag of nodes, and no edges.

    .. math:: y = W \sum_k a_k z_k + b \qquad z_k = \text{ReLU}(W_z\, \text{ReLU}(W_x x_k))

    It is :func:`GlandGraph` without a layer, and so the control that says whether edges help.

    Args:
        embedding: of the features of nodes; its channels are the model's.
        outputs: numbers for each graph, or for each node with ``readout=EachNode``.
        dropout: share of channels dropped in training.
        readout: a class of :mod:`graphattn.models.parts.reading`.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]`` or ``[N, outputs]``.

    >>> from graphattn.models import FeatureEmbedding
    >>> from torch_geometric.data import Data
    >>> AttentionMIL(FeatureEmbedding(5, channels=12), outputs=2)(Data(x=torch.randn(3, 5))).shape
    torch.Size([1, 2])
    """
    channels = embedding.channels
    trunk = Jumping([], channels, channels, dropout)
    return Network(embedding, trunk, readout(channels, 1), nn.Linear(channels, outputs), Full)
