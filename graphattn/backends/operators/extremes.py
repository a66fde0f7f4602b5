"""The largest message over the edges of each receiver, as an operator.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels.
"""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from graphattn.aggregation import Max
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


def largest(weight: Tensor, x: Tensor, graph: Edges, added: Tensor | None = None) -> Tensor:
    r"""Every receiver's largest message, :math:`\max_j (a_i + w_{ji} x_j)` channel by channel; zero for those without senders.

    Ties share the gradient.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``x [N_j, H, C]``, ``added [N_i, H, C]``, nothing if
    not given -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> largest(torch.ones(3, 1), torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    if differentiated(weight, x, added):
        return _Largest.apply(weight, x, added, *Order.of(graph))[0]
    ptr, sender, _ = graph.by_receiver()
    return _with(added, find(weight, x, ptr, sender), ptr)


def _with(added: Tensor | None, found: Tensor, ptr: Tensor) -> Tensor:
    return found if added is None else torch.where((ptr.diff() > 0)[:, None, None], added + found, 0)


def reference(states: Sequence[Any], order: Order) -> Tensor:
    """What :func:`largest` computes, edge by edge in torch's own operators."""
    weight, x, added = states
    receiver, sender, _ = order.ends()
    message = weight.unsqueeze(-1) * x[sender]
    message = message if added is None else added[receiver] + message
    return Max().reduce(message, Groups(receiver, None, order.ptr.size(0) - 1, None))


find = operator(
    "largest(Tensor weight, Tensor x, Tensor ptr, Tensor sender) -> Tensor",
    lambda *given: language("numba", "extremes").find(*given),
    lambda weight, x, ptr, sender: x.new_empty(ptr.size(0) - 1, *x.shape[1:]),
    heads=(2, 1),
)
"""The largest messages ``[rows, H, C]``, without what receivers add."""

back = operator(
    "largest_backward(Tensor grad, Tensor total, Tensor found, Tensor weight, Tensor x, bool weighted, Tensor ptr, "
    "Tensor sender, Tensor number, Tensor sender_ptr, Tensor receiver, Tensor place) -> (Tensor, Tensor, Tensor)",
    lambda *given: language("numba", "extremes").back(*given[:6], Order(*given[6:])),
    lambda grad, total, found, weight, x, *_: tuple(alike(weight, x, found)),
    heads=(5, 3),
)
"""Gradients of weights ``[E, H]``, zero unless ``weighted``, of senders, and of what receivers add."""


@final
class _Largest(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weight, x, added, *order):  # noqa: ANN001, ANN002, ANN205
        found = find(weight, x, *order[:2])
        return _with(added, found, order[0]), found.new_empty(0) if added is None else found

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, *inputs)

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        total, found, weight, x, added, *order = ctx.saved_tensors
        if differentiated_again():
            grads = backwards(lambda states: reference(states, Order(*order)), (weight, x, added), grad)
        else:
            found = total if added is None else found
            grads = back(grad, total, found, weight, x, ctx.needs_input_grad[0], *order)
        return *grads[:2], None if added is None else grads[2], *([None] * 6)
