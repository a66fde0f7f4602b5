"""SlideGraph: the score of a slide is the mean of the scores of its nodes, so that the explanation is the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.layer import GraphLayer
from graphattn.models.by_name.features import NodeEncoder
from graphattn.models.network import GraphOf, of_edges
from graphattn.models.parts.embedding import Embedding
from graphattn.models.parts.reading import MeanOfNodes, Reading
from graphattn.reset import reset
from graphattn.topology import read_sizes
from graphattn.zoo import EdgeConv


@final
class SlideGraph(nn.Module):
    r"""Edge convolutions that each give a score to every node (Lu et al. 2022, "SlideGraph+").

    .. math:: y = \frac{1}{|V|} \sum_{i \in V} z_i \qquad z_i = \sum_{l=0}^{L} W_l x_i^{(l)} + b_l \qquad
        x_i^{(l)} = \max_{j \in N(i)} h_l(x_i^{(l-1)} \,\|\, x_j^{(l-1)} - x_i^{(l-1)})

    The score ``y`` of a slide is exactly the mean of the scores ``z`` of its nodes: :meth:`node_scores` explains it without a
    remainder. Each network ``h`` is a linear map, batch normalisation and ReLU, as in the paper.

    Args:
        embedding: of the nodes; its channels are those of layer 0.
        outputs: scores of a slide, such as one for each class.
        channels: of the edge convolutions; those of the paper if not given.
        dropout: share of the scores of a layer's slides that is dropped in training.
        graph: the edges among the nodes of a batch.
        readout: of the scores of nodes; with ``EachNode`` those are the outputs.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]``, or ``[N, outputs]`` where each node is read.

    >>> from graphattn.models import FeatureEmbedding
    >>> model = SlideGraph(FeatureEmbedding(3, channels=16), outputs=2).eval()
    >>> slide = Data(x=torch.randn(4, 3), edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]))
    >>> torch.allclose(model(slide), model.node_scores(slide).mean(dim=0, keepdim=True))
    True
    """

    def __init__(
        self,
        embedding: Embedding | NodeEncoder,
        outputs: int = 1,
        channels: Sequence[int] = (16, 8),
        dropout: float = 0.5,
        graph: GraphOf = of_edges,
        readout: Reading = MeanOfNodes,
    ) -> None:
        super().__init__()
        widths = (embedding.channels, *channels)
        self.embedding, self.graph = embedding, graph
        self.layers = nn.ModuleList(_edge_conv(*pair) for pair in zip(widths, channels, strict=False))
        self.scores = nn.ModuleList(nn.Linear(width, outputs) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.readout = readout(outputs, 1)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        sizes = read_sizes(data)
        each = [self.dropout(self.readout(scores, sizes)) for scores in self._layer_scores(data)]
        return torch.stack(each).sum(0)

    def node_scores(self, data: Data) -> Tensor:
        """The scores of all nodes ``[N, outputs]``, whose mean over a slide's nodes is the slide's score."""
        return torch.stack(self._layer_scores(data)).sum(0)

    def _layer_scores(self, data: Data) -> list[Tensor]:
        """What each layer, the embedding first, adds to the scores of nodes."""
        graph, x = self.graph(data), self.embedding(data)
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1], graph))
        return [score(state) for score, state in zip(self.scores, states, strict=True)]


def _edge_conv(channels: int, outputs: int) -> GraphLayer:
    return EdgeConv(nn.Sequential(nn.Linear(2 * channels, outputs), nn.BatchNorm1d(outputs), nn.ReLU()))
