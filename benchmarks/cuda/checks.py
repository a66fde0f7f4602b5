"""Kernels on the device give what ``edgewise`` gives: plain functions that need no test runner."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from torch.testing import assert_close

from graphattn import (
    GAT,
    GCN,
    Attend,
    Causal,
    Edges,
    Full,
    GATv2,
    GraphLayer,
    GraphSAGE,
    GraphTransformer,
    Heads,
    Prefix,
    Replace,
    SelfAttention,
    SoftmaxSum,
    Topology,
    Window,
    explain_backend,
    use_backend,
)
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.testing import assert_backends_agree

F64 = torch.float64
Check = Callable[[str, bool], None]


def ends(device: str, tiny: bool) -> tuple[Tensor, int]:
    """Edges of which one node gets most, one none, and some come twice."""
    nodes, number = (6, 24) if tiny else (2_000, 40_000)
    sender, receiver = torch.randint(0, nodes, (2, number), device=device)
    receiver[: number // 3] = 0
    receiver[receiver == nodes - 1] = 1
    return torch.stack([sender, receiver]), nodes


def agree(backend: str, layer: GraphLayer, x: Tensor, graph: Topology, edge: dict[str, Tensor] | None = None) -> None:
    """Values and gradients in float64 are those of edgewise; `backend` must be among those that computed them."""
    found = assert_backends_agree(layer.to(x.device).double(), x, graph, edge)
    assert backend in found, f"expected {backend} among the backends, got {found}"


def attention_on_edges(device: str, tiny: bool) -> None:
    """Dot products of several shapes, with and without dropout."""
    edges, nodes = ends(device, tiny)
    for heads, dropout in ((Heads(2, 8), 0.0), (Heads(3, 7), 0.4), (Heads(1, 5, value_channels=16), 0.0)):
        layer = GraphLayer(Attend(6, heads), SoftmaxSum(), Replace(), dropout=dropout)
        agree("cuda", layer, torch.randn(nodes, 6, dtype=F64, device=device), Edges(edges, nodes))


def edge_terms(device: str, tiny: bool) -> None:
    """Keys, values and biases of edges."""
    edges, nodes = ends(device, tiny)
    edge = {"edge_attr": torch.randn(edges.size(1), 3, dtype=F64, device=device)}
    said = LinearValue("edge_attr", 3, 2, 8)
    for terms in ({"edge_key": said, "edge_value": said}, {"edge_bias": LinearBias("edge_attr", 3, 2)}):
        layer = GraphLayer(Attend(6, Heads(2, 8), **terms), SoftmaxSum(), Replace())
        agree("cuda", layer, torch.randn(nodes, 6, dtype=F64, device=device), Edges(edges, nodes), edge)
    agree("cuda", GAT(6, 8, 2, edge_dim=3), torch.randn(nodes, 6, dtype=F64, device=device), Edges(edges, nodes), edge)


def additive_scores(device: str, tiny: bool) -> None:
    """GAT and GATv2."""
    edges, nodes = ends(device, tiny)
    for layer in (GAT(6, 7, 3, dropout=0.3), GATv2(6, 7, 3, dropout=0.3)):
        agree("cuda", layer, torch.randn(nodes, 6, dtype=F64, device=device), Edges(edges, nodes))


def sums(device: str, tiny: bool) -> None:
    """GCN with weights of edges, and means."""
    edges, nodes = ends(device, tiny)
    x, weight = torch.randn(nodes, 6, dtype=F64, device=device), torch.rand(edges.size(1), dtype=F64, device=device)
    agree("cuda", GCN(6, 40), x, Edges(edges, nodes), {"edge_attr": weight})
    agree("cuda", GraphSAGE(6, 5), x, Edges(edges, nodes))


def small_graphs(device: str, tiny: bool) -> None:
    """Batches of small whole graphs, with biases and dropout."""
    sizes = [3, 0, 4] if tiny else [30, 1, 0, 77, 128]
    for topology in (Full, Causal):
        graph = topology(sizes).to(device)
        layer = GraphLayer(
            Attend(6, Heads(2, 8), edge_bias=LinearBias("bond", 3, 2)), SoftmaxSum(), Replace(), dropout=0.4
        )
        edge = {"bond": torch.randn(graph.num_edges, 3, dtype=F64, device=device)}
        agree("cuda_small", layer, torch.randn(sum(sizes), 6, dtype=F64, device=device), graph, edge)


def precisions(device: str, tiny: bool) -> None:
    """In every precision the error is at most twice that of the plain path."""
    edges, nodes = ends(device, tiny)
    sizes = [4, 3] if tiny else [60, 21]
    cases = [
        ("cuda", GraphTransformer(6, 4, 2, edge_dim=3), Edges(edges, nodes), nodes, edges.size(1)),
        ("cuda", GATv2(6, 4, 2), Edges(edges, nodes), nodes, 0),
        ("cuda", GAT(6, 4, 2), Edges(edges, nodes), nodes, 0),
        ("cuda", GCN(6, 5), Edges(edges, nodes), nodes, 0),
        ("cuda_small", SelfAttention(6, 2), Full(sizes).to(device), sum(sizes), 0),
    ]
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        for backend, layer, graph, number, features in cases:
            rough, x = layer.to(device, dtype), torch.randn(number, 6, device=device).to(dtype)
            edge = {"edge_attr": torch.randn(features, 3, device=device).to(dtype)} if features else {}
            exact = {name: each.double() for name, each in edge.items()}
            truth = together(found(copy.deepcopy(rough).double(), x.double(), graph, exact, "edgewise"))
            both = (together(found(rough, x, graph, edge, name)) for name in (backend, "edgewise"))
            for ours, plain, right in zip(*both, truth, strict=True):
                error, allowed = (
                    (ours - right).norm(),
                    2 * (plain - right).norm() + 2 * torch.finfo(dtype).eps * right.norm(),
                )
                assert error <= allowed, (
                    f"{layer.name}, {dtype}: expected an error of at most {allowed:.2g}, got {error:.2g}"
                )


def found(layer: GraphLayer, x: Tensor, graph: Topology, edge: dict[str, Tensor], backend: str) -> list[Tensor]:
    """The result and all gradients, in float64."""
    x = x.detach().requires_grad_()
    with use_backend(backend):
        out = layer(x, graph, edge)
    grads = torch.autograd.grad(out.float().sin().sum(), [x, *layer.parameters()])
    return [each.detach().double() for each in (out, *grads)]


def together(result: list[Tensor]) -> list[Tensor]:
    """The result, and all gradients as one: some are zero but for rounding, and have no precision of their own."""
    return [result[0], torch.cat([each.flatten() for each in result[1:]])]


def extremes(device: str, tiny: bool) -> None:
    """Large scores, and edges of minus infinity."""
    edges, nodes = ends(device, tiny)
    for dtype in (torch.bfloat16, torch.float32):
        x = (torch.randn(nodes, 8, device=device) * 1e2).to(dtype)
        for each in found(SelfAttention(8, 2).to(device, dtype), x, Edges(edges, nodes), {}, "cuda"):
            assert torch.isfinite(each).all(), f"expected finite numbers in {dtype}"
    layer = GraphLayer(Attend(8, Heads(2, 4), edge_bias=LinearBias("bond", 1, 2)), SoftmaxSum(), Replace()).to(device)
    torch.nn.init.ones_(layer.message_function.edge_bias.linear.weight)
    bond = torch.where((edges[1] == 0)[:, None], -torch.inf, torch.zeros(edges.size(1), 1, device=device))
    with use_backend("cuda"):
        out = layer(torch.randn(nodes, 8, device=device), Edges(edges, nodes), {"bond": bond})
    assert torch.isfinite(out).all()
    assert not out[0].any(), "expected zeros for a node that hears nobody"


def repeated(device: str, tiny: bool) -> None:
    """The same bits in two runs."""
    edges, nodes = ends(device, tiny)
    x, graph = torch.randn(nodes, 8, device=device), Edges(edges, nodes)
    for layer in (GATv2(8, 8, 2), GAT(8, 8, 2), SelfAttention(8, 2), GCN(8, 8)):
        first, second = (found(layer.to(device), x, graph, {}, "cuda") for _ in range(2))
        assert all(torch.equal(*each) for each in zip(first, second, strict=True)), f"{layer.name}: other bits"


def compiled(device: str, tiny: bool) -> None:
    """One graph under torch.compile, with the same values and gradients."""
    edges, nodes = ends(device, tiny)
    x, graph = torch.randn(nodes, 8, device=device, requires_grad=True), Edges(edges, nodes).prepare()
    for layer in (SelfAttention(8, 2).to(device), GATv2(8, 4, 2).to(device), GCN(8, 4).to(device)):
        assert explain_backend(layer, x, graph).chosen == "cuda"
        torch._dynamo.reset()
        outs = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, graph), layer(x, graph)
        assert_close(*outs, rtol=1e-4, atol=1e-4)
        assert_close(*(torch.autograd.grad(out.sin().sum(), x)[0] for out in outs), rtol=1e-4, atol=1e-4)


def second_derivatives(device: str, tiny: bool) -> None:
    """Gradients of gradients, on few edges."""
    edges = torch.tensor([[0, 1, 2, 2, 0], [1, 2, 0, 1, 1]], device=device)
    for layer in (SelfAttention(3), GATv2(3, 2), GCN(3, 2)):
        layer.to(device).double()
        with use_backend("cuda"):
            x = torch.randn(3, 3, dtype=F64, device=device, requires_grad=True)
            assert torch.autograd.gradgradcheck(lambda x, layer=layer: layer(x, Edges(edges, 3)), x, fast_mode=True)


def flexible(device: str, tiny: bool) -> None:
    """`flex_attention` on structured graphs; on CUDA alone, as it has no gradients elsewhere."""
    sizes = [5, 0, 300, 130, 1]
    for graph in (Full(sizes), Causal(sizes), Window(sizes, radius=2, dilation=3), Prefix(sizes, prefix=40)):
        layer, x = SelfAttention(32, 2).to(device), torch.randn(sum(sizes), 32, device=device)
        both = (found(layer, x, graph.to(device), {}, name) for name in ("flex", "edgewise"))
        for ours, truth in zip(*both, strict=True):
            assert_close(ours, truth, rtol=1e-3, atol=1e-3)


CHECKS: tuple[Check, ...] = (
    attention_on_edges, additive_scores, sums, edge_terms, small_graphs, precisions, extremes, repeated, compiled,
    second_derivatives, flexible,
)  # fmt: skip
