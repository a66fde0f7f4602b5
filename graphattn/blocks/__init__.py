"""Blocks: compositions of layers with what stands around them (norm, feed-forward, dropout)."""

from graphattn.blocks.readout import Readout
from graphattn.blocks.transformer import Block, feed_forward

__all__ = ["Block", "Readout", "feed_forward"]
