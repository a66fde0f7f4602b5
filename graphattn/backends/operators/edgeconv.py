r"""Sums and maxima of what a hidden layer makes of each edge, :math:`\text{relu}(p_i + r_j)`, as operators.

Letters: ``p`` receivers' part of the hidden layer ``[N_i, K]``, ``r`` senders' part ``[N_j, K]``, ``C`` channels of a message.
"""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, linear, pad

from graphattn.aggregation import Max, Sum
from graphattn.backends.operators.rules import (
    Order,
    alike,
    backwards,
    differentiated,
    differentiated_again,
    language,
    operator,
)
from graphattn.slots import Groups
from graphattn.topology import Edges

_LANES = 16


def largest_rectified(
    own: Tensor, far: Tensor, slope: float, weight: Tensor, bias: Tensor | None, graph: Edges
) -> Tensor:
    r"""Every receiver's largest message, :math:`\max_j W\, \text{relu}(p_i + r_j) + b` channel by channel; zero without one.

    Below zero, relu has a slope. Ties share the gradient.

    Shapes: ``own [N_i, K]`` for ``p``, ``far [N_j, K]`` for ``r``, ``weight [C, K]``, ``bias [C]`` -> ``[N_i, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> own, far = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [-3.0]])
    >>> largest_rectified(own, far, 0.0, torch.ones(1, 1), None, graph).flatten()
    tensor([0., 2., 0.])
    """
    channels, rows = weight.size(0), -weight.size(0) % _LANES
    bias = weight.new_zeros(channels) if bias is None else bias
    own, far, weight = _wide(own), _wide(far), _wide(weight)
    weight, bias = (pad(weight, (0, 0, 0, rows)), pad(bias, (0, rows))) if rows else (weight, bias)
    grouped, states = graph.by_receiver(), (own, far, weight, bias)
    if differentiated(*states):
        out = _Largest.apply(*states, slope, *Order.of(graph))[0]
    else:
        out = find(*states, slope, *grouped[:2], False)[0]
    return out[:, :channels] if rows else out


def total_rectified(own: Tensor, far: Tensor, slope: float, graph: Edges) -> Tensor:
    r"""Every receiver's sum over its edges, :math:`\sum_j \text{relu}(p_i + r_j)`; below zero, relu has a slope.

    Shapes: ``own [N_i, K]`` for ``p``, ``far [N_j, K]`` for ``r`` -> ``[N_i, K]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> own, far = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [-3.0]])
    >>> total_rectified(own, far, 0.0, graph).flatten()
    tensor([0., 3., 0.])
    """
    channels, given = own.size(1), (_wide(own), _wide(far), slope)
    apart = differentiated(own, far)
    out = _Total.apply(*given, *Order.of(graph)) if apart else add_up(*given, *graph.by_receiver()[:2])
    return out if out.size(1) == channels else out[:, :channels]


def _wide(state: Tensor) -> Tensor:
    """With channels of zeros behind, so that kernels find whole vectors."""
    return pad(state, (0, -state.size(1) % _LANES)) if state.size(1) % _LANES else state


def reference(states: Sequence[Tensor], slope: float, aggregation: Max | Sum, order: Order) -> Tensor:
    """What both compute, edge by edge in torch's own operators; with ``weight`` and ``bias`` among the states or without."""
    receiver, sender, _ = order.ends()
    message = leaky_relu(states[0][receiver] + states[1][sender], slope)
    message = linear(message, *states[2:]) if states[2:] else message
    return aggregation.reduce(message.unsqueeze(1), Groups(receiver, None, states[0].size(0), None)).squeeze(1)


def room(own: Tensor, weight: Tensor, marked: Tensor) -> tuple[Tensor, Tensor]:
    """Room for the largest messages ``[N_i, C]``, and for a bit for each channel of as many edges as are marked."""
    words = own.new_empty(marked.size(0), -(-weight.size(0) // 64), dtype=torch.int64)
    return own.new_empty(own.size(0), weight.size(0)), words


_ORDER = ", ".join(f"Tensor {name}" for name in Order._fields)

find = operator(
    "largest_rectified(Tensor own, Tensor far, Tensor weight, Tensor bias, float slope, Tensor ptr, Tensor sender, bool marked)"
    " -> (Tensor, Tensor)",
    lambda *given: language("numba", "edgeconv").find(*given),
    lambda own, far, weight, bias, slope, ptr, sender, marked: room(own, weight, sender if marked else sender[:0]),
)
"""The largest messages, and if wanted a bit for each edge and channel: whether its message is the largest."""

back = operator(
    "largest_rectified_backward(Tensor grad, Tensor out, Tensor won, Tensor own, Tensor far, Tensor weight, float slope, "
    f"{_ORDER}) -> (Tensor, Tensor, Tensor, Tensor)",
    lambda grad, out, won, own, far, weight, slope, *order: language("numba", "edgeconv").back(
        grad, out, won, (own, far, weight), slope, Order(*order)
    ),
    lambda grad, out, won, own, far, weight, *_: (*alike(own, far, weight), weight.new_empty(weight.size(0))),
)
"""Gradients of both parts of the hidden layer, of the weight and of the bias."""

add_up = operator(
    "total_rectified(Tensor own, Tensor far, float slope, Tensor ptr, Tensor sender) -> Tensor",
    lambda *given: language("numba", "edgeconv").add_up(*given),
    lambda own, *_: alike(own)[0],
)
"""Sums over each receiver's edges, ``[N_i, K]``."""

spread_back = operator(
    "total_rectified_backward(Tensor grad, Tensor near, Tensor far, float slope, Tensor ptr, Tensor far, bool at_row) -> Tensor",
    lambda *given: language("numba", "edgeconv").spread_back(*given),
    lambda grad, near, *_: alike(near)[0],
)
"""The gradient of one part of the hidden layer, that of the ends by which edges are grouped: ``at_row`` for the receivers."""


@final
class _Largest(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(own, far, weight, bias, slope, *order):  # noqa: ANN001, ANN002, ANN205
        return find(own, far, weight, bias, slope, *order[:2], True)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        *states, ctx.slope = inputs[:5]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, *states, *inputs[5:])

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        (out, won, *states), order = ctx.saved_tensors[:6], ctx.saved_tensors[6:]
        if differentiated_again():
            found = backwards(lambda given: reference(given, ctx.slope, Max(), Order(*order)), states, grad)
        else:
            found = back(grad, out, won, *states[:3], ctx.slope, *order)
        return *found, *([None] * 7)


@final
class _Total(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(own, far, slope, *order):  # noqa: ANN001, ANN002, ANN205
        return add_up(own, far, slope, *order[:2])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        own, far, ctx.slope, *order = inputs
        ctx.save_for_backward(own, far, *order)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        own, far, *order = ctx.saved_tensors
        order = Order(*order)
        if differentiated_again():
            found = backwards(lambda given: reference(given, ctx.slope, Sum(), order), (own, far), grad)
        else:
            own_grad = spread_back(grad, own, far, ctx.slope, order.ptr, order.sender, True)
            found = own_grad, spread_back(grad, far, own, ctx.slope, order.sender_ptr, order.receiver, False)
        return *found, *([None] * 7)
