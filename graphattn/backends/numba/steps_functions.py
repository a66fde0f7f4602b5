"""Differentiable attention in steps: what keeps a number for each edge and head, but no channels.

Everything is a derivative of ``sum_e w_e (l_i . r_e)``, and so are the derivatives of these: three operators serve any order.
Letters: ``N`` receivers, ``E`` edges, ``H`` heads, ``C`` channels, ``F`` channels of a feature, ``T`` rows of a table.
"""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from graphattn.backends.numba import steps_ops as ops
from graphattn.backends.numba.functions import differentiated
from graphattn.topology import Edges


class Others(NamedTuple):
    """What edges read at their other end: rows of "nodes", of a "table", or the edges' own "features", ``size`` of them."""

    form: str
    size: int
    order: tuple[Tensor, ...]


def senders(graph: Edges) -> Others:
    """The states of senders, ``[N_j, H, C]``."""
    grouped = graph.by_receiver()
    # Only gradients ask for the edges of each sender.
    others = graph.by_sender() if torch.is_grad_enabled() else _nothing(grouped.ptr)
    return Others("nodes", graph.num_senders, (grouped.ptr, grouped.other, *others))


def kinds(graph: Edges, kind: Tensor, size: int) -> Others:
    """The rows of a table, ``[T, H, C]``, of which each edge reads the one of its ``kind [E]``."""
    grouped = graph.by_receiver()
    kind = kind.index_select(0, grouped.number.long()).to(grouped.ptr.dtype)
    return Others("table", size, (grouped.ptr, kind, *_nothing(grouped.ptr)))


def features(graph: Edges) -> Others:
    """The features of edges, ``[E, F]``, the same for all heads."""
    grouped = graph.by_receiver()
    return Others("features", graph.num_edges, (grouped.ptr, grouped.number, *_nothing(grouped.ptr)))


def _nothing(ptr: Tensor) -> list[Tensor]:
    # Not one tensor three times: torch.compile takes none twice.
    return [ptr[:0] for _ in range(3)]


def products(left: Tensor, right: Tensor, others: Others) -> Tensor:
    r"""On each edge the product of its receiver's row and the other's, :math:`l_i \cdot r_e`.

    Shapes: ``left [N, H, C]``, ``right`` as ``others`` tells -> ``[E, H]`` in the order of ``graph.by_receiver()``.

    >>> graph = Edges(torch.tensor([[0, 1], [1, 1]]))
    >>> products(torch.ones(2, 1, 3), torch.tensor([[[1.0] * 3], [[2.0] * 3]]), senders(graph)).flatten()
    tensor([3., 6.])
    """
    return _derivative(0, left, right, others)


def sums(weight: Tensor, right: Tensor, others: Others) -> Tensor:
    r"""Every receiver's sum over its edges, :math:`\sum_e w_e r_e`.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``right`` as ``others`` tells -> ``[N, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1], [1, 1]]))
    >>> sums(torch.tensor([[0.5], [0.25]]), torch.tensor([[[10.0]], [[20.0]]]), kinds(graph, torch.tensor([1, 1]), 2)).flatten()
    tensor([ 0., 15.])
    """
    return _derivative(1, weight, right, others)


def softmax(score: Tensor, graph: Edges) -> Tensor:
    r"""The softmax of scores over each receiver's edges, ``[E, H]`` in the order of ``graph.by_receiver()``.

    >>> softmax(torch.zeros(3, 1), Edges(torch.tensor([[0, 1, 1], [1, 1, 0]]))).flatten()
    tensor([1.0000, 0.5000, 0.5000])
    """
    ptr = graph.by_receiver().ptr
    return _Softmax.apply(score, ptr) if differentiated(score) else ops.edge_softmax(score, ptr)


def _derivative(at: int, x: Tensor, y: Tensor, others: Others) -> Tensor:
    inputs = (others.form, at, others.size, x, y, *others.order)
    return _Derivative.apply(*inputs) if differentiated(x, y) else ops.edge_sums(*inputs)


@final
class _Derivative(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.edge_sums(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.form, ctx.at, ctx.size, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        x, y, *order = ctx.saved_tensors
        factors = [x, y]
        factors.insert(ctx.at, grad)
        # A compiled gradient is not differentiated in turn, and torch.compile cannot trace a Function within itself.
        again = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        derivative = _Derivative.apply if again else ops.edge_sums
        found = []
        for position, target in enumerate(number for number in range(3) if number != ctx.at):
            left, right = (factors[number] for number in range(3) if number != target)
            wanted = ctx.needs_input_grad[3 + position]
            found.append(derivative(ctx.form, target, ctx.size, left, right, *order) if wanted else None)
        return None, None, None, *found, *([None] * len(order))


@final
class _Softmax(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(score, ptr):  # noqa: ANN001, ANN205
        return ops.edge_softmax(score, ptr)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        ctx.save_for_backward(output, inputs[1])

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        alpha, ptr = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return ops.edge_softmax_backward(alpha, grad, ptr), None
        rows = torch.arange(ptr.size(0) - 1).repeat_interleave(ptr.diff().long(), output_size=alpha.size(0))
        mean = alpha.new_zeros(ptr.size(0) - 1, alpha.size(1)).index_add(0, rows, alpha * grad)
        return alpha * (grad - mean[rows]), None
