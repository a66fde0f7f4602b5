"""The softmax of scores over the edges of each receiver."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphattn.backends.layout.compressed import row_of
from graphattn.backends.operators.rules import (
    alike,
    differentiable,
    differentiated,
    differentiated_again,
    language,
    operator,
    over_heads,
)
from graphattn.topology import Edges


def edge_softmax(score: Tensor, graph: Edges, kernels: str) -> Tensor:
    r"""Attention weights, :math:`\alpha_{ij} = e^{s_{ij}} / \sum_{k \in N(i)} e^{s_{ik}}`; 0 where all scores are -inf.

    Shapes: ``score [E, H]`` in the order of ``graph.by_receiver()`` -> the same.

    >>> edge_softmax(torch.zeros(3, 1), Edges(torch.tensor([[0, 1, 1], [1, 1, 0]])), "torch").flatten()
    tensor([1.0000, 0.5000, 0.5000])
    """
    ptr = graph.by_receiver().ptr
    return (_softmax if differentiated(score) else softmax)(score, ptr, kernels)


softmax = operator(
    "edge_softmax(Tensor score, Tensor ptr, str kernels) -> Tensor",
    lambda score, ptr, kernels: language(kernels, "edges").softmax(_copy(score), ptr),
    lambda score, *_: alike(score)[0],
    over_heads(1, 1),
)
"""The softmax of scores ``[E, H]`` over the edges of each row."""

softmax_backward = operator(
    "edge_softmax_backward(Tensor alpha, Tensor grad, Tensor ptr, str kernels) -> Tensor",
    lambda alpha, grad, ptr, kernels: language(kernels, "edges").softmax_backward(alpha, _copy(grad), ptr),
    lambda alpha, *_: alike(alpha)[0],
    over_heads(2, 1),
)
"""The gradient of the scores from that of their softmax, ``[E, H]``."""


def _copy(x: Tensor) -> Tensor:
    return x.clone(memory_format=torch.contiguous_format)


def _gradients(
    given: Sequence[Any], results: Sequence[Tensor], grads: Sequence[Tensor], _: Sequence[bool]
) -> tuple[Tensor]:
    (_, ptr, kernels), (alpha,), (grad,) = given, results, grads
    if not differentiated_again():
        return (softmax_backward(alpha, grad, ptr, kernels),)
    row, rows = row_of(ptr, alpha.size(0)).long(), ptr.size(0) - 1
    mean = alpha.new_zeros(rows, alpha.size(1)).index_add(0, row, alpha * grad)
    return (alpha * (grad - mean.index_select(0, row)),)


_softmax = differentiable(lambda *given: softmax(*given), _gradients, states=1, forgotten=(0,))
