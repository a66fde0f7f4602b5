"""A KV cache as a graph that grows: each new token is a receiver that hears all earlier tokens and itself.

Letters: ``N`` tokens kept, ``n`` new tokens, ``B`` sequences.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.layer import GraphLayer
from graphattn.slots import Sizes, State
from graphattn.topology import Causal, Cross, Edges, Full, Topology, read_sizes
from graphattn.topology.sizes import order_of


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


def empty(blocks: int, ptr: Tensor) -> Cache:
    """The cache of so many blocks before the first token of the sequences with boundaries ``ptr [B + 1]``.

    >>> empty(2, torch.tensor([0, 3, 4])).start
    tensor([0, 0])
    """
    nothing = torch.zeros_like(ptr)
    return Cache(({},) * blocks, read_sizes(ptr=nothing), nothing[1:])


def chosen(cache: Cache, sequence: Tensor) -> Cache:
    """The cache of some of its sequences ``[B']``, in this order; one may come several times, as where answers part.

    >>> cache = Cache(({"key": torch.tensor([1, 2, 3])},), read_sizes([2, 1]), torch.tensor([2, 1]))
    >>> chosen(cache, torch.tensor([1, 0, 0])).senders
    ({'key': tensor([3, 1, 2, 1, 2])},)
    """
    kept, many = cache.sizes.ptr, cache.sizes.ptr.diff()[sequence]
    sizes = read_sizes(ptr=torch.cat([many.new_zeros(1), many.cumsum(0)]))
    total = int(sizes.ptr[-1])
    ahead = (kept[:-1][sequence] - sizes.ptr[:-1]).repeat_interleave(many, output_size=total)
    row = torch.arange(total, device=kept.device) + ahead
    senders = tuple({name: state.index_select(0, row) for name, state in said.items()} for said in cache.senders)
    return Cache(senders, sizes, cache.start[sequence])


def joined_by(cache: Cache, new: Sizes) -> tuple[Growth, Tensor]:
    """The graph after ``new`` tokens joined the sequences of a cache, and the places ``[n]`` of the new ones.

    Raises:
        ValueError: another number of sequences.
    """
    if cache.start.numel() != new.ptr.numel() - 1:
        raise ValueError(f"expected tokens for {cache.start.numel()} sequences of the cache, got {new.ptr.numel() - 1}")
    first = (cache.start - new.ptr[:-1]).repeat_interleave(new.ptr.diff())
    return grow(cache.sizes, new), torch.arange(first.numel(), device=first.device) + first


def after(cache: Cache, growth: Growth, senders: tuple[State, ...]) -> Cache:
    """The cache for the next tokens, with what all have said in each block."""
    return Cache(senders, growth.together, cache.start + growth.sizes.ptr.diff())


def grow(kept: Sizes, new: Sizes) -> Growth:
    """The graph after ``new`` tokens joined those ``kept``: each hears all earlier ones of its sequence, and itself.

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


def said_across(layer: GraphLayer, memory: Tensor, sizes: Sizes) -> State:
    """What a ``memory [M, F]`` of those ``sizes`` says in a layer of cross-attention: the senders' State to keep."""
    _, _, inputs = layer.prepare((memory, memory[:0]), Cross(sizes, _nobody(sizes)))
    return inputs.senders


def hear_across(layer: GraphLayer, x: Tensor, cross: Cross, said: State) -> Tensor:
    """What ``x [n, F]`` become from what a memory has ``said``, the senders of ``cross``."""
    _, _, inputs = layer.prepare((x[:0], x), Cross(_nobody(cross.receivers), cross.receivers))
    return layer.become(x, cross, inputs._replace(senders=said))


def _nobody(sizes: Sizes) -> Sizes:
    return read_sizes(ptr=torch.zeros_like(sizes.ptr))


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
