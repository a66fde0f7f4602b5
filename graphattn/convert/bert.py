"""BERT as a graph network: every token hears every token of its sequence."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks import Stack
from graphattn.convert.blocks import block_from, pooler_from
from graphattn.convert.copying import (
    ACTIVATIONS,
    attention_from,
    embedding_from,
    feed_forward_from,
    map_of,
    norm_from,
    refuse,
)
from graphattn.convert.tokens import Output, Tokens, read_tokens
from graphattn.topology import Full, Topology


@final
class BertEmbedding(nn.Module):
    r"""A token's first state, from tables: :math:`x_i = \text{norm}(W_{id(i)} + P_{place(i)} + T_{kind(i)})`.

    Args:
        word, place, kind: the tables ``W``, ``P``, ``T``; tokens are of kind 0 if not told.
        norm: layer norm.
        dropout: share of channels dropped in training.
    """

    def __init__(
        self, word: nn.Embedding, place: nn.Embedding, kind: nn.Embedding, norm: nn.Module, dropout: float
    ) -> None:
        super().__init__()
        self.word = word
        self.place = place
        self.kind = kind
        self.norm = norm
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens) -> Tensor:
        kind = tokens.kind if tokens.kind is not None else torch.zeros_like(tokens.ids)
        return self.dropout(self.norm(self.word(tokens.ids) + self.kind(kind) + self.place(tokens.place)))


@final
class BERT(nn.Module):
    """BERT (Devlin et al. 2019) on ``Full`` graphs of tokens; made by :func:`from_transformers`.

    Call it with the original's ``input_ids [B, L]``, padded on either side, or with a PyG batch of token graphs, unpadded
    (:func:`token_graphs`). Padding is no node: it is neither heard nor computed.

    Args:
        embedding: a token's first state.
        encoder: the blocks.
        pooler: of each sequence's first token, if the original has one. Where sequences are padded on the left, the original
            pools padding; here it is the first real token.

    Shapes: ``input_ids [B, L] -> [B, L, F]``, zero where padded; a batch of ``N`` tokens ``-> [N, F]``; pooled ``[B, F]``.
    """

    def __init__(self, embedding: BertEmbedding, encoder: Stack, pooler: nn.Module | None) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.pooler = pooler

    def forward(
        self,
        input_ids: Tensor | Data,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        graph: Topology | None = None,
    ) -> Output:
        """States of the tokens, and of each sequence's pooled first token.

        Args:
            input_ids: tokens ``[B, L]``, or a PyG batch of them.
            attention_mask: 1 for tokens, 0 for padding, ``[B, L]``.
            token_type_ids, position_ids: of padded sequences; zeros and columns if not given.
            graph: who hears whom, over the tokens that are not padding, instead of ``Full``.

        Raises:
            ValueError: as :func:`read_tokens`.
        """
        places = self.embedding.place.num_embeddings
        tokens = read_tokens(input_ids, attention_mask, token_type_ids, position_ids, places)
        x = self.encoder(self.embedding(tokens), Full(tokens.sizes) if graph is None else graph)
        pooled = None if self.pooler is None else self.pooler(tokens.first(x))
        return Output(tokens.laid_out(x), pooled)


def bert_from(model: Any) -> BERT:
    """The graph network of a ``transformers.BertModel``."""
    config, tables = model.config, model.embeddings
    supported = {
        "hidden_act": ACTIVATIONS,
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
    }
    refuse("BertModel", config, supported)
    embedding = BertEmbedding(
        embedding_from(tables.word_embeddings),
        embedding_from(tables.position_embeddings),
        embedding_from(tables.token_type_embeddings),
        norm_from(tables.LayerNorm),
        config.hidden_dropout_prob,
    )
    encoder = Stack([_block_from(layer, config) for layer in model.encoder.layer])
    pooler = None if model.pooler is None else pooler_from(map_of(model.pooler.dense))
    return BERT(embedding, encoder, pooler).train(model.training)


def _block_from(layer: Any, config: Any) -> nn.Module:
    said, out = layer.attention.self, layer.attention.output
    maps = [map_of(each) for each in (said.query, said.key, said.value, out.dense)]
    attention = attention_from(maps, config.num_attention_heads, config.attention_probs_dropout_prob, "SelfAttention")
    activation = ACTIVATIONS[config.hidden_act]()
    mlp = feed_forward_from(map_of(layer.intermediate.dense), activation, map_of(layer.output.dense), 0.0)
    norms = norm_from(out.LayerNorm), norm_from(layer.output.LayerNorm)
    return block_from(attention, mlp, norms, config.hidden_dropout_prob, norm_first=False)
