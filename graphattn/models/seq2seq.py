"""The transformer of Vaswani et al. (2017): an encoder, and a decoder that hears it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import DecoderBlock, Stack, feed_forward, pre_norm
from graphattn.models.embedding import TokenEmbedding
from graphattn.models.positional import Positional, sinusoids
from graphattn.models.reading import leave_out_of_edge_masks
from graphattn.models.transformer import Transformer
from graphattn.reset import reset
from graphattn.slots import Sizes
from graphattn.topology import Causal, Cross, Full, read_sizes


@final
class Seq2Seq(nn.Module):
    r"""Encoder and decoder (Vaswani et al. 2017): the source on ``Full``, the answer on ``Causal``, between them ``Cross``.

    .. math:: m = \text{encoder}(s) \qquad \text{logits}_i = T\, \text{decoder}(t_{j \le i},\, m)

    Args:
        source, target: embeddings of the tokens of either side, of as many channels; one object for both is a shared table.
        heads: attention heads.
        layers: blocks of either side.
        dropout: share dropped in training.
        positional: what is added by place, :func:`sinusoids` if not given; what turns queries or stands on edges is not for it.

    Shapes: ``data.source [M]``, ``sources [B]``, ``token [N]`` -> ``[N, vocabulary]``, see
    :func:`~graphattn.data.sequences.question`.

    Raises:
        ValueError: embeddings of unequal channels; positions that are not added.

    >>> from torch_geometric.data import Batch
    >>> from graphattn.data.sequences import question
    >>> batch = Batch.from_data_list([question([5, 6, 7], [8], 0, 1), question([4], [3, 3], 0, 1)])
    >>> Seq2Seq(TokenEmbedding(10, 8), TokenEmbedding(10, 8), heads=2)(batch).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        source: TokenEmbedding,
        target: TokenEmbedding,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
        positional: Positional | None = None,
    ) -> None:
        super().__init__()
        channels, positional = source.channels, positional or sinusoids()
        if target.channels != channels:
            raise ValueError(f"expected embeddings of equal channels, got {channels} and {target.channels}")
        if positional.added is None or positional[1:] != (None, None):
            raise ValueError(f"expected positions that are added to nodes, got {positional}")
        self.source, self.target = source, target
        self.encoder = Transformer(channels, heads, layers, dropout, positional)
        self.added = positional.added(channels)
        self.dropout = nn.Dropout(dropout)
        mlps = [feed_forward(channels, 4 * channels, dropout) for _ in range(layers)]
        blocks = [DecoderBlock(channels, heads, mlp, dropout, placement=pre_norm) for mlp in mlps]
        self.decoder = Stack(blocks, nn.LayerNorm(channels))
        leave_out_of_edge_masks(self)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        return self.decode(data, *self.encode(data))

    def encode(self, data: Data) -> tuple[Tensor, Sizes]:
        """The memory ``[M, F]`` of all sources, and their sizes."""
        count = data["sources"]
        sizes = read_sizes(ptr=torch.cat([count.new_zeros(1), count.cumsum(0)]))
        graph = Full(sizes)
        place, _ = graph.places()
        embedded = self.source(Data(token=data["source"]))
        return self.encoder(self.encoder.start(embedded, place), graph, place), sizes

    def decode(self, data: Data, memory: Tensor, sources: Sizes) -> Tensor:
        """Logits of the token behind each of ``data.token``, heard from the memory of as many sources."""
        graph = Causal(data)
        place, _ = graph.places()
        x = self.target(data)
        x = self.dropout(x + self.added(place).to(x.dtype))
        x = self.decoder(x, memory, graph, Cross(sources, graph.receivers))
        return self.target.logits(x)
