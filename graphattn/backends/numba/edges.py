"""Operators over lists of edges in Numba: tensors in, kernels over ranges of rows, tensors out.

Edges are grouped by row: those of row ``r`` from ``ptr[r]`` to ``ptr[r + 1]``, their other ends ``other [E]``. Letters: ``E``
edges, ``H`` heads, ``C`` channels; what stands at the other end has ``G`` heads, ``H`` or one for all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.numba import gat, gatv2, kernels
from graphattn.backends.numba.arrays import dropout_of, flat, real
from graphattn.backends.numba.rows import period_of
from graphattn.backends.numba.threads import pieces, ranges, run
from graphattn.backends.numba.vector import lanes_of
from graphattn.backends.operators.edge_attention import SPLIT, Grads, Scored, States
from graphattn.backends.operators.rules import Order, alike

# An exponential costs about as much as sixteen products.
_EXPONENTIAL = 16


def products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, out: Tensor | None = None) -> Tensor:
    """Inner products along edges: ``left [rows, H, C]``, ``right [N, G, C]`` -> ``[E, H]``, added to ``out`` if given."""
    (_, heads, channels), more = left.shape, out is not None
    out, (row_of, starts) = left.new_empty(other.numel(), heads) if out is None else out, pieces(ptr)
    sizes = (heads, channels, int(right.size(1) == heads), int(more))
    bounds = ranges(starts, heads * channels)
    run(kernels.edge_products, bounds, lanes_of(channels), sizes, *flat(row_of, starts, other, left, right, out))
    return out


def sums(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``weight [E, H]``, ``x [N, G, C]`` -> ``[rows, H, C]``.

    Without a ``place`` weights stand in the order of the rows.
    """
    heads, channels = weight.size(1), x.size(2)
    order = (other, other[:0] if place is None else place)
    sizes = (heads, channels, int(x.size(1) == heads))

    def sum_of(row_of: Tensor, starts: Tensor, out: Tensor) -> None:
        del row_of
        bounds = ranges(starts, heads * channels)
        run(kernels.weighted_sum, bounds, lanes_of(channels), sizes, *flat(starts, *order, weight, x, out))

    return _in_pieces(ptr, x.new_empty(0, heads, channels), sum_of)


def feature_sums(weight: Tensor, left: Tensor, ptr: Tensor, number: Tensor, out: Tensor | None = None) -> Tensor:
    """What heads send to an edge's feature, ``sum_h weight[e, h] left[row_e, h]`` at ``number [E]``, added to ``out [E, C]``."""
    (_, heads, channels), more = left.shape, out is not None
    out = left.new_empty(number.numel(), channels) if out is None else out
    bounds, sizes = ranges(ptr, heads * channels), (heads, channels, int(more))
    run(kernels.feature_sums, bounds, lanes_of(channels), sizes, *flat(ptr, number, weight, left, out))
    return out


def table_products(left: Tensor, table: Tensor, ptr: Tensor, kind: Tensor) -> Tensor:
    """Inner products of each edge's row and its ``kind``'s: ``left [rows, H, C]``, ``table [T, H, C]`` -> ``[E, H]``."""
    (_, heads, channels), out = left.shape, left.new_empty(kind.numel(), left.size(1))
    bounds, sizes = ranges(ptr, heads * channels), (heads, channels, table.size(0))
    given = flat(ptr, _checked(kind, table.size(0)), left, table, out)
    run(kernels.table_products, bounds, lanes_of(channels), sizes, *given)
    return out


def table_weighted_sums(weight: Tensor, table: Tensor, ptr: Tensor, kind: Tensor) -> Tensor:
    """Sums over each row's edges, ``sum_e weight_e table[kind_e]``: ``[E, H], [T, H, C] -> [rows, H, C]``."""
    kinds, heads, channels = table.shape
    out = table.new_empty(ptr.numel() - 1, heads, channels)
    bounds, sizes = ranges(ptr, heads * channels), (heads, channels, kinds)
    given = flat(ptr, _checked(kind, kinds), weight, table, out)
    run(kernels.table_weighted_sums, bounds, lanes_of(channels), lanes_of(heads), sizes, *given)
    return out


def table_sums(weight: Tensor, left: Tensor, ptr: Tensor, kind: Tensor, size: int) -> Tensor:
    """Sums over the edges of each kind, ``sum_e weight_e left[row_e]``: ``[E, H], [rows, H, C] -> [T, H, C]``."""
    (_, heads, channels), out = left.shape, left.new_empty(size, *left.shape[1:])
    bounds = _coarse(ranges(ptr, heads * channels), kind.numel(), size)
    parts, sizes = np.zeros((len(bounds) - 1, out.numel()), out.numpy().dtype), (heads, channels, size)
    given = flat(ptr, _checked(kind, size), weight, left)
    run(kernels.table_sums, bounds, lanes_of(channels), lanes_of(heads), sizes, np.array(bounds), *given, parts)
    return out.copy_(_added(parts, out))


def softmax(score: Tensor, ptr: Tensor) -> Tensor:
    """Scores ``[E, H]`` become the softmax of their row, in place."""
    heads = score.size(1)
    run(kernels.softmaxes, ranges(ptr, _EXPONENTIAL * heads), lanes_of(1), (heads, period_of(heads)), *flat(ptr, score))
    return score


def softmax_backward(alpha: Tensor, grad: Tensor, ptr: Tensor) -> Tensor:
    """Gradients of weights ``[E, H]`` become those of scores, in place."""
    heads = alpha.size(1)
    bounds, sizes = ranges(ptr, _EXPONENTIAL * heads), (heads, period_of(heads))
    run(kernels.softmax_gradients, bounds, lanes_of(1), sizes, *flat(ptr, alpha, grad))
    return grad


def drop(weight: Tensor, seed: Tensor, rate: float, ptr: Tensor, sender: Tensor, number: Tensor) -> Tensor:
    """Weights ``[E, H]`` times the dropout scale of each edge and head, in place."""
    heads, dropout = weight.size(1), dropout_of(seed, rate, weight.dtype)
    bounds = ranges(ptr, _EXPONENTIAL * heads)
    run(kernels.drop, bounds, lanes_of(1), heads, *flat(ptr, sender, number), *dropout, *flat(weight))
    return weight


def scores(states: States, scored: Scored, ptr: Tensor, sender: Tensor, number: Tensor) -> Tensor:
    """GATv2's or GAT's scores of all edges, ``[E, H]``."""
    query, bias, heads, slope = states.query, states.bias, states.query.size(1), real(scored.slope, states.query.dtype)
    score, (row_of, starts) = query.new_empty(sender.numel(), heads), pieces(ptr)
    order = flat(row_of, starts, sender, number, query, states.key)
    if scored.score == SPLIT:
        within, bounds = flat(query.new_empty(0) if bias is None else bias), ranges(starts, _EXPONENTIAL * heads)
        run(gat.scores, bounds, lanes_of(heads), heads, *order, *within, slope, *flat(score))
        return score
    assert states.weight is not None
    terms = (*flat(states.weight), *_edge_terms(states, sender))
    bounds, width, sizes = ranges(starts, heads * query.size(2)), lanes_of(query.size(2)), tuple(query.shape[1:])
    run(gatv2.scores, bounds, width, sizes, *order, *terms, slope, *flat(score))
    return score


def scores_backward(grad: Tensor, states: States, scored: Scored, order: Order) -> Grads:
    """Gradients through GATv2's or GAT's scores from theirs, ``grad [E, H]``; GAT's becomes that within the leaky ReLU."""
    return (_split_backward if scored.score == SPLIT else _additive_backward)(grad, states, scored, order)


def _additive_backward(grad: Tensor, states: States, scored: Scored, order: Order) -> Grads:
    query, key, table, weight = states.query, states.key, states.table, states.weight
    assert weight is not None
    sizes, width, slope = tuple(query.shape[1:]), lanes_of(query.size(2)), real(scored.slope, query.dtype)
    terms, work = _edge_terms(states, order.sender), query.size(1) * query.size(2) * _depth(states)
    none = query.new_empty(0, *query.shape[1:])
    of_table, of_feature = alike(none if table is None else table, none if states.feature is None else states.feature)
    weighted, parts = flat(none if table is None else table * weight), []

    def to_receivers(row_of: Tensor, starts: Tensor, of_query: Tensor) -> None:
        bounds = _coarse(ranges(starts, work), grad.size(0), of_table.size(0))
        parts.append(np.zeros((len(bounds) - 1, of_table.numel()), weighted[0].dtype))
        run(
            gatv2.to_receivers, bounds, width, sizes, *flat(row_of), np.array(bounds),
            *flat(starts, order.sender, order.number, query, key), *terms, *weighted, slope, *flat(grad, of_query), parts[0],
            *flat(of_feature),
        )  # fmt: skip

    def to_senders(row_of: Tensor, starts: Tensor, of_key: Tensor) -> None:
        ends = flat(row_of, starts, order.receiver, order.place, order.number, query, key)
        kernel = gatv2.to_senders
        run(kernel, ranges(starts, work), width, sizes, *ends, *terms, slope, *flat(grad, of_key))

    of_query, of_key = _in_pieces(order.ptr, none, to_receivers), _in_pieces(order.sender_ptr, none, to_senders)
    if table is None:
        return Grads(grad, of_query, of_key)
    of_table.copy_(_added(parts[0], of_table))
    return Grads(grad, of_query, of_key, None, of_table, None if states.feature is None else of_feature)


def _split_backward(grad: Tensor, states: States, scored: Scored, order: Order) -> Grads:
    query, key, heads = states.query, states.key, states.query.size(1)
    bias = query.new_empty(0) if states.bias is None else states.bias
    width, slope = lanes_of(heads), real(scored.slope, query.dtype)

    def to_receivers(row_of: Tensor, starts: Tensor, query_grad: Tensor) -> None:
        ends = flat(row_of, starts, order.sender, order.number, query, key, bias)
        kernel = gat.to_receivers
        run(kernel, ranges(starts, _EXPONENTIAL * heads), width, heads, *ends, slope, *flat(grad, query_grad))

    def to_senders(row_of: Tensor, starts: Tensor, key_grad: Tensor) -> None:
        del row_of
        ends = flat(starts, order.place, grad, key_grad)
        run(gat.to_senders, ranges(starts, _EXPONENTIAL * heads), width, heads, *ends)

    none = query.new_empty(0, heads, 1)
    return Grads(grad, _in_pieces(order.ptr, none, to_receivers), _in_pieces(order.sender_ptr, none, to_senders))


def _in_pieces(ptr: Tensor, like: Tensor, sum_of: Callable[[Tensor, Tensor, Tensor], None]) -> Tensor:
    """Sums of rows, of which very long ones are shared: ``sum_of(row of each piece, pieces' boundaries, room)``."""
    row_of, starts = pieces(ptr)
    parts, rows = like.new_empty(starts.numel() - 1, *like.shape[1:]), ptr.numel() - 1
    sum_of(row_of, starts, parts)
    return parts.new_zeros(rows, *like.shape[1:]).index_add(0, row_of, parts) if row_of.numel() else parts


def _checked(kind: Tensor, kinds: int) -> Tensor:
    """The kinds of edges, in memory that nobody else writes to, none of which points outside the table."""
    kind = kind.clone()
    if kind.numel() and not 0 <= int(kind.min()) <= int(kind.max()) < kinds:
        raise ValueError(f"expected kinds of edges from 0 to {kinds - 1}, got {int(kind.min())} to {int(kind.max())}")
    return kind


def _edge_terms(states: States, sender: Tensor) -> list[np.ndarray]:
    """What edges add to keys as kernels take it: table, features and kinds, empty where there are none."""
    nothing, none = states.query.new_empty(0), sender[:0]
    given = (nothing if x is None else x for x in (states.table, states.feature))
    if states.kind is None or states.table is None:
        return flat(*given, none)
    return flat(*given, _checked(states.kind.to(sender.dtype), states.table.size(0)))


def _depth(states: States) -> int:
    """How often the channels of an edge's key are touched."""
    return 2 if states.table is None else 4 if states.kind is not None else 2 + states.table.size(0)


def _coarse(bounds: list[int], edges: int, rows: int) -> list[int]:
    """Fewer ranges, where each holds a part of a table: together never more rows than a quarter of the edges.

    >>> _coarse([0, 10, 20, 30, 40], edges=80, rows=10), _coarse([0, 10, 20], edges=80, rows=0)
    ([0, 20, 40], [0, 10, 20])
    """
    if len(bounds) == 1 or not rows:
        return bounds
    most = max(1, edges // (4 * rows))
    return [*bounds[: -1 : -(-(len(bounds) - 1) // most)], bounds[-1]]


def _added(parts: np.ndarray, like: Tensor) -> Tensor:
    """The sum of the parts of a table, always in the same order."""
    return torch.from_numpy(parts.sum(0)).view_as(like)
