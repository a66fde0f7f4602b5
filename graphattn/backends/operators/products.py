r"""Products and sums over lists of edges, closed under differentiation.

Everything here is a derivative of one number,

.. math:: \sum_e \sum_h w_{eh} \; l_{i(e) h} \cdot r_{k(e) h}

over edges ``e`` with receivers ``i(e)`` and weights ``w [E, H]``, of rows of receivers ``l [N, H, C]`` and of what edges read at
their other end, ``r``: rows of senders or of a table, ``[M, H, C]``, or the edges' own features ``[E, C]``, which all heads
share. Its derivative after ``w`` is a sampled product of matrices (SDDMM), those after ``l`` and ``r`` are products of a sparse
matrix and a dense one (SpMM), and the derivatives of these are of the same three kinds. Weights are in the order of
``graph.by_receiver()``.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphattn.backends.operators.rules import (
    Operator,
    Rule,
    differentiable,
    differentiated,
    differentiated_again,
    language,
    one_by_one,
    operator,
    over_heads,
)
from graphattn.topology import Edges


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
    inputs = (x, y, other.kernels, other.form, after, other.size, *other.order)
    return (_differentiable if differentiated(x, y) else derivative)(*inputs)


def _compute(x: Tensor, y: Tensor, kernels: str, form: str, after: int, size: int, *order: Tensor) -> Tensor:
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
    apart, together = one_by_one(derivative), over_heads(2, 1)(derivative)

    def rule(info, in_dims, *given):  # noqa: ANN001, ANN002, ANN202
        return (apart if given[3] == "features" else together)(info, in_dims, *given)  # features have no heads

    return rule


derivative = operator(
    "edge_products(Tensor x, Tensor y, str kernels, str form, int after, SymInt size, Tensor ptr, Tensor other, "
    "Tensor other_ptr, Tensor receiver, Tensor place) -> Tensor",
    _compute,
    lambda x, y, _, form, after, size, ptr, other, *__: x.new_empty(_shape(form, after, size, x, y, ptr, other)),
    _mapped,
)
"""The derivative of ``sum_e w_e (l_i . r_e)`` after the factor number ``after`` of ``(w, l, r)``, from the other two factors.

``kernels`` is the language that computes it; ``form`` what ``r`` is: rows of "nodes", grouped by ``other_ptr``, of a "table", or
"features" of the edges, ``size`` of them.
"""


def _gradients(
    given: Sequence[Any], results: Sequence[Any], grads: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    x, y, kernels, form, after, size, *order = given
    factors, compute = [x, y], _differentiable if differentiated_again() else derivative
    factors.insert(after, *grads)
    found: list[Tensor | None] = []
    for number, needed in zip((k for k in range(3) if k != after), wanted, strict=False):
        rest = (factor for k, factor in enumerate(factors) if k != number)
        found.append(compute(*rest, kernels, form, number, size, *order) if needed else None)
    return found


_differentiable = differentiable(lambda *given: derivative(*given), _gradients, states=2, forgotten=(11,))
