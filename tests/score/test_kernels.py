"""Kernels of scores: finite for scores of any size, and near where neighbours are near."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import NormalizedSum, SoftmaxSum
from graphattn.backends import explain_backend
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import RBF, Exponential, ScaledDot, Then
from graphattn.topology import Edges, Full
from graphattn.update import Replace

F64 = torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, F64])
def test_an_exponential_of_anything_is_finite_and_adds_up(dtype):
    kernel = Exponential()(torch.tensor([-1e4, 0.0, 1e4], dtype=dtype))
    assert kernel[0] == 0
    assert kernel[1] == 1
    assert torch.isfinite(kernel.sum() * 100)


def test_the_normalised_exponential_is_the_softmax():
    x, graph = torch.randn(5, 8, dtype=F64), Edges(torch.tensor([[0, 1, 2, 3], [1, 1, 1, 4]]), 5)
    kernel = GraphLayer(Attend(8, Heads(2, 4), Then(ScaledDot(), Exponential())), NormalizedSum(), Replace()).double()
    softmax = GraphLayer(Attend(8, Heads(2, 4)), SoftmaxSum(), Replace()).double()
    softmax.load_state_dict(kernel.state_dict())
    assert_close(kernel(x, graph), softmax(x, graph), rtol=1e-12, atol=1e-12)


def test_a_gaussian_of_far_neighbours_keeps_small_distances():
    layer = GraphLayer(Attend(8, Heads(2, 4), RBF()), SoftmaxSum(), Replace())
    layer.message_function.set_maps(query=nn.Identity(), key=nn.Identity())
    x = 1e3 + torch.randn(6, 8)
    assert explain_backend(layer, x, Full([6])).chosen == "dense"
    truth = copy.deepcopy(layer).double()(x.double(), Full([6]))
    assert_close(layer(x, Full([6])).double(), truth, rtol=1e-4, atol=1e-4)
