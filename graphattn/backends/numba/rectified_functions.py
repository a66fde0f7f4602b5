r"""Differentiable sums and maxima of what a hidden layer makes of each edge, and their operators.

Letters: ``p`` receivers' part of the hidden layer ``[N_i, K]``, ``r`` senders' part ``[N_j, K]``.
"""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import Tuple, final  # noqa: UP035  torch reads this spelling

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, pad

from graphattn.backends.numba.arrays import flat, real
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.operators.rules import LIBRARY, Order, differentiated, one_by_one
from graphattn.topology import Edges

_LANES = 16


def largest_rectified(
    own: Tensor, said: Tensor, slope: float, weight: Tensor, bias: Tensor | None, graph: Edges
) -> Tensor:
    r"""Every receiver's largest message, :math:`\max_j W\, \text{relu}(p_i + r_j) + b` channel by channel; zero without one.

    Below zero, relu has a slope. Ties share the gradient.

    Shapes: ``own [N_i, K]``, ``said [N_j, K]``, ``weight [C, K]``, ``bias [C]`` -> ``[N_i, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> own, said = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [-3.0]])
    >>> largest_rectified(own, said, 0.0, torch.ones(1, 1), None, graph).flatten()
    tensor([0., 2., 0.])
    """
    channels = weight.size(0)
    bias = weight.new_zeros(channels) if bias is None else bias
    own, said, weight = _wide(own), _wide(said), _wide(weight)
    rows = -channels % _LANES
    weight, bias = (pad(weight, (0, 0, 0, rows)), pad(bias, (0, rows))) if rows else (weight, bias)
    grouped, states = graph.by_receiver(), (own, said, weight, bias)
    if differentiated(*states):
        out = _Largest.apply(*states, slope, *grouped, *graph.by_sender())[0]
    else:
        out = find(*states, slope, *grouped[:2], False)[0]
    return out[:, :channels] if rows else out


def total_rectified(own: Tensor, said: Tensor, slope: float, graph: Edges) -> Tensor:
    r"""Every receiver's sum over its edges, :math:`\sum_j \text{relu}(p_i + r_j)`; below zero, relu has a slope.

    Shapes: ``own [N_i, K]``, ``said [N_j, K]`` -> ``[N_i, K]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> own, said = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [-3.0]])
    >>> total_rectified(own, said, 0.0, graph).flatten()
    tensor([0., 3., 0.])
    """
    channels, grouped = own.size(1), graph.by_receiver()
    own, said = _wide(own), _wide(said)
    if differentiated(own, said):
        out = _Total.apply(own, said, slope, *grouped, *graph.by_sender())
    else:
        out = add_up(own, said, slope, *grouped[:2])
    return out if out.size(1) == channels else out[:, :channels]


def _wide(state: Tensor) -> Tensor:
    """With channels of zeros behind, so that kernels find whole vectors."""
    return pad(state, (0, -state.size(1) % _LANES)) if state.size(1) % _LANES else state


def _lanes(x: Tensor, *channels: int) -> np.ndarray:
    from graphattn.backends.numba import vectors

    return vectors.lanes(int(np.gcd.reduce(channels)), x.element_size())


@torch.library.custom_op(f"{LIBRARY}::largest_rectified", mutates_args=(), device_types="cpu")
def find(
    own: Tensor, said: Tensor, weight: Tensor, bias: Tensor, slope: float, ptr: Tensor, sender: Tensor, marked: bool
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """The largest messages ``[N_i, C]``, and if wanted a bit for each edge and channel: whether its message is the largest."""
    from graphattn.backends.numba import rectified

    wide, deep = weight.shape
    out, won = own.new_empty(ptr.size(0) - 1, wide), own.new_empty(*_bits(sender, wide, marked), dtype=torch.int64)
    step, bounds = _lanes(own, wide, deep), ranges(ptr, wide * deep // 16)
    run(
        rectified.largest, bounds, step, *flat(ptr, sender, own, said), real(slope, own.dtype),
        *flat(weight.t(), bias, out), won.numpy().view(np.uint64),
    )  # fmt: skip
    return out, won


def _bits(sender: Tensor, wide: int, marked: bool) -> tuple[int, int]:
    return (sender.size(0) if marked else 0), -(-wide // 64)


@find.register_fake
def _(own, said, weight, bias, slope, ptr, sender, marked):  # noqa: ANN001, ANN202
    wide = weight.size(0)
    won = own.new_empty(*_bits(sender, wide, marked), dtype=torch.int64)
    return own.new_empty(ptr.size(0) - 1, wide), won


@torch.library.custom_op(f"{LIBRARY}::largest_rectified_backward", mutates_args=(), device_types="cpu")
def back(
    grad: Tensor, out: Tensor, won: Tensor, own: Tensor, said: Tensor, weight: Tensor, slope: float,
    ptr: Tensor, sender: Tensor, sender_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of both parts of the hidden layer, of the weight and of the bias."""
    from graphattn.backends.numba import rectified

    wide, deep = weight.shape
    step, bounds = _lanes(own, wide, deep), ranges(ptr, wide + deep)
    share, own_grad, said_grad = (x.new_empty(x.shape) for x in (out, own, said))
    parts = weight.new_empty(max(len(bounds) - 1, 1), wide * deep + wide)
    bits, low = won.numpy().view(np.uint64), real(slope, own.dtype)
    ends, weights = flat(ptr, sender, own, said), flat(weight)
    run(
        rectified.largest_to_receivers, bounds, step, np.asarray(bounds[:-1], np.int64), *ends, low, *weights,
        *flat(out, grad), bits, *flat(share, own_grad), parts.numpy(),
    )  # fmt: skip
    run(
        rectified.largest_to_senders, ranges(sender_ptr, wide + deep), step, *flat(sender_ptr, receiver, place), *ends[2:],
        low, *weights, bits, *flat(share, said_grad),
    )  # fmt: skip
    both = parts.sum(0) if len(bounds) > 1 else parts.new_zeros(parts.size(1))
    return own_grad, said_grad, both[: wide * deep].reshape(wide, deep).clone(), both[wide * deep :].clone()


@back.register_fake
def _(grad, out, won, own, said, weight, *_):  # noqa: ANN001, ANN002, ANN202
    return (*(x.new_empty(x.shape) for x in (own, said, weight)), weight.new_empty(weight.size(0)))


@torch.library.custom_op(f"{LIBRARY}::total_rectified", mutates_args=(), device_types="cpu")
def add_up(own: Tensor, said: Tensor, slope: float, ptr: Tensor, sender: Tensor) -> Tensor:
    """Sums over each receiver's edges, ``[N_i, K]``."""
    from graphattn.backends.numba import rectified

    out, bounds = own.new_empty(own.shape), ranges(ptr, own.size(1))
    low = real(slope, own.dtype)
    run(rectified.total, bounds, _lanes(own, own.size(1)), *flat(ptr, sender, own, said), low, *flat(out))
    return out


@add_up.register_fake
def _(own, *_):  # noqa: ANN001, ANN002, ANN202
    return own.new_empty(own.shape)


@torch.library.custom_op(f"{LIBRARY}::total_rectified_backward", mutates_args=(), device_types="cpu")
def spread_back(
    grad: Tensor,
    own: Tensor,
    said: Tensor,
    slope: float,
    ptr: Tensor,
    sender: Tensor,
    sender_ptr: Tensor,
    receiver: Tensor,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """Gradients of both parts of the hidden layer."""
    from graphattn.backends.numba import rectified

    deep, low = own.size(1), real(slope, own.dtype)
    own_grad, said_grad, step = own.new_empty(own.shape), said.new_empty(said.shape), _lanes(own, deep)
    run(
        rectified.total_back, ranges(ptr, deep), step, *flat(ptr, sender, own, said), low, *flat(grad), True,
        *flat(own_grad),
    )  # fmt: skip
    run(
        rectified.total_back, ranges(sender_ptr, deep), step, *flat(sender_ptr, receiver, said, own), low, *flat(grad),
        False, *flat(said_grad),
    )  # fmt: skip
    return own_grad, said_grad


@spread_back.register_fake
def _(grad, own, said, *_):  # noqa: ANN001, ANN002, ANN202
    return own.new_empty(own.shape), said.new_empty(said.shape)


for _operator in (find, back, add_up, spread_back):
    torch.library.register_vmap(_operator, one_by_one(_operator))


@final
class _Largest(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(own, said, weight, bias, slope, *order):  # noqa: ANN001, ANN002, ANN205
        return find(own, said, weight, bias, slope, *order[:2], True)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        own, said, weight, _, ctx.slope, *order = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, own, said, weight, *order)

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        out, won, own, said, weight, *order = ctx.saved_tensors
        order = Order(*order)
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: in torch's own operators
            found = _largest_edgewise(grad, out.detach(), won, (own, said, weight), ctx.slope, order)
        else:
            ends = (order.ptr, order.sender, order.sender_ptr, order.receiver, order.place)
            found = back(grad, out, won, own, said, weight, ctx.slope, *ends)
        return *found, *([None] * 7)


def _largest_edgewise(
    grad: Tensor, out: Tensor, won: Tensor, states: tuple[Tensor, ...], slope: float, order: Order
) -> tuple[Tensor, ...]:
    own, said, weight = states
    receiver, sender = order.receivers(), order.sender.long()
    before = own[receiver] + said[sender]
    lane = torch.arange(out.size(1), device=won.device)
    equal = ((won[:, lane // 64] >> (lane % 64)) & 1).to(own.dtype)
    # torch counts the zero that a row starts from among the ties.
    ties = (out == 0).to(own.dtype).index_add(0, receiver, equal)
    share = (grad / ties.clamp(min=1))[receiver] * equal
    pull = (share @ weight) * torch.where(before > 0, 1.0, slope).to(own.dtype)
    return (
        torch.zeros_like(own).index_add(0, receiver, pull),
        torch.zeros_like(said).index_add(0, sender, pull),
        share.t() @ leaky_relu(before, slope),
        share.sum(0),
    )


def _total_edgewise(grad: Tensor, own: Tensor, said: Tensor, slope: float, order: Order) -> tuple[Tensor, Tensor]:
    receiver, sender = order.receivers(), order.sender.long()
    above = own[receiver] + said[sender] > 0
    pull = grad[receiver] * torch.where(above, 1.0, slope).to(own.dtype)
    return torch.zeros_like(own).index_add(0, receiver, pull), torch.zeros_like(said).index_add(0, sender, pull)


@final
class _Total(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(own, said, slope, *order):  # noqa: ANN001, ANN002, ANN205
        return add_up(own, said, slope, *order[:2])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        own, said, ctx.slope, *order = inputs
        ctx.save_for_backward(own, said, *order)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        own, said, *order = ctx.saved_tensors
        order = Order(*order)
        if torch.is_grad_enabled():
            found = _total_edgewise(grad, own, said, ctx.slope, order)
        else:
            ends = (order.ptr, order.sender, order.sender_ptr, order.receiver)
            found = spread_back(grad, own, said, ctx.slope, *ends)
        return *found, *([None] * 7)
