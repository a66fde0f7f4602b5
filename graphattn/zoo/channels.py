"""What a layer is made with: the channels of its nodes, one number or one of senders and one of receivers, and networks."""

from __future__ import annotations

from typing import Any

from graphattn.counts import must_be_counts

UNREAD = -1
"""Channels that are read from the first input."""


def must_be_one_number(channels: object, layer: str) -> None:
    """Refuse channels of senders and of receivers where a layer is given those of a node.

    Raises:
        TypeError: a pair, with the layers that take one; no integer.
        ValueError: fewer than 1.
    """
    if isinstance(channels, (tuple, list)):
        others = (
            "CrossAttention takes" if "Attention" in layer else "GraphSAGE, GAT, GATv2, GraphTransformer and RGCN take"
        )
        raise TypeError(
            f"expected one number of channels for {layer}, whose senders and receivers are nodes of one kind, "
            f"got {channels}: {others} senders and receivers of two kinds"
        )
    must_be_counts(layer, channels=channels)


def channels_of_both(channels: int | tuple[int, int], layer: str) -> tuple[int, int]:
    """The channels of senders and of receivers.

    Raises:
        TypeError: other than an integer or two.
        ValueError: fewer than 1, but for :data:`UNREAD`.

    >>> channels_of_both(8, "GAT"), channels_of_both((8, UNREAD), "GAT")
    ((8, 8), (8, -1))
    """
    given: tuple[Any, ...] = tuple(channels) if isinstance(channels, (tuple, list)) else (channels, channels)
    if len(given) != 2:
        raise TypeError(f"expected one number of channels or (senders, receivers) for {layer}, got {channels}")
    for each in given:
        if each != UNREAD:
            must_be_counts(layer, channels=each)
    return given


def must_be_network(network: object, layer: str) -> None:
    """Refuse what is no function of a tensor.

    Raises:
        TypeError: something else, by its value.
    """
    if not callable(network):
        raise TypeError(f"expected a network for {layer}, a torch.nn.Module, got {network!r}")
