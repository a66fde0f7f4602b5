"""``flex_attention`` with gradients, on a GPU only. Run by ../test_cuda.py in a process of its own."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.backends import use_backend
from graphattn.topology import Causal, Full, Prefix, Window
from graphattn.zoo import SelfAttention

SIZES = [5, 0, 300, 130, 1]


@pytest.mark.parametrize(
    "graph",
    [Full(SIZES), Causal(SIZES), Window(SIZES, radius=2, dilation=3), Prefix(SIZES, prefix=40)],
    ids=str,
)
def test_values_and_gradients_equal_those_of_edgewise(graph):
    layer, graph = SelfAttention(32, heads=2).cuda(), graph.to("cuda")
    x, results = torch.randn(sum(SIZES), 32, device="cuda", requires_grad=True), []
    for name in ("flex", "edgewise"):
        with use_backend(name):
            out = layer(x, graph)
        results.append((out, *torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()])))
    assert_close(*results, rtol=1e-4, atol=1e-4)
