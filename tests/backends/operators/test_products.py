"""Products along edges and sums over them: values and derivatives of any order, in each language, for each kind of other end."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.backends.operators.edge_softmax import edge_softmax
from graphattn.backends.operators.products import features, kinds, sddmm, senders, spmm
from graphattn.topology import Edges

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
ENDS = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
KIND = torch.tensor([2, 0, 0, 2, 1, 2, 2, 0])
LANGUAGES = pytest.mark.parametrize("kernels", ["numba", "torch"])


def other_end(form, graph, kernels):
    """What edges read there, and rows of it for each edge in the receivers' order."""
    order = graph.by_receiver().number.long()
    if form == "nodes":
        return senders(graph, kernels), torch.randn(6, 2, 4, dtype=F64), lambda right: right[ENDS[0][order]]
    if form == "table":
        return kinds(graph, KIND, 3, kernels), torch.randn(3, 2, 4, dtype=F64), lambda right: right[KIND[order]]
    right = torch.randn(8, 4, dtype=F64)
    return features(graph, kernels), right, lambda right: right[order].unsqueeze(1)


@LANGUAGES
@pytest.mark.parametrize("form", ["nodes", "table", "features"])
def test_products_and_sums_are_those_of_every_edge(form, kernels):
    graph = Edges(ENDS, 6)
    other, right, rows = other_end(form, graph, kernels)
    receiver = ENDS[1][graph.by_receiver().number.long()]
    left, weight = torch.randn(6, 2, 4, dtype=F64), torch.randn(8, 2, dtype=F64)
    assert_close(sddmm(left, right, other), (left[receiver] * rows(right)).sum(-1))
    total = torch.zeros(6, 2, 4, dtype=F64).index_add(0, receiver, weight.unsqueeze(-1) * rows(right))
    assert_close(spmm(weight, right, other), total)


@LANGUAGES
@pytest.mark.parametrize("form", ["nodes", "table", "features"])
def test_derivatives_of_derivatives(form, kernels):
    graph = Edges(ENDS, 6)
    other, right, _ = other_end(form, graph, kernels)
    left, weight = torch.randn(6, 2, 4, dtype=F64, requires_grad=True), torch.randn(8, 2, dtype=F64, requires_grad=True)
    right.requires_grad_()
    for function, first in ((sddmm, left), (spmm, weight)):
        assert torch.autograd.gradcheck(lambda x, y, function=function: function(x, y, other), (first, right))
        assert torch.autograd.gradgradcheck(lambda x, y, function=function: function(x, y, other), (first, right))


@LANGUAGES
def test_a_softmax_of_nothing_is_zero_and_of_no_numbers_none(kernels):
    graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]), 4)
    score = torch.tensor([[-torch.inf], [1e4], [1e4]], requires_grad=True)
    alpha = edge_softmax(score, graph, kernels)
    assert alpha.flatten().tolist() == [0, 0.5, 0.5]
    alpha[1].sum().backward()
    assert score.grad.flatten().tolist() == [0, 0.25, -0.25]
    alpha = edge_softmax(torch.tensor([[torch.nan], [1.0], [torch.nan]]), graph, kernels)
    assert alpha.isnan().all()
    alpha = edge_softmax(torch.tensor([[torch.nan], [1.0], [1.0]]), graph, kernels)
    assert alpha.flatten().tolist()[1:] == [0.5, 0.5]
    assert alpha[0].isnan()


@LANGUAGES
def test_derivatives_of_a_softmax(kernels):
    graph, score = Edges(ENDS, 6), torch.randn(8, 2, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda score: edge_softmax(score, graph, kernels), score)
    assert torch.autograd.gradgradcheck(lambda score: edge_softmax(score, graph, kernels), score)
