r"""Windows without their :math:`n^2` pairs: blocks of receivers, each with the senders that it can hear.

A window with a dilation of ``d`` is ``d`` plain windows side by side: the nodes of a graph whose places leave the same rest.
Such a strand is cut into blocks of ``B = 64`` receivers; a block hears ``back`` nodes before it, itself and ``ahead`` nodes
behind it. That makes ``N (B + back + ahead)`` pairs instead of ``N n``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from graphattn.topology.tiles import Pieces, Stretch

if TYPE_CHECKING:
    from graphattn.topology.blockwise import Blockwise

# Receivers of a block. From 32 to 128 all do about as well, forward and backward, for windows of 4 to 256 nodes to a side.
_BLOCK = 64


def narrow(graph: Blockwise) -> tuple[int, int] | None:
    """How many nodes a block hears before and behind it, in steps of the run; None where whole graphs are cheaper.

    A rule of sizes alone: the largest graph has more nodes than a block, and more than 5/4 of what a block or strand hears.
    Measured on graphs of 256 to 4,096 nodes; the quarter pays for gathering senders that two blocks hear.
    """
    reach = graph.reach()
    if reach is None or graph.receivers.max <= _BLOCK:
        return None
    strand = -(-graph.receivers.max // graph.heard().step)
    back, ahead = (min(each, strand) for each in reach)
    width = min(_BLOCK + back + ahead, strand)
    return (back, ahead) if 4 * graph.receivers.max > 5 * width else None


def bands_of(graph: Blockwise, back: int, ahead: int) -> Pieces:
    """The blocks of all strands of all graphs."""
    step = graph.heard().step
    rest = torch.arange(step, device=graph.receivers.ptr.device)
    long = (graph.receivers.ptr.diff()[:, None] - rest + step - 1).div(step, rounding_mode="floor").clamp(min=0)
    first, long = (graph.receivers.ptr[:-1, None] + rest).flatten(), long.flatten()
    blocks = (long + _BLOCK - 1).div(_BLOCK, rounding_mode="floor")
    strand = torch.arange(long.numel(), device=long.device).repeat_interleave(blocks)
    start = (torch.arange(strand.numel(), device=long.device) - (blocks.cumsum(0) - blocks)[strand]) * _BLOCK
    end = (start + _BLOCK).minimum(long[strand])
    low, high = (start - back).clamp(min=0), (end + ahead).minimum(long[strand])
    receivers = Stretch(first[strand] + start * step, end - start)
    return Pieces(receivers, Stretch(first[strand] + low * step, high - low), step)
