"""What a caller gives for a list of edges, read and checked."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Data
from torch_geometric.utils import to_edge_index

from graphattn.counts import read_integer
from graphattn.slots import Sizes
from graphattn.topology.sizes import INTEGERS, from_ptr, graph_of, must_be_integers, of_equal
from graphattn.traced import must_hold

Count = int | tuple[int, int]
"""A number of nodes, or those of senders and of receivers."""

Ends = Tensor | tuple[Tensor, Tensor] | None
"""Boundaries of graphs, ``[B + 1]``, or those of senders and of receivers."""


def of_data(data: Data, num_nodes: Count | None, ptr: Ends) -> tuple[Tensor, Count | None, Ends]:
    """The edges, the number of nodes and the boundaries of what PyG holds, where none of them are given.

    Raises:
        ValueError: there are no edges.
    """
    edge_index = data.edge_index if data.edge_index is not None else data.get("adj_t")
    if edge_index is None:
        raise ValueError(f"expected a Data with an edge_index or adj_t, got {data}")
    return edge_index, data.num_nodes if num_nodes is None else num_nodes, data.get("ptr") if ptr is None else ptr


def read_edges(edge_index: Tensor) -> tuple[Tensor, Count | None]:
    """The graph's own edges, ``[2, E]``, and what the matrix says of the number of nodes.

    Raises:
        ValueError: other than integers of this shape.
        TypeError: no tensor.
    """
    if not isinstance(edge_index, Tensor):
        kinds = "an edge_index, a sparse matrix of torch or a PyG Data"
        raise TypeError(f"expected {kinds}, got {type(edge_index).__name__}")
    if edge_index.layout != torch.strided:
        receivers, senders = edge_index.shape[:2]
        known = senders if senders == receivers else (senders, receivers)
        receiver, sender = to_edge_index(edge_index)[0]
        return _owned(torch.stack([sender, receiver])), known
    plain = edge_index.as_tensor() if isinstance(edge_index, EdgeIndex) else edge_index
    if plain.dim() != 2 or plain.size(0) != 2 or plain.dtype not in INTEGERS:
        raise ValueError(
            f"expected an integer edge_index of shape [2, E], got {plain.dtype} of shape {list(plain.shape)}"
        )
    return _owned(plain), None


def _owned(ends: Tensor) -> Tensor:
    """A copy that nobody else holds, int32 where numbers allow it."""
    if torch.compiler.is_compiling():  # no number can be read there, and what is traced ends with the trace
        return ends.long()
    low, high = ends.aminmax() if ends.dtype == torch.int64 and ends.numel() else (0, 0)
    fits = max(-int(low) - 1, int(high)) < 2**31
    return ends.to(torch.int32 if fits else torch.int64, memory_format=torch.contiguous_format, copy=True)


def read_types(edge_type: Tensor | None, num_edges: int) -> Tensor | None:
    """The graph's own types of edges, ``[E]``.

    Raises:
        ValueError: types for another number of edges, or below 0.
        TypeError: types that are no integers.
    """
    if edge_type is None:
        return None
    types = must_be_integers(edge_type, "edge_type").to(torch.long, copy=True)
    if types.shape != (num_edges,):
        raise ValueError(f"expected {num_edges} types of edges, got {list(types.shape)}")
    if torch.compiler.is_compiling():
        must_hold((types >= 0).all(), "expected types of edges of 0 or more")
    elif num_edges and int(types.min()) < 0:
        raise ValueError(f"expected types of edges of 0 or more, got {int(types.min())}")
    return types


def numbers_of(size: Count) -> tuple[int, int]:
    """The numbers of senders and of receivers.

    Raises:
        ValueError: numbers below 0.
        TypeError: other than a number or two.

    >>> numbers_of(3), numbers_of((2, 5))
    ((3, 3), (2, 5))
    """
    pair = size if isinstance(size, tuple) else (size, size)
    if torch.compiler.is_compiling():  # a symbol is not made a number
        return pair
    try:
        senders, receivers = (read_integer(each, "num_nodes") for each in pair)
    except (TypeError, ValueError):
        raise TypeError(f"expected num_nodes as an integer or as (senders, receivers), got {size}") from None
    if min(senders, receivers) < 0:
        raise ValueError(f"expected num_nodes of 0 or more, got {size}")
    return senders, receivers


def last_of(ptr: Tensor | tuple[Tensor, Tensor]) -> Count:
    """The number of nodes that boundaries end at."""
    if isinstance(ptr, tuple):
        return int(from_ptr(ptr[0]).ptr[-1]), int(from_ptr(ptr[1]).ptr[-1])
    return int(from_ptr(ptr).ptr[-1])


def read_ptr(ptr: Ends, size: Count, device: torch.device) -> tuple[Sizes, Sizes]:
    """Sizes of senders and of receivers: one object where they are the same nodes."""
    if not isinstance(size, tuple):
        if isinstance(ptr, tuple):
            raise ValueError(f"expected one ptr for {size} nodes that are senders and receivers, got two")
        same = of_equal(1, size, device) if ptr is None else from_ptr(ptr)
        return same, same
    if isinstance(ptr, Tensor):
        raise ValueError(f"expected (senders, receivers) in ptr for {size[0]} senders and {size[1]} receivers, got one")
    if ptr is None:
        return of_equal(1, size[0], device), of_equal(1, size[1], device)
    return from_ptr(ptr[0]), from_ptr(ptr[1])


def largest_of(edge_index: Tensor) -> int:
    """The largest number of a node, -1 where there is none."""
    return int(edge_index.max()) if edge_index.numel() else -1


def check_range(edge_index: Tensor, senders: int, receivers: int) -> None:
    """Refuse numbers of nodes that are not there; where a compiler looks on, when the graph is run, and without the number."""
    if torch.compiler.is_compiling():
        size = torch.tensor([[senders], [receivers]], device=edge_index.device)
        inside = ((edge_index >= 0) & (edge_index < size)).all()
        must_hold(inside, "expected node numbers of 0 or more and below the number of nodes in edge_index")
        return
    if edge_index.numel() == 0:
        return
    lowest, largest = (ends.tolist() for ends in edge_index.aminmax(dim=1))
    if min(lowest) < 0:
        raise ValueError(f"expected node numbers of 0 or more, got {min(lowest)} in edge_index")
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
