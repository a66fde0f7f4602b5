"""Attention and transformers of ``torch.nn`` as graph layers and blocks."""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphattn.blocks import Block, DecoderBlock, Stack
from graphattn.convert.blocks import block_from, decoder_from
from graphattn.convert.copying import Map, NotPlainError, attention_from, feed_forward_from, map_of, norm_from, refuse
from graphattn.layer import GraphLayer
from graphattn.topology import Cross, Topology


@final
class EncoderDecoder(nn.Module):
    """The transformer of "Attention Is All You Need" (Vaswani et al. 2017) on three graphs, as ``nn.Transformer``.

    Args:
        encoder: a stack of blocks over the source.
        decoder: a stack of decoder blocks over the target.

    Shapes: ``source [N_j, F]``, ``target [N_i, F] -> [N_i, F]``.

    >>> from graphattn.convert import from_torch
    >>> from graphattn.topology import Causal
    >>> transformer = from_torch(torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True))
    >>> transformer(torch.randn(5, 8), torch.randn(3, 8), Full([3, 2]), Causal([2, 1])).shape
    torch.Size([3, 8])
    """

    def __init__(self, encoder: Stack, decoder: Stack) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_graph: Topology,
        target_graph: Topology,
        cross: Topology | None = None,
    ) -> Tensor:
        """``cross`` is who of the target hears whom of the source: all of the same graph if not given."""
        cross = Cross(source_graph.receivers, target_graph.receivers) if cross is None else cross
        return self.decoder(target, self.encoder(source, source_graph), target_graph, cross)


def multihead_attention(module: nn.MultiheadAttention, name: str = "MultiheadAttention") -> GraphLayer:
    """``layer(x, graph)`` for self-attention, ``layer((key and value, query), graph)`` for attention to others."""
    refuse("nn.MultiheadAttention", module, {"add_zero_attn": (False,)})
    if module.bias_k is not None or module.bias_v is not None:
        raise ValueError("expected add_bias_kv=False to convert nn.MultiheadAttention, got add_bias_kv=True")
    if module.kdim != module.vdim:
        raise ValueError(
            f"expected kdim equal to vdim to convert nn.MultiheadAttention, got kdim={module.kdim} and vdim={module.vdim}"
        )
    if module.in_proj_weight is not None:
        weights = module.in_proj_weight.chunk(3)
    else:
        weights = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
    biases = (None,) * 3 if module.in_proj_bias is None else module.in_proj_bias.chunk(3)
    maps = [Map(weight, bias) for weight, bias in zip(weights, biases, strict=True)]
    return attention_from([*maps, map_of(module.out_proj)], module.num_heads, module.dropout, name)


def encoder_layer(module: nn.TransformerEncoderLayer) -> Block:
    """``block(x, graph)``."""
    norms = norm_from(module.norm1), norm_from(module.norm2)
    attention = multihead_attention(module.self_attn, "SelfAttention")
    dropout = _one_dropout(module, "dropout1", "dropout2")
    return block_from(attention, _mlp(module), norms, dropout, norm_first=module.norm_first)


def decoder_layer(module: nn.TransformerDecoderLayer) -> DecoderBlock:
    """``block(x, memory, graph, cross)``."""
    norms = norm_from(module.norm1), norm_from(module.norm2), norm_from(module.norm3)
    attentions = (
        multihead_attention(module.self_attn, "SelfAttention"),
        multihead_attention(module.multihead_attn, "CrossAttention"),
    )
    dropout = _one_dropout(module, "dropout1", "dropout2", "dropout3")
    return decoder_from(attentions, _mlp(module), norms, dropout, norm_first=module.norm_first)


def encoder(module: nn.TransformerEncoder) -> Stack:
    """``stack(x, graph)``."""
    return _stack(module, encoder_layer, nn.TransformerEncoderLayer)


def decoder(module: nn.TransformerDecoder) -> Stack:
    """``stack(x, memory, graph, cross)``."""
    return _stack(module, decoder_layer, nn.TransformerDecoderLayer)


def transformer(module: nn.Transformer) -> EncoderDecoder:
    """``transformer(source, target, source_graph, target_graph)``."""
    for part, kind in ((module.encoder, nn.TransformerEncoder), (module.decoder, nn.TransformerDecoder)):
        _expect(part, kind)
    return EncoderDecoder(encoder(module.encoder), decoder(module.decoder))


def _stack(module: Any, convert: Any, kind: type[nn.Module]) -> Stack:
    for layer in module.layers:
        _expect(layer, kind)
    norm = None if module.norm is None else norm_from(module.norm)
    return Stack([convert(layer) for layer in module.layers], norm)


def _expect(part: nn.Module, kind: type[nn.Module]) -> None:
    if type(part) is not kind:
        raise NotPlainError(f"expected nn.{kind.__name__} inside to convert", part)


def _mlp(module: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer) -> nn.Sequential:
    activation = _activation(module.activation)
    return feed_forward_from(map_of(module.linear1), activation, map_of(module.linear2), module.dropout.p)


def _activation(function: Any) -> nn.Module:
    known = {F.relu: nn.ReLU, F.gelu: nn.GELU, F.silu: nn.SiLU, torch.relu: nn.ReLU, torch.tanh: nn.Tanh}
    if isinstance(function, nn.Module):
        return copy.deepcopy(function)
    if function not in known:
        name = getattr(function, "__name__", repr(function))
        raise ValueError(f"expected the activation relu, gelu, silu, tanh or a module to convert, got {name}")
    return known[function]()


def _one_dropout(module: nn.Module, *names: str) -> float:
    shares = {name: getattr(module, name).p for name in names}
    if len(set(shares.values())) > 1:
        raise ValueError(f"expected one dropout behind all parts of {type(module).__name__}, got {shares}")
    return shares[names[0]]
