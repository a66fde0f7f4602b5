"""GPT-2 as a graph network: causal attention, and a cache that is a growing graph."""

from __future__ import annotations

from typing import Any, NamedTuple, final

from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.blocks.cache import Cache, Growth, empty, grow, hear
from graphattn.convert.copying import (
    ACTIVATIONS,
    Map,
    NotPlainError,
    attention_from,
    embedding_from,
    feed_forward_from,
    norm_from,
    refuse,
)
from graphattn.convert.tokens import Tokens, read_tokens
from graphattn.layer import GraphLayer
from graphattn.slots import State
from graphattn.topology import Topology, read_sizes


class Continued(NamedTuple):
    """States of the tokens, and the cache with which the next ones continue."""

    last_hidden_state: Tensor
    past_key_values: Cache


@final
class CausalBlock(nn.Module):
    r"""A pre-norm block whose attention also hears what was said before, from a cache.

    .. math:: h = x + \text{attention}(\text{norm}(x)) \qquad x' = h + \text{mlp}(\text{norm}(h))

    Args:
        attention: on the graph that grows.
        norm_before_layers, norm_before_mlp: the two norms.
        mlp: token-wise network.
        dropout: share of channels dropped behind attention and mlp in training.
    """

    def __init__(
        self,
        attention: GraphLayer,
        norm_before_layers: nn.Module,
        norm_before_mlp: nn.Module,
        mlp: nn.Module,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.norm_before_layers = norm_before_layers
        self.norm_before_mlp = norm_before_mlp
        self.mlp = mlp
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, growth: Growth, kept: State) -> tuple[Tensor, State]:
        heard, senders = hear(self.attention, self.norm_before_layers(x), growth, kept)
        x = x + self.dropout(heard)
        return x + self.dropout(self.mlp(self.norm_before_mlp(x))), senders


@final
class GPT2(nn.Module):
    """GPT-2 (Radford et al. 2019) on ``Causal`` graphs of tokens; made by :func:`from_transformers`.

    Call it with the original's ``input_ids [B, L]``, padded on either side, or with a PyG batch of token graphs, unpadded
    (:func:`token_graphs`). To continue, give the result's ``past_key_values`` and the new tokens alone: each becomes a receiver
    that hears all earlier tokens of its sequence.

    Args:
        word, place: tables of tokens and positions.
        blocks: one for each layer of the original.
        norm: behind the last block.
        dropout: of the embedding.

    Shapes: ``input_ids [B, L] -> [B, L, F]``, zero where padded; a batch of ``N`` tokens ``-> [N, F]``.

    >>> import pytest
    >>> transformers = pytest.importorskip("transformers", reason="needs pip install 'graphattn[convert]'")
    >>> sizes = {"n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 30, "bos_token_id": 29, "eos_token_id": 29}
    >>> original = transformers.GPT2Model(transformers.GPT2Config(**sizes)).eval()
    >>> from graphattn.convert import from_transformers
    >>> network, tokens = from_transformers(original), torch.tensor([[5, 6, 7]])
    >>> begun = network(tokens[:, :2])
    >>> continued = network(tokens[:, 2:], begun.past_key_values)
    >>> torch.allclose(continued.last_hidden_state, original(tokens).last_hidden_state[:, 2:], atol=1e-5)
    True
    """

    def __init__(
        self, word: nn.Embedding, place: nn.Embedding, blocks: list[CausalBlock], norm: nn.Module, dropout: float
    ) -> None:
        super().__init__()
        self.word = word
        self.place = place
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        input_ids: Tensor | Data,
        past_key_values: Cache | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        graph: Topology | None = None,
    ) -> Continued:
        """States of the new tokens.

        Args:
            input_ids: the new tokens ``[B, L]``, or a PyG batch of them.
            past_key_values: the cache of an earlier call.
            attention_mask: 1 for tokens, 0 for padding, ``[B, L]``; with a cache of the earlier columns, too, as in the original.
            token_type_ids, position_ids: of the new tokens; positions go on from the cache if not given.
            graph: who hears whom, instead of ``Causal``.

        Raises:
            ValueError: as :func:`read_tokens`; a graph beside a cache; a cache of other sequences or tokens.
            TypeError: a cache that is the original's.
        """
        past = _begun(input_ids, past_key_values, len(self.blocks))
        seen = _mask_of_new(input_ids, attention_mask, past)
        tokens = read_tokens(input_ids, seen, token_type_ids, position_ids, self.place.num_embeddings, past.start)
        return self._continued(past, tokens, _growth(past, tokens, graph))

    def _continued(self, past: Cache, tokens: Tokens, growth: Growth) -> Continued:
        x, senders = self._embedded(tokens), []
        for block, kept in zip(self.blocks, past.senders, strict=True):
            x, said = block(x, growth, kept)
            senders.append(said)
        start = past.start + (tokens.sizes.ptr.diff() if tokens.real is None else tokens.real.size(1))
        return Continued(tokens.laid_out(self.norm(x)), Cache(tuple(senders), growth.together, start))

    def _embedded(self, tokens: Tokens) -> Tensor:
        x = self.word(tokens.ids) + self.place(tokens.place)
        return self.dropout(x if tokens.kind is None else x + self.word(tokens.kind))


def gpt2_from(model: Any) -> GPT2:
    """The graph network of a ``transformers.GPT2Model``."""
    config = model.config
    supported = {
        "activation_function": ACTIVATIONS,
        "add_cross_attention": (False,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "reorder_and_upcast_attn": (False,),
    }
    refuse("GPT2Model", config, supported)
    blocks = [_block_from(layer, config) for layer in model.h]
    tables = embedding_from(model.wte), embedding_from(model.wpe)
    return GPT2(*tables, blocks, norm_from(model.ln_f), config.embd_pdrop).train(model.training)


def _block_from(layer: Any, config: Any) -> CausalBlock:
    query, key, value = _turned(layer.attn.c_attn, 3)
    (out,), (first,), (second,) = (_turned(each) for each in (layer.attn.c_proj, layer.mlp.c_fc, layer.mlp.c_proj))
    attention = attention_from((query, key, value, out), config.n_head, config.attn_pdrop, "SelfAttention")
    mlp = feed_forward_from(first, ACTIVATIONS[config.activation_function](), second, 0.0)
    return CausalBlock(attention, norm_from(layer.ln_1), norm_from(layer.ln_2), mlp, config.resid_pdrop)


def _turned(linear: Any, parts: int = 1) -> list[Map]:
    """The maps side by side in a ``Conv1D`` of GPT-2, whose weight is ``[in, out]``."""
    if type(linear).__name__ != "Conv1D":
        raise NotPlainError("expected a plain Conv1D of transformers to convert", linear)
    weights, biases = linear.weight.chunk(parts, dim=1), linear.bias.chunk(parts)
    return [Map(weight.t(), bias) for weight, bias in zip(weights, biases, strict=True)]


def _begun(input_ids: Tensor | Data, past: Cache | None, blocks: int) -> Cache:
    """The cache given, or the one before the first token."""
    ptr = read_sizes(input_ids).ptr if isinstance(input_ids, Data) else input_ids.new_zeros(len(input_ids) + 1)
    if past is None:
        return empty(blocks, ptr)
    if not isinstance(past, Cache):
        raise TypeError(f"expected the past_key_values of an earlier call of this network, got {type(past).__name__}")
    if len(past.start) != len(ptr) - 1:
        raise ValueError(
            f"expected tokens for the {len(past.start)} sequences of the cache, got {len(ptr) - 1} sequences"
        )
    return past


def _mask_of_new(input_ids: Tensor | Data, attention_mask: Tensor | None, past: Cache) -> Tensor | None:
    if attention_mask is None or isinstance(input_ids, Data):
        return attention_mask
    if attention_mask.dim() != 2:
        raise ValueError(
            f"expected an attention_mask of shape [B, L], got {list(attention_mask.shape)}: "
            "who hears whom beyond padding is said by graph"
        )
    cut = max(attention_mask.size(1) - input_ids.size(1), 0)
    kept, shown = past.sizes.ptr.diff().tolist(), attention_mask[:, :cut].sum(1).tolist()
    if kept != shown:
        raise ValueError(
            f"expected an attention_mask that shows the {kept} tokens of the cache, got one that shows {shown}"
        )
    return attention_mask[:, cut:]


def _growth(past: Cache, tokens: Tokens, graph: Topology | None) -> Growth:
    growth = grow(past.sizes, tokens.sizes)
    if graph is None:
        return growth
    if past.sizes.max:
        raise ValueError(f"expected no graph with a cache, got {graph}: new tokens hear all earlier ones")
    if graph.num_senders != tokens.ids.numel() or graph.num_receivers != tokens.ids.numel():
        raise ValueError(f"expected a graph of {tokens.ids.numel()} tokens, got {graph}")
    return growth._replace(graph=graph)
