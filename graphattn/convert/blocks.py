"""Transformer blocks around converted attention."""

from __future__ import annotations

from torch import nn

from graphattn.blocks import Block, DecoderBlock, post_norm, pre_norm
from graphattn.convert.copying import Map, linear_from
from graphattn.layer import GraphLayer


def block_from(
    attention: GraphLayer, mlp: nn.Module, norms: tuple[nn.Module, nn.Module], dropout: float, *, norm_first: bool
) -> Block:
    """A block of converted parts: the norm of the attention, then that of the network."""
    left = iter(norms)
    placement = pre_norm if norm_first else post_norm
    return Block(attention, 0, mlp, dropout, norm=lambda channels: next(left), placement=placement)


def decoder_from(
    attentions: tuple[GraphLayer, GraphLayer],
    mlp: nn.Module,
    norms: tuple[nn.Module, nn.Module, nn.Module],
    dropout: float,
    *,
    norm_first: bool,
) -> DecoderBlock:
    """A decoder block of converted parts: to each other, to the memory, the network."""
    left = iter(norms)
    placement = pre_norm if norm_first else post_norm
    block = DecoderBlock(1, 1, mlp, dropout, norm=lambda channels: next(left), placement=placement)
    block.self_attention, block.cross_attention = attentions
    return block


def pooler_from(source: Map, activation: nn.Module | None = None) -> nn.Sequential:
    """What the ``transformers`` library makes of the first token: a linear map and an activation, tanh if not given."""
    return nn.Sequential(linear_from(source), activation or nn.Tanh())
