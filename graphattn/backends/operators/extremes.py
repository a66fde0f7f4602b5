"""The largest message over the edges of each receiver, as an operator.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphattn.aggregation import Max
from graphattn.backends.operators.rules import (
    ORDER,
    Order,
    alike,
    differentiable,
    differentiated,
    language,
    operator,
    over_heads,
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
        return _differentiable(weight, x, added, *Order.of(graph))[0]
    ptr, sender, _ = graph.by_receiver()
    return _with(added, find(weight, x, ptr, sender), ptr)


def _with(added: Tensor | None, found: Tensor, ptr: Tensor) -> Tensor:
    return found if added is None else torch.where((ptr.diff() > 0)[:, None, None], added + found, 0)


def reference(weight: Tensor, x: Tensor, added: Tensor | None, *given: Tensor) -> Tensor:
    """What :func:`largest` computes, edge by edge in torch's own operators."""
    order = Order(*given)
    receiver, sender, _ = order.ends()
    message = weight.unsqueeze(-1) * x[sender]
    message = message if added is None else added[receiver] + message
    return Max().reduce(message, Groups(receiver, None, order.ptr.size(0) - 1, None))


find = operator(
    "largest(Tensor weight, Tensor x, Tensor ptr, Tensor sender) -> Tensor",
    lambda *given: language("numba", "extremes").find(*given),
    lambda weight, x, ptr, sender: x.new_empty(ptr.size(0) - 1, *x.shape[1:]),
    over_heads(2, 1),
    "cpu",
)
"""The largest messages ``[rows, H, C]``, without what receivers add."""

back = operator(
    "largest_backward(Tensor grad, Tensor total, Tensor found, Tensor weight, Tensor x, bool weighted, "
    f"{ORDER}) -> (Tensor, Tensor, Tensor)",
    lambda *given: language("numba", "extremes").back(*given[:6], Order(*given[6:])),
    lambda grad, total, found, weight, x, *_: tuple(alike(weight, x, found)),
    over_heads(5, 3),
    "cpu",
)
"""Gradients of weights ``[E, H]``, zero unless ``weighted``, of senders, and of what receivers add."""


def _largest(weight: Tensor, x: Tensor, added: Tensor | None, *order: Tensor) -> tuple[Tensor, Tensor]:
    found = find(weight, x, *order[:2])
    return _with(added, found, order[0]), found.new_empty(0) if added is None else found


def _gradients(
    given: Sequence[Any], results: Sequence[Any], grads: Sequence[Tensor], wanted: Sequence[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    total, found = results
    return back(*grads, total, total if given[2] is None else found, *given[:2], wanted[0], *given[3:])


_differentiable = differentiable(_largest, _gradients, reference, states=3)
