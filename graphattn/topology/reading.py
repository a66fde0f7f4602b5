"""What a caller gives for a list of edges, read and checked."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.utils import to_edge_index

from graphattn.slots import Sizes
from graphattn.topology.sizes import from_ptr, graph_of, of_equal

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def read_edges(edge_index: Tensor) -> tuple[Tensor, int | tuple[int, int] | None]:
    """The graph's own edges, ``[2, E]``, and what the matrix says of the number of nodes."""
    if edge_index.layout != torch.strided:
        receivers, senders = edge_index.shape[:2]
        known = senders if senders == receivers else (senders, receivers)
        receiver, sender = to_edge_index(edge_index)[0]
        return _owned(torch.stack([sender, receiver])), known
    plain = edge_index.as_tensor() if isinstance(edge_index, EdgeIndex) else edge_index
    if plain.dim() != 2 or plain.size(0) != 2 or plain.dtype not in _INTEGERS:
        raise ValueError(
            f"expected an integer edge_index of shape [2, E], got {plain.dtype} of shape {list(plain.shape)}"
        )
    return _owned(plain), None


def _owned(ends: Tensor) -> Tensor:
    """A copy that nobody else holds, int32 where numbers allow it."""
    low, high = ends.aminmax() if ends.dtype == torch.int64 and ends.numel() else (0, 0)
    fits = max(-int(low) - 1, int(high)) < 2**31
    return ends.to(torch.int32 if fits else torch.int64, memory_format=torch.contiguous_format, copy=True)


def last_of(ptr: Tensor | tuple[Tensor, Tensor]) -> int | tuple[int, int]:
    """The number of nodes that boundaries end at."""
    return int(ptr[-1]) if isinstance(ptr, Tensor) else (int(ptr[0][-1]), int(ptr[1][-1]))


def read_ptr(
    ptr: Tensor | tuple[Tensor, Tensor] | None, size: int | tuple[int, int], device: torch.device
) -> tuple[Sizes, Sizes]:
    """Sizes of senders and of receivers: one object where they are the same nodes."""
    if isinstance(size, int):
        if isinstance(ptr, tuple):
            raise ValueError(f"expected one ptr for {size} nodes that are senders and receivers, got two")
        same = of_equal(1, size, device) if ptr is None else from_ptr(ptr)
        return same, same
    if isinstance(ptr, Tensor):
        raise ValueError(f"expected (senders, receivers) in ptr for {size[0]} senders and {size[1]} receivers, got one")
    if ptr is None:
        return of_equal(1, size[0], device), of_equal(1, size[1], device)
    return from_ptr(ptr[0]), from_ptr(ptr[1])


def check_range(edge_index: Tensor, largest: list[int], senders: int, receivers: int) -> None:
    """Refuse numbers of nodes that are not there."""
    if edge_index.numel() == 0:
        return
    if int(edge_index.min()) < 0:
        raise ValueError(f"expected node numbers of 0 or more, got {int(edge_index.min())} in edge_index")
    for row, highest, size in zip(("sender", "receiver"), largest, (senders, receivers), strict=True):
        if highest >= size:
            raise ValueError(f"expected {row} numbers below {size}, got {highest} in edge_index")


def check_graphs(ends: Tensor, senders: tuple[Sizes, int], receivers: tuple[Sizes, int]) -> None:
    """Refuse edges between two graphs, and boundaries that do not fit the nodes: sizes and numbers of both."""
    for name, (sizes, count) in (("senders", senders), ("receivers", receivers)):
        if int(sizes.ptr[-1]) != count:
            raise ValueError(f"expected ptr to end at {count} {name}, got {int(sizes.ptr[-1])}")
    speaking, listening = senders[0].ptr, receivers[0].ptr
    if speaking.numel() != listening.numel():
        many = (speaking.numel() - 1, listening.numel() - 1)
        raise ValueError(f"expected as many graphs of senders as of receivers, got {many[0]} and {many[1]}")
    sender, receiver = ends.long()
    apart = graph_of(speaking, sender) != graph_of(listening, receiver)
    if bool(apart.any()):
        pair = (int(sender[apart][0]), int(receiver[apart][0]))
        raise ValueError(f"expected edges within one graph, got one from sender {pair[0]} to receiver {pair[1]}")
