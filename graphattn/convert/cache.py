"""A KV cache as a graph that grows: each new token is a receiver that hears all earlier tokens and itself.

Letters: ``N`` tokens kept, ``n`` new tokens, ``B`` sequences.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.convert.tokens import order_of
from graphattn.layer import GraphLayer
from graphattn.slots import Sizes, State
from graphattn.topology import Causal, Cross, Edges, Full, Topology


class Cache(NamedTuple):
    """What earlier tokens said, so that it need not be said again.

    ``senders`` is the senders' State (keys and values ``[N, H, C]``) of every block, ``sizes`` how many tokens each sequence
    has, ``start [B]`` the position of its next token.
    """

    senders: tuple[State, ...]
    sizes: Sizes
    start: Tensor


class Growth(NamedTuple):
    """New tokens, of those ``sizes``, beside the kept ones.

    ``graph`` is who hears whom, ``order`` brings kept and new senders graph by graph, ``together`` are the sizes after.
    """

    graph: Topology
    order: Tensor
    sizes: Sizes
    together: Sizes


def grow(kept: Sizes, new: Sizes) -> Growth:
    """The graph after ``new`` tokens joined those ``kept``: each hears all earlier ones of its sequence, and itself.

    >>> from graphattn.topology import read_sizes
    >>> grow(read_sizes([2, 0]), read_sizes([1, 1])).graph.edge_index()
    tensor([[0, 1, 2, 3],
            [0, 0, 0, 1]])
    """
    order, together = order_of(kept, new)
    if kept.max == 0:
        graph = Causal(new)
    elif new.max <= 1:
        graph = Cross(together, new)
    else:
        graph = _earlier(kept, new, together)
    return Growth(graph, order, new, together)


def hear(
    layer: GraphLayer, x: Tensor, growth: Growth, kept: State, position: Tensor | None = None
) -> tuple[Tensor, State]:
    """What new tokens ``x [n, F]`` become from all that was said so far, and that: the senders' State to keep.

    ``position [n]`` are those of the new tokens, for layers that turn queries and keys.
    """
    _, _, inputs = layer.prepare(x, Full(growth.sizes), position=position)
    if kept:
        together = {name: torch.cat([kept[name], new]) for name, new in inputs.senders.items()}
        senders = {name: state.index_select(0, growth.order) for name, state in together.items()}
        inputs = inputs._replace(senders=senders)
    return layer.become(x, growth.graph, inputs), inputs.senders


def _earlier(kept: Sizes, new: Sizes, together: Sizes) -> Edges:
    """Several new tokens at once on top of kept ones, as a list of edges, receiver-major."""
    count, total = new.ptr.diff(), int(new.ptr[-1])

    def of_graph(values: Tensor) -> Tensor:
        return values.repeat_interleave(count, output_size=total)

    node = torch.arange(total, device=count.device)
    degree = node - of_graph(new.ptr[:-1]) + 1 + of_graph(kept.ptr.diff())
    receiver = node.repeat_interleave(degree)
    before = (degree.cumsum(0) - degree - of_graph(together.ptr[:-1]))[receiver]
    sender = torch.arange(receiver.numel(), device=count.device) - before
    return Edges(torch.stack([sender, receiver]), ptr=(together.ptr, new.ptr))
