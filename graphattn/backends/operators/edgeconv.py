r"""Sums and maxima of what a hidden layer makes of each edge, :math:`\text{relu}(p_i + r_j)`, as operators.

Letters: ``p`` receivers' part of the hidden layer ``[N_i, K]``, ``r`` senders' part ``[N_j, K]``, ``C`` channels of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, linear, pad

from graphattn.aggregation import Max, Sum
from graphattn.backends.operators.rules import (
    ORDER,
    Order,
    alike,
    differentiable,
    differentiated,
    language,
    one_by_one,
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
        out = _largest(*states, slope, *Order.of(graph))[0]
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
    out = _total(*given, *Order.of(graph)) if apart else add_up(*given, *graph.by_receiver()[:2])
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


find = operator(
    "largest_rectified(Tensor own, Tensor far, Tensor weight, Tensor bias, float slope, Tensor ptr, Tensor sender, bool marked)"
    " -> (Tensor, Tensor)",
    lambda *given: language("numba", "edgeconv").find(*given),
    lambda own, far, weight, bias, slope, ptr, sender, marked: room(own, weight, sender if marked else sender[:0]),
    one_by_one,
    "cpu",
)
"""The largest messages, and if wanted a bit for each edge and channel: whether its message is the largest."""

back = operator(
    "largest_rectified_backward(Tensor grad, Tensor out, Tensor won, Tensor own, Tensor far, Tensor weight, float slope, "
    f"{ORDER}) -> (Tensor, Tensor, Tensor, Tensor)",
    lambda grad, out, won, own, far, weight, slope, *order: language("numba", "edgeconv").back(
        grad, out, won, (own, far, weight), slope, Order(*order)
    ),
    lambda grad, out, won, own, far, weight, *_: (*alike(own, far, weight), weight.new_empty(weight.size(0))),
    one_by_one,
    "cpu",
)
"""Gradients of both parts of the hidden layer, of the weight and of the bias."""

add_up = operator(
    "total_rectified(Tensor own, Tensor far, float slope, Tensor ptr, Tensor sender) -> Tensor",
    lambda *given: language("numba", "edgeconv").add_up(*given),
    lambda own, *_: alike(own)[0],
    one_by_one,
    "cpu",
)
"""Sums over each receiver's edges, ``[N_i, K]``."""

spread_back = operator(
    "total_rectified_backward(Tensor grad, Tensor near, Tensor far, float slope, Tensor ptr, Tensor far, bool at_row) -> Tensor",
    lambda *given: language("numba", "edgeconv").spread_back(*given),
    lambda grad, near, *_: alike(near)[0],
    one_by_one,
    "cpu",
)
"""The gradient of one part of the hidden layer, that of the ends by which edges are grouped: ``at_row`` for the receivers."""


_largest = differentiable(
    lambda *given: find(*given[:7], True),
    lambda given, results, grads, _: back(*grads, *results, *given[:3], given[4], *given[5:]),
    lambda own, far, weight, bias, slope, *order: reference((own, far, weight, bias), slope, Max(), Order(*order)),
    states=4,
)


def _total_gradients(
    given: Sequence[Any], results: Sequence[Any], grads: Sequence[Tensor], _: Sequence[bool]
) -> tuple[Tensor, Tensor]:
    own, far, slope, order = *given[:3], Order(*given[3:])
    own_grad = spread_back(*grads, own, far, slope, order.ptr, order.sender, True)
    return own_grad, spread_back(*grads, far, own, slope, order.sender_ptr, order.receiver, False)


_total = differentiable(
    lambda *given: add_up(*given[:5]),
    _total_gradients,
    lambda own, far, slope, *order: reference((own, far), slope, Sum(), Order(*order)),
    states=2,
    forgotten=(9,),
)
