"""Layers whose senders and receivers are nodes of one kind take one number of channels."""

from __future__ import annotations


def one_number(channels: object, layer: str) -> None:
    """Refuse channels of senders and of receivers where a layer is given those of a node.

    Raises:
        TypeError: a pair, with the layers that take one.
    """
    if isinstance(channels, (tuple, list)):
        others = (
            "CrossAttention takes" if "Attention" in layer else "GraphSAGE, GAT, GATv2, GraphTransformer and RGCN take"
        )
        raise TypeError(
            f"expected one number of channels for {layer}, whose senders and receivers are nodes of one kind, "
            f"got {channels}: {others} senders and receivers of two kinds"
        )
