"""Attention that learns nothing about whom to hear."""

from __future__ import annotations

from torch import nn

from graphattn.message.attend import Attend, Heads
from graphattn.slots import EdgeTerm, Score


def Gram(  # noqa: N802  named as the messages are
    channels: int,
    heads: int = 1,
    score: Score | None = None,
    bias: bool = True,
    edge_bias: EdgeTerm | None = None,
) -> Attend:
    r"""Attention whose queries and keys are the states themselves: scores are the Gram matrix of the nodes.

    .. math:: s_{ij} = \text{score}(x_i, x_j) + b(e_{ji}) \qquad v_{ij} = W_v x_j

    Args:
        channels: channels of a node, divided among the heads.
        heads: number of heads.
        score: similarity of two states; scaled dot product if not given.
        bias: whether the map of values has a bias.
        edge_bias: ``b``, an :class:`~graphattn.slots.EdgeTerm`.

    Raises:
        ValueError: ``channels`` that the heads do not divide.

    >>> [name for name, _ in Gram(8, heads=2).named_parameters()]
    ['value.weight', 'value.bias']
    """
    if channels % heads:
        raise ValueError(f"expected channels that the heads divide, got channels={channels} and heads={heads}")
    message = Attend(channels, Heads(heads, channels // heads), score, bias, edge_bias)
    return message.set_maps(query=nn.Identity(), key=nn.Identity())
