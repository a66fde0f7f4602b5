"""The largest and the smallest message by kernels: the same as edge by edge, whatever torch does with them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from graphattn.aggregation import Max, Min
from graphattn.backends import use_backend
from graphattn.layer import GraphLayer
from graphattn.message import Copy, Scaled, as_weighted
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges
from graphattn.update import Replace

F64 = torch.float64
# Asymmetric, with an isolated node (5), a loop and a double edge.
EDGES = torch.tensor([[0, 1, 2, 0, 4, 4, 3, 3], [1, 2, 1, 3, 0, 4, 1, 1]])
EACH = pytest.mark.parametrize("aggregation", [Max(), Min()], ids=lambda each: type(each).__name__)


def scaled(aggregation, channels=8):
    return GraphLayer(Scaled(4, channels, as_weighted), aggregation, Replace()).double()


@EACH
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_extremes_equal_edgewise(aggregation, dropout):
    weight = {"edge_attr": torch.randn(8, dtype=F64)}
    for channels in (8, 7):
        layer, copies = scaled(aggregation, channels), GraphLayer(Copy(), aggregation, Replace())
        layer.dropout = copies.dropout = dropout
        x = torch.randn(6, 4, dtype=F64)
        for ends in (EDGES, EDGES.flip(1), EDGES[:, :0]):
            edge = {"edge_attr": weight["edge_attr"][: ends.size(1)]}
            assert assert_backends_agree(layer, x, Edges(ends, 6), edge) == ["csr", "edgewise"]
            wide = torch.randn(6, channels, dtype=F64)
            assert assert_backends_agree(copies, wide, Edges(ends, 6)) == ["csr", "edgewise"]


@EACH
@settings(max_examples=20)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 99))
def test_ties_and_zeros_share_as_edgewise(aggregation, receivers, senders, edges, seed):
    torch.manual_seed(seed)
    edges = edges if receivers else 0
    ends = torch.stack([torch.randint(0, senders, (edges,)), torch.randint(0, max(receivers, 1), (edges,))])
    x = (torch.randint(-1, 2, (senders, 8)).double(), torch.randn(receivers, 8, dtype=F64))
    layer = GraphLayer(Copy(), aggregation, Replace())
    assert "csr" in assert_backends_agree(layer, x, Edges(ends, (senders, receivers)))


def test_what_is_no_number_stays_heard():
    x = torch.randn(6, 8)
    x[0, 0], x[3, 1], x[3, 2] = torch.nan, torch.inf, -torch.inf
    results = []
    for name in ("csr", "edgewise"):
        with use_backend(name):
            results.append(GraphLayer(Copy(), Max(), Replace())(x, EDGES))
    assert_close(*results, equal_nan=True, rtol=0, atol=0)


@EACH
def test_first_and_second_derivatives(aggregation):
    layer, graph = scaled(aggregation, 4), Edges(torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]]), 4)
    x, weight = torch.randn(4, 4, dtype=F64, requires_grad=True), torch.rand(5, dtype=F64, requires_grad=True)
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda x, weight: layer(x, graph, weight), (x, weight))


def test_functions_of_layers_are_mapped():
    layer, graph, many = scaled(Max()), Edges(EDGES, 6), torch.randn(3, 6, 4, dtype=F64)

    def loss(x):
        return layer(x, graph).sin().sum()

    slopes = torch.func.vmap(torch.func.grad(loss))(many)
    for x, slope in zip(many, slopes, strict=True):
        assert_close(slope, torch.autograd.grad(loss(x.requires_grad_()), x)[0])
        x.requires_grad_(False)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_layers_compile_into_one_graph(backend):
    graph, x, layer = Edges(EDGES, 6), torch.randn(6, 4, requires_grad=True), scaled(Max()).float()
    graph.by_sender()
    torch._dynamo.reset()
    out, truth = torch.compile(layer, fullgraph=True, backend=backend)(x, graph), layer(x, graph)
    assert_close(out, truth)
    assert_close(*(torch.autograd.grad(result.sin().sum(), x)[0] for result in (out, truth)))
