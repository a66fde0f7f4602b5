"""Blocks: compositions of layers with what stands around them (norm, feed-forward, dropout)."""

from graphattn.blocks.decoder import DecoderBlock
from graphattn.blocks.depth import DropPath, LayerScale
from graphattn.blocks.feed_forward import SwiGLU, feed_forward
from graphattn.blocks.gps import GPS
from graphattn.blocks.graphormer import Graphormer
from graphattn.blocks.mixer import Mixer
from graphattn.blocks.perceiver import Perceiver
from graphattn.blocks.placement import (
    Around,
    Chain,
    Norm,
    Placement,
    batch_norm,
    post_norm,
    pre_norm,
    sandwich_norm,
    with_drop_path,
    with_layer_scale,
)
from graphattn.blocks.readout import Readout
from graphattn.blocks.residual import Residual
from graphattn.blocks.stack import Stack
from graphattn.blocks.transformer import Block, EncoderBlock

__all__ = [
    "GPS",
    "Around",
    "Block",
    "Chain",
    "DecoderBlock",
    "DropPath",
    "EncoderBlock",
    "Graphormer",
    "LayerScale",
    "Mixer",
    "Norm",
    "Perceiver",
    "Placement",
    "Readout",
    "Residual",
    "Stack",
    "SwiGLU",
    "batch_norm",
    "feed_forward",
    "post_norm",
    "pre_norm",
    "sandwich_norm",
    "with_drop_path",
    "with_layer_scale",
]
