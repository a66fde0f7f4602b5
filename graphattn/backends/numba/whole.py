"""Kernels over batches of graphs whose receivers hear all senders, or all up to themselves: columns are implicit.

Every kernel works on the pairs of a graph and a head from ``low`` to ``high``, graph-major, 32 receivers at a time: queries, keys
and values are laid out side by side, and the products of matrices stay in registers. Node tensors come flat, ``[N * H * C]``.

Letters: ``B`` graphs, ``E`` edges, ``K`` listed edges, ``H`` heads, ``C`` channels.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphattn.backends.numba.arrays import dropout_of, flat, real
from graphattn.backends.numba.blocks import (
    DropoutWords,
    Graphs,
    TermArrays,
    add_listed,
    add_terms,
    back_to_scores,
    block_of,
    drop,
    filled,
    give,
    lay_out,
    listed_in,
    most_of,
    room,
    rows_of,
    soften,
    take_listed,
    take_terms,
    turn,
)
from graphattn.backends.numba.compiling import compiled
from graphattn.backends.numba.matrices import multiply
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.numba.vector import lanes_of, width
from graphattn.backends.operators import whole

if TYPE_CHECKING:
    from torch import Tensor

_ROWS = 32
_REUSED = 16


@compiled
def attention(low, high, lanes, graphs, query, key, value, factor, terms, dropout, out, alpha, top, share):
    """Softmax-weighted sums, and the weights ``alpha [K * H]`` of listed edges behind dropout.

    A weight is ``share * exp(score - top)``, with ``top [N_i, H]`` the largest score of a receiver.
    """
    graphs, terms, dropout = Graphs(*graphs), TermArrays(*terms), DropoutWords(*dropout)
    heads, size, step = top.shape[1], max(top.size, 1), width(lanes)
    most, channels, wide = most_of(graphs.senders, low, high, heads), query.size // size, out.size // size
    deep, broad, one = filled(channels, step), filled(wide, step), factor / factor
    queries, sums, scale = room(out, _ROWS, deep), room(out, _ROWS, broad), room(out, _ROWS, 1)
    keys, score = room(out, channels, filled(most, step)), room(out, _ROWS, filled(most, step))
    values = room(out, most, broad)
    for unit in range(low, high):
        g, h = unit // heads, unit % heads
        graph, k = block_of(g, h, heads, graphs, step), terms.ptr[g]
        full, columns, at_sender = graph.full, graph.columns, graph.sender * heads + h
        turn(keys, full, key, at_sender * channels, columns, heads * channels, channels, lanes)
        lay_out(values, broad, value, at_sender * wide, columns, heads * wide, wide, one, lanes)
        for r in range(0, graph.rows, _ROWS):
            block = rows_of(graph, r, _ROWS)
            some, at = block.rows, (graph.receiver + r) * heads + h
            lay_out(queries, deep, query, at * channels, some, heads * channels, channels, factor, lanes)
            multiply(score, full, queries, deep, 1, keys, full, some, full, channels, 0)
            add_terms(score, block, terms)
            first, k = k, listed_in(block, k, terms.ptr[g + 1], terms.number)
            if terms.extra.size:
                add_listed(score, block, first, k, terms, terms.extra)
            soften(score, block, top, share, scale, lanes)
            if dropout.threshold:
                drop(score, block, dropout)
            take_listed(score, block, first, k, terms, alpha, scale)
            multiply(sums, broad, score, full, 1, values, broad, some, broad, columns, 0)
            give(out, at * wide, some, heads * wide, wide, sums, broad, scale, lanes)


@compiled
def attention_backward(
    low, high, lanes, graphs, query, key, value, factor, terms, dropout, grad, alpha_grad, top, share, bounds,
    query_grad, key_grad, value_grad, bias_grad, table_grad, extra_grad,
):  # fmt: skip
    """Gradients of everything; each range of pairs has a ``table_grad`` of its own."""
    graphs, terms, dropout = Graphs(*graphs), TermArrays(*terms), DropoutWords(*dropout)
    heads, size, step = top.shape[1], max(top.size, 1), width(lanes)
    most, channels, wide = most_of(graphs.senders, low, high, heads), query.size // size, grad.size // size
    deep, broad, long = filled(channels, step), filled(wide, step), filled(most, step)
    queries, grads, query_sums = room(grad, _ROWS, deep), room(grad, _ROWS, broad), room(grad, _ROWS, deep)
    keys, values, key_rows = room(grad, channels, long), room(grad, wide, long), room(grad, most, deep)
    key_sums, value_sums = room(grad, long, deep), room(grad, long, broad)
    score, grad_score = room(grad, _ROWS, long), room(grad, _ROWS, long)
    one, scale = np.ones(max(most, _ROWS), grad.dtype), np.full(_ROWS, factor, grad.dtype)
    part = np.searchsorted(bounds, low) * terms.table.size
    for unit in range(low, high):
        g, h = unit // heads, unit % heads
        graph, k = block_of(g, h, heads, graphs, step), terms.ptr[g]
        full, columns, at_sender = graph.full, graph.columns, graph.sender * heads + h
        turn(keys, full, key, at_sender * channels, columns, heads * channels, channels, lanes)
        turn(values, full, value, at_sender * wide, columns, heads * wide, wide, lanes)
        lay_out(key_rows, deep, key, at_sender * channels, columns, heads * channels, channels, one[0], lanes)
        for r in range(0, graph.rows, _ROWS):
            block = rows_of(graph, r, _ROWS)
            some, at = block.rows, (graph.receiver + r) * heads + h
            lay_out(queries, deep, query, at * channels, some, heads * channels, channels, factor, lanes)
            lay_out(grads, broad, grad, at * wide, some, heads * wide, wide, one[0], lanes)
            multiply(score, full, queries, deep, 1, keys, full, some, full, channels, 0)
            multiply(grad_score, full, grads, broad, 1, values, full, some, full, wide, 0)
            first, k = k, listed_in(block, k, terms.ptr[g + 1], terms.number)
            back_to_scores(score, grad_score, block, terms, (first, k), dropout, alpha_grad, top, share, lanes)
            take_terms(grad_score, block, terms, bias_grad, table_grad, part + h * (terms.table.size // heads))
            take_listed(grad_score, block, first, k, terms, extra_grad, one)
            multiply(query_sums, deep, grad_score, full, 1, key_rows, deep, some, deep, columns, 0)
            give(query_grad, at * channels, some, heads * channels, channels, query_sums, deep, scale, lanes)
            multiply(key_sums, deep, grad_score, 1, full, queries, deep, columns, deep, some, r)
            multiply(value_sums, broad, score, 1, full, grads, broad, columns, broad, some, r)
        if not graph.rows:
            key_sums[:], value_sums[:] = 0, 0
        give(key_grad, at_sender * channels, columns, heads * channels, channels, key_sums, deep, one, lanes)
        give(value_grad, at_sender * wide, columns, heads * wide, wide, value_sums, broad, one, lanes)


def attend(attended: whole.Attended, batch: whole.Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums, weights of listed edges, largest scores and shares: what the operator promises."""
    query, value = attended.query, attended.value
    graphs, terms = _checked(attended, batch)
    out = query.new_empty(*query.shape[:2], value.size(2))
    alpha = query.new_empty(terms.number.size, query.size(1))
    top, share = query.new_zeros(query.shape[:2]), query.new_zeros(query.shape[:2])
    bounds = _ranges(graphs, query.size(1), query.size(2) + value.size(2))
    run(attention, bounds, *_given(attended, graphs, terms), *flat(out, alpha), top.numpy(), share.numpy())
    return out, alpha, top, share


def attend_backward(
    grads: tuple[Tensor, Tensor],
    statistics: tuple[Tensor, Tensor],
    attended: whole.Attended,
    batch: whole.Batch,
    bias_wanted: bool,
) -> tuple[Tensor, ...]:
    """Gradients of the states and terms."""
    query, table = attended.query, attended.table
    graphs, terms = _checked(attended, batch)
    bounds = _ranges(graphs, query.size(1), 3 * (query.size(2) + attended.value.size(2)))
    *found, table_grad, extra_grad = whole.room(attended, bias_wanted)
    parts = query.new_zeros(len(bounds) - 1, query.size(1), 0 if table is None else table.size(0))
    run(
        attention_backward, bounds, *_given(attended, graphs, terms), *flat(*grads), *(x.numpy() for x in statistics),
        np.array(bounds), *flat(*found, parts, extra_grad),
    )  # fmt: skip
    return *found, table_grad if table is None else parts.sum(0).t().contiguous(), extra_grad


def _given(attended: whole.Attended, graphs: Graphs, terms: TermArrays) -> tuple[object, ...]:
    """What both kernels read."""
    dtype = attended.query.dtype
    # Numba reads the type of a plain tuple faster.
    dropout = dropout_of(attended.seed, attended.dropout, dtype)
    lanes = lanes_of(64 // attended.query.element_size())
    return lanes, tuple(graphs), *flat(*attended[:3]), real(attended.factor, dtype), tuple(terms), dropout


def _ranges(graphs: Graphs, heads: int, wide: int) -> list[int]:
    """Boundaries of ranges of pairs of a graph and a head, for so many numbers of an edge."""
    # A graph without edges has rows to be written, too. What is touched again and again in the cache counts less than what
    # ranges are made for, and to call a kernel costs as much as some graphs.
    cost = np.diff(graphs.edges + graphs.receivers + graphs.senders).repeat(heads)
    return ranges(np.append(0, cost.cumsum()), max(1, wide // _REUSED))


def _checked(attended: whole.Attended, batch: whole.Batch) -> tuple[Graphs, TermArrays]:
    """Graphs and terms as kernels read them, who do not look where: edges and kinds that do not exist are refused here."""
    receivers, causal = batch.receivers.detach().long().contiguous().numpy(), batch.causal
    senders = receivers if batch.senders is None else batch.senders.detach().long().contiguous().numpy()
    many, heard = np.diff(receivers), np.diff(senders)
    edges = np.append(0, np.cumsum(many * (many + 1) // 2 if causal else many * heard))
    query, table, kind, listed = attended.query, attended.table, attended.kind, attended.listed
    if table is not None and kind is not None:
        _check_kinds(kind, int(edges[-1]), table.size(0))
    number = np.empty(0, np.int64) if listed is None else listed.detach().contiguous().numpy()
    place = np.arange(number.size)
    if (number[1:] < number[:-1]).any():
        place = number.argsort(kind="stable")
        number = number[place]
    if number.size and not 0 <= number[0] <= number[-1] < edges[-1]:
        raise IndexError(f"expected numbers of edges from 0 to {edges[-1] - 1}, got {number[0]} to {number[-1]}")
    none = query.new_empty(0)
    bias, turned, extra = (
        none if x is None else x for x in (attended.bias, table if table is None else table.t(), attended.extra)
    )
    kinds = np.empty(0, np.int64) if kind is None else flat(kind)[0]
    bias, turned, extra = flat(bias, turned, extra)
    terms = TermArrays(bias, turned, kinds, extra, number, place, np.searchsorted(number, edges))
    return Graphs(receivers, senders, edges, causal), terms


def _check_kinds(kind: Tensor, edges: int, kinds: int) -> None:
    if kind.shape != (edges,):
        raise ValueError(f"expected the kinds of {edges} edges, got {list(kind.shape)}")
    # Negative numbers are large ones without their sign.
    if edges and flat(kind)[0].view(np.uint64).max() >= kinds:
        raise IndexError(f"expected kinds from 0 to {kinds - 1}, got {int(kind.min())} to {int(kind.max())}")
