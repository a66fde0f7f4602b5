"""MLP-Mixer: no attention, a learned weight for each pair of places."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import Mixer
from graphattn.models.parts.embedding import Embedding, out_of_order
from graphattn.models.parts.reading import MeanOfNodes, leave_out_of_edge_masks
from graphattn.reset import reset
from graphattn.topology import Star, read_sizes


@final
class MixerNet(nn.Module):
    r"""MLP-Mixer (Tolstikhin et al. 2021): patches are mixed over places, then channels, and their mean is read.

    .. math:: y = W\, \text{mean}_i\, \text{norm}(\text{mixer}_L(\dots \text{mixer}_1(x))_i) + b

    Args:
        embedding: of patches or tokens; its channels are the model's.
        outputs: numbers for each graph.
        places: nodes of the largest graph.
        layers: blocks.
        hubs: the hidden width of the networks over places; twice the places if not given.
        dropout: share dropped in training.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]``.

    Raises:
        ValueError: in ``forward``, a graph of more nodes than places, or ``data.place`` of nodes that do not stand in order.

    >>> from torch_geometric.data import Batch
    >>> from graphattn.data.images import patches
    >>> from graphattn.models import FeatureEmbedding
    >>> images = Batch.from_data_list(patches(torch.rand(3, 1, 8, 8), size=2))
    >>> MixerNet(FeatureEmbedding(4, channels=8), outputs=10, places=16)(images).shape
    torch.Size([3, 10])
    """

    def __init__(
        self,
        embedding: Embedding,
        outputs: int,
        places: int,
        layers: int = 2,
        hubs: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = embedding.channels
        self.embedding = embedding
        self.hubs = 2 * places if hubs is None else hubs
        self.blocks = nn.ModuleList(Mixer(channels, places, self.hubs, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.readout = MeanOfNodes(channels, heads=1)
        self.head = nn.Linear(channels, outputs)
        leave_out_of_edge_masks(self)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        return self.head(self.readout(self.states(data), read_sizes(data)))

    def states(self, data: Data) -> Tensor:
        """The states of all nodes behind the last block, ``[N, F]``."""
        x, star = self.embedding(data), Star(data, hubs=self.hubs)
        if out_of_order(data, star):
            raise ValueError(f"expected nodes at the places 0, 1, ... of their graph, got {data['place'].tolist()}")
        back = star.reverse()
        for block in self.blocks:
            x = block(x, star, back)
        return self.norm(x)
