"""The sum of senders, each end scaled, as an operator: its gradient is one, too, with the ends exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphattn.backends.operators.rules import (
    differentiable,
    differentiated,
    differentiated_again,
    language,
    operator,
    over_heads,
)
from graphattn.topology import Edges


def scaled_sum(x: Tensor, graph: Edges, receivers: Tensor | None = None, senders: Tensor | None = None) -> Tensor:
    r"""Every receiver's sum of its senders, each end scaled: :math:`a_i \sum_j b_j x_j`. No gradient reaches the scales.

    Shapes: ``x [N_j, H, C]``, ``receivers [N_i]`` for ``a``, ``senders [N_j]`` for ``b``, one if not given -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> scaled_sum(torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    ptr, sender, _ = graph.by_receiver()
    scales = scale(receivers, graph.num_receivers, x), scale(senders, graph.num_senders, x)
    if not differentiated(x):
        return add_up(x, *scales, ptr, sender)
    sender_ptr, receiver, _ = graph.by_sender()
    return _scaled_sum(x, *scales, ptr, sender, sender_ptr, receiver)


def scale(given: Tensor | None, nodes: int, x: Tensor) -> Tensor:
    """A factor of each node in the precision of ``x``, one where none is given."""
    return torch.ones(nodes, dtype=x.dtype) if given is None else given.to(x.dtype)


add_up = operator(
    "scaled_sum(Tensor x, Tensor rows, Tensor others, Tensor ptr, Tensor other) -> Tensor",
    lambda *given: language("numba", "sums").add_up(*given),
    lambda x, rows, others, ptr, other: x.new_empty(ptr.size(0) - 1, *x.shape[1:]),
    over_heads(1, 1),
    "cpu",
)
"""Sums over each row's edges, ``rows_r sum_e others[other_e] x[other_e]``, ``[rows, H, C]``."""


def _gradients(
    given: Sequence[Any], results: Sequence[Any], grads: Sequence[Tensor], _: Sequence[bool]
) -> tuple[Tensor]:
    _, rows, others, ptr, sender, sender_ptr, receiver = given
    turned = (*grads, others, rows, sender_ptr, receiver)
    return (_scaled_sum(*turned, ptr, sender) if differentiated_again() else add_up(*turned),)


_scaled_sum = differentiable(lambda *given: add_up(*given[:5]), _gradients, states=1, forgotten=(0, 7))
