"""EdgeConv with one linear map, split between receivers and senders: the same as edge by edge."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import Max, Mean, Min, Sum
from graphattn.backends import explain_backend
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.zoo import EdgeConv

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])


@pytest.mark.parametrize("aggregation", [Max(), Min(), Sum(), Mean()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("bias", [True, False])
@settings(max_examples=15)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_one_linear_map_is_split(aggregation, bias, receivers, senders, edges, seed):
    torch.manual_seed(seed)
    edges = edges if receivers else 0
    ends = torch.stack([torch.randint(0, senders, (edges,)), torch.randint(0, max(receivers, 1), (edges,))])
    x = (torch.randn(senders, 4, dtype=F64), torch.randn(receivers, 4, dtype=F64))
    layer = EdgeConv(nn.Linear(8, 8, bias=bias), aggregation).double()
    assert assert_backends_agree(layer, x, Edges(ends, (senders, receivers))) == ["csr", "edgewise"]


def test_derivatives():
    layer, x = EdgeConv(nn.Linear(8, 8)).double(), torch.randn(6, 4, dtype=F64, requires_grad=True)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x: layer(x, Edges(EDGES, 6)), x)
    many = torch.randn(3, 6, 4, dtype=F64)
    assert_close(
        torch.func.vmap(lambda x: layer(x, Edges(EDGES, 6)))(many), torch.stack([layer(x, EDGES) for x in many])
    )


def test_reasons_are_told():
    deep = EdgeConv(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)))
    x, graph = torch.randn(6, 4), Edges(EDGES, 6)
    assert explain_backend(deep, x, graph).reasons["csr"] == ["needs a network of one linear map, got Sequential"]
    layer = EdgeConv(nn.Linear(8, 8)).train()
    layer.dropout = 0.5
    assert explain_backend(layer, x, graph).reasons["csr"] == ["needs messages of which none is dropped"]
    layer.eval()
    with torch.autocast("cpu", torch.bfloat16):
        reasons = explain_backend(layer, x, graph).reasons["csr"]
        assert layer(x, graph).dtype == torch.bfloat16
    assert reasons == ["needs messages of the precision of x, got autocast"]
