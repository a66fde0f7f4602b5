"""Writes into what a graph gives, and into other things that it was made from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.utils import to_torch_csr_tensor

from graphattn import zoo
from graphattn.topology import Edges
from tests.robustness.attacks.scene import (
    CHANNELS,
    LAYERS,
    MOMENTS,
    NODES,
    Attack,
    Layer,
    at,
    drawn,
    states,
    truth,
    verdict,
)


def typed(ends: Tensor | EdgeIndex, **options: Any) -> Edges:
    return Edges(ends, NODES, edge_type=drawn()[0] % 3, **options)


GIVEN: dict[str, Callable[[Edges], Tensor]] = {
    "edge_index()": lambda graph: graph.edge_index(),
    "edge_type()": lambda graph: graph.edge_type(),
    "known_types()": lambda graph: graph.known_types(),
    "receivers.ptr": lambda graph: graph.receivers.ptr,
    "degrees()": lambda graph: graph.degrees(),
    "mask()": lambda graph: graph.mask(),
    "edge_index() of its list": lambda graph: graph.listed().edge_index(),
    "edge_index() of attention weights": lambda graph: LAYERS["SelfAttention"].make()(
        states(graph), graph, return_attention_weights=True
    )[1][0],
}


def given_back(name: str, layer: Layer, moment: str) -> str:
    made, graph, clean = layer.make(), typed(drawn()), typed(drawn())

    def write() -> None:
        tensor = GIVEN[name](graph)
        tensor.numpy()[...] = True if tensor.dtype == torch.bool else 10**9

    found = at(moment, made, graph, None, write)
    return verdict(found, was=lambda: truth(made, clean, None))


SOURCES: dict[str, Callable[[], tuple[Edges, Tensor]]] = {
    "edge_type": lambda: _with(drawn()[0] % 3, lambda types: Edges(drawn(), NODES, edge_type=types)),
    "ptr": lambda: _with(torch.tensor([0, NODES]), lambda ptr: typed(drawn(), ptr=ptr)),
    "EdgeIndex": lambda: _with(drawn(), lambda ends: typed(EdgeIndex(ends))),
    "uint8": lambda: _with(drawn().byte(), typed),
    "a mask": lambda: _with(torch.eye(NODES) > 0, Edges.from_mask),
    "columns of adj_t": lambda: _with_matrix(lambda matrix: matrix.col_indices()),
    "rows of adj_t": lambda: _with_matrix(lambda matrix: matrix.crow_indices()),
}


def _with(tensor: Tensor, make: Callable[[Tensor], Edges]) -> tuple[Edges, Tensor]:
    return make(tensor), tensor


def _with_matrix(part: Callable[[Tensor], Tensor]) -> tuple[Edges, Tensor]:
    matrix = to_torch_csr_tensor(drawn(), size=(NODES, NODES))
    graph = Edges(matrix)
    return Edges(matrix, edge_type=torch.zeros(graph.num_edges).long()), part(matrix)


def made_from(source: str, layer: Layer, moment: str) -> str:
    made, (graph, tensor), (clean, _) = layer.make(), SOURCES[source](), SOURCES[source]()

    def write() -> None:
        tensor.numpy()[...] = 7 if tensor.dtype in (torch.bool, torch.uint8) else 10**9

    found = at(moment, made, graph, None, write)
    return verdict(found, was=lambda: truth(made, clean, None))


def things_of_graphs() -> Iterator[Attack]:
    layers = itertools.cycle((name, layer) for name, layer in LAYERS.items() if layer.edge(1) is None)
    alone = Layer(lambda: zoo.RGCN(CHANNELS, 8, relations=3))
    for (name, moment), attack in itertools.product(
        [*itertools.product(GIVEN, MOMENTS)], [(given_back, "given by a graph")]
    ):
        for label, layer in (next(layers), ("RGCN", alone)):
            words = f"{attack[1]}, {name}: written, {moment}, {label}"
            yield Attack(words, lambda a=(name, layer, moment): given_back(*a), ("was",))
    for source, moment in itertools.product(SOURCES, MOMENTS):
        label, layer = ("RGCN", alone) if source == "edge_type" else next(layers)
        words = f"a graph made from {source}: written, {moment}, {label}"
        yield Attack(words, lambda a=(source, layer, moment): made_from(*a), ("was",))
