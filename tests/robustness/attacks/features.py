"""Features of edges that do not fit, and writes into what is needed for gradients."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from graphattn import topology as graphs
from graphattn import zoo
from graphattn.edge_terms import LinearBias, LinearValue, NetworkValue, ShortestPathBias
from graphattn.topology import Edges, Full
from tests.robustness.attacks.scene import (
    CHANNELS,
    EDGES,
    KINDS,
    LAYERS,
    MOMENTS,
    NODES,
    TORCHS,
    Answer,
    Attack,
    Layer,
    answer,
    at,
    attention,
    drawn,
    kinds,
    numbers,
    rows,
    states,
    truth,
    types,
    verdict,
)

HEARING = {
    "Edges": lambda: Edges(drawn(), NODES),
    "Full": lambda: Full([5, 3]),
    "large Full": lambda: Full([64]),
    "large Causal": lambda: graphs.Causal([70]),
    "Window": lambda: graphs.Window([20], radius=2),
    "Cross": lambda: graphs.Cross([60], [64]),
}
TERMS: dict[str, Callable[[], dict[str, Any]]] = {
    "bias": lambda: {"edge_bias": LinearBias("bond", 3, 2)},
    "key": lambda: {"edge_key": LinearValue("bond", 3, 2, 4)},
    "value": lambda: {"edge_value": LinearValue("bond", 3, 2, 4)},
    "network": lambda: {"edge_value": NetworkValue("bond", nn.Sequential(nn.Linear(3, 8), nn.ReLU()), 2)},
}
FALSE: dict[str, Callable[[int], dict[str, Tensor]]] = {
    "more rows": lambda many: {"bond": torch.ones(many + 1, 3)},
    "fewer rows": lambda many: {"bond": torch.ones(many - 1, 3)},
    "no rows": lambda many: {"bond": torch.ones(0, 3)},
    "a kind beyond": lambda many: {**kinds(many), "bond_kind": torch.full((many,), KINDS)},
    "a huge kind": lambda many: {**kinds(many), "bond_kind": torch.full((many,), 10**9)},
    "a kind below 0": lambda many: {**kinds(many), "bond_kind": torch.full((many,), -1)},
    "a kind that is 0 in 32 bits": lambda many: {**kinds(many), "bond_kind": torch.full((many,), 2**32)},
    "more kinds": lambda many: {**kinds(many), "bond_kind": torch.zeros(many + 9).long()},
    "fewer kinds": lambda many: {**kinds(many), "bond_kind": torch.zeros(many - 1).long()},
    "kinds of no rows": lambda many: {"bond": torch.ones(0, 3), "bond_kind": torch.zeros(many).long()},
    "kinds of float": lambda many: {**kinds(many), "bond_kind": torch.zeros(many)},
    "kinds of bool": lambda many: {**kinds(many), "bond_kind": torch.zeros(many) > 0},
    "a number beyond": lambda many: {**numbers(many), "bond_number": torch.arange(6) + many - 5},
    "a huge number": lambda many: {**numbers(many), "bond_number": torch.full((6,), 10**9)},
    "a number below 0": lambda many: {**numbers(many), "bond_number": torch.arange(6) - 1},
    "more numbers than rows": lambda many: {"bond": torch.ones(2, 3), "bond_number": torch.arange(12)},
    "fewer numbers than rows": lambda many: {"bond": torch.ones(9, 3), "bond_number": torch.arange(2)},
}
BETWEEN: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "kinds": lambda edge: edge["bond_kind"].numpy().__setitem__(..., 10**9),
    "data of kinds": lambda edge: setattr(edge["bond_kind"], "data", torch.full((1,), 10**9)),
    "numbers": lambda edge: edge["bond_number"].numpy().__setitem__(..., 10**9),
    "less of rows": lambda edge: setattr(edge["bond"], "data", edge["bond"].data[:1]),
}


def false_terms(graph: str, term: str, lie: str) -> str:
    hearing, layer = HEARING[graph](), attention(**TERMS[term]())
    out, _ = answer(layer, hearing, FALSE[lie](hearing.num_edges))
    return f"an answer of shape {list(out.shape)}"


def terms_between(graph: str, term: str, what: str) -> str:
    hearing, layer = HEARING[graph](), attention(**TERMS[term]())
    torch.manual_seed(7)
    edge = (numbers if what == "numbers" else rows if what == "less of rows" else kinds)(hearing.num_edges)
    clean = {name: tensor.clone() for name, tensor in edge.items()}
    found = answer(layer, hearing, edge, lambda: BETWEEN[what](edge))
    return verdict(found, was=lambda: truth(layer, hearing, clean))


def paths(lie: str) -> str:
    graph, layer = Full([64]), attention(edge_bias=ShortestPathBias(3, 2))
    length = {"beyond": torch.full((4096,), 5), "below 0": torch.full((4096,), -1), "fewer": torch.zeros(4000).long()}[
        lie
    ]
    return f"an answer of shape {list(answer(layer, graph, {'distance': length})[0].shape)}"


RELATIONS: dict[str, Callable[[], Tensor]] = {
    "beyond": lambda: torch.full((EDGES,), 3),
    "huge": lambda: torch.full((EDGES,), 10**9),
    "below 0": lambda: torch.full((EDGES,), -1),
    "of float": lambda: torch.zeros(EDGES),
    "of bool": lambda: torch.zeros(EDGES) > 0,
    "fewer": lambda: torch.zeros(EDGES - 1).long(),
    "more": lambda: torch.zeros(EDGES + 1).long(),
}


def relations(lie: str, of_graph: bool) -> str:
    kind, layer = RELATIONS[lie](), zoo.RGCN(CHANNELS, 8, relations=3)
    if of_graph:
        out, _ = answer(layer, Edges(drawn(), NODES, edge_type=kind), None)
    else:
        out, _ = answer(layer, Edges(drawn(), NODES), {"edge_type": kind})
    return f"an answer of shape {list(out.shape)}"


def relations_written(moment: str) -> str:
    layer, edge, graph = zoo.RGCN(CHANNELS, 8, relations=3), types(EDGES), Edges(drawn(), NODES)
    clean = {"edge_type": edge["edge_type"].clone()}
    found = at(moment, layer, graph, edge, lambda: edge["edge_type"].numpy().__setitem__(..., 10**9))
    return verdict(found, was=lambda: truth(layer, graph, clean))


def edge_features() -> Iterator[Attack]:
    hearing = itertools.cycle(HEARING)
    for lie, term in itertools.product(FALSE, TERMS):
        for graph in ("Edges", "large Full") if term == "bias" else (next(hearing),):
            words = f"{term} of edges on {graph}: {lie}"
            yield Attack(words, lambda a=(graph, term, lie): false_terms(*a), ("refused",))
    for what, term in itertools.product(BETWEEN, TERMS):
        for graph in ("Edges", next(hearing)):
            words = f"{term} of edges on {graph}: {what} written, before backward"
            yield Attack(words, lambda a=(graph, term, what): terms_between(*a), ("was",))
    for (name, layer), way in itertools.product(LAYERS.items(), ("data=", "set_")):
        words = f"states shrink by {way}, before backward, {name}"
        yield Attack(words, lambda a=(layer, way): states_between(*a), ("was", TORCHS))
    for lie in ("beyond", "below 0", "fewer"):
        yield Attack(f"lengths of paths: {lie}", lambda a=lie: paths(a), ("refused",))
    for lie, of_graph in itertools.product(RELATIONS, (True, False)):
        words = f"types of edges {'of a graph' if of_graph else 'beside it'}: {lie}"
        yield Attack(words, lambda a=(lie, of_graph): relations(*a), ("refused",))
    for moment in MOMENTS:
        may = ("was",) if moment == "before backward" else ("refused",)
        yield Attack(f"types of edges: written, {moment}", lambda a=moment: relations_written(a), may)


def states_between(layer: Layer, way: str) -> str:
    """Gradients of parameters alone, where the states shrink before they are made."""
    made, graph, edge = layer.make(), Edges(drawn(), NODES), layer.edge(EDGES)

    def slopes(write: Callable[[Tensor], object]) -> Answer:
        given = states(graph).detach()
        # A weight in front, so that every layer has one.
        weight = torch.ones(1, requires_grad=True)
        out = made(given * weight if way == "in place" else given, graph, *([] if edge is None else [edge]))
        if not out.requires_grad:
            return out, out
        wanted = [each for each in made.parameters() if each.requires_grad] or [weight]
        write(given)
        return out, torch.cat(
            [
                each.flatten()
                for each in torch.autograd.grad(out.sin().sum(), wanted, allow_unused=True)
                if each is not None
            ]
        )

    found = slopes(
        lambda given: setattr(given, "data", given.data[:1]) if way == "data=" else given.set_(given[:1].clone())
    )
    return verdict(found, was=lambda: slopes(lambda given: None))
