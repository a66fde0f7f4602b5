"""The masks of torch's transformers as graphs: padding is no node, what a mask hides is no edge.

Letters: ``B`` sequences of up to ``L`` elements, ``N`` elements that are not padding, ``F`` channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.convert.tokens import lay_out, sizes_of
from graphattn.slots import Sizes
from graphattn.topology import Causal, Edges, Full, Topology


class Unpadded(NamedTuple):
    """The elements that are not padding, ``x [N, F]``, who hears whom, and where they stood, ``real [B, L]``."""

    x: Tensor
    graph: Topology
    real: Tensor

    def laid_out(self, x: Tensor) -> Tensor:
        """Results ``[N, F']`` as ``[B, L, F']``, zero where padded."""
        return lay_out(x, self.real)


def unpadded(x: Tensor, key_padding_mask: Tensor | None = None, attn_mask: Tensor | None = None) -> Unpadded:
    """Padded sequences and torch's masks as nodes and their graph.

    Args:
        x: ``[B, L, F]``.
        key_padding_mask: bool ``[B, L]``, True for padding (torch's way).
        attn_mask: ``[L, L]``, bool with True for what is not heard, or float with minus infinity there and 0 elsewhere. A mask
            that hides what comes later gives ``Causal``, none gives ``Full``, any other a list of edges.

    Raises:
        ValueError: another shape or kind; a float mask with other numbers, which are no graph but a bias on its edges.

    >>> later = torch.nn.Transformer.generate_square_subsequent_mask(3)
    >>> nodes = unpadded(torch.randn(2, 3, 8), torch.tensor([[False, False, False], [False, True, True]]), later)
    >>> nodes.graph
    Causal(graphs=2, receivers=4, senders=4, edges=7)
    >>> nodes.laid_out(nodes.x).shape
    torch.Size([2, 3, 8])
    """
    if x.dim() != 3:
        raise ValueError(f"expected x of shape [B, L, F], got {list(x.shape)}")
    real = _real(x, key_padding_mask)
    heard = _heard(x.size(1), attn_mask)
    sizes = sizes_of(real)
    if heard is None:
        return Unpadded(x[real], Full(sizes), real)
    if torch.equal(heard, torch.ones_like(heard).tril()):
        return Unpadded(x[real], Causal(sizes), real)
    return Unpadded(x[real], _edges(heard, real, sizes), real)


def _real(x: Tensor, padding: Tensor | None) -> Tensor:
    if padding is None:
        return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    if padding.dtype != torch.bool or padding.shape != x.shape[:2]:
        raise ValueError(
            f"expected a key_padding_mask of bool and shape {list(x.shape[:2])}, got {padding.dtype} and {list(padding.shape)}"
        )
    return ~padding


def _heard(length: int, mask: Tensor | None) -> Tensor | None:
    if mask is None:
        return None
    if mask.shape != (length, length):
        raise ValueError(f"expected an attn_mask of shape [{length}, {length}], got {list(mask.shape)}")
    if mask.dtype == torch.bool:
        return ~mask
    heard = mask == 0
    if not bool((heard | (mask == -torch.inf)).all()):
        raise ValueError(
            f"expected an attn_mask of 0 and -inf, got numbers from {mask.min():g} to {mask.max():g}: give them as an edge bias"
        )
    return heard


def _edges(heard: Tensor, real: Tensor, sizes: Sizes) -> Edges:
    number = (real.flatten().cumsum(0) - 1).view_as(real)
    graph, receiver, sender = (heard & real.unsqueeze(1) & real.unsqueeze(2)).nonzero().unbind(1)
    total = int(sizes.ptr[-1])
    return Edges(torch.stack([number[graph, sender], number[graph, receiver]]), total, ptr=sizes.ptr)
