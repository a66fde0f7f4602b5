r"""Products and sums over lists of edges, closed under differentiation.

Everything here is a derivative of one number,

.. math:: \sum_e \sum_h w_{eh} \; l_{i(e) h} \cdot r_{k(e) h}

over edges ``e`` with receivers ``i(e)`` and weights ``w [E, H]``, of rows of receivers ``l [N, H, C]`` and of what edges read at
their other end, ``r``: rows of senders or of a table, ``[M, H, C]``, or the edges' own features ``[E, C]``, which all heads
share. Its derivative after ``w`` is a sampled product of matrices (SDDMM), those after ``l`` and ``r`` are products of a sparse
matrix and a dense one (SpMM), and the derivatives of these are of the same three kinds. Weights are in the order of
``graph.by_receiver()``.
"""

from functools import partial
from typing import NamedTuple, final

import torch
from torch import Tensor

from graphattn.backends.operators.rules import (
    Operator,
    Rule,
    differentiated,
    differentiated_again,
    language,
    one_by_one,
    operator,
    over_heads,
)
from graphattn.topology import Edges

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)


class OtherEnd(NamedTuple):
    """What edges read at their other end: rows of "nodes", of a "table", or the edges' own "features", ``size`` of them."""

    kernels: str
    form: str
    size: int
    order: tuple[Tensor, ...]


def senders(graph: Edges, kernels: str) -> OtherEnd:
    """The states of senders, ``[N_j, H, C]``."""
    grouped = graph.by_receiver()
    # Only gradients need the edges of each sender.
    transposed = graph.by_sender() if torch.is_grad_enabled() else _nothing(grouped.ptr)
    return OtherEnd(kernels, "nodes", graph.num_senders, (grouped.ptr, grouped.other, *transposed))


def kinds(graph: Edges, kind: Tensor, size: int, kernels: str) -> OtherEnd:
    """The rows of a table, ``[T, H, C]``, of which each edge reads the one of its ``kind [E]``."""
    grouped = graph.by_receiver()
    kind = kind.index_select(0, grouped.number.long()).to(grouped.ptr.dtype)
    return OtherEnd(kernels, "table", size, (grouped.ptr, kind, *_nothing(grouped.ptr)))


def features(graph: Edges, kernels: str) -> OtherEnd:
    """The features of edges, ``[E, F]``, the same for all heads."""
    grouped = graph.by_receiver()
    return OtherEnd(kernels, "features", graph.num_edges, (grouped.ptr, grouped.number, *_nothing(grouped.ptr)))


def _nothing(ptr: Tensor) -> tuple[Tensor, ...]:
    # Not one tensor three times: torch.compile takes none twice.
    return tuple(ptr[:0] for _ in range(3))


def sddmm(left: Tensor, right: Tensor, other: OtherEnd) -> Tensor:
    r"""The inner product along each edge, :math:`l_i \cdot r_e`.

    Shapes: ``left [N, H, C]``, ``right`` as ``other`` tells -> ``[E, H]``.

    >>> graph = Edges(torch.tensor([[0, 1], [1, 1]]))
    >>> sddmm(torch.ones(2, 1, 3), torch.tensor([[[1.0] * 3], [[2.0] * 3]]), senders(graph, "torch")).flatten()
    tensor([3., 6.])
    """
    return _derivative(0, left, right, other)


def spmm(weight: Tensor, right: Tensor, other: OtherEnd) -> Tensor:
    r"""Each receiver's weighted sum over its edges, :math:`\sum_e w_e r_e`.

    Shapes: ``weight [E, H]``, ``right`` as ``other`` tells -> ``[N, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1], [1, 1]]))
    >>> of_kind = kinds(graph, torch.tensor([1, 1]), 2, "torch")
    >>> spmm(torch.tensor([[0.5], [0.25]]), torch.tensor([[[10.0]], [[20.0]]]), of_kind).flatten()
    tensor([ 0., 15.])
    """
    return _derivative(1, weight, right, other)


def _derivative(after: int, x: Tensor, y: Tensor, other: OtherEnd) -> Tensor:
    inputs = (other.kernels, other.form, after, other.size, x, y, *other.order)
    return _Derivative.apply(*inputs) if differentiated(x, y) else derivative(*inputs)


def _compute(kernels: str, form: str, after: int, size: int, x: Tensor, y: Tensor, *order: Tensor) -> Tensor:
    ptr, other, other_ptr, receiver, place = order
    if not x.numel() or not y.numel() or not other.numel():
        return x.new_zeros(_shape(form, after, size, x, y, ptr, other))
    edges = language(kernels, "edges")
    if form == "table":
        compute = (edges.table_products, edges.table_weighted_sums, partial(edges.table_sums, size=size))[after]
        return compute(x, y, ptr, other)
    if after == 0:
        return edges.products(x, _with_heads(y), ptr, other)
    if after == 1:
        return edges.sums(x, _with_heads(y), ptr, other, None)
    if form == "features":
        return edges.feature_sums(x, y, ptr, other)
    return edges.sums(x, y, other_ptr, receiver, place)


def _with_heads(right: Tensor) -> Tensor:
    return right.unsqueeze(1) if right.dim() == 2 else right


def _shape(form: str, after: int, size: int, x: Tensor, y: Tensor, ptr: Tensor, other: Tensor) -> tuple[int, ...]:
    if after == 0:
        return (other.size(0), x.size(1))
    if after == 1:
        return (ptr.size(0) - 1, x.size(1), y.size(-1))
    return (size, y.size(-1)) if form == "features" else (size, x.size(1), y.size(-1))


def _mapped(derivative: Operator) -> Rule:
    apart = one_by_one(derivative)

    def rule(info, in_dims, kernels, form, after, size, x, y, *order):  # noqa: ANN001, ANN002, ANN202
        if form == "features":  # which have no heads
            return apart(info, in_dims, kernels, form, after, size, x, y, *order)
        together = over_heads(2, 1)(partial(derivative, kernels, form, after, size))
        return together(info, in_dims[4:], x, y, *order)

    return rule


derivative = operator(
    "edge_products(str kernels, str form, int after, SymInt size, Tensor x, Tensor y, Tensor ptr, Tensor other, "
    "Tensor other_ptr, Tensor receiver, Tensor place) -> Tensor",
    _compute,
    lambda kernels, form, *given: given[2].new_empty(_shape(form, *given[:6])),
    _mapped,
)
"""The derivative of ``sum_e w_e (l_i . r_e)`` after the factor number ``after`` of ``(w, l, r)``, from the other two factors.

``kernels`` is the language that computes it; ``form`` what ``r`` is: rows of "nodes", grouped by ``other_ptr``, of a "table", or
"features" of the edges, ``size`` of them.
"""


@final
class _Derivative(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return derivative(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.known = inputs[:4]
        ctx.save_for_backward(*inputs[4:])

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        x, y, *order = ctx.saved_tensors
        kernels, form, after, size = ctx.known
        factors = [x, y]
        factors.insert(after, grad)
        compute = _Derivative.apply if differentiated_again() else derivative
        found = []
        for position, wanted in enumerate(number for number in range(3) if number != after):
            left, right = (factors[number] for number in range(3) if number != wanted)
            needed = ctx.needs_input_grad[4 + position]
            found.append(compute(kernels, form, wanted, size, left, right, *order) if needed else None)
        return None, None, None, None, *found, *([None] * len(order))
