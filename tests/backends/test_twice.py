"""Gradients have gradients: in every backend, on every topology, equal to those of ``edgewise``."""

import warnings
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.backends import BACKENDS, dense, explain_backend, flex, use_backend
from graphattn.backends.twice import differentiable
from graphattn.backends.whole import backend
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.slots import Inputs
from graphattn.topology import Causal, Cross, Full, Line, Prefix, Star, Window
from graphattn.update import Replace
from graphattn.zoo import TABLE, SelfAttention

F64 = torch.float64
TOPOLOGIES = {
    "Full": Full,
    "Edges": lambda sizes: Window(sizes, radius=2).as_edges(),
    "Causal": Causal,
    "Window": lambda sizes: Window(sizes, radius=2, dilation=2),
    "Prefix": lambda sizes: Prefix(sizes, prefix=3),
    "Line": Line,
    "Union": lambda sizes: Causal(sizes) | Line(sizes),
    "Cross": lambda sizes: Cross(sizes, sizes[::-1]),
    "Star": lambda sizes: Star(sizes, hubs=2),
    "Causal reversed": lambda sizes: Causal(sizes).reverse(),
}
PAIRS = pytest.mark.parametrize(
    ("row", "topology"),
    [(row, name) for row in TABLE for name in row.topologies],
    ids=[f"{row.name}-{name}" for row in TABLE for name in row.topologies],
)
ATTENTION = pytest.mark.parametrize("topology", TOPOLOGIES)


def nodes(graph, channels=8, dtype=F64):
    x = torch.randn(graph.num_senders, channels, dtype=dtype, requires_grad=True)
    if graph.senders is graph.receivers:
        return x
    return x, torch.randn(graph.num_receivers, channels, dtype=dtype, requires_grad=True)


def second(layer, x, graph, edge=None):
    """Gradients, and gradients of their squares, by nodes, features of edges and parameters."""
    edge = {name: value.detach().requires_grad_(value.is_floating_point()) for name, value in (edge or {}).items()}
    leaves = [*(x if isinstance(x, tuple) else (x,)), *edge.values(), *layer.parameters()]
    leaves = [leaf for leaf in leaves if leaf.requires_grad]
    torch.manual_seed(0)  # every backend drops the same edges
    first = torch.autograd.grad(layer(x, graph, edge).sin().sum(), leaves, create_graph=True, materialize_grads=True)
    squares = torch.stack([grad.square().sum() for grad in first]).sum()
    return [*first, *torch.autograd.grad(squares, leaves, materialize_grads=True)]


def agreeing(layer, x, graph, edge=None):
    """The backends whose second derivatives are those of ``edgewise``."""
    with use_backend("edgewise"):
        truth = second(layer, x, graph, edge)
    reasons = explain_backend(layer, x, graph, edge).reasons
    able = [backend.name for backend in BACKENDS if not reasons[backend.name]]
    for name in able:
        with use_backend(name):
            for ours, wanted in zip(second(layer, x, graph, edge), truth, strict=True):
                assert_close(ours, wanted, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")
    return able


@pytest.fixture(autouse=True)
def _however_few(monkeypatch):
    monkeypatch.setattr(backend, "FEWEST", 0)
    monkeypatch.setattr(backend, "FUSED", 0)


@PAIRS
def test_every_backend_of_every_layer_equals_edgewise(row, topology):
    layer, graph = row.make().double(), TOPOLOGIES[topology]([4, 1, 7])
    edge = {name: value.double() if value.is_floating_point() else value for name, value in row.edge(graph).items()}
    alone = row.name in ("GINE", "PNA", "ResGatedGraph", "TokenMixing") or (row.name, topology) == ("GridConv", "Line")
    assert (agreeing(layer, nodes(graph), graph, edge) == ["edgewise"]) == alone


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("sizes", [[5, 3], [4, 4], [1], [0, 2], [90, 70]], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_attention_on_every_topology_and_size(topology, sizes, dropout):
    layer = GraphLayer(Attend(8, Heads(2, 4)), SoftmaxSum(), Replace(), dropout=dropout).double()
    graph = TOPOLOGIES[topology](sizes)
    expected = {"Full": "small", "Causal": "small", "Cross": "small", "Star": "small", "Edges": "csr"}
    expected = {expected.get(topology, "csr" if topology in ("Line", "Union") else "dense"), "edgewise"}
    assert expected <= set(agreeing(layer, nodes(graph), graph))
    if "small" in expected:
        assert "dense" in agreeing(layer, nodes(graph), graph)


@pytest.mark.parametrize(
    ("topology", "backend"),
    [(kind, name) for kind in ("Full", "Causal", "Cross") for name in ("dense", "small")]
    + [("Edges", "csr"), ("Edges", "sparse")],
)
def test_second_derivatives_are_those_of_differences(topology, backend):
    graph = TOPOLOGIES[topology]([3, 2])
    layer = GraphLayer(Attend(4, Heads(2, 2)), SoftmaxSum(), Replace()).double()
    x = nodes(graph, 4)
    with use_backend(backend):
        heard = (lambda *x: layer(x, graph)) if isinstance(x, tuple) else (lambda x: layer(x, graph))
        assert torch.autograd.gradgradcheck(heard, x)


def test_third_derivatives_equal_those_of_edgewise():
    layer, graph, results = SelfAttention(4, heads=2).double(), Causal([3, 2]), []
    x = nodes(graph, 4)
    for name in ("dense", "edgewise"):
        with use_backend(name):
            found = layer(x, graph).sin().sum()
        for _ in range(3):
            (grad,) = torch.autograd.grad(found, x, create_graph=True)
            found = grad.square().sum()
        results.append(grad)
    assert_close(*results, rtol=1e-9, atol=1e-12)
    assert results[0].abs().max() > 1e-3


def test_gradients_of_gradients_pass_through_vmap_and_checkpoints():
    layer, graph = SelfAttention(4, heads=2).double(), Full([3, 2])
    x = torch.randn(3, 5, 4, dtype=F64)

    def loss(x):
        return layer(x, graph).sin().sum()

    def kept(x):
        return torch.utils.checkpoint.checkpoint(loss, x, use_reentrant=False)

    def slope(loss):
        return lambda x: torch.func.grad(loss)(x).square().sum()

    ways = {
        "one by one": lambda: torch.stack([torch.func.grad(slope(loss))(each) for each in x]),
        "mapped outside": lambda: torch.func.vmap(torch.func.grad(slope(loss)))(x),
        "mapped between": lambda: torch.func.grad(lambda x: torch.func.vmap(slope(loss))(x).sum())(x),
        "mapped inside": lambda: torch.func.grad(slope(lambda x: torch.func.vmap(loss)(x).sum()))(x),
        "kept": lambda: torch.stack([_twice(kept, each) for each in x]),
    }
    with use_backend("edgewise"):
        truth = ways["one by one"]()
    with use_backend("dense"), warnings.catch_warnings():
        # torch maps its fused kernel sample by sample: slower, not wrong.
        warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
        for name, way in ways.items():
            assert_close(way(), truth, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


def _twice(loss, x):
    x = x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x), x, create_graph=True)
    return torch.autograd.grad(grad.square().sum(), x)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_first_derivatives_are_fused_and_keep_nothing_more(dtype, monkeypatch):
    layer, graph = SelfAttention(16, heads=2).to(dtype), Full([30, 40])
    x = nodes(graph, 16, dtype)

    def kept():
        storages = []

        def keep(tensor):
            storages.append(tensor.untyped_storage().data_ptr())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), use_backend("dense"):
            out = layer(x, graph)
        return len(set(storages)), out

    many, out = kept()
    monkeypatch.setattr(dense, "gradients", lambda *_: pytest.fail("a first derivative was not fused"))
    torch.autograd.grad(out.sum(), x)
    monkeypatch.setattr(dense, "differentiable", lambda out, *_: out)
    assert many == kept()[0]


@pytest.mark.parametrize("graph", [Full([5, 0, 3]), Window([9, 70], radius=2), Cross([3, 0, 2], [1, 2, 3])], ids=str)
def test_flexible_attention_has_gradients_that_have_gradients(graph):
    layer = GraphLayer(Attend(6, Heads(2, 3)), SoftmaxSum(), Replace())
    counts = (graph.num_receivers, graph.num_senders, graph.num_senders)
    states, results = [torch.randn(many, 2, 3, dtype=F64, requires_grad=True) for many in counts], []
    query, key, value = states
    for fused in (True, False):
        out = layer.hear_edgewise(graph, Inputs({"key": key, "value": value}, {"query": query}, {}))
        # The fused operator runs on a GPU only; its values are those of edgewise.
        out = differentiable(out, partial(flex.gradients, graph, 3**-0.5), *states) if fused else out
        first = torch.autograd.grad(out.sin().sum(), states, create_graph=True)
        squares = torch.stack([grad.square().sum() for grad in first]).sum()
        results.append([*first, *torch.autograd.grad(squares, states)])
    for ours, truth in zip(*results, strict=True):
        assert_close(ours, truth, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("topology", ["Full", "Causal", "Window", "Prefix"])
def test_a_graph_first_met_inside_a_transformation_serves_others_later(topology):
    graph, layer, x = TOPOLOGIES[topology]([3, 2]), SelfAttention(8, heads=2), torch.randn(5, 8)

    def slope(x):
        return torch.func.grad(lambda x: layer(x, graph).sin().sum())(x).square().sum()

    first = torch.func.grad(slope)(x)
    assert torch.equal(torch.func.grad(slope)(x), first)
    leaf = x.clone().requires_grad_()
    layer(leaf, graph).sum().backward()
    assert leaf.grad.any()
