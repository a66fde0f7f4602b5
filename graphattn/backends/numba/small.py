"""Kernels over batches of small graphs whose receivers hear all senders, or all up to themselves: columns are implicit.

Every kernel works on the pairs of a graph and a head from ``low`` to ``high``, graph-major, 32 receivers at a time: queries, keys
and values are laid out side by side, and the products of matrices stay in registers. Node tensors come flat, ``[N * H * C]``.
Scores may have three more terms: ``bias [E * H]``, a row of ``table [H * T]`` for each edge by its ``kind [E]``, and ``extra
[K * H]`` for the edges that are ``listed [K]`` by number, in order; ``spot [K]`` is where these stand in ``extra`` and ``alpha``.

Letters: ``n`` receivers and ``m`` senders of a graph, ``H`` heads, ``C`` channels of query and key, ``D`` of the value.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.lanes import compiled
from graphattn.backends.numba.products import multiply
from graphattn.backends.numba.small_rows import (
    add_listed,
    add_terms,
    back_to_scores,
    drop,
    filled,
    give,
    give_sum,
    lay_out,
    listed_in,
    most_of,
    room,
    row_of,
    soften,
    take_listed,
    turn,
)

_ROWS = 32


@compiled
def attention(
    low, high, lanes, receiver_ptr, sender_ptr, edge_ptr, causal, query, key, value, factor, bias, table, kind, extra, listed,
    spot, listed_ptr, seed, threshold, loud, out, alpha, best, share,
):  # fmt: skip
    """Softmax-weighted sums, and the weights ``alpha [K * H]`` of listed edges behind dropout.

    A weight is ``share * exp(score - best)``, with ``best [N_i, H]`` the largest score of a receiver.
    """
    heads, size, step = best.shape[1], max(best.size, 1), 64 // out.itemsize
    most, channels, wide = most_of(sender_ptr, low, high, heads), query.size // size, out.size // size
    deep, broad = filled(channels, step), filled(wide, step)
    asked, heard, scale = room(out, _ROWS, deep), room(out, _ROWS, broad), room(out, _ROWS, 1)
    keys, score = room(out, channels, filled(most, step)), room(out, _ROWS, filled(most, step))
    said = room(out, most, broad)
    for unit in range(low, high):
        g, h = unit // heads, unit % heads
        sender, columns, first = sender_ptr[g], sender_ptr[g + 1] - sender_ptr[g], edge_ptr[g]
        receiver, rows, full = receiver_ptr[g], receiver_ptr[g + 1] - receiver_ptr[g], filled(columns, step)
        turn(keys, full, key, (sender * heads + h) * channels, columns, heads * channels, channels)
        lay_out(said, broad, value, (sender * heads + h) * wide, columns, heads * wide, wide, factor / factor)
        k = listed_ptr[g]
        for top in range(0, rows, _ROWS):
            some, i = min(_ROWS, rows - top), receiver + top
            lay_out(asked, deep, query, (i * heads + h) * channels, some, heads * channels, channels, factor)
            multiply(score, full, asked, deep, 1, keys, full, some, full, channels, 0)
            add_terms(score, full, top, some, first, columns, causal, h, heads, bias, table, kind)
            start, k = k, listed_in(k, listed_ptr[g + 1], listed, first + row_of(top + some, causal, columns)[0])
            if extra.size:
                add_listed(score, full, top, columns, causal, first, start, k, listed, spot, heads, h, extra)
            soften(score, full, some, best, share, i, h, scale)
            if threshold:
                drop(score, full, top, some, receiver, sender, first, columns, causal, h, seed, threshold, loud)
            take_listed(score, full, top, columns, causal, first, start, k, listed, spot, heads, h, alpha, scale)
            multiply(heard, broad, score, full, 1, said, broad, some, broad, columns, 0)
            give(out, (i * heads + h) * wide, some, heads * wide, wide, heard, broad, scale)


@compiled
def attention_backward(
    low, high, lanes, receiver_ptr, sender_ptr, edge_ptr, causal, query, key, value, factor, bias, table, kind, extra, listed,
    spot, listed_ptr, seed, threshold, loud, grad, alpha_grad, best, share, bounds,
    query_grad, key_grad, value_grad, bias_grad, table_grad, extra_grad,
):  # fmt: skip
    """Gradients of everything; each range of pairs has a ``table_grad`` of its own."""
    heads, size, step = best.shape[1], max(best.size, 1), 64 // grad.itemsize
    most, channels, wide = most_of(sender_ptr, low, high, heads), query.size // size, grad.size // size
    deep, broad, long = filled(channels, step), filled(wide, step), filled(most, step)
    asked, wished, pulled = room(grad, _ROWS, deep), room(grad, _ROWS, broad), room(grad, _ROWS, deep)
    keys, values, said = room(grad, channels, long), room(grad, wide, long), room(grad, most, deep)
    key_sum, value_sum = room(grad, long, deep), room(grad, long, broad)
    score, want = room(grad, _ROWS, long), room(grad, _ROWS, long)
    one, scale = np.ones(max(most, _ROWS), grad.dtype), np.full(_ROWS, factor, grad.dtype)
    part = np.searchsorted(bounds, low) * table.size
    for unit in range(low, high):
        g, h = unit // heads, unit % heads
        sender, columns, first = sender_ptr[g], sender_ptr[g + 1] - sender_ptr[g], edge_ptr[g]
        receiver, rows, full = receiver_ptr[g], receiver_ptr[g + 1] - receiver_ptr[g], filled(columns, step)
        at, to, k = (sender * heads + h) * channels, (sender * heads + h) * wide, listed_ptr[g]
        turn(keys, full, key, at, columns, heads * channels, channels)
        turn(values, full, value, to, columns, heads * wide, wide)
        lay_out(said, deep, key, at, columns, heads * channels, channels, one[0])
        for top in range(0, rows, _ROWS):
            some, i = min(_ROWS, rows - top), receiver + top
            lay_out(asked, deep, query, (i * heads + h) * channels, some, heads * channels, channels, factor)
            lay_out(wished, broad, grad, (i * heads + h) * wide, some, heads * wide, wide, one[0])
            multiply(score, full, asked, deep, 1, keys, full, some, full, channels, 0)
            multiply(want, full, wished, broad, 1, values, full, some, full, wide, 0)
            k = back_to_scores(
                score, want, full, top, some, i, sender, first, columns, causal, h, heads, bias, table, kind, extra, listed,
                spot, k, listed_ptr[g + 1], seed, threshold, loud, alpha_grad, best, share, bias_grad, table_grad, part,
                extra_grad, one,
            )  # fmt: skip
            multiply(pulled, deep, want, full, 1, said, deep, some, deep, columns, 0)
            give(query_grad, (i * heads + h) * channels, some, heads * channels, channels, pulled, deep, scale)
            multiply(key_sum, deep, want, 1, full, asked, deep, columns, deep, some, top)
            multiply(value_sum, broad, score, 1, full, wished, broad, columns, broad, some, top)
        give_sum(key_grad, at, columns, heads * channels, channels, key_sum, deep, one, rows)
        give_sum(value_grad, to, columns, heads * wide, wide, value_sum, broad, one, rows)
