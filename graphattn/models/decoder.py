"""GPT: a transformer on a causal graph that predicts the next token, and to which each new token is a node that joins."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks.cache import Cache, after, empty, joined_by
from graphattn.models.network import GraphOf
from graphattn.models.parts.embedding import TokenEmbedding, out_of_order, places
from graphattn.models.parts.positional import NOWHERE, Positional
from graphattn.models.parts.trunk import Transformer
from graphattn.reset import reset
from graphattn.topology import Causal, read_sizes


@final
class Decoder(nn.Module):
    r"""A language model on a causal graph (GPT, Radford et al. 2018); the table of tokens also reads them out.

    .. math:: \text{logits}_i = T\, \text{blocks}(\sqrt{F}\, T_{t} + \text{position},\, G)_i \qquad G: j \le i

    Args:
        embedding: of the tokens; its channels are the model's.
        heads: attention heads.
        layers: blocks.
        dropout: share dropped in training.
        positional: what is told about places; a causal graph alone tells something, too.
        graph: who hears whom; ``partial(Window, radius=8, causal=True)`` hears the last ones only.

    Shapes: ``data.token [N] -> [N, vocabulary]``, logits of the token behind each. Sequences may be of any length.

    Raises:
        ValueError: in ``join``, a graph that is not ``Causal``; a cache of another number of sequences; ``data.place`` of tokens
            that do not follow one another.

    >>> from graphattn.data.sequences import sequence
    >>> from graphattn.models import rotary
    >>> model = Decoder(TokenEmbedding(10, channels=8), heads=2, positional=rotary())
    >>> model(sequence([1, 2, 3])).shape
    torch.Size([3, 10])
    >>> _, cache = model.join(sequence([1, 2]))
    >>> continued, cache = model.join(sequence([3]), cache)
    >>> torch.allclose(continued, model(sequence([1, 2, 3]))[2:], atol=1e-5)
    True
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
        positional: Positional = NOWHERE,
        graph: GraphOf = Causal,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.trunk = Transformer(embedding.channels, heads, layers, dropout, positional)
        self.graph = graph

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        return self.embedding.logits(self.states(data))

    def states(self, data: Data) -> Tensor:
        """The states of all nodes behind the last block, ``[N, F]``."""
        graph = self.graph(data)
        place = places(data, graph)
        return self.trunk(self.trunk.start(self.embedding(data), place), graph, place, out_of_order(data, graph))

    def join(self, data: Data, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """New tokens join the graphs of those that were there: logits of the new ones alone, and the cache for the next.

        Args:
            data: the new tokens of each sequence, none or more.
            cache: of an earlier call; none before the first tokens.
        """
        if self.graph is not Causal:
            raise ValueError(f"expected the graph Causal, to which new tokens can be joined, got {self.graph}")
        new = read_sizes(data)
        cache = empty(len(self.trunk.blocks), new.ptr) if cache is None else cache
        growth, place = joined_by(cache, new)
        if "place" in data and not torch.equal(data["place"], place):
            raise ValueError(f"expected new tokens at the places {place.tolist()}, got {data['place'].tolist()}")
        x, said = self.trunk.grow(self.trunk.start(self.embedding(data), place), growth, place, cache.senders)
        return self.embedding.logits(x), after(cache, growth, said)
