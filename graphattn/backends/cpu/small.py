"""Kernels over batches of small graphs whose receivers hear all senders, or all up to themselves: columns are implicit.

Every kernel works on the graphs from ``low`` to ``high``, one head after the other, 32 receivers at a time: queries, keys and
values are laid out side by side, and the products of matrices stay in registers. Node tensors come flat, ``[N * H * C]``.
Scores may have three more terms: ``bias [E * H]``, a row of ``table [H * T]`` for each edge by its ``kind [E]``, and ``extra
[K * H]`` for the edges that are ``listed [K]`` by number, in order; ``spot [K]`` is where these stand in ``extra`` and ``alpha``.

Letters: ``n`` receivers and ``m`` senders of a graph, ``H`` heads, ``C`` channels of query and key, ``D`` of the value.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

import numpy as np

from graphattn.backends.cpu.lanes import compiled
from graphattn.backends.cpu.small_rows import (
    add_listed,
    add_terms,
    drop,
    filled,
    give,
    lay_out,
    listed_in,
    most_of,
    pull_rows,
    row_of,
    soften,
    take_listed,
    take_terms,
    turn,
)
from graphattn.backends.cpu.tiles import multiply

_ROWS = 32


@compiled
def attention(
    low, high, lanes, receiver_ptr, sender_ptr, edge_ptr, causal, query, key, value, factor, bias, table, kind, extra, listed,
    spot, listed_ptr, seed, threshold, loud, out, alpha, best, share,
):  # fmt: skip
    """Softmax-weighted sums, and the weights ``alpha [K * H]`` of listed edges behind dropout.

    A weight is ``share * exp(score - best)``, with ``best [N_i, H]`` the largest score of a receiver.
    """
    heads, size, step, most = best.shape[1], max(best.size, 1), 64 // out.itemsize, most_of(sender_ptr, low, high)
    channels, wide = query.size // size, out.size // size
    deep, broad = filled(channels, step), filled(wide, step)
    asked, keys = np.zeros(_ROWS * deep, out.dtype), np.zeros(channels * filled(most, step), out.dtype)
    said, heard = np.zeros(most * broad, out.dtype), np.zeros(_ROWS * broad, out.dtype)
    score, scale = np.zeros(_ROWS * filled(most, step), out.dtype), np.zeros(_ROWS, out.dtype)
    for g in range(low, high):
        sender, columns, first = sender_ptr[g], sender_ptr[g + 1] - sender_ptr[g], edge_ptr[g]
        receiver, rows, full = receiver_ptr[g], receiver_ptr[g + 1] - receiver_ptr[g], filled(columns, step)
        for h in range(heads):
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
    """Gradients of everything; each range of graphs has a ``table_grad`` of its own."""
    heads, size, step, most = best.shape[1], max(best.size, 1), 64 // grad.itemsize, most_of(sender_ptr, low, high)
    channels, wide = query.size // size, grad.size // size
    deep, broad, long = filled(channels, step), filled(wide, step), filled(most, step)
    asked, wished = np.zeros(_ROWS * deep, grad.dtype), np.zeros(_ROWS * broad, grad.dtype)
    keys, values = np.zeros(channels * long, grad.dtype), np.zeros(wide * long, grad.dtype)
    said, pulled = np.zeros(most * deep, grad.dtype), np.zeros(_ROWS * deep, grad.dtype)
    key_sum, value_sum = np.zeros(long * deep, grad.dtype), np.zeros(long * broad, grad.dtype)
    score, want = np.zeros(_ROWS * long, grad.dtype), np.zeros(_ROWS * long, grad.dtype)
    one, scale = np.ones(most, grad.dtype), np.full(_ROWS, factor, grad.dtype)
    part = np.searchsorted(bounds, low) * table.size
    for g in range(low, high):
        sender, columns, first = sender_ptr[g], sender_ptr[g + 1] - sender_ptr[g], edge_ptr[g]
        receiver, rows, full = receiver_ptr[g], receiver_ptr[g + 1] - receiver_ptr[g], filled(columns, step)
        for h in range(heads):
            at, to = (sender * heads + h) * channels, (sender * heads + h) * wide
            turn(keys, full, key, at, columns, heads * channels, channels)
            turn(values, full, value, to, columns, heads * wide, wide)
            lay_out(said, deep, key, at, columns, heads * channels, channels, one[0])
            if not rows:
                key_sum[:], value_sum[:] = 0, 0
            k = listed_ptr[g]
            for top in range(0, rows, _ROWS):
                some, i = min(_ROWS, rows - top), receiver + top
                lay_out(asked, deep, query, (i * heads + h) * channels, some, heads * channels, channels, factor)
                lay_out(wished, broad, grad, (i * heads + h) * wide, some, heads * wide, wide, one[0])
                multiply(score, full, asked, deep, 1, keys, full, some, full, channels, 0)
                multiply(want, full, wished, broad, 1, values, full, some, full, wide, 0)
                add_terms(score, full, top, some, first, columns, causal, h, heads, bias, table, kind)
                start, k = k, listed_in(k, listed_ptr[g + 1], listed, first + row_of(top + some, causal, columns)[0])
                if extra.size:
                    add_listed(score, full, top, columns, causal, first, start, k, listed, spot, heads, h, extra)
                add_listed(want, full, top, columns, causal, first, start, k, listed, spot, heads, h, alpha_grad)
                if threshold:
                    drop(want, full, top, some, receiver, sender, first, columns, causal, h, seed, threshold, loud)
                pull_rows(score, want, full, some, best, share, i, h)
                if threshold:
                    drop(score, full, top, some, receiver, sender, first, columns, causal, h, seed, threshold, loud)
                take_terms(
                    want, full, top, some, first, columns, causal, h, heads, bias_grad, table_grad,
                    part + h * (table.size // heads), kind,
                )  # fmt: skip
                if extra.size:
                    take_listed(
                        want, full, top, columns, causal, first, start, k, listed, spot, heads, h, extra_grad, one
                    )
                multiply(pulled, deep, want, full, 1, said, deep, some, deep, columns, 0)
                give(query_grad, (i * heads + h) * channels, some, heads * channels, channels, pulled, deep, scale)
                multiply(key_sum, deep, want, 1, full, asked, deep, columns, deep, some, top)
                multiply(value_sum, broad, score, 1, full, wished, broad, columns, broad, some, top)
            give(key_grad, at, columns, heads * channels, channels, key_sum, deep, one)
            give(value_grad, to, columns, heads * wide, wide, value_sum, broad, one)
