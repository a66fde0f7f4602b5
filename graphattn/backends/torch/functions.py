"""Differentiable sums and products over the edges of a graph: the gradient of each is made of the others."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.numba.functions import differentiated
from graphattn.backends.torch import ops
from graphattn.slots import Groups
from graphattn.topology import Edges


class Ends(NamedTuple):
    """Edges grouped by one end, and by the other: :class:`~graphattn.topology.compressed.Compressed` twice.

    ``place`` is where an edge of the second grouping stands in the first.
    """

    ptr: Tensor
    other: Tensor
    other_ptr: Tensor
    row: Tensor
    place: Tensor


def to_senders(graph: Edges) -> Ends:
    """Receivers and their senders."""
    return Ends(*graph.by_receiver()[:2], *graph.by_sender())


def to_features(graph: Edges) -> Ends:
    """Receivers and the features of their edges, of which each has one receiver."""
    ptr, _, number = graph.by_receiver()
    one_each = torch.arange(graph.num_edges + 1, dtype=ptr.dtype, device=ptr.device)
    place = torch.empty_like(number).index_copy(0, number.long(), one_each[:-1])
    return Ends(ptr, number, one_each, ops.row_of(ptr, graph.num_edges)[place], place)


def sums(weight: Tensor, x: Tensor, ends: Ends) -> Tensor:
    r"""Every receiver's weighted sum, :math:`o_i = \sum_j w_{ji} x_j`.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``x [N_j, G, C]`` -> ``[N_i, H, C]``; each of the ``G``
    heads of ``x`` serves ``H / G`` in a row.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> sums(torch.ones(3, 1), torch.arange(3.0).view(3, 1, 1), to_senders(graph)).flatten()
    tensor([2., 1., 0.])
    """
    if differentiated(weight, x):
        return _Sums.apply(weight, x, *ends)
    like = x.new_empty(ends.ptr.size(0) - 1, weight.size(1), x.size(2))
    return ops.sums(weight, x, like, ends.ptr, ends.other, None)


def products(left: Tensor, right: Tensor, ends: Ends) -> Tensor:
    r"""The inner product of both ends of every edge, :math:`s_{ij} = l_i \cdot r_j`.

    Shapes: ``left [N_i, H, C]``, ``right [N_j, G, C]`` -> ``[E, H]`` in the order of ``graph.by_receiver()``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> products(torch.ones(3, 1, 1), torch.arange(3.0).view(3, 1, 1), to_senders(graph)).flatten()
    tensor([2., 0., 1.])
    """
    if differentiated(left, right):
        return _Products.apply(left, right, *ends)
    return ops.products(left, right, ends.ptr, ends.other)


def softmax(score: Tensor, ends: Ends) -> Tensor:
    """The softmax of each receiver's scores, ``[E, H] -> [E, H]``; zero where all of them are minus infinity.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> softmax(torch.tensor([[1.0], [2.0], [2.0]]), to_senders(graph)).flatten()
    tensor([1.0000, 0.5000, 0.5000])
    """
    return _Softmax.apply(score, ends.ptr) if differentiated(score) else ops.softmax(score, ends.ptr)


@final
class _Sums(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weight, x, *ends):  # noqa: ANN001, ANN002, ANN205
        ptr, other = ends[:2]
        like = x.new_empty(ptr.size(0) - 1, weight.size(1), x.size(2))
        return ops.sums(weight, x, like, ptr, other, None)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        weight, x, *ends = ctx.saved_tensors
        ends, (on_weight, on_x, *_) = Ends(*ends), ctx.needs_input_grad
        of_weight = products(grad, x, ends) if on_weight else None
        return of_weight, _to_other(weight, grad, x, ends) if on_x else None, *([None] * 5)


@final
class _Products(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(left, right, *ends):  # noqa: ANN001, ANN002, ANN205
        return ops.products(left, right, *ends[:2])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        left, right, *ends = ctx.saved_tensors
        ends, (on_left, on_right, *_) = Ends(*ends), ctx.needs_input_grad
        of_left = sums(grad, right, ends) if on_left else None
        return of_left, _to_other(grad, left, right, ends) if on_right else None, *([None] * 5)


@final
class _ToOther(torch.autograd.Function):
    """Sums over the edges of the other end, with weights in the order of the first: the transposed of ``sums``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weight, x, like, *ends):  # noqa: ANN001, ANN002, ANN205
        return ops.sums(weight, x, like, *ends[2:])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        weight, x, _, *ends = ctx.saved_tensors
        ends = Ends(*ends)
        return products(x, grad, ends), sums(weight, grad, ends), *([None] * 6)


def _to_other(weight: Tensor, x: Tensor, like: Tensor, ends: Ends) -> Tensor:
    like = like.detach()
    if differentiated(weight, x):
        return _ToOther.apply(weight, x, like, *ends)
    return ops.sums(weight, x, like, ends.other_ptr, ends.row, ends.place)


@final
class _Softmax(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(score, ptr):  # noqa: ANN001, ANN205
        return ops.softmax(score, ptr)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        score, ptr, alpha = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return ops.softmax_backward(grad, alpha, ptr), None
        # The gradient will be differentiated in turn: in torch's own operators.
        row, rows = ops.row_of(ptr, score.size(0)).long(), ptr.size(0) - 1
        alpha = SoftmaxSum().weigh(score, Groups(row, None, rows, None))
        mean = grad.new_zeros(rows, grad.size(1)).index_add(0, row, alpha * grad)
        return alpha * (grad - mean[row]), None
