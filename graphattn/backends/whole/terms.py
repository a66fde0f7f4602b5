"""What edges add in the kernels of small graphs: tables, lists of some edges, and numbers for all.

Letters: ``N_i`` receivers, ``E`` edges, ``K`` listed edges, ``T`` kinds, ``H`` heads, ``C`` channels, ``F`` features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.backends.operators.whole import Whole
from graphattn.edge_terms.factored import table_of, with_one
from graphattn.edge_terms.linear import LinearValue
from graphattn.edge_terms.reading import feature
from graphattn.edge_terms.tabled import InTable, Tabled, joined
from graphattn.edge_terms.together import SumOfTerms
from graphattn.message import Attend
from graphattn.slots import EdgeTerm, State

_MOST_KINDS = 1024
_FEW_KINDS = 32


class ScoreTerms(NamedTuple):
    """What edges add to scores, as :class:`graphattn.backends.operators.whole.Attended` has it."""

    bias: Tensor | None = None
    table: Tensor | None = None
    extra: Tensor | None = None
    kind: Tensor | None = None
    listed: Tensor | None = None


class Valued(NamedTuple):
    """Which of the listed edges have values: ``many`` from ``first`` on, and their receivers."""

    first: int
    many: int
    receiver: Tensor


class _List(NamedTuple):
    """Some edges by number ``[K]``, and what they add to scores, ``[K, H]``; None for nothing."""

    number: Tensor
    extra: Tensor | None


def bias_alone(message: Attend, graph: Whole, edge: State, query: Tensor, factor: float) -> tuple[ScoreTerms, None]:
    """The bias as numbers for all edges, for kernels that know nothing else."""
    del factor
    if message.edge_bias is None:
        return ScoreTerms(), None
    return ScoreTerms(message.edge_bias.on_edges(graph, edge).expand(graph.num_edges, query.size(1))), None


def sorted_terms(
    message: Attend, graph: Whole, edge: State, query: Tensor, factor: float
) -> tuple[ScoreTerms, Valued | None]:
    """What edges add to scores as kernels take it, and which of them have values."""
    bias, table, lists = _biases(message.edge_bias, graph, edge, query)
    receiver = None
    if isinstance(message.edge_key, LinearValue):
        number = edge[f"{message.edge_key.name}_number"]
        receiver = graph.receiver_of(number)
        lists.append(_List(number, _scores(message.edge_key, query, receiver, edge) * factor))
    many = len(lists)
    if isinstance(message.edge_value, LinearValue):
        number = edge[f"{message.edge_value.name}_number"]
        receiver = receiver if lists and lists[-1].number is number and receiver is not None else None
        lists.append(_List(number, None))
    listed, starts = _together(lists, query)
    valued = None
    if len(lists) > many:
        receiver = graph.receiver_of(lists[-1].number) if receiver is None else receiver
        valued = Valued(starts[-1], lists[-1].number.size(0), receiver)
    kind, rows = (None, None) if table is None else (table.kind, table.table.to(query.dtype))
    number, extra = (None, None) if listed is None else listed
    return ScoreTerms(bias, rows, extra, kind, number), valued


def values_of_edges(message: Attend, valued: Valued, alpha: Tensor, edge: State, receivers: int) -> Tensor:
    r"""Sums of the values of edges themselves, :math:`\sum_j \alpha_{ij} W e_{ji} = W \sum_j \alpha_{ij} e_{ji}`."""
    term = message.edge_value
    assert isinstance(term, LinearValue)
    alpha = alpha.narrow(0, valued.first, valued.many)
    kind, rows = _of_kinds(term, edge)
    if kind is None:
        table, rows = table_of(term.linear, term.by_head[0]), with_one(rows, term.linear)
        sums = alpha.new_zeros(receivers, alpha.size(1), rows.size(1))
        sums = sums.index_add(0, valued.receiver, alpha.unsqueeze(-1) * rows.unsqueeze(1))
        return torch.einsum("nhf,fhc->nhc", sums, table.to(alpha.dtype))
    kinds = rows.size(0)
    sums = alpha.new_zeros(receivers * kinds, alpha.size(1)).index_add(0, valued.receiver * kinds + kind, alpha)
    values = term.linear(rows).unflatten(-1, term.by_head).to(alpha.dtype)
    return torch.einsum("nth,thc->nhc", sums.view(receivers, kinds, -1), values)


def _scores(term: LinearValue, query: Tensor, receiver: Tensor, edge: State) -> Tensor:
    r"""The query's product with the keys of edges, :math:`q_i \cdot W e_{ji} = (W^\top q_i) \cdot e_{ji}`, ``[K, H]``."""
    kind, rows = _of_kinds(term, edge)
    if kind is None:
        table, rows = table_of(term.linear, term.by_head[0]), with_one(rows, term.linear)
        products = torch.einsum("nhc,fhc->nhf", query, table.to(query.dtype))
        return (products.index_select(0, receiver) * rows.unsqueeze(1)).sum(-1)
    keys = term.linear(rows).unflatten(-1, term.by_head).to(query.dtype)
    products = torch.einsum("nhc,thc->nth", query, keys).flatten(0, 1)
    return products.index_select(0, receiver * rows.size(0) + kind)


def _of_kinds(term: LinearValue, edge: State) -> tuple[Tensor | None, Tensor]:
    """The kinds of edges and the features of each; None and the features of edges where kinds are many."""
    rows, kind = feature(edge, term.name), edge.get(f"{term.name}_kind")
    if kind is None or rows.size(0) <= _FEW_KINDS:
        return kind, rows
    return None, rows.index_select(0, kind)


def _biases(
    term: EdgeTerm | None, graph: Whole, edge: State, like: Tensor
) -> tuple[Tensor | None, InTable | None, list[_List]]:
    """The bias as numbers for all edges, as a table, and as lists of some edges; it is their sum."""
    bias, table, lists = None, None, []
    for part in _parts(term):
        known = part.in_table(edge) if isinstance(part, Tabled) else None
        if known is not None and known.number is not None:
            lists.append(_List(known.number, known.rows().to(like.dtype)))
        elif known is not None and known.kind is not None and _fits(table, known):
            table = known if table is None else joined(table, known)
        else:
            more = part.on_edges(graph, edge).to(like.dtype).expand(graph.num_edges, like.size(1))
            bias = more if bias is None else bias + more
    return bias, table, lists


def _parts(term: EdgeTerm | None) -> list[EdgeTerm]:
    if isinstance(term, SumOfTerms):
        return [part for each in term.terms for part in _parts(each)]
    return [] if term is None else [term]


def _fits(table: InTable | None, more: InTable) -> bool:
    return more.table.size(0) * (1 if table is None else table.table.size(0)) <= _MOST_KINDS


def _together(lists: list[_List], like: Tensor) -> tuple[_List | None, list[int]]:
    """The lists as one, and where each starts in it; lists of the same edges share their places."""
    numbers = {id(number): number for number, _ in lists}
    extras: dict[int, Tensor] = {}
    for number, extra in lists:
        if extra is not None:
            known = extras.get(id(number))
            extras[id(number)] = extra if known is None else known + extra
    starts, end = {}, 0
    for key, number in numbers.items():
        starts[key], end = end, end + number.size(0)
        if extras and key not in extras:
            extras[key] = like.new_zeros(number.size(0), like.size(1))
    extra = _joined([extras[key] for key in numbers]) if extras else None
    listed = _List(_joined(list(numbers.values())), extra) if numbers else None
    return listed, [starts[id(number)] for number, _ in lists]


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
