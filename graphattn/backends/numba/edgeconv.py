r"""Kernels for EdgeConv with a hidden layer: the message of an edge is :math:`W_2\, \text{relu}(p_i + r_j) + b`.

Edges are handled some at a time, in the order of receivers: their messages are made, compared and forgotten. Of the largest
messages a bit for each edge and channel is kept, so that gradients cost as much as there are largest messages: each
edge is rarely the largest in more than a few channels.

Letters: ``K`` hidden channels, ``C`` channels of a message; both are multiples of the lanes. ``own [N * K]`` are the receivers'
parts ``p`` of the hidden layer, ``far [M * K]`` the senders' ``r``.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphattn.backends.numba.arrays import flat, real
from graphattn.backends.numba.compiling import compiled, inner
from graphattn.backends.numba.extremes import keep_larger
from graphattn.backends.numba.matrices import FILLED, multiply
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.numba.vector import (
    FOR_ROWS,
    add,
    add_all,
    bits,
    lanes_of,
    load,
    lowest_bit,
    select,
    store,
    width,
)
from graphattn.backends.operators import edgeconv
from graphattn.backends.operators.rules import Order

if TYPE_CHECKING:
    from torch import Tensor

_TILE = 192


@inner
def rectified(x, slope):
    """``relu(x)``; below zero it has a slope."""
    if slope:
        return select(x > 0, x, slope * x)
    return select(x < 0, 0, x)  # zero times minus infinity is no number, but this is


@inner
def steep(x, grad, slope):
    """``relu'(x) grad``."""
    if slope:
        return select(x > 0, grad, slope * grad)
    return select((x > 0) | (x != x), grad, 0)


@inner
def messages(row, first, last, lanes, ptr, other, own, far, slope, weight, bias, hidden, message):
    """The messages ``[*, C]`` of the edges ``first`` to ``last``; ``row`` is the receiver of the first."""
    wide = bias.size
    deep = weight.size // wide
    for e in range(first, last):
        while e >= ptr[row + 1]:
            row += 1
        for k in range(0, deep, width(lanes)):
            x = load(own, row * deep + k, lanes) + load(far, np.int64(other[e]) * deep + k, lanes)
            store(hidden, (e - first) * deep + k, rectified(x, slope))
        for c in range(0, wide, width(lanes)):
            store(message, (e - first) * wide + c, load(bias, c, lanes))
    multiply(message, wide, hidden, deep, 1, weight, wide, last - first, wide, deep, 1)


@inner
def compare(row, first, last, lanes, message, out, wide):
    """Keep the larger of a receiver's largest message so far and those of so many edges."""
    for e in range(first, last):
        for c in range(0, wide, width(lanes)):
            keep_larger(out, row * wide + c, load(message, e * wide + c, lanes), lanes)


@inner
def mark(row, first, last, before, lanes, message, out, wide, won):
    """Set the bits of the largest messages."""
    for e in range(first, last):
        for w in range(won.shape[1]):
            won[before + e, w] = 0
        for c in range(0, wide, width(lanes)):
            most = load(out, row * wide + c, lanes)
            equal = (load(message, e * wide + c, lanes) == most) | (most != most)
            won[before + e, c // 64] |= bits(equal) << np.uint64(c % 64)


@compiled
def largest(low, high, lanes, ptr, other, own, far, slope, weight, bias, out, won):
    """The largest message ``out [N * C]`` of each row, zero where there is none, and if wanted whose it is, ``won [E, words]``.

    ``weight [K * C]``, ``bias [C]``. Where the largest is no number, it is that of all edges.
    """
    wide = bias.size
    hidden = np.zeros((_TILE + FILLED) * (weight.size // wide), out.dtype)
    message = np.zeros((_TILE + FILLED) * wide, out.dtype)
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
            messages(row, first, last, lanes, ptr, other, own, far, slope, weight, bias, hidden, message)
            for r in range(row, past):
                compare(r, max(ptr[r], first) - first, min(ptr[r + 1], last) - first, lanes, message, out, wide)
        for first in range(begin, end if won.shape[0] else begin, _TILE):
            last = min(first + _TILE, end)
            if end - begin > _TILE:
                messages(row, first, last, lanes, ptr, other, own, far, slope, weight, bias, hidden, message)
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
        share[c] = grad[c] / share[c] if out[c] == out[c] else out[c]


@compiled
def largest_to_receivers(
    low, high, lanes, starts, ptr, other, own, far, slope, weight, out, grad, won, share, own_grad, weight_grad
):
    """Back to receivers and weights: ``share [N * C]``, ``own_grad [N * K]``, and of each range ``weight_grad [*, C * K + C]``.

    Behind the gradient of the ``weight [C * K]`` stands that of the bias; ``starts`` are the first rows of all ranges.
    """
    wide = out.size // (ptr.size - 1)
    deep, part = weight.size // wide, weight_grad[np.searchsorted(starts, low)]
    hidden, hidden_grad = np.empty(deep, out.dtype), np.empty(deep, out.dtype)
    part[:] = 0
    for r in range(low, high):
        share_out(r, ptr, out, grad, won, share, wide)
        own_grad[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            j = np.int64(other[e]) * deep
            for k in range(0, deep, width(lanes)):
                store(hidden, k, rectified(load(own, r * deep + k, lanes) + load(far, j + k, lanes), slope))
            hidden_grad[:] = 0
            for w in range(won.shape[1]):
                word = won[e, w]
                while word:
                    c = w * 64 + lowest_bit(word)
                    part[weight.size + c] += share[r * wide + c]
                    add_all(part, c * deep, share[r * wide + c], hidden, 0, deep, lanes)
                    add_all(hidden_grad, 0, share[r * wide + c], weight, c * deep, deep, lanes)
                    word &= word - np.uint64(1)
            for k in range(0, deep, width(lanes)):
                x = load(own, r * deep + k, lanes) + load(far, j + k, lanes)
                add(own_grad, r * deep + k, steep(x, load(hidden_grad, k, lanes), slope))


@compiled
def largest_to_senders(low, high, lanes, ptr, other, places, own, far, slope, weight, won, share, far_grad):
    """Back to senders, ``far_grad [M * K]``."""
    deep = far_grad.size // (ptr.size - 1)
    wide = weight.size // deep
    hidden_grad = np.empty(deep, far_grad.dtype)
    for r in range(low, high):
        far_grad[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]), places[e]
            hidden_grad[:] = 0
            for w in range(won.shape[1]):
                word = won[at, w]
                while word:
                    c = w * 64 + lowest_bit(word)
                    add_all(hidden_grad, 0, share[i * wide + c], weight, c * deep, deep, lanes)
                    word &= word - np.uint64(1)
            for k in range(0, deep, width(lanes)):
                x = load(own, i * deep + k, lanes) + load(far, r * deep + k, lanes)
                add(far_grad, r * deep + k, steep(x, load(hidden_grad, k, lanes), slope))


@compiled
def total(low, high, lanes, ptr, other, own, far, slope, out):
    """Sums ``out [N * K]`` of what the hidden layer makes of each row's edges."""
    deep = out.size // (ptr.size - 1)
    for r in range(low, high):
        out[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            for k in range(0, deep, width(lanes)):
                x = load(own, r * deep + k, lanes) + load(far, np.int64(other[e]) * deep + k, lanes)
                add(out, r * deep + k, rectified(x, slope))


@compiled
def total_back(low, high, lanes, ptr, other, near, far, slope, grad, at_row, result):
    """Back through these sums to the ends by which edges are grouped; ``at_row`` tells whether these have the gradient."""
    deep = result.size // (ptr.size - 1)
    for r in range(low, high):
        result[r * deep : (r + 1) * deep] = 0
        for e in range(ptr[r], ptr[r + 1]):
            j = np.int64(other[e])
            for k in range(0, deep, width(lanes)):
                at = (r if at_row else j) * deep + k
                x = load(near, r * deep + k, lanes) + load(far, j * deep + k, lanes)
                add(result, r * deep + k, steep(x, load(grad, at, lanes), slope))


def _lanes(x: Tensor, *channels: int) -> np.ndarray:
    return lanes_of(*channels, most=FOR_ROWS // x.element_size())


def find(
    own: Tensor, other: Tensor, weight: Tensor, bias: Tensor, slope: float, ptr: Tensor, sender: Tensor, marked: bool
) -> tuple[Tensor, Tensor]:
    """The largest messages ``[N, C]``, and a bit for each edge and channel."""
    wide, deep = weight.shape
    out, won = edgeconv.room(own, weight, sender if marked else sender[:0])
    run(
        largest, ranges(ptr, wide * deep // 16), _lanes(own, wide, deep), *flat(ptr, sender, own, other),
        real(slope, own.dtype), *flat(weight.t(), bias, out), won.numpy().view(np.uint64),
    )  # fmt: skip
    return out, won


def back(
    grad: Tensor, out: Tensor, won: Tensor, states: tuple[Tensor, Tensor, Tensor], slope: float, order: Order
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of both parts of the hidden layer, of the weight and of the bias."""
    own, _, weight = states
    wide, deep = weight.shape
    step, bounds = _lanes(own, wide, deep), ranges(order.ptr, wide + deep)
    share, own_grad, far_grad = (x.new_empty(x.shape) for x in (out, *states[:2]))
    parts = weight.new_empty(max(len(bounds) - 1, 1), wide * deep + wide)
    bits, (own, far, weights) = won.numpy().view(np.uint64), flat(*states)
    given = own, far, real(slope, out.dtype), weights
    run(
        largest_to_receivers, bounds, step, np.asarray(bounds[:-1], np.int64), *flat(order.ptr, order.sender), *given,
        *flat(out, grad), bits, *flat(share, own_grad), parts.numpy(),
    )  # fmt: skip
    bounds = ranges(order.sender_ptr, wide + deep)
    run(largest_to_senders, bounds, step, *flat(*order[3:]), *given, bits, *flat(share, far_grad))
    both = parts.sum(0) if order.ptr.numel() > 1 else parts.new_zeros(parts.size(1))
    return own_grad, far_grad, both[: wide * deep].reshape(wide, deep).clone(), both[wide * deep :].clone()


def add_up(own: Tensor, other: Tensor, slope: float, ptr: Tensor, sender: Tensor) -> Tensor:
    """Sums over each receiver's edges, ``[N, K]``."""
    out, bounds, step = own.new_empty(own.shape), ranges(ptr, own.size(1)), _lanes(own, own.size(1))
    run(total, bounds, step, *flat(ptr, sender, own, other), real(slope, own.dtype), *flat(out))
    return out


def spread_back(
    grad: Tensor, near: Tensor, far: Tensor, slope: float, ptr: Tensor, other: Tensor, at_row: bool
) -> Tensor:
    """The gradient of the parts of the ends by which edges are grouped; ``at_row`` tells whether these have that of the sums."""
    out, bounds, step = near.new_empty(near.shape), ranges(ptr, near.size(1)), _lanes(near, near.size(1))
    given = (*flat(ptr, other, near, far), real(slope, near.dtype), *flat(grad), at_row)
    run(total_back, bounds, step, *given, *flat(out))
    return out
