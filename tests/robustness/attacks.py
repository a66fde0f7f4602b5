"""Ways to lie to a layer, or to write into what it was given, and what must come of each.

An attack is an object times a way to write or lie, a layer, and a moment. Each is run in a process of its own::

    python -m tests.robustness.attacks [part of a name]

What may come of it: ``was``, the answer for what was given; ``is``, the answer for what is there now; ``refused``, a
``ValueError``, ``TypeError`` or ``IndexError`` with a number or a type in its words. Answers are those of ``edgewise``, or of PyG
for a drop-in, values and gradients.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric import nn as pyg
from torch_geometric.utils import to_torch_csr_tensor

from graphattn import pyg as drop_ins
from graphattn import topology as graphs
from graphattn import zoo
from graphattn.aggregation import Max, SoftmaxSum
from graphattn.backends import use_backend
from graphattn.edge_terms import LinearBias, LinearValue, NetworkValue, ShortestPathBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Copy, Heads
from graphattn.slots import Sizes
from graphattn.topology import Edges, Full
from graphattn.update import Replace
from tests.robustness.forked import outcome

NODES, EDGES, CHANNELS, KINDS = 30, 200, 8, 4
REFUSED = re.compile(r"(ValueError|TypeError|IndexError): .*expected .* got ", re.DOTALL)
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


# What is attacked ----------------------------------------------------------------------------------------------------


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
}
DROP_INS = {
    "GCNConv": (pyg.GCNConv, (CHANNELS, 8), {}),
    "GATConv": (pyg.GATConv, (CHANNELS, 4), {"heads": 2}),
    "GATv2Conv": (pyg.GATv2Conv, (CHANNELS, 4), {"heads": 2}),
    "TransformerConv": (pyg.TransformerConv, (CHANNELS, 4), {"heads": 2}),
    "SAGEConv": (pyg.SAGEConv, (CHANNELS, 8), {}),
    "EdgeConv": (pyg.EdgeConv, (nn.Linear(2 * CHANNELS, 8),), {}),
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


# Lists of edges ------------------------------------------------------------------------------------------------------

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


# What graphs give, and other things that they are made from -----------------------------------------------------------


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


# Sizes ---------------------------------------------------------------------------------------------------------------

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


# What edges say ------------------------------------------------------------------------------------------------------

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
    for lie in ("beyond", "below 0", "fewer"):
        yield Attack(f"lengths of paths: {lie}", lambda a=lie: paths(a), ("refused",))
    for lie, of_graph in itertools.product(RELATIONS, (True, False)):
        words = f"types of edges {'of a graph' if of_graph else 'beside it'}: {lie}"
        yield Attack(words, lambda a=(lie, of_graph): relations(*a), ("refused",))
    for moment in MOMENTS:
        may = ("was",) if moment == "before backward" else ("refused",)
        yield Attack(f"types of edges: written, {moment}", lambda a=moment: relations_written(a), may)


# What has the wrong dtype or length -----------------------------------------------------------------------------------


def wrong(make: Callable[[], Any]) -> Callable[[], str]:
    def run() -> str:
        found = make()
        out = found[0] if isinstance(found, tuple) else found
        if isinstance(out, Tensor) and out.requires_grad:
            out.sum().backward()
        return f"an answer: {type(found).__name__}"

    return run


def x(many: int = NODES, channels: int = CHANNELS) -> Tensor:
    return torch.randn(many, channels, requires_grad=True)


def told(layer: str, **other: Tensor) -> Any:
    made = LAYERS[layer].make()
    _, graph, inputs = made.prepare(x(), Edges(drawn(), NODES), LAYERS[layer].edge(EDGES))
    return made.become(None, graph, inputs._replace(senders={**inputs.senders, **other}))


def lying_matrix(part: str) -> Tensor:
    matrix = to_torch_csr_tensor(drawn(), size=(NODES, NODES))
    rows, columns = matrix.crow_indices().clone(), matrix.col_indices().clone()
    (rows if part == "rows" else columns)[5] = 10**9
    return torch.sparse_csr_tensor(rows, columns, matrix.values(), (NODES, NODES), check_invariants=False)


WRONG: dict[str, Callable[[], Any]] = {
    **{
        f"edge_index of {dtype}": (lambda dtype=dtype: zoo.GCN(8, 8)(x(), torch.ones(2, 5).to(dtype)))
        for dtype in (torch.bool, torch.complex64, torch.float32, torch.float16)
    },
    **{
        f"Edges of {dtype}": (lambda dtype=dtype: Edges(torch.ones(2, 5).to(dtype)))
        for dtype in (torch.bool, torch.complex64, torch.float32, torch.float16)
    },
    "edge_index of three rows": lambda: zoo.GCN(8, 8)(x(), torch.ones(3, 5).long()),
    "edge_index of one dimension": lambda: zoo.GCN(8, 8)(x(), torch.ones(5).long()),
    "a number of 33 bits": lambda: zoo.GCN(8, 8)(x(), torch.tensor([[0, 2**32], [0, 1]])),
    "a number of 33 bits below 0": lambda: zoo.GCN(8, 8)(x(), torch.tensor([[0, -(2**32)], [0, 1]])),
    "fewer nodes than states": lambda: zoo.GCN(8, 8)(x(), Edges(drawn(), NODES + 5)),
    "more states than nodes": lambda: zoo.SelfAttention(8)(x(NODES + 3), Edges(drawn(), NODES)),
    "num_nodes below 0": lambda: Edges(drawn()[:, :0], -5),
    "num_nodes of float": lambda: Edges(drawn(), 30.5),
    "num_nodes too small": lambda: zoo.GCN(8, 8)(x(3), Edges(drawn(), 3)),
    "columns of adj_t that are not there": lambda: zoo.GCN(8, 8)(x(), lying_matrix("columns")),
    "weights, one too many": lambda: zoo.GCN(8, 8)(x(), drawn(), torch.rand(EDGES + 1)),
    "weights, one too many, by name": lambda: zoo.GCN(8, 8)(x(), Edges(drawn()), {"edge_attr": torch.rand(EDGES + 1)}),
    "weights, one too few, by name": lambda: zoo.GCN(8, 8)(x(), Edges(drawn()), {"edge_attr": torch.rand(EDGES - 1)}),
    "weights of a drop-in, one too many": lambda: drop_ins.GCNConv(8, 8, normalize=False)(
        x(), drawn(), torch.rand(EDGES + 1)
    ),
    "weights of a drop-in, one too few": lambda: drop_ins.GCNConv(8, 8, normalize=False)(
        x(), drawn(), torch.rand(EDGES - 1)
    ),
    "features of a drop-in, one too many": lambda: drop_ins.TransformerConv(8, 4, edge_dim=3)(
        x(), drawn(), torch.rand(EDGES + 1, 3)
    ),
    "features of a drop-in, one too few": lambda: drop_ins.GATv2Conv(8, 4, edge_dim=3, add_self_loops=False)(
        x(), drawn(), torch.rand(EDGES - 1, 3)
    ),
    "a cache of fewer keys": lambda: told("SelfAttention", key=torch.randn(3, 2, 4)),
    "a cache of fewer values": lambda: told("SelfAttention", value=torch.randn(3, 2, 4)),
    "a cache of fewer states": lambda: told("Max", value=torch.randn(3, 1, CHANNELS)),
    "states of fewer channels": lambda: zoo.EdgeConv(nn.Linear(16, 8))(
        (x(), x(NODES, 4)), Edges(drawn(), (NODES, NODES))
    ),
    "keys of other channels": lambda: GraphLayer(
        Attend(8, Heads(2, 4)).set_maps(key=nn.Linear(8, 4)), SoftmaxSum(), Replace()
    )(x(), Edges(drawn(), NODES)),
    "keys of other channels on Full": lambda: GraphLayer(
        Attend(8, Heads(2, 4)).set_maps(key=nn.Linear(8, 4)), SoftmaxSum(), Replace()
    )(x(64), Full([64])),
    "fewer values than keys on Full": lambda: told_whole(value=torch.randn(3, 2, 4)),
}


def told_whole(**other: Tensor) -> Any:
    made = zoo.SelfAttention(CHANNELS, heads=2)
    _, graph, inputs = made.prepare(x(64), Full([64]))
    return made.become(None, graph, inputs._replace(senders={**inputs.senders, **other}))


def wrong_kinds() -> Iterator[Attack]:
    for name, make in WRONG.items():
        yield Attack(name, wrong(make), ("refused",))


# What compilers and other threads do ----------------------------------------------------------------------------------


def compiled(layer: str, lie: str) -> str:
    made, graph = LAYERS[layer].make(), Edges(drawn(), NODES).prepare()
    edge = LAYERS[layer].edge(EDGES)
    run = torch.compile(made, backend="eager", fullgraph=True)
    run(states(graph), graph, edge)
    if lie == "a huge kind":
        edge = {**edge, "bond_kind": torch.full((EDGES,), 10**9)}
    elif lie == "fewer rows":
        edge = {"bond": torch.randn(3, 3)}
    out = run(states(graph), graph, edge)
    out.sum().backward()
    return f"an answer of shape {list(out.shape)}"


def written_under_compile() -> str:
    made, ends = LAYERS["SelfAttention"].make(), drawn()
    graph, clean = Edges(ends, NODES).prepare(), Edges(drawn(), NODES)
    run = torch.compile(made, backend="eager", fullgraph=True)
    run(states(graph), graph)
    ends.numpy()[...] = 10**9
    graph.edge_index().numpy()[...] = 10**9
    return verdict(answer(run, graph, None), was=lambda: truth(made, clean, None))


def raced(seconds: float = 1.0) -> str:
    """Somebody writes all the time."""
    import threading

    ends, stop, layer = drawn(5000), threading.Event(), LAYERS["SelfAttention"].make()
    array, refused, right = ends.numpy(), 0, 0

    def write() -> None:
        number = 0
        while not stop.is_set():
            array[:, number % 5000] = (10**9, -1, 5, 2**32)[number % 4]
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for graph in (lambda: Edges(ends, NODES), lambda: ends):
            try:
                out, slope = answer(layer, graph(), None)
                right += bool(out.isfinite().all() and slope.isfinite().all())
            except ValueError:
                refused += 1
        ends.copy_(drawn(5000))
    stop.set()
    thread.join()
    return "was" if right + refused else "nothing"


def compilers_and_threads() -> Iterator[Attack]:
    yield Attack("compiled: a huge kind", lambda: compiled("bias of kinds", "a huge kind"), ("refused",))
    yield Attack("compiled: fewer rows", lambda: compiled("values", "fewer rows"), ("refused",))
    yield Attack("compiled: edges written", written_under_compile, ("was",))
    yield Attack("written by another thread, all the time", raced, ("was",))


GROUPS: dict[str, Callable[[], Iterator[Attack]]] = {
    "lists of edges": lists_of_edges,
    "things of graphs": things_of_graphs,
    "sizes": sizes,
    "edge features": edge_features,
    "wrong kinds": wrong_kinds,
    "compilers and threads": compilers_and_threads,
}


def warm() -> None:
    """All kernels loaded, so that no process has to."""
    for layer in LAYERS.values():
        answer(layer.make(), Edges(drawn(), NODES), layer.edge(EDGES))
        answer(layer.make(), Edges(drawn(5000), NODES), layer.edge(5000))
    for graph, term in itertools.product(HEARING.values(), TERMS.values()):
        for edge in (kinds, numbers, rows):
            answer(attention(**term()), graph(), edge(graph().num_edges))


def run(attack: Attack) -> str | None:
    """What is wrong with what came of an attack, or None."""
    came = outcome(attack.run)
    came = "refused" if REFUSED.match(came) else came
    return None if came in attack.may else f"{attack.name}: expected {' or '.join(attack.may)}, got {came}"


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    warm()
    begun, count, failed = time.monotonic(), 0, 0
    for group in GROUPS.values():
        for attack in group():
            if part not in attack.name:
                continue
            count += 1
            problem = run(attack)
            if problem:
                failed += 1
                print(problem, flush=True)
    print(f"{count} attacks, {failed} wrong, {time.monotonic() - begun:.0f} s")
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
