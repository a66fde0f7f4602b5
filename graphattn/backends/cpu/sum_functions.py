"""The differentiable sum of what senders say, and its operator."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from graphattn.backends.cpu.functions import differentiated
from graphattn.backends.cpu.ops import LIBRARY, flat, over_heads, real
from graphattn.backends.cpu.threads import ranges, run
from graphattn.topology import Edges


def total(x: Tensor, graph: Edges) -> Tensor:
    r"""Every receiver's sum of its senders, :math:`\sum_j x_j`.

    Shapes: ``x [N_j, H, C]`` -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> total(torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    ptr, sender, _ = graph.by_receiver()
    if not differentiated(x):
        return add_up(x, ptr, sender)
    sender_ptr, receiver, _ = graph.by_sender()
    return _Total.apply(x, ptr, sender, sender_ptr, receiver)


@torch.library.custom_op(f"{LIBRARY}::total", mutates_args=(), device_types="cpu")
def add_up(x: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    """Sums over each row's edges, ``[rows, H, C]``."""
    from graphattn.backends.cpu import sums
    from graphattn.backends.cpu.lanes import lanes

    out, channels = x.new_empty(ptr.size(0) - 1, *x.shape[1:]), x.size(1) * x.size(2)
    run(sums.total, ranges(ptr, channels), lanes(channels), *flat(ptr, other), real(1, x.dtype), *flat(x, out))
    return out


@add_up.register_fake
def _(x, ptr, other):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


torch.library.register_vmap(add_up, over_heads(add_up, 1, 1))


@final
class _Total(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, ptr, sender, *_):  # noqa: ANN001, ANN002, ANN205
        return add_up(x, ptr, sender)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        ptr, sender, sender_ptr, receiver = ctx.saved_tensors
        if torch.is_grad_enabled():  # it is a sum, too, with the ends exchanged
            return _Total.apply(grad, sender_ptr, receiver, ptr, sender), None, None, None, None
        return add_up(grad, sender_ptr, receiver), None, None, None, None
