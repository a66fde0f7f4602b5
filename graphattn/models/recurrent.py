"""A recurrent network over sequences of any length, what attention on a causal graph is compared with."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch_geometric.data import Data

from graphattn.models.parts.embedding import Embedding
from graphattn.reset import reset
from graphattn.slots import Sizes
from graphattn.topology import graph_of, read_sizes


@final
class Recurrent(nn.Module):
    r"""A gated recurrent network (GRU, Cho et al. 2014): each node hears the state of the one before, one after the other.

    .. math:: h_i = \text{GRU}(x_i, h_{i-1}) \qquad y_i = W h_i + b

    Args:
        embedding: of tokens or features; its channels are the model's.
        outputs: numbers for each node.
        layers: of the recurrence.

    Shapes: a batch of ``N`` nodes -> ``[N, outputs]``. Sequences of a batch may be of any length; none is padded.

    >>> from graphattn.data.sequences import sequence
    >>> from graphattn.models import TokenEmbedding
    >>> from torch_geometric.data import Batch
    >>> Recurrent(TokenEmbedding(10, channels=8), outputs=2)(Batch.from_data_list([sequence([1, 2, 3]), sequence([4])])).shape
    torch.Size([4, 2])
    """

    def __init__(self, embedding: Embedding, outputs: int, layers: int = 1) -> None:
        super().__init__()
        self.embedding = embedding
        self.recurrence = nn.GRU(embedding.channels, embedding.channels, layers)
        self.head = nn.Linear(embedding.channels, outputs)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        x = self.embedding(data)
        order, together = in_time(read_sizes(data))
        if not together.numel():
            return self.head(x)
        heard, _ = self.recurrence(PackedSequence(x.index_select(0, order), together))
        return self.head(torch.empty_like(heard.data).index_copy(0, order, heard.data))


def in_time(sizes: Sizes) -> tuple[Tensor, Tensor]:
    """All first nodes, then all second ones, and so on, long sequences first: their order ``[N]``, and how many each time.

    >>> order, together = in_time(read_sizes([2, 3]))
    >>> order, together
    (tensor([2, 0, 3, 1, 4]), tensor([2, 2, 1]))
    """
    node = torch.arange(int(sizes.ptr[-1]), device=sizes.ptr.device)
    graph, counts = graph_of(sizes.ptr, node), sizes.ptr.diff()
    place, rank = node - sizes.ptr[graph], counts.argsort(descending=True, stable=True).argsort()
    # The recurrence wants the counts on the CPU.
    return (place * counts.numel() + rank[graph]).argsort(), place.bincount().cpu()
