"""What terms read of edge features, checked where a layer takes them: backends and kernels index by it without looking."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch._C._functorch import is_batchedtensor

from graphattn.lasting import remembered
from graphattn.slots import State
from graphattn.topology import Edges, Topology
from graphattn.topology.sizes import must_be_integers
from graphattn.traced import is_traced


def feature(edge: State, name: str) -> Tensor:
    """The edge feature of that name; of one real number for each edge, ``[E]``, as one channel, ``[E, 1]``.

    Raises:
        ValueError: there is none, with the names that there are.
    """
    if name not in edge:
        raise ValueError(f"expected an edge feature named {name!r}, got {sorted(edge) or 'none'}")
    value = edge[name]
    return value.unsqueeze(1) if value.dim() == 1 and value.is_floating_point() else value


def read(terms: Iterable[object], graph: Topology, edge: State) -> State:
    """All features, of which terms that have a ``read`` have checked theirs, and copied kinds and numbers.

    >>> class Weighed:
    ...     def read(self, graph, edge):
    ...         return read_feature(graph, edge, "weight")
    >>> read([Weighed()], Full([2]), {"weight": torch.ones(3, 1)})
    Traceback (most recent call last):
    ValueError: expected 4 features of all edges of Full(graphs=1, receivers=2, senders=2, edges=4), got [3, 1] in edge['weight']
    """
    for term in terms:
        reads = getattr(term, "read", None)
        edge = edge if reads is None else {**edge, **reads(graph, edge)}
    return edge


def read_feature(graph: Topology, edge: State, name: str) -> State:
    """A feature in one of its three forms (:mod:`graphattn.edge_terms`), its kinds and numbers as copies of the layer's own.

    Raises:
        ValueError: no such feature; another number of rows or kinds than there are edges.
        IndexError: kinds that are no rows, or numbers of edges that are not there.
        TypeError: kinds or numbers that are no integers.

    >>> read_feature(Full([2]), {"bond": torch.ones(2, 3), "bond_kind": torch.tensor([0, 1, 0, 2])}, "bond")
    Traceback (most recent call last):
    IndexError: expected kinds from 0 to 1, got 0 to 2 in edge['bond_kind']
    """
    rows, kind, number = feature(edge, name), edge.get(f"{name}_kind"), edge.get(f"{name}_number")
    many, whole, own = graph.num_edges if is_counted(graph) else None, graph, {name: rows.view_as(rows)}
    if number is not None:
        own[f"{name}_number"] = within(number, many, "numbers of edges", f"{name}_number")
        many, whole = number.size(0), f"edge[{name + '_number'!r}]"
    if kind is None:
        must_be_many(rows, many, "features of all edges of", whole, name)
    else:
        own[f"{name}_kind"] = within(kind, rows.size(0), "kinds", f"{name}_kind")
        must_be_many(kind, many, "kinds of all edges of", whole, f"{name}_kind")
    return own


def read_kinds(graph: Topology, edge: State, name: str, count: int | None) -> State:
    """A feature of integers ``[E]``, from 0 to ``count``, as a copy of the layer's own.

    Raises:
        ValueError: no such feature; another number of them than of edges.
        IndexError: numbers out of range.
        TypeError: numbers that are no integers.
    """
    many = graph.num_edges if is_counted(graph) else None
    must_be_many(feature(edge, name), many, "kinds of all edges of", graph, name)
    return {name: within(edge[name], count, "kinds", name)}


def must_be_many(rows: Tensor, many: int | None, what: str, whole: object, name: str) -> None:
    """Refuse another number of rows than there are edges or nodes in the whole; ``many`` is None where it is not known."""
    if many is not None and rows.shape[:1] != (many,):
        raise ValueError(f"expected {many} {what} {whole}, got {list(rows.shape)} in edge[{name!r}]")


def is_counted(graph: Topology) -> bool:
    """Whether the number of edges can be known: a compiled graph cannot count those of an implicit topology."""
    return isinstance(graph, Edges) or not torch.compiler.is_compiling()


def within(numbers: Tensor, count: int | None, what: str, name: str) -> Tensor:
    """``edge[name] [K]`` as a copy that nobody else holds, of integers from 0 to ``count``; made once for a tensor.

    Raises:
        ValueError: another shape.
        IndexError: numbers out of this range.
        TypeError: numbers that are no integers.
    """
    must_be_integers(numbers, f"edge[{name!r}]")
    if numbers.dim() != 1:
        raise ValueError(f"expected {what} in one row, got {list(numbers.shape)} in edge[{name!r}]")
    # Values are not to be read here; operators look at them when a traced program runs.
    if is_traced() or is_batchedtensor(numbers):
        return numbers
    return remembered(numbers, ("within", count), lambda: _copied(numbers, count, what, name))


def _copied(numbers: Tensor, count: int | None, what: str, name: str) -> Tensor:
    own = numbers.to(torch.long, copy=True)
    if own.numel() and count is not None:
        low, high = (int(end) for end in own.aminmax())
        if low < 0 or high >= count:
            raise IndexError(f"expected {what} from 0 to {count - 1}, got {low} to {high} in edge[{name!r}]")
    return own
