"""Kernels for the largest message of a row's edges, channel by channel; ties share the gradient.

A message is ``weight[place_e] x[other_e]``.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphattn.backends.numba.arrays import flat
from graphattn.backends.numba.compiling import compiled, inner
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.numba.vector import add, lanes_of, load, select, spread, store, total, width
from graphattn.backends.operators.rules import Order, alike

if TYPE_CHECKING:
    from torch import Tensor


@inner
def keep_larger(out, at, message, lanes):
    """``out[at:] = max(out[at:], message)``, not a number where one of them is not."""
    known = load(out, at, lanes)
    store(out, at, select((message > known) | (message != message), message, known))


@inner
def where_equal(weight, x, xt, top, tt, numbers, lanes):
    """Numbers times one where ``weight * x[xt:]`` equals ``top[tt:]``, zero elsewhere: no number, times zero, stays none."""
    return select(weight * load(x, xt, lanes) == load(top, tt, lanes), numbers, numbers * 0)


@compiled
def largest(low, high, lanes, ptr, other, weight, x, out):
    """The largest message ``out [N * H * C]`` of each row, zero where there is none; ``weight [E, H]``."""
    heads, step = weight.shape[1], width(lanes)
    channels = out.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        out[r * heads * channels : (r + 1) * heads * channels] = -np.inf if ptr[r] < ptr[r + 1] else 0
        for e in range(ptr[r], ptr[r + 1]):
            i = np.int64(other[e]) * heads
            for h in range(heads):
                for c in range(0, channels, step):
                    message = weight[e, h] * load(x, (i + h) * channels + c, lanes)
                    keep_larger(out, (r * heads + h) * channels + c, message, lanes)


@compiled
def shares(low, high, lanes, ptr, other, weight, x, out, zero, grad, share, added_grad, weight_grad):
    """What each of the largest messages gets of the gradient, ``share [N * H * C]``; and gradients of weights, if wanted.

    torch counts the zero that a row starts from as one of them: ``zero`` tells where. All of them: ``added_grad [N * H * C]``.
    Where the largest is no number none equals it, and no gradient is a number, as in torch.
    """
    heads, step = weight.shape[1], width(lanes)
    channels = out.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        first, last = r * heads * channels, (r + 1) * heads * channels
        for n in range(first, last):
            share[n] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i = np.int64(other[e]) * heads
            for h in range(heads):
                for c in range(0, channels, step):
                    t, b = (r * heads + h) * channels + c, (i + h) * channels + c
                    add(share, t, where_equal(weight[e, h], x, b, out, t, spread(1, x, lanes), lanes))
        for n in range(first, last):
            ties = share[n]
            share[n] = grad[n] / (ties + zero[n])
            added_grad[n] = ties * share[n]
        if weight_grad.shape[0]:
            for e in range(ptr[r], ptr[r + 1]):
                i = np.int64(other[e]) * heads
                for h in range(heads):
                    weight_grad[e, h] = 0
                    for c in range(0, channels, step):
                        t, b = (r * heads + h) * channels + c, (i + h) * channels + c
                        grad_x = load(share, t, lanes) * load(x, b, lanes)
                        weight_grad[e, h] += total(where_equal(weight[e, h], x, b, out, t, grad_x, lanes))


@compiled
def largest_to_senders(low, high, lanes, ptr, other, places, weight, x, out, share, x_grad):
    """Back to senders: ``x_grad_r``, the sum of ``weight share`` over the edges whose messages are the largest."""
    heads, step = weight.shape[1], width(lanes)
    channels = x_grad.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        x_grad[r * heads * channels : (r + 1) * heads * channels] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, places[e]
            for h in range(heads):
                w = weight[at, h]
                for c in range(0, channels, step):
                    t, b = (i + h) * channels + c, (r * heads + h) * channels + c
                    add(x_grad, b, where_equal(w, x, b, out, t, w * load(share, t, lanes), lanes))


def find(weight: Tensor, x: Tensor, ptr: Tensor, sender: Tensor) -> Tensor:
    """The largest messages ``[rows, H, C]``."""
    out, weights = x.new_empty(ptr.size(0) - 1, *x.shape[1:]), weight.detach().contiguous().numpy()
    bounds = ranges(ptr, x.size(1) * x.size(2))
    run(largest, bounds, lanes_of(x.size(2)), *flat(ptr, sender), weights, *flat(x, out))
    return out


def back(
    grad: Tensor, total: Tensor, out: Tensor, weight: Tensor, x: Tensor, weighted: bool, order: Order
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of weights, of what senders send, and of what receivers add."""
    step, wide, weights = lanes_of(x.size(2)), 2 * x.size(1) * x.size(2), weight.detach().contiguous()
    share, added_grad, x_grad = alike(out, out, x)
    weight_grad = weights.new_zeros(weights.shape)
    run(
        shares, ranges(order.ptr, wide), step, *flat(order.ptr, order.sender), weights.numpy(),
        *flat(x, out, total == 0, grad, share, added_grad), (weight_grad if weighted else weight_grad[:0]).numpy(),
    )  # fmt: skip
    run(
        largest_to_senders, ranges(order.sender_ptr, wide), step, *flat(*order[3:]), weights.numpy(),
        *flat(x, out, share, x_grad),
    )  # fmt: skip
    return weight_grad, x_grad, added_grad
