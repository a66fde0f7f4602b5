"""What is measured: for each case a step of ours, the same step of each peer, and a check that their results are equal."""

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch_geometric import nn as pyg

from graphattn import Edges, Full, Grid, GridConv, SelfAttention
from graphattn.backends.cpu import functions
from graphattn.pyg import accelerate

NODES, DEGREE = 10_000, 16
Step = Callable[[], Tensor]


class Case(NamedTuple):
    """A step that ours and the peers take; ``steps["graphattn"]`` is ours. What they return must be equal."""

    name: str
    steps: dict[str, Step]


def random_edges(nodes: int = NODES, degree: int = DEGREE) -> Tensor:
    """Edges between random nodes, ``degree`` per node in the mean."""
    return torch.randint(0, nodes, (2, nodes * degree))


def attention(heads: int, channels: int) -> list[Case]:
    """Propagation of attention alone, without linear maps: forward, and forward with backward."""
    edge_index = random_edges()
    graph = Edges(edge_index, NODES).prepare()
    conv = pyg.TransformerConv(heads * channels, channels, heads=heads, root_weight=False)
    query, key, value = (torch.randn(NODES, heads, channels, requires_grad=True) for _ in range(3))

    def ours() -> Tensor:
        return functions.attention(query * channels**-0.5, key, value, graph)[0]

    def theirs() -> Tensor:
        return conv.propagate(edge_index, query=query, key=key, value=value, edge_attr=None)

    states, name = (query, key, value), f"attention on edges, H{heads}C{channels}"
    steps = {"graphattn": ours, "PyG TransformerConv.propagate": theirs}
    forward = {who: torch.no_grad()(step) for who, step in steps.items()}
    return [
        Case(f"{name}, forward", forward),
        Case(f"{name}, forward and backward", {who: trained(step, states) for who, step in steps.items()}),
    ]


def layers() -> list[Case]:
    """A training step of each accelerated layer: 128 channels in, 8 heads of 16 or 128 channels out."""
    edge_index, x = random_edges(), torch.randn(NODES, 128)
    network = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 64))
    made: dict[str, tuple[nn.Module, Tensor]] = {
        "TransformerConv": (pyg.TransformerConv(128, 16, heads=8), x),
        "GATv2Conv": (pyg.GATv2Conv(128, 16, heads=8), x),
        "GATConv": (pyg.GATConv(128, 16, heads=8), x),
        "GCNConv": (pyg.GCNConv(128, 128), x),
        "SAGEConv": (pyg.SAGEConv(128, 128), x),
        "GINConv": (pyg.GINConv(nn.Linear(128, 128)), x),
        "EdgeConv": (pyg.EdgeConv(network), x[:, :64].contiguous()),
    }
    cases = []
    for name, (layer, states) in made.items():
        with redirect_stdout(StringIO()):
            ours = accelerate(layer)
        steps = {
            who: trained(lambda module=module, states=states: module(states, edge_index), tuple(module.parameters()))
            for who, module in (("graphattn", ours), (f"PyG {name}", layer))
        }
        cases.append(Case(f"accelerated {name}, training step", steps))
    return cases


def sums() -> list[Case]:
    """The sum of a GCN alone, against torch's own product of a sparse and a dense matrix."""
    edge_index, x, weight = random_edges(), torch.randn(NODES, 128), torch.rand(NODES * DEGREE)
    graph = Edges(edge_index, NODES).prepare()
    order = graph.by_receiver()
    sorted_weight = weight[order.number]
    matrix = torch.sparse_csr_tensor(order.ptr, order.other, sorted_weight, (NODES, NODES))
    steps = {
        "graphattn": lambda: functions.weighted_sum(sorted_weight[:, None], x[:, None], graph).squeeze(1),
        "torch.sparse.mm": lambda: torch.sparse.mm(matrix, x),
    }
    return [Case("weighted sum on edges, 128 channels, forward", steps)]


def complete(nodes: int = 1024, heads: int = 8, channels: int = 32) -> list[Case]:
    """Self-attention with its linear maps on one complete graph, against bare fused attention and PyG's layer on edges."""
    width = heads * channels
    layer, x, graph = SelfAttention(width, heads), torch.randn(nodes, width), Full([nodes])
    said, out = layer.message_function, layer.update_function
    listed = graph.edge_index()
    conv = pyg.TransformerConv(width, channels, heads=heads, root_weight=False)
    for name in ("query", "key", "value"):
        getattr(conv, f"lin_{name}").load_state_dict(getattr(said, name).state_dict())

    def bare() -> Tensor:
        query, key, value = (
            linear(x).view(nodes, heads, channels).transpose(0, 1)[None]
            for linear in (said.query, said.key, said.value)
        )
        heard = scaled_dot_product_attention(query, key, value)[0].transpose(0, 1)
        return out(x, heard)

    steps = {
        "graphattn": lambda: layer(x, graph),
        "bare scaled_dot_product_attention": bare,
        "PyG TransformerConv on edges": lambda: out(x, conv(x, listed).unflatten(1, (heads, channels))),
    }
    return [
        Case(
            f"complete graph of {nodes}, H{heads}C{channels}, forward",
            {k: torch.no_grad()(v) for k, v in steps.items()},
        )
    ]


def grid(side: int = 64, channels: int = 32) -> list[Case]:
    """A convolution of an image as message passing on its grid, against torch's own."""
    convolution = nn.Conv2d(channels, channels, 3, padding=1)
    layer, graph = GridConv(channels, channels, (3, 3)), Grid(side, side, kernel_size=3)
    layer.message_function.weight.weight.data.copy_(convolution.weight)
    layer.update_function.bias.data.copy_(convolution.bias)
    pixels = torch.randn(side * side, channels)
    image = pixels.t().reshape(1, channels, side, side).contiguous()
    steps = {
        "graphattn": lambda: layer(pixels, graph),
        "torch conv2d": lambda: convolution(image).flatten(2)[0].t(),
    }
    return [
        Case(
            f"grid of {side} x {side}, {channels} channels, 3 x 3, forward",
            {k: torch.no_grad()(v) for k, v in steps.items()},
        )
    ]


def trained(step: Step, leaves: tuple[Tensor, ...]) -> Step:
    """Forward and backward of a step; returns all gradients, one behind the other."""

    def both() -> Tensor:
        grads = torch.autograd.grad(step().square().sum(), leaves, allow_unused=True)
        return torch.cat([grad.flatten() for grad in grads if grad is not None])

    return both


CASES: dict[str, Callable[[], list[Case]]] = {
    "attention H8C16": lambda: attention(8, 16),
    "attention H4C64": lambda: attention(4, 64),
    "attention H8C32": lambda: attention(8, 32),
    "layers": layers,
    "sums": sums,
    "complete": complete,
    "grid": grid,
}
