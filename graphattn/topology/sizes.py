"""Sizes of the graphs in a batch, read from whatever the user holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary
from torch_geometric.data import Batch, Data

from graphattn.counts import read_integer
from graphattn.lasting import content
from graphattn.slots import Sizes
from graphattn.traced import is_traced

if TYPE_CHECKING:
    from graphattn.topology.base import Nodes, Topology

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
"""What may name a node, an edge or a kind: not bool, which torch would take for a mask."""

# Of the boundaries of graphs their content when they were made.
_MADE: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def read_sizes(
    source: Data | Batch | Sizes | Sequence[int] | None = None,
    *,
    ptr: Tensor | None = None,
    batch: Tensor | None = None,
    num_graphs: int | None = None,
) -> Sizes:
    """Sizes from a PyG ``Data`` or ``Batch``, a list of sizes, ``ptr [B + 1]``, or ``batch [N]`` with ``num_graphs``.

    A batch vector cannot show empty graphs at its end, so ``num_graphs`` goes with it.

    Raises:
        ValueError: nothing or two things given; ``ptr`` not starting at 0 or decreasing; ``batch`` unsorted or out of range;
            ``Sizes`` whose ``max`` or ``equal`` are not those of ``ptr``.
        TypeError: ``source`` of another kind; numbers that are no integers.

    >>> read_sizes([2, 0, 3])
    Sizes(ptr=tensor([0, 2, 2, 5]), max=3, equal=False)
    >>> read_sizes(batch=torch.tensor([0, 0, 2]), num_graphs=4).ptr
    tensor([0, 2, 2, 3, 3])
    """
    given = [name for name, value in (("source", source), ("ptr", ptr), ("batch", batch)) if value is not None]
    if len(given) != 1:
        raise ValueError(f"expected exactly one of source, ptr and batch, got {given or 'none of them'}")
    if batch is not None:
        return _from_batch(batch, num_graphs)
    if ptr is not None:
        return from_ptr(ptr)
    if isinstance(source, Sizes):
        return known(source)
    if isinstance(source, Data):
        ends = getattr(source, "ptr", None)
        return _from_counts([source.num_nodes or 0]) if ends is None else from_ptr(ends)
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _from_counts(list(source))
    hint = "; a tensor is given by name, as Full(batch=..., num_graphs=...) or Full(ptr=...)"
    raise TypeError(
        f"expected a PyG Data or Batch, Sizes or a list of sizes, got {type(source).__name__}"
        + (hint if isinstance(source, Tensor) else "")
    )


def from_ptr(ptr: Tensor) -> Sizes:
    """Sizes from the boundaries of the graphs, ``[B + 1]``, starting at 0; a copy of them.

    Raises:
        ValueError: boundaries that do not start at 0, or fall.
        TypeError: boundaries that are no integers.

    >>> from_ptr(torch.tensor([0, 4, 8]))
    Sizes(ptr=tensor([0, 4, 8]), max=4, equal=True)
    """
    own = must_be_integers(ptr, "ptr").to(torch.long, copy=True)
    listed = own.diff().tolist() if own.dim() == 1 else []
    if own.dim() != 1 or own.numel() == 0 or int(own[0]) != 0 or min([int(own.min()), *listed]) < 0:
        raise ValueError(f"expected ptr to start at 0 and never to fall, got {own.tolist()}")
    return made(Sizes(own, max(listed, default=0), len(set(listed)) <= 1))


def must_be_integers(tensor: Tensor, name: str) -> Tensor:
    """Itself, whose numbers are places or numbers of something.

    Raises:
        TypeError: other numbers, or no tensor.

    >>> must_be_integers(torch.tensor([0.5]), "ptr")
    Traceback (most recent call last):
    TypeError: expected integers in ptr, got torch.float32
    """
    if not isinstance(tensor, Tensor) or tensor.dtype not in INTEGERS:
        found = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"expected integers in {name}, got {found}")
    return tensor


def of_equal(graphs: int, nodes: int, device: torch.device) -> Sizes:
    """The sizes of ``graphs`` graphs of ``nodes`` nodes each.

    >>> of_equal(2, 3, torch.device("cpu"))
    Sizes(ptr=tensor([0, 3, 6]), max=3, equal=True)
    """
    return made(Sizes(torch.arange(graphs + 1, device=device) * nodes, nodes if graphs else 0, equal=True))


def made(sizes: Sizes) -> Sizes:
    """Itself, whose boundaries are right now: :func:`known` will see if they change."""
    if not torch.compiler.is_compiling():
        _MADE[sizes.ptr] = content(sizes.ptr)
    return sizes


def known(sizes: Sizes) -> Sizes:
    """Itself, as it was made; what a caller has built, or a pickle, is read once. On CUDA values are never read.

    Raises:
        ValueError: a ``max`` or ``equal`` that ``ptr`` does not have; boundaries into which somebody has written.

    >>> known(Sizes(torch.tensor([0, 2, 5]), max=2, equal=False))
    Traceback (most recent call last):
    ValueError: expected max=3 and equal=False with ptr [0, 2, 5], got max=2 and equal=False
    """
    if is_traced():
        return sizes
    then = _MADE.get(sizes.ptr)
    if then is None:
        if sizes.ptr.device.type == "cpu":
            right = from_ptr(sizes.ptr)
            if right[1:] != sizes[1:]:
                raise ValueError(
                    f"expected max={right.max} and equal={right.equal} with ptr {sizes.ptr.tolist()}, "
                    f"got max={sizes.max} and equal={sizes.equal}"
                )
        return made(sizes)
    if then != content(sizes.ptr):
        raise ValueError(
            f"expected the boundaries of graphs as they were when the topology was made, got ptr {sizes.ptr.tolist()} that was "
            "written into since: make another topology"
        )
    return sizes


def graph_of(ptr: Tensor, node: Tensor) -> Tensor:
    """The graph each node belongs to, of the shape of ``node``.

    >>> graph_of(torch.tensor([0, 2, 2, 5]), torch.tensor([1, 2, 4]))
    tensor([0, 2, 2])
    """
    return torch.searchsorted(ptr[1:].contiguous(), node.contiguous(), right=True)


def spans(sizes: Sizes, count: int) -> tuple[Tensor, Tensor]:
    """The first node of each node's graph, and the one behind its last: ``([N], [N])`` for ``count`` nodes.

    >>> spans(read_sizes([2, 0, 1]), 3)
    (tensor([0, 0, 2]), tensor([2, 2, 3]))
    """
    many = sizes.ptr.diff()
    start = sizes.ptr[:-1].repeat_interleave(many, output_size=count)
    return start, sizes.ptr[1:].repeat_interleave(many, output_size=count)


def joined(sizes: Sequence[Sizes]) -> Sizes:
    """The sizes of several batches, one behind the other.

    >>> joined([read_sizes([2, 1]), read_sizes([3])]).ptr
    tensor([0, 2, 3, 6])
    """
    counts = torch.cat([each.ptr.diff() for each in sizes])
    return from_ptr(torch.cat([counts.new_zeros(1), counts.cumsum(0)]))


def order_of(*sizes: Sizes) -> tuple[Tensor, Sizes]:
    """Several parts of each graph brought together.

    With all first parts one behind the other, then all second parts, ..., ``order`` are the rows graph by graph.

    >>> order, sizes = order_of(read_sizes([2, 1]), read_sizes([1, 1]))
    >>> order.tolist(), sizes.ptr.tolist()
    ([0, 1, 3, 2, 4], [0, 3, 5])
    """
    graph = [graph_of(part.ptr, torch.arange(int(part.ptr[-1]), device=part.ptr.device)) for part in sizes]
    order = torch.cat(graph).argsort(stable=True)
    return order, read_sizes(ptr=sum((part.ptr for part in sizes[1:]), sizes[0].ptr))


def chosen(graph: Topology, nodes: Nodes) -> tuple[Tensor, Tensor]:
    """Which senders and which receivers are chosen, bool ``([N_j], [N_i])``.

    Raises:
        ValueError: numbers that do not rise, or that are not there; one tensor where two are needed.
    """
    if graph.senders is graph.receivers:
        if isinstance(nodes, tuple):
            raise ValueError("expected one tensor of nodes where senders and receivers are the same, got a pair")
        same = _as_mask(nodes, graph.num_senders)
        return same, same
    if not isinstance(nodes, tuple):
        raise ValueError("expected (senders, receivers) where these are different nodes, got one tensor")
    return _as_mask(nodes[0], graph.num_senders), _as_mask(nodes[1], graph.num_receivers)


def fewer(graph: Topology, nodes: Nodes) -> tuple[Sizes, Sizes]:
    """How many of the chosen senders and receivers are in each graph."""
    senders, receivers = chosen(graph, nodes)
    listening = _count(graph.receivers, receivers)
    return listening if senders is receivers else _count(graph.senders, senders), listening


def _from_counts(counts: list[int]) -> Sizes:
    try:
        whole = [read_integer(count, "sizes") for count in counts]
    except TypeError:
        raise TypeError(f"expected integers as sizes of graphs, got {counts}") from None
    if any(count < 0 for count in whole):
        raise ValueError(f"expected sizes of 0 or more, got {counts}")
    return from_ptr(torch.tensor([0, *whole]).cumsum(0))


def _from_batch(batch: Tensor, num_graphs: int | None) -> Sizes:
    if num_graphs is None:
        raise ValueError("expected num_graphs with batch: a batch vector cannot show empty graphs at its end, got None")
    home, num_graphs = must_be_integers(batch, "batch").long(), read_integer(num_graphs, "num_graphs")
    if home.dim() != 1 or num_graphs < 0:
        raise ValueError(
            f"expected batch of shape [N] and num_graphs of 0 or more, got {list(home.shape)} and {num_graphs}"
        )
    if home.numel() and (bool((home.diff() < 0).any()) or int(home[0]) < 0 or int(home[-1]) >= num_graphs):
        raise ValueError(
            f"expected batch sorted, from 0 to {num_graphs - 1}, got values from {int(home.min())} to {int(home.max())}"
            + (", unsorted" if bool((home.diff() < 0).any()) else "")
        )
    counts = torch.bincount(home, minlength=num_graphs)
    return from_ptr(torch.cat([counts.new_zeros(1), counts.cumsum(0)]))


def _as_mask(nodes: Tensor, count: int) -> Tensor:
    if nodes.dtype == torch.bool:
        if nodes.shape != (count,):
            raise ValueError(f"expected a mask of shape [{count}] for {count} nodes, got {list(nodes.shape)}")
        return nodes
    if nodes.numel() and (bool((nodes.diff() <= 0).any()) or int(nodes[0]) < 0 or int(nodes[-1]) >= count):
        raise ValueError(f"expected rising node numbers from 0 to {count - 1}, got {nodes.tolist()}")
    return torch.zeros(count, dtype=torch.bool, device=nodes.device).index_fill(0, nodes.long(), True)


def _count(sizes: Sizes, chosen: Tensor) -> Sizes:
    before = torch.cat([chosen.new_zeros(1, dtype=torch.long), chosen.cumsum(0)])
    return from_ptr(before[sizes.ptr])
