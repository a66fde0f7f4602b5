"""The transformer of Vaswani et al. (2017): an encoder, and a decoder that hears it."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import DecoderBlock, Stack, feed_forward, pre_norm
from graphattn.blocks.cache import Cache, Growth, after, empty, hear, hear_across, joined_by, said_across
from graphattn.models.parts.embedding import TokenEmbedding
from graphattn.models.parts.positional import Positional, add_places, sinusoids
from graphattn.models.parts.reading import leave_out_of_edge_masks
from graphattn.models.parts.trunk import Transformer, attention
from graphattn.reset import reset
from graphattn.slots import Sizes, State
from graphattn.topology import Causal, Cross, Full, read_sizes


class Answers(NamedTuple):
    """Answers on the way, as many to each source: what their letters have said, and what the sources say, of those ``sizes``.

    ``memory`` is the senders' State of every block's cross-attention.
    """

    letters: Cache
    memory: tuple[State, ...]
    sizes: Sizes


@final
class Seq2Seq(nn.Module):
    r"""Encoder and decoder (Vaswani et al. 2017): the source on ``Full``, the answer on ``Causal``, between them ``Cross``.

    .. math:: m = \text{encoder}(s) \qquad \text{logits}_i = T\, \text{decoder}(t_{j \le i},\, m)

    Args:
        source, target: embeddings of the tokens of either side, of as many channels; one object for both is a shared table.
        heads: attention heads.
        layers: blocks of either side.
        dropout: share dropped in training.
        positional: what either side is told about its own places, :func:`sinusoids` if not given. Between the sides nothing is
            turned, and no bias stands on edges (as in T5, Raffel et al. 2020): they have no common order.

    Shapes: ``data.source [M]``, ``sources [B]``, ``token [N]`` -> ``[N, vocabulary]``, see
    :func:`~graphattn.data.sequences.question`.

    Raises:
        ValueError: embeddings of unequal channels; in ``decode`` and ``join``, answers of which sources do not have as many each.

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
        self.source, self.target = source, target
        self.encoder = Transformer(channels, heads, layers, dropout, positional)
        self.added = None if positional.added is None else positional.added(channels)
        self.dropout = nn.Dropout(dropout)
        mlps = [feed_forward(channels, 4 * channels, dropout) for _ in range(layers)]
        blocks = [_block(channels, heads, mlp, dropout, positional) for mlp in mlps]
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
        """Logits of the token behind each of ``data.token``, heard from the memory of the sources.

        Answers may be several to each source, as many to each, one behind the other.
        """
        graph = Causal(data)
        x = self._started(data, graph.places()[0])
        x = self.decoder(x, memory, graph, Cross(sources, _asking(graph.receivers, sources)))
        return self.target.logits(x)

    def begin(self, memory: Tensor, sources: Sizes, each: int = 1) -> Answers:
        """So many answers to each source, of which no letter is written, from what :meth:`encode` gave."""
        said = tuple(said_across(block.cross_attention, memory, sources) for block in self._blocks())
        ptr = sources.ptr.new_zeros(each * (sources.ptr.numel() - 1) + 1)
        return Answers(empty(len(said), ptr), said, sources)

    def join(self, data: Data, answers: Answers) -> tuple[Tensor, Answers]:
        """New letters join the answers: logits of the new ones alone, as of :meth:`decode`, and the answers with them."""
        growth, place = joined_by(answers.letters, read_sizes(data))
        cross = Cross(answers.sizes, _asking(growth.sizes, answers.sizes))
        x, said = self._started(data, place), list[State]()
        for block, kept, memory in zip(self._blocks(), answers.letters.senders, answers.memory, strict=True):
            x, state = _grown(block, x, growth, place, kept, cross, memory)
            said.append(state)
        letters = after(answers.letters, growth, tuple(said))
        return self.target.logits(self.decoder.norm(x)), answers._replace(letters=letters)

    def _blocks(self) -> list[DecoderBlock]:
        return [block for block in self.decoder.blocks if isinstance(block, DecoderBlock)]

    def _started(self, data: Data, place: Tensor) -> Tensor:
        return self.dropout(add_places(self.target(data), self.added, place))


def _block(channels: int, heads: int, mlp: nn.Module, dropout: float, positional: Positional) -> DecoderBlock:
    layer = attention(channels, heads, dropout, positional)
    return DecoderBlock(channels, heads, mlp, dropout, placement=pre_norm, self_attention=layer)


def _grown(
    block: DecoderBlock, x: Tensor, growth: Growth, place: Tensor, kept: State, cross: Cross, memory: State
) -> tuple[Tensor, State]:
    """What the block makes of new letters, heard from a cache and from what the sources have said."""
    said = list[State]()

    def heard(x: Tensor) -> Tensor:
        heard, state = hear(block.self_attention, x, growth, kept, place)
        said.append(state)
        return heard

    sizes = growth.sizes
    x = block.around_self_attention(x, heard, sizes)
    x = block.around_cross_attention(x, lambda x: hear_across(block.cross_attention, x, cross, memory), sizes)
    return block.around_mlp(x, block.mlp, sizes), said[0]


def _asking(answers: Sizes, sources: Sizes) -> Sizes:
    """How many letters ask each source, of as many answers to each."""
    many, count = answers.ptr.numel() - 1, sources.ptr.numel() - 1
    if many == count:
        return answers
    if not count or many % count:
        raise ValueError(f"expected as many answers to each of {count} sources, got {many} answers")
    return read_sizes(ptr=answers.ptr[:: many // count])
