r"""Kernels for EdgeConv with a hidden layer: what one edge says is :math:`W_2\, \text{relu}(p_i + r_j) + b`.

Edges are handled some at a time, in the order of receivers: what they say is made, compared and forgotten. Of the largest
messages a bit for each edge and channel is kept, so that gradients cost as much as there are largest messages: each
edge is rarely the largest in more than a few channels.

Their layout is that of :mod:`graphattn.backends.numba.kernels`. Letters: ``K`` hidden channels, ``C`` channels of a message;
both are multiples of the lanes.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.lanes import add_all, compiled, inner, width
from graphattn.backends.numba.vectors import (
    ROWS,
    add_rectified,
    add_slope,
    equal_bits,
    keep_largest,
    lowest_bit,
    multiply,
    rectify,
)

_TILE = 192


@inner
def say(row, first, last, lanes, ptr, other, own, said, slope, weight, bias, hidden, message):
    """What the edges ``first`` to ``last`` say, ``message [*, C]``; ``row`` is the receiver of the first."""
    wide = bias.size
    deep = weight.size // wide
    for e in range(first, last):
        while e >= ptr[row + 1]:
            row += 1
        for k in range(0, deep, width(lanes)):
            rectify(
                hidden, (e - first) * deep + k, own, row * deep + k, said, np.int64(other[e]) * deep + k, slope, lanes
            )
    for n in range(0, last - first, ROWS):
        for c in range(0, wide, width(lanes)):
            multiply(message, n * wide + c, bias, c, hidden, n * deep, deep, weight, c, wide, lanes)


@inner
def compare(row, first, last, lanes, message, out, wide):
    """Keep the larger of what a receiver has heard and hears from so many edges."""
    for e in range(first, last):
        for c in range(0, wide, width(lanes)):
            keep_largest(out, row * wide + c, message, e * wide + c, lanes)


@inner
def mark(row, first, last, before, lanes, message, out, wide, won):
    """Set the bits of the largest messages."""
    for e in range(first, last):
        for w in range(won.shape[1]):
            won[before + e, w] = 0
        for c in range(0, wide, width(lanes)):
            bits = equal_bits(message, e * wide + c, out, row * wide + c, lanes)
            won[before + e, c // 64] |= bits << np.uint64(c % 64)


@compiled
def largest(low, high, lanes, ptr, other, own, said, slope, weight, bias, out, won):
    """The largest message ``out [N * C]`` of each row, zero where there is none, and if wanted whose it is, ``won [E, words]``.

    ``own [N * K]``, ``said [M * K]``, ``weight [K * C]``, ``bias [C]``.
    """
    wide = bias.size
    hidden = np.zeros((_TILE + ROWS) * (weight.size // wide), out.dtype)
    message = np.zeros((_TILE + ROWS) * wide, out.dtype)
    row = low
    while row < high:
        past = row + 1
        while past < high and ptr[past + 1] - ptr[row] <= _TILE:
            past += 1
        begin, end = ptr[row], ptr[past]
        for r in range(row, past):
            out[r * wide : (r + 1) * wide] = -np.inf if ptr[r] < ptr[r + 1] else 0
        for first in range(begin, end, _TILE):
            last = min(first + _TILE, end)
            say(row, first, last, lanes, ptr, other, own, said, slope, weight, bias, hidden, message)
            for r in range(row, past):
                compare(r, max(ptr[r], first) - first, min(ptr[r + 1], last) - first, lanes, message, out, wide)
        for first in range(begin, end if won.shape[0] else begin, _TILE):
            last = min(first + _TILE, end)
            if end - begin > _TILE:
                say(row, first, last, lanes, ptr, other, own, said, slope, weight, bias, hidden, message)
            for r in range(row, past):
                mark(
                    r, max(ptr[r], first) - first, min(ptr[r + 1], last) - first, first, lanes, message, out, wide, won
                )
        row = past


@inner
def share_out(row, ptr, out, grad, won, share, wide):
    """What each of a row's largest messages gets of the gradient; torch counts the zero that a row starts from as one."""
    for c in range(row * wide, (row + 1) * wide):
        share[c] = out[c] == 0
    for e in range(ptr[row], ptr[row + 1]):
        for w in range(won.shape[1]):
            word = won[e, w]
            while word:
                share[row * wide + w * 64 + lowest_bit(word)] += 1
                word &= word - np.uint64(1)
    for c in range(row * wide, (row + 1) * wide):
        share[c] = grad[c] / share[c] if share[c] else 0


@compiled
def largest_to_receivers(
    low, high, lanes, starts, ptr, other, own, said, slope, weight, out, grad, won, share, own_grad, weight_grad
):
    """Back to receivers and weights: ``share [N * C]``, ``own_grad [N * K]``, and of each range ``weight_grad [*, C * K + C]``.

    Behind the gradient of the ``weight [C * K]`` stands that of the bias; ``starts`` are the first rows of all ranges.
    """
    wide = out.size // (ptr.size - 1)
    deep, part = weight.size // wide, weight_grad[np.searchsorted(starts, low)]
    hidden, pull = np.empty(deep, out.dtype), np.empty(deep, out.dtype)
    part[:] = 0
    for r in range(low, high):
        share_out(r, ptr, out, grad, won, share, wide)
        own_grad[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            j = np.int64(other[e]) * deep
            pull[:] = 0
            for k in range(0, deep, width(lanes)):
                rectify(hidden, k, own, r * deep + k, said, j + k, slope, lanes)
            for w in range(won.shape[1]):
                word = won[e, w]
                while word:
                    c = w * 64 + lowest_bit(word)
                    part[weight.size + c] += share[r * wide + c]
                    add_all(part, c * deep, share[r * wide + c], hidden, 0, deep, lanes)
                    add_all(pull, 0, share[r * wide + c], weight, c * deep, deep, lanes)
                    word &= word - np.uint64(1)
            for k in range(0, deep, width(lanes)):
                add_slope(own_grad, r * deep + k, pull, k, own, r * deep + k, said, j + k, slope, lanes)


@compiled
def largest_to_senders(low, high, lanes, ptr, other, places, own, said, slope, weight, won, share, said_grad):
    """Back to senders, ``said_grad [M * K]``."""
    deep = said_grad.size // (ptr.size - 1)
    wide = weight.size // deep
    pull = np.empty(deep, said_grad.dtype)
    for r in range(low, high):
        said_grad[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]), places[e]
            pull[:] = 0
            for w in range(won.shape[1]):
                word = won[at, w]
                while word:
                    c = w * 64 + lowest_bit(word)
                    add_all(pull, 0, share[i * wide + c], weight, c * deep, deep, lanes)
                    word &= word - np.uint64(1)
            for k in range(0, deep, width(lanes)):
                add_slope(said_grad, r * deep + k, pull, k, own, i * deep + k, said, r * deep + k, slope, lanes)


@compiled
def total(low, high, lanes, ptr, other, own, said, slope, out):
    """Sums ``out [N * K]`` of what the hidden layer makes of each row's edges."""
    deep = out.size // (ptr.size - 1)
    for r in range(low, high):
        out[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            for k in range(0, deep, width(lanes)):
                add_rectified(out, r * deep + k, own, r * deep + k, said, np.int64(other[e]) * deep + k, slope, lanes)


@compiled
def total_back(low, high, lanes, ptr, other, mine, theirs, slope, grad, at_row, result):
    """Back through these sums to the ends by which edges are grouped; ``at_row`` tells whether these have the gradient."""
    deep = result.size // (ptr.size - 1)
    for r in range(low, high):
        result[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            j = np.int64(other[e])
            for k in range(0, deep, width(lanes)):
                at = (r if at_row else j) * deep + k
                add_slope(result, r * deep + k, grad, at, mine, r * deep + k, theirs, j * deep + k, slope, lanes)
