r"""Windows without their :math:`n^2` pairs: blocks of receivers, each with the senders in its window.

A window with a dilation of ``d`` is ``d`` plain windows side by side: the nodes of a graph whose places leave the same rest.
Such a strand is cut into blocks of ``B = 64`` receivers; a block reads ``back`` nodes before it, itself and ``ahead`` nodes
behind it. That makes ``N (B + back + ahead)`` pairs instead of ``N n``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from graphattn.backends.layout.tiles import Pieces, Stretch
from graphattn.traced import smaller

if TYPE_CHECKING:
    from graphattn.topology.blockwise import Blockwise

# Receivers of a block. From 32 to 128 all do about as well, forward and backward, for windows of 4 to 256 nodes to a side.
_BLOCK = 64


def narrow(graph: Blockwise) -> tuple[int, int, int] | None:
    """Receivers of a block, and how many nodes it reads before and behind it; None where whole graphs are cheaper.

    A rule of sizes alone: the largest graph has more nodes than a block, and more than 5/4 of what a block or strand reads.
    Measured on graphs of 256 to 4,096 nodes; the quarter pays for gathering senders that two blocks read.
    """
    form = one_form(graph)
    if form is None or graph.receivers.max <= _BLOCK:
        return None
    return form if 4 * graph.receivers.max > 5 * shape_of(graph, *form)[1] else None


def one_form(graph: Blockwise) -> tuple[int, int, int] | None:
    """Receivers of a block, and how many nodes it reads before and behind it, from the largest graph without a comparison.

    None where receivers have senders beyond a window.
    """
    reach = graph.reach()
    if reach is None:
        return None
    strand = _strand(graph)
    back, ahead = (smaller(each, strand) for each in reach)
    return smaller(_BLOCK, strand), back, ahead


def shape_of(graph: Blockwise, block: int, back: int, ahead: int) -> tuple[int, int]:
    """The largest number of receivers and of senders of a block."""
    return block, smaller(block + back + ahead, _strand(graph))


def bands_of(graph: Blockwise, block: int, back: int, ahead: int) -> Pieces:
    """The blocks of all strands of all graphs; their number needs no look at the sizes, so that some are empty."""
    step = graph.heard().step
    rest = torch.arange(step, device=graph.receivers.ptr.device)
    long = (
        (graph.receivers.ptr.diff()[:, None] - rest + step - 1).div(step, rounding_mode="floor").clamp(min=0).flatten()
    )
    first = (graph.receivers.ptr[:-1, None] + rest).flatten()
    blocks = (long + block - 1).div(block, rounding_mode="floor")
    ends, strands = blocks.cumsum(0), graph.num_graphs * step
    many = smaller(strands * -(-_strand(graph) // block), graph.num_receivers // block + strands)
    number = torch.arange(many, device=long.device)
    strand = torch.searchsorted(ends, number, right=True).clamp(max=strands - 1)
    start = (number - (ends - blocks)[strand]) * block
    end = (start + block).minimum(long[strand]).maximum(start)
    low, high = (start - back).clamp(min=0), (end + ahead).minimum(long[strand])
    heard = (high - low) * (end > start)
    receivers = Stretch(first[strand] + start * step, end - start)
    return Pieces(receivers, Stretch(first[strand] + low * step, heard), step)


def _strand(graph: Blockwise) -> int:
    """The longest strand."""
    return -(-graph.receivers.max // graph.heard().step)
