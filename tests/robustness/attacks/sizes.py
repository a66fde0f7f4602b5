"""Lies about the sizes of graphs, and writes into their boundaries."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from graphattn import topology as graphs
from graphattn import zoo
from graphattn.slots import Sizes
from graphattn.topology import Full
from tests.robustness.attacks.scene import (
    CHANNELS,
    MOMENTS,
    Attack,
    at,
    truth,
    verdict,
)

TOPOLOGIES: dict[str, Callable[..., Any]] = {
    "Full": Full,
    "Causal": graphs.Causal,
    "Window": lambda source=None, **given: graphs.Window(source, radius=2, **given),
    "Prefix": lambda source=None, **given: graphs.Prefix(source, prefix=1, **given),
    "Star": graphs.Star,
    "Cross": lambda source=None, **given: graphs.Cross(
        graphs.read_sizes(source, **given), graphs.read_sizes(source, **given)
    ),
    "Line": lambda source=None, **given: graphs.Line(graphs.read_sizes(source, **given)),
}


def on(graph: Any) -> nn.Module:
    """A layer whose kernels read sizes."""
    return (
        zoo.SelfAttention(CHANNELS, heads=2)
        if graph.senders is graph.receivers
        else zoo.CrossAttention(CHANNELS, CHANNELS, heads=2)
    )


LIES: dict[str, Callable[[], dict[str, Any]]] = {
    "ptr beyond": lambda: {"source": Sizes(torch.tensor([0, 64, 10**9]), 64, False)},
    "ptr falls": lambda: {"source": Sizes(torch.tensor([0, 80, 64, 128]), 80, False)},
    "ptr starts late": lambda: {"source": Sizes(torch.tensor([5, 64, 128]), 64, False)},
    "ptr below 0": lambda: {"source": Sizes(torch.tensor([0, -64, 128]), 64, False)},
    "max too small": lambda: {"source": Sizes(torch.tensor([0, 100, 128]), 2, False)},
    "max too large": lambda: {"source": Sizes(torch.tensor([0, 64, 128]), 10**6, True)},
    "equal, but is not": lambda: {"source": Sizes(torch.tensor([0, 100, 128]), 100, True)},
    "sizes below 0": lambda: {"source": [130, -2]},
    "sizes of float": lambda: {"source": [64.5, 63.5]},
    "sizes that overflow": lambda: {"source": [2**62, 2**62, 2**62, 2**62]},
    "ptr of float": lambda: {"ptr": torch.tensor([0.0, 64.0, 128.0])},
    "ptr of bool": lambda: {"ptr": torch.tensor([False, True])},
    "ptr of two rows": lambda: {"ptr": torch.tensor([[0, 64], [64, 128]])},
    "ptr of nothing": lambda: {"ptr": torch.tensor([], dtype=torch.long)},
    "batch of float": lambda: {"batch": torch.zeros(128), "num_graphs": 1},
    "batch beyond": lambda: {"batch": torch.full((128,), 10**9), "num_graphs": 1},
    "batch below 0": lambda: {"batch": torch.full((128,), -1), "num_graphs": 1},
    "batch unsorted": lambda: {"batch": torch.arange(128) % 2, "num_graphs": 2},
    "no batch": lambda: {"batch": torch.zeros(128).long(), "num_graphs": -1},
}


def lied_of_sizes(topology: str, lie: str) -> str:
    graph = TOPOLOGIES[topology](**LIES[lie]())
    torch.manual_seed(5)
    x = torch.randn(128, CHANNELS, requires_grad=True)
    layer = on(graph)
    out = layer(x if graph.senders is graph.receivers else (x, torch.randn(128, CHANNELS)), graph)
    out.sum().backward()
    return f"an answer of shape {list(out.shape)}"


def written_sizes(topology: str, number: int, way: str, moment: str) -> str:
    ptr = torch.tensor([0, 70, 128])
    graph, clean = TOPOLOGIES[topology](ptr=ptr), TOPOLOGIES[topology](ptr=ptr.clone())
    layer = on(graph)

    def write() -> None:
        shown = ptr if way == "the caller's" else graph.receivers.ptr if way == "receivers" else graph.senders.ptr
        shown.numpy()[1] = number

    return verdict(at(moment, layer, graph, None, write), was=lambda: truth(layer, clean, None))


def sizes() -> Iterator[Attack]:
    topologies = itertools.cycle(TOPOLOGIES)
    for lie in LIES:
        for topology in ("Full", next(topologies)):
            yield Attack(f"{topology} of a lie: {lie}", lambda a=(topology, lie): lied_of_sizes(*a), ("refused",))
    for way, number, moment in itertools.product(("the caller's", "receivers", "senders"), (10**9, 90, -5), MOMENTS):
        for topology in ("Full", next(topologies)):
            may = ("was",) if way == "the caller's" or moment == "before backward" else ("refused",)
            words = f"{topology}: {number} in {way} ptr, {moment}"
            yield Attack(words, lambda a=(topology, number, way, moment): written_sizes(*a), may)
