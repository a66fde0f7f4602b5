"""The sum of senders, each end scaled, as an operator: its gradient is one, too, with the ends exchanged."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from graphattn.backends.operators.rules import differentiated, differentiated_again, language, operator, over_heads
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
    return _ScaledSum.apply(x, *scales, ptr, sender, sender_ptr, receiver)


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


@final
class _ScaledSum(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, rows, others, ptr, sender, *_):  # noqa: ANN001, ANN002, ANN205
        return add_up(x, rows, others, ptr, sender)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        rows, others, ptr, sender, sender_ptr, receiver = ctx.saved_tensors
        if differentiated_again():
            back = _ScaledSum.apply(grad, others, rows, sender_ptr, receiver, ptr, sender)
        else:
            back = add_up(grad, others, rows, sender_ptr, receiver)
        return back, *([None] * 6)
