"""Writes into the edges that a graph was made from, or that were given to a layer or a drop-in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from torch import nn
from torch_geometric import nn as pyg

from graphattn import pyg as drop_ins
from graphattn.topology import Edges
from tests.robustness.attacks.scene import (
    CHANNELS,
    EDGES,
    FORMS,
    LAYERS,
    MOMENTS,
    NODES,
    NUMBERS,
    WRITES,
    Attack,
    Layer,
    answer,
    at,
    changed,
    drawn,
    truth,
    verdict,
)

DROP_INS = {
    "GCNConv": (pyg.GCNConv, (CHANNELS, 8), {}),
    "GATConv": (pyg.GATConv, (CHANNELS, 4), {"heads": 2}),
    "GATv2Conv": (pyg.GATv2Conv, (CHANNELS, 4), {"heads": 2}),
    "TransformerConv": (pyg.TransformerConv, (CHANNELS, 4), {"heads": 2}),
    "SAGEConv": (pyg.SAGEConv, (CHANNELS, 8), {}),
    "EdgeConv": (pyg.EdgeConv, (nn.Linear(2 * CHANNELS, 8),), {}),
}


def owned(layer: Layer, form: str, way: str, number: int | None, moment: str, many: int) -> str:
    made, edge, ends = layer.make(), layer.edge(many), FORMS[form](drawn(many))
    graph, clean = Edges(ends, NODES), drawn(many)
    found = at(moment, made, graph, edge, lambda: WRITES[way](ends, changed(clean, number).to(ends.dtype)))
    return verdict(found, was=lambda: truth(made, Edges(clean, NODES), edge))


def plain(layer: Layer, form: str, way: str, number: int | None, moment: str) -> str:
    made, edge, ends, clean = layer.make(), layer.edge(EDGES), FORMS[form](drawn()), drawn()
    new = changed(clean, number)
    found = at(moment, made, ends, edge, lambda: WRITES[way](ends, new.to(ends.dtype)))
    right = {
        "was": lambda: truth(made, Edges(clean, NODES), edge),
        "is": lambda: truth(made, Edges(ends.clone(), NODES), edge),
    }
    return verdict(found, **right)


def drop_in(name: str, way: str, number: int | None, moment: str) -> str:
    kind, arguments, options = DROP_INS[name]
    theirs = kind(*arguments, **options)
    ours = getattr(drop_ins, name)(*arguments, **options)
    ours.load_state_dict(theirs.state_dict())
    ends, clean = drawn(), drawn()
    found = at(moment, ours, ends, None, lambda: WRITES[way](ends, changed(clean, number)))
    return verdict(found, was=lambda: answer(theirs, clean, None), **{"is": lambda: answer(theirs, ends.clone(), None)})


def lists_of_edges() -> Iterator[Attack]:
    layers = itertools.cycle(LAYERS.items())
    forms = itertools.cycle(FORMS)
    for way, (value, number), moment in itertools.product(WRITES, NUMBERS.items(), MOMENTS):
        for many in (EDGES, 5000 if way in ("numpy", "data=") else EDGES):
            (name, layer), form = next(layers), next(forms)
            yield Attack(
                f"Edges of {form}, {many} edges: {value} by {way}, {moment}, {name}",
                lambda a=(layer, form, way, number, moment, many): owned(*a),
                ("was",),
            )
    next(forms)
    for way, (value, number), moment in itertools.product(WRITES, NUMBERS.items(), MOMENTS[1:]):
        (name, layer), form = next(layers), next(forms)
        may = ("was",) if moment == "before backward" else ("is",) if value == "other" else ("refused",)
        words = f"plain edge_index of {form}: {value} by {way}, {moment}, {name}"
        yield Attack(words, lambda a=(layer, form, way, number, moment): plain(*a), may)
    names = itertools.cycle(DROP_INS)
    for way, (value, number), moment in itertools.product(WRITES, NUMBERS.items(), MOMENTS[1:]):
        may = ("was",) if moment == "before backward" else ("is",) if value == "other" else ("refused",)
        for name in (next(names), next(names)):
            words = f"drop-in {name}: {value} by {way}, {moment}"
            yield Attack(words, lambda a=(name, way, number, moment): drop_in(*a), may)
