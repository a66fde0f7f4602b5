"""Perceiver: a few latent hubs hear many nodes."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import Perceiver
from graphattn.models.parts.embedding import Embedding, places
from graphattn.models.parts.positional import NOWHERE, Positional, add_places
from graphattn.models.parts.reading import MeanOfNodes, leave_out_of_edge_masks
from graphattn.reset import reset
from graphattn.topology import Star


@final
class PerceiverNet(nn.Module):
    r"""Perceiver (Jaegle et al. 2021): latent hubs hear all nodes of their graph, then each other, and their mean is read.

    .. math:: y = W\, \text{mean}_k\, \text{norm}(z_k) + b \qquad z = \text{perceiver}(\text{embedding} + \text{position})

    Args:
        embedding: of tokens or features; its channels are the model's.
        outputs: numbers for each graph.
        hubs: latents of each graph.
        heads: attention heads.
        layers: blocks among the latents.
        dropout: share dropped in training.
        positional: what is added to nodes by place; what turns queries or stands on edges is not for it.

    Shapes: a batch of ``N`` nodes in ``B`` graphs -> ``[B, outputs]``.

    Raises:
        ValueError: positions that are not added.

    >>> from torch_geometric.data import Batch
    >>> from graphattn.data.sequences import sequence
    >>> from graphattn.models import TokenEmbedding
    >>> texts = Batch.from_data_list([sequence([1, 2, 3]), sequence([4])])
    >>> PerceiverNet(TokenEmbedding(10, channels=8), outputs=2, hubs=4, heads=2)(texts).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        embedding: Embedding,
        outputs: int,
        hubs: int = 8,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
        positional: Positional = NOWHERE,
    ) -> None:
        super().__init__()
        if positional[1:] != (None, None):
            raise ValueError(f"expected positions that are added to nodes, got {positional}")
        channels = embedding.channels
        self.embedding = embedding
        self.added = None if positional.added is None else positional.added(channels)
        self.hubs = hubs
        self.block = Perceiver(channels, hubs, heads, layers, dropout=dropout)
        self.norm = nn.LayerNorm(channels)
        self.readout = MeanOfNodes(channels, heads)
        self.head = nn.Linear(channels, outputs)
        leave_out_of_edge_masks(self)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        star = Star(data, hubs=self.hubs)
        x = add_places(self.embedding(data), self.added, places(data, star))
        return self.head(self.readout(self.norm(self.block(x, star)), star.receivers))
