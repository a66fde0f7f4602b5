"""What is attacked, how it is written into, and what is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graphattn import zoo
from graphattn.aggregation import Max, SoftmaxSum
from graphattn.backends import use_backend
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.score import Additive
from graphattn.update import Replace

NODES, EDGES, CHANNELS, KINDS = 30, 200, 8, 4
TORCHS = "refused by torch"
Answer = tuple[Tensor, Tensor]


class Attack(NamedTuple):
    """Its name, what runs it and tells what came of it, and what may come."""

    name: str
    run: Callable[[], str]
    may: tuple[str, ...]


class Layer(NamedTuple):
    """How to make a layer, and what its edges say: given a generator of seeds, ``{name: tensor}`` for ``EDGES`` edges."""

    make: Callable[[], nn.Module]
    edge: Callable[[int], Any] = lambda many: None


def attention(**terms: Any) -> GraphLayer:
    return GraphLayer(Attend(CHANNELS, Heads(2, 4), **terms), SoftmaxSum(), Replace())


def kinds(many: int) -> dict[str, Tensor]:
    return {"bond": torch.randn(KINDS, 3), "bond_kind": torch.randint(KINDS, (many,))}


def numbers(many: int) -> dict[str, Tensor]:
    return {"bond": torch.randn(6, 3), "bond_number": torch.randperm(many)[:6]}


def rows(many: int) -> dict[str, Tensor]:
    return {"bond": torch.randn(many, 3)}


def types(many: int) -> dict[str, Tensor]:
    return {"edge_type": torch.randint(3, (many,))}


LAYERS = {
    "GCN": Layer(lambda: zoo.GCN(CHANNELS, 8)),
    "SelfAttention": Layer(lambda: zoo.SelfAttention(CHANNELS, heads=2)),
    "GAT": Layer(lambda: zoo.GAT(CHANNELS, 4, heads=2)),
    "GATv2": Layer(lambda: zoo.GATv2(CHANNELS, 4, heads=2)),
    "EdgeConv": Layer(lambda: zoo.EdgeConv(nn.Sequential(nn.Linear(2 * CHANNELS, 8), nn.ReLU()))),
    "Max": Layer(lambda: GraphLayer(Copy(), Max(), Replace())),
    "weighted GCN": Layer(lambda: zoo.GCN(CHANNELS, 8), lambda many: {"edge_attr": torch.rand(many)}),
    "RGCN": Layer(lambda: zoo.RGCN(CHANNELS, 8, relations=3), types),
    "bias of kinds": Layer(lambda: attention(edge_bias=LinearBias("bond", 3, 2)), kinds),
    "values": Layer(lambda: attention(edge_value=LinearValue("bond", 3, 2, 4)), rows),
    "values of kinds": Layer(lambda: attention(edge_value=LinearValue("bond", 3, 2, 4)), kinds),
    "GATv2 of kinds": Layer(
        lambda: attention(score=Additive(2, 4, nn.LeakyReLU(0.2)), edge_key=LinearValue("bond", 3, 2, 4)), kinds
    ),
}
NUMBERS = {"huge": 10**9, "beyond": NODES, "negative": -1, "other": None}
FORMS = {
    "int64": lambda ends: ends,
    "int32": lambda ends: ends.int(),
    "transposed": lambda ends: ends.t().contiguous().t(),
    "strided": lambda ends: ends.repeat_interleave(2, dim=1)[:, ::2],
}


def changed(ends: Tensor, number: int | None) -> Tensor:
    """Other edges: with one number in two places, or, of None, turned by one node."""
    if number is None:
        return (ends + 1) % NODES
    other = ends.clone()
    other[0, 3] = other[1, 5] = number
    return other


WRITES: dict[str, Callable[[Tensor, Tensor], object]] = {
    "copy_": lambda tensor, new: tensor.copy_(new),
    "an index": lambda tensor, new: tensor.__setitem__((slice(None), slice(3, 6)), new[:, 3:6]),
    "numpy": lambda tensor, new: tensor.numpy().__setitem__(..., new.numpy()),
    "data": lambda tensor, new: tensor.data.copy_(new),
    "data=": lambda tensor, new: setattr(tensor, "data", new),
    "set_": lambda tensor, new: tensor.set_(new),
}


def answer(layer: nn.Module, graph: Any, edge: Any, between: Callable[[], None] = lambda: None) -> Answer:
    """A layer's result and the gradient of its states; what happens between forward and backward is given."""
    x = states(graph)
    every = x if isinstance(x, tuple) else (x,)
    out = layer(x, graph, edge) if edge is not None else layer(x, graph)
    between()
    return out, torch.cat([slope.flatten() for slope in torch.autograd.grad(out.sin().sum(), every)])


def states(graph: Any) -> Any:
    """The same states for the same numbers of nodes."""
    torch.manual_seed(5)
    if isinstance(graph, Tensor):
        return torch.randn(NODES, CHANNELS, requires_grad=True)
    x = torch.randn(graph.num_senders, CHANNELS, requires_grad=True)
    return (
        x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, CHANNELS, requires_grad=True))
    )


def truth(layer: nn.Module, graph: Any, edge: Any) -> Answer:
    with use_backend("edgewise"):
        return answer(layer, graph, edge)


def verdict(found: Answer, **known: Callable[[], Answer]) -> str:
    """Which of the known answers it is."""
    for name, make in known.items():
        try:
            right = make()
        except (ValueError, IndexError):  # there is none
            continue
        if all(torch.allclose(*pair, rtol=1e-4, atol=1e-5) for pair in zip(found, right, strict=True)):
            return name
    return f"an answer that is none of {', '.join(known)}"


MOMENTS = ("at first", "after a call", "after training", "before backward")


def at(moment: str, layer: nn.Module, graph: Any, edge: Any, write: Callable[[], None]) -> Answer:
    """The answer where somebody writes at that moment."""
    if moment == "after a call":
        with torch.no_grad():
            layer(states(graph), graph, *([] if edge is None else [edge]))
    if moment == "after training":
        answer(layer, graph, edge)
    if moment == "before backward":
        return answer(layer, graph, edge, write)
    write()
    return answer(layer, graph, edge)


def drawn(many: int = EDGES) -> Tensor:
    torch.manual_seed(3)
    return torch.randint(NODES, (2, many))
