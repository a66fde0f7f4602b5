"""The differentiable largest message over the edges of a graph, and its operators."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import Tuple, final  # noqa: UP035  torch reads this spelling

import torch
from torch import Tensor

from graphattn.backends.numba.arrays import flat
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.operators.rules import LIBRARY, Order, differentiated, over_heads
from graphattn.topology import Edges


def largest(weight: Tensor, x: Tensor, graph: Edges, added: Tensor | None = None) -> Tensor:
    r"""Every receiver's largest message, :math:`\max_j (a_i + w_{ji} x_j)` channel by channel; zero for those that hear nobody.

    Ties share the gradient.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``x [N_j, H, C]``, ``added [N_i, H, C]``, nothing if
    not given -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> largest(torch.ones(3, 1), torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    grouped = graph.by_receiver()
    if not differentiated(weight, x, added):
        return _with(added, find(weight, x, grouped.ptr, grouped.other), grouped.ptr)
    return _Largest.apply(weight, x, added, *grouped, *graph.by_sender())[0]


def _with(added: Tensor | None, found: Tensor, ptr: Tensor) -> Tensor:
    return found if added is None else torch.where((ptr.diff() > 0)[:, None, None], added + found, 0)


@torch.library.custom_op(f"{LIBRARY}::largest", mutates_args=(), device_types="cpu")
def find(weight: Tensor, x: Tensor, ptr: Tensor, sender: Tensor) -> Tensor:
    """The largest messages ``[rows, H, C]``."""
    from graphattn.backends.numba import extremes
    from graphattn.backends.numba.lanes import lanes

    out, weights = x.new_empty(ptr.size(0) - 1, *x.shape[1:]), weight.detach().contiguous().numpy()
    bounds = ranges(ptr, x.size(1) * x.size(2))
    run(extremes.largest, bounds, lanes(x.size(2)), *flat(ptr, sender), weights, *flat(x, out))
    return out


@find.register_fake
def _(weight, x, ptr, sender):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


@torch.library.custom_op(f"{LIBRARY}::largest_backward", mutates_args=(), device_types="cpu")
def back(
    grad: Tensor, total: Tensor, out: Tensor, weight: Tensor, x: Tensor, weighted: bool,
    ptr: Tensor, sender: Tensor, sender_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of weights ``[E, H]``, zero unless ``weighted``, of what senders say, and of what receivers add."""
    from graphattn.backends.numba import extremes
    from graphattn.backends.numba.lanes import lanes

    step, wide = lanes(x.size(2)), 2 * x.size(1) * x.size(2)
    weights, ones = weight.detach().contiguous(), out.new_ones(step.dtype.itemsize)
    share, added_grad = out.new_empty(out.shape), out.new_empty(out.shape)
    weight_grad = torch.zeros_like(weights)
    x_grad = torch.empty_like(x, memory_format=torch.contiguous_format)
    run(
        extremes.shares, ranges(ptr, wide), step, *flat(ptr, sender), weights.numpy(),
        *flat(x, out, total == 0, grad, ones, share, added_grad), (weight_grad if weighted else weight_grad[:0]).numpy(),
    )  # fmt: skip
    run(
        extremes.largest_to_senders, ranges(sender_ptr, wide), step, *flat(sender_ptr, receiver, place),
        weights.numpy(), *flat(x, out, share, x_grad),
    )  # fmt: skip
    return weight_grad, x_grad, added_grad


@back.register_fake
def _(grad, total, out, weight, x, *_):  # noqa: ANN001, ANN002, ANN202
    given = (weight, x, out)
    return tuple(torch.empty_like(each, memory_format=torch.contiguous_format) for each in given)


torch.library.register_vmap(find, over_heads(find, 2, 1))
torch.library.register_vmap(back, over_heads(back, 5, 3))


@final
class _Largest(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weight, x, added, *order):  # noqa: ANN001, ANN002, ANN205
        out = find(weight, x, *order[:2])
        return (out, out.new_empty(0)) if added is None else (_with(added, out, order[0]), out)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        weight, x, added, *order = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, weight, x, *order)
        ctx.adds = added is not None

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        total, out, weight, x, *order = ctx.saved_tensors
        out, order = out if ctx.adds else total, Order(*order)
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: in torch's own operators
            found = _back_edgewise(grad, total.detach(), out.detach(), weight, x, order)
        else:
            ends = (order.ptr, order.sender, order.sender_ptr, order.receiver, order.place)
            found = back(grad, total, out, weight, x, ctx.needs_input_grad[0], *ends)
        return *found[:2], found[2] if ctx.adds else None, *([None] * 6)


def _back_edgewise(
    grad: Tensor, total: Tensor, out: Tensor, weight: Tensor, x: Tensor, order: Order
) -> tuple[Tensor, Tensor, Tensor]:
    receiver, sender = order.receivers(), order.sender.long()
    equal = (weight.unsqueeze(-1) * x[sender] == out[receiver]).to(x.dtype)
    # torch counts the zero that a row starts from among the ties.
    ties = (total == 0).to(x.dtype).index_add(0, receiver, equal)
    share = (grad / ties.clamp(min=1))[receiver] * equal
    x_grad = torch.zeros_like(x).index_add(0, sender, weight.unsqueeze(-1) * share)
    return (share * x[sender]).sum(-1), x_grad, torch.zeros_like(grad).index_add(0, receiver, share)
