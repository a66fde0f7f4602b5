import pytest
import torch
from torch import nn
from torch.testing import assert_close

from graphattn.aggregation import Max, Mean, SoftmaxSum
from graphattn.backends import explain_backend, use_backend
from graphattn.backends.numba.usable import SWITCH
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.score import Additive
from graphattn.testing import assert_backends_agree
from graphattn.topology import Edges, Full
from graphattn.update import Replace
from graphattn.zoo import GAT, GCN, EdgeConv, GraphTransformer, SelfAttention

F64 = torch.float64


def gatv2(channels=8):
    score = Additive(2, channels // 2, nn.LeakyReLU(0.2))
    return GraphLayer(Attend(channels, Heads(2, channels // 2), score), SoftmaxSum(), Replace(), name="GATv2")


LAYERS = {
    "SelfAttention": lambda: SelfAttention(8, heads=2),
    "GraphTransformer": lambda: GraphTransformer(8, 4, heads=2, edge_dim=3),
    "GAT": lambda: GAT(8, 4, heads=2, edge_dim=3),
    "GATv2": gatv2,
    "GCN": lambda: GCN(8, 8),
    "mean": lambda: GraphLayer(Copy(), Mean(), Replace()),
}
EACH = pytest.mark.parametrize("name", LAYERS)


def uneven():
    """A hub that hears many, a node that hears itself twice, nodes that hear nobody."""
    sender = torch.cat([torch.randint(0, 40, (300,)), torch.tensor([1, 1, 7])])
    receiver = torch.cat([torch.zeros(200, dtype=torch.long), torch.randint(2, 30, (100,)), torch.tensor([1, 1, 3])])
    return Edges(torch.stack([sender, receiver]), 40).prepare()


def edges_of(name, graph, dtype):
    return {"edge_attr": torch.randn(graph.num_edges, 3, dtype=dtype)} if name in ("GraphTransformer", "GAT") else {}


@EACH
def test_it_agrees_with_the_specification(name):
    layer, graph = LAYERS[name]().double().train(), uneven()
    x, edge = torch.randn(40, 8, dtype=F64), edges_of(name, graph, F64)
    assert {"sparse", "edgewise"} <= set(assert_backends_agree(layer, x, graph, edge))
    layer.dropout = 0.3
    assert {"sparse", "edgewise"} <= set(assert_backends_agree(layer, x, graph, edge))


def test_senders_and_receivers_may_be_different_nodes():
    layer = SelfAttention(8, heads=2).double()
    graph = Edges(torch.tensor([[4, 0, 1, 1], [0, 0, 2, 0]]), (5, 3))
    pair = (torch.randn(5, 8, dtype=F64), torch.randn(3, 8, dtype=F64))
    assert "sparse" in assert_backends_agree(layer, pair, graph)


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_low_precision_is_within_twice_the_error_of_the_plain_path(name, dtype):
    layer, graph = LAYERS[name](), uneven()
    x, edge = torch.randn(40, 8), edges_of(name, graph, F64)
    layer, x = layer.to(dtype), x.to(dtype)
    edge = {key: value.to(dtype) for key, value in edge.items()}
    errors = {}
    for backend in ("sparse", "edgewise"):
        with use_backend(backend):
            errors[backend] = layer(x, graph, edge)
    truth = layer.double()(x.double(), graph, {key: value.double() for key, value in edge.items()})
    assert errors["sparse"].dtype == dtype
    ours, plain = ((errors[backend].double() - truth).abs().max() for backend in ("sparse", "edgewise"))
    assert ours <= 2 * plain + torch.finfo(dtype).eps


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("GAT", "GCN", "mean")])
@pytest.mark.parametrize("bias", [1e4, -1e4, -torch.inf])
def test_extreme_scores_stay_finite(name, bias):
    layer = LAYERS[name]()

    class Bias(nn.Module):
        def on_edges(self, graph, edge):
            return torch.full((graph.num_edges, 2), bias)

    layer.message_function.edge_bias = Bias()
    graph, x = uneven(), torch.randn(40, 8, requires_grad=True)
    with use_backend("sparse"):
        out = layer(x, graph, edges_of(name, graph, torch.float32))
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


@EACH
def test_it_is_differentiated_twice_mapped_and_compiled(name):
    layer, graph = LAYERS[name]().double(), Edges(torch.tensor([[0, 1, 2, 2], [1, 1, 1, 0]]), 4).prepare()
    edge = edges_of(name, graph, F64)
    x = torch.randn(4, 8, dtype=F64, requires_grad=True)
    with use_backend("sparse"):
        assert torch.autograd.gradcheck(lambda x: layer(x, graph, edge), x)
        assert torch.autograd.gradgradcheck(lambda x: layer(x, graph, edge), x)
        several = torch.stack([x.detach(), 2 * x.detach()])
        mapped = torch.func.vmap(lambda x: layer(x, graph, edge))(several)
        assert_close(mapped, torch.stack([layer(each, graph, edge) for each in several]))
        torch._dynamo.reset()
        assert_close(torch.compile(layer, fullgraph=True, backend="eager")(x, graph, edge), layer(x, graph, edge))


@EACH
def test_no_tensor_has_edges_times_channels(name):
    layer = LAYERS[name]() if name != "GATv2" else gatv2(64)
    if name in ("SelfAttention", "GCN"):
        layer = {"SelfAttention": SelfAttention(64, heads=2), "GCN": GCN(64, 64)}[name]
    width = 8 if name in ("GraphTransformer", "GAT", "mean") else 64
    graph = Edges(torch.randint(0, 50, (2, 40_000)), 50).prepare()
    x = torch.randn(50, width, requires_grad=True)
    edge = edges_of(name, graph, torch.float32)
    sizes = []

    def note(tensor):
        sizes.append(tensor.numel())
        return tensor

    with use_backend("sparse"), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        layer(x, graph, edge).sum().backward()
    assert max(sizes) <= 40_000 * 3  # numbers per head, or the features themselves


def test_bits_repeat():
    graph, x = uneven(), torch.randn(40, 8)
    for make in LAYERS.values():
        layer = make()
        edge = edges_of(layer.name, graph, torch.float32)
        with use_backend("sparse"):
            assert torch.equal(layer(x, graph, edge), layer(x, graph, edge))


def test_without_numba_it_is_chosen(monkeypatch):
    monkeypatch.setenv(SWITCH, "0")
    explanation = explain_backend(SelfAttention(8), torch.randn(3, 8), Edges(torch.tensor([[0, 1], [1, 2]])))
    assert explanation.chosen == "sparse"
    assert explanation.reasons["csr"] == [f"needs Numba, which the environment variable {SWITCH}=0 turns off"]


def test_half_precision_needs_no_kernel():
    layer, graph = SelfAttention(8).bfloat16(), Edges(torch.tensor([[0, 1], [1, 2]]))
    assert explain_backend(layer, torch.randn(3, 8).bfloat16(), graph).reasons["sparse"] == []


def test_reasons_are_told():
    x, graph = torch.randn(3, 8), Edges(torch.tensor([[0, 1], [1, 2]]))

    def reasons(layer, graph):
        return explain_backend(layer, x, graph).reasons["sparse"]

    assert reasons(SelfAttention(8), Full([3])) == ["needs a list of edges (Edges), got Full"]
    assert reasons(EdgeConv(nn.Linear(16, 8)), graph) == ["needs the message Attend, Scaled or Copy, got Difference"]
    largest = GraphLayer(Copy(), Max(), Replace())
    assert reasons(largest, graph) == ["needs the aggregation Sum or Mean, got Max"]
