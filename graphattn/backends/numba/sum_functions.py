"""The differentiable sum of what senders say, and its operator."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from graphattn.backends.numba.arrays import flat
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.operators.rules import LIBRARY, differentiated, over_heads
from graphattn.topology import Edges


def total(x: Tensor, graph: Edges, receivers: Tensor | None = None, senders: Tensor | None = None) -> Tensor:
    r"""Every receiver's sum of its senders, each end scaled: :math:`a_i \sum_j b_j x_j`. No gradient reaches the scales.

    Shapes: ``x [N_j, H, C]``, ``receivers [N_i]`` for ``a``, ``senders [N_j]`` for ``b``, one if not given -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> total(torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    ptr, sender, _ = graph.by_receiver()
    mine = scale(receivers, graph.num_receivers, x)
    theirs = scale(senders, graph.num_senders, x)
    if not differentiated(x):
        return add_up(x, mine, theirs, ptr, sender)
    sender_ptr, receiver, _ = graph.by_sender()
    return _Total.apply(x, mine, theirs, ptr, sender, sender_ptr, receiver)


def scale(given: Tensor | None, nodes: int, x: Tensor) -> Tensor:
    """A factor of each node in the precision of ``x``, one where none is given."""
    return torch.ones(nodes, dtype=x.dtype) if given is None else given.to(x.dtype)


@torch.library.custom_op(f"{LIBRARY}::total", mutates_args=(), device_types="cpu")
def add_up(x: Tensor, mine: Tensor, theirs: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    """Scaled sums over each row's edges, ``[rows, H, C]``."""
    from graphattn.backends.numba import sums
    from graphattn.backends.numba.vectors import FOR_ONE, lanes

    out, channels = x.new_empty(ptr.size(0) - 1, *x.shape[1:]), x.size(1) * x.size(2)
    step = lanes(channels, x.element_size(), FOR_ONE)
    run(sums.total, ranges(ptr, channels), step, *flat(ptr, other, mine, theirs, x, out))
    return out


@add_up.register_fake
def _(x, mine, theirs, ptr, other):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


torch.library.register_vmap(add_up, over_heads(add_up, 1, 1))


@final
class _Total(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, mine, theirs, ptr, sender, *_):  # noqa: ANN001, ANN002, ANN205
        return add_up(x, mine, theirs, ptr, sender)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        mine, theirs, ptr, sender, sender_ptr, receiver = ctx.saved_tensors
        if torch.is_grad_enabled():  # it is a sum, too, with the ends exchanged
            back = _Total.apply(grad, theirs, mine, sender_ptr, receiver, ptr, sender)
        else:
            back = add_up(grad, theirs, mine, sender_ptr, receiver)
        return back, *([None] * 6)
