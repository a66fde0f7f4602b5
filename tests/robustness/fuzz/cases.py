"""Random layers on random graphs."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graphattn import aggregation as listen
from graphattn import message as say
from graphattn import score as scores
from graphattn import topology as graphs
from graphattn import zoo
from graphattn.edge_terms import ALiBi, LinearBias, LinearValue, RelativeBias, RelativeValue
from graphattn.layer import GraphLayer
from graphattn.topology import Edges, Topology
from graphattn.update import Replace

CHANNELS, BONDS, KINDS = 8, 3, 4
DTYPES = (torch.float64, torch.float64, torch.float32, torch.float32, torch.bfloat16, torch.float16)
SCALES = (1e-30, 1e-4, 1e4, 1e15, 1e30)
BROKEN = (float("nan"), float("inf"), -float("inf"))
COMMON = 1000
"""Cases below this number have the width whose kernels other tests compile."""


class Case(NamedTuple):
    """A layer in float32, and what it is given, in float64."""

    layer: GraphLayer
    graph: Topology
    x: Tensor | tuple[Tensor, Tensor]
    edge: dict[str, Tensor]
    dtype: torch.dtype
    stride: Callable[[Tensor], Tensor]


class Draw:
    """The choices of one case, the same for the same kind, seed and number; ``words`` tells which."""

    def __init__(self, kind: str, seed: int, number: int) -> None:
        self.random = random.Random(f"{kind} {seed} {number}")
        self.words: dict[str, str] = {}
        torch.manual_seed(self.random.getrandbits(40))
        self.wide = 4 if number < COMMON else self.random.choice((1, 3, 4, 5, 8, 16))

    def of(self, name, choices):
        """One of several, by name."""
        chosen = self.random.choice(sorted(choices))
        self.words[name] = chosen
        return choices[chosen]

    def often(self, share):
        return self.random.random() < share

    def __str__(self) -> str:
        return ", ".join(f"{name}: {word}" for name, word in self.words.items() if word)


def drawn_case(draw: Draw) -> Case:
    """A layer, a graph and what the layer is given."""
    layer = draw.of("layer", LAYERS)(draw)
    graph = drawn_graph(draw, layer)
    layer.train(draw.often(0.5))
    layer.dropout = draw.random.choice((0.0, 0.0, 0.4))
    x = torch.randn(graph.num_senders, CHANNELS, dtype=torch.float64)
    if graph.senders is not graph.receivers:
        x = x, torch.randn(graph.num_receivers, CHANNELS, dtype=torch.float64)
    edge = drawn_edges(draw, layer, graph)
    scale(draw, graph, x, edge)
    spoil(draw, x, edge)
    dtype = draw.random.choice(DTYPES)
    stride = draw.of("strides", STRIDES)
    draw.words |= {"dtype": str(dtype), "width": str(draw.wide), "dropout": f"{layer.dropout if layer.training else 0}"}
    return Case(layer, graph, x, edge, dtype, stride)


# Layers ---------------------------------------------------------------------------------------------------------------


def attention(draw):
    heads = say.Heads(2, draw.wide, draw.random.choice((None, None, 1)))
    score = draw.of("score", SCORES)(heads)
    product = not isinstance(score, scores.Additive | scores.SplitAdditive)
    terms = {
        "edge_bias": draw.of("edge bias", BIASES)(heads),
        "edge_key": draw.of("edge key", VALUES)(
            heads.number, heads.channels if product or isinstance(score, scores.Additive) else 1
        ),
        "edge_value": draw.of("edge value", VALUES)(heads.number, heads.channels),
    }
    return GraphLayer(say.Attend(CHANNELS, heads, score, **terms), listen.SoftmaxSum(), Replace())


def normalised(draw):
    heads = say.Heads(2, draw.wide)
    kernel = draw.of("kernel", {
        "Elu": lambda: scores.EluKernel(),
        "Favor": lambda: scores.Favor(draw.wide, 6),
        "exponential": lambda: scores.Then(scores.ScaledDot(), scores.Exponential()),
        "polynomial": lambda: scores.Polynomial(2),
    })()  # fmt: skip
    value = draw.of("edge value", VALUES)(2, draw.wide)
    return GraphLayer(say.Attend(CHANNELS, heads, kernel, edge_value=value), listen.NormalizedSum(), Replace())


def sums(draw):
    message = draw.of("message", {
        "copy": lambda: say.Copy(),
        "mapped": lambda: say.Copy(nn.Linear(CHANNELS, 2 * draw.wide)),
        "symmetric": lambda: say.Scaled(CHANNELS, 2 * draw.wide, say.symmetric),
        "by row": lambda: say.Scaled(CHANNELS, 2 * draw.wide, say.by_row),
        "weighted": lambda: say.Scaled(CHANNELS, 2 * draw.wide, say.as_weighted),
    })()  # fmt: skip
    return GraphLayer(message, draw.of("aggregation", PLAIN)(), Replace())


def differences(draw):
    wide = 2 * draw.wide
    network = draw.of("network", {
        "linear": lambda: nn.Linear(2 * CHANNELS, wide),
        "rectified": lambda: nn.Sequential(nn.Linear(2 * CHANNELS, wide), nn.ReLU()),
        "two": lambda: nn.Sequential(nn.Linear(2 * CHANNELS, wide), nn.ReLU(), nn.Linear(wide, 8)),
        "leaky": lambda: nn.Sequential(nn.Linear(2 * CHANNELS, 5), nn.LeakyReLU(0.2), nn.Linear(5, wide, bias=False)),
        "smooth": lambda: nn.Sequential(nn.Linear(2 * CHANNELS, wide), nn.Tanh(), nn.Linear(wide, 8), nn.Tanh()),
    })()  # fmt: skip
    return zoo.EdgeConv(network, draw.of("aggregation", PLAIN)())


def bonds(draw):
    return draw.of("edges speak", {"yes": BONDS, "no": None})


def relations(draw):
    weight = draw.of("weight", {
        "each": lambda: say.EachRelation(CHANNELS, 2 * draw.wide, 3),
        "bases": lambda: say.Bases(CHANNELS, 2 * draw.wide, 3, 2),
        "blocks": lambda: say.Blocks(CHANNELS, 8, 3, 2),
    })()  # fmt: skip
    mean = draw.often(0.5)
    return GraphLayer(say.Relation(weight), listen.RelationMean(3) if mean else listen.Sum(), Replace())


LEAKY = nn.LeakyReLU(0.2)
SCORES = {
    "scaled dot": lambda heads: scores.ScaledDot(),
    "dot": lambda heads: scores.Dot(),
    "cosine": lambda heads: scores.Cosine(),
    "soft cap": lambda heads: scores.Then(scores.ScaledDot(), scores.SoftCap(3.0)),
    "temperature": lambda heads: scores.Then(scores.ScaledDot(), scores.LearnedTemperature(heads.number)),
    "bilinear": lambda heads: scores.Bilinear(heads.number, heads.channels),
    "gain": lambda heads: scores.Gain(heads.number, heads.channels),
    "RBF": lambda heads: scores.RBF(2.0),
    "GATv2": lambda heads: scores.Additive(heads.number, heads.channels, LEAKY),
    "additive": lambda heads: scores.Additive(heads.number, heads.channels),
    "GAT": lambda heads: scores.SplitAdditive(heads.number, heads.channels, LEAKY),
}
BIASES = {
    "": lambda heads: None,
    "linear": lambda heads: LinearBias("bond", BONDS, heads.number),
    "relative": lambda heads: RelativeBias(2, heads.number),
    "ALiBi": lambda heads: ALiBi(heads.number),
}
VALUES = {
    "": lambda heads, channels: None,
    "none": lambda heads, channels: None,
    "linear": lambda heads, channels: LinearValue("bond", BONDS, heads, channels),
    "relative": lambda heads, channels: RelativeValue(2, heads, channels),
}
PLAIN = {"sum": listen.Sum, "mean": listen.Mean, "max": listen.Max, "min": listen.Min}
LAYERS = {
    "attention": attention,
    "attention too": attention,
    "normalised sums": normalised,
    "sums": sums,
    "differences": differences,
    "relations": relations,
    "GAT": lambda draw: zoo.GAT(CHANNELS, draw.wide, heads=2, edge_dim=bonds(draw)),
    "GATv2": lambda draw: zoo.GATv2(CHANNELS, draw.wide, heads=2, edge_dim=bonds(draw)),
    "GraphTransformer": lambda draw: zoo.GraphTransformer(CHANNELS, draw.wide, heads=2, edge_dim=bonds(draw)),
    "GCN": lambda draw: zoo.GCN(CHANNELS, 2 * draw.wide),
}


# Graphs ---------------------------------------------------------------------------------------------------------------


def drawn_graph(draw, layer) -> Topology:
    one_set = getattr(layer.message_function, "scale", None) is say.symmetric
    names = [name for name in GRAPHS if not one_set or name not in ("Cross", "Star", "bipartite")]
    return draw.of("graph", {name: GRAPHS[name] for name in names})(draw)


def sizes(draw) -> list[int]:
    """Of graphs in a batch: none, empty ones, of one size, large enough for the kernels of small graphs."""
    found = draw.of("sizes", {
        "none": list,
        "empty": lambda: [0, 0],
        "one": lambda: [1],
        "few": lambda: [draw.random.randint(0, 9) for _ in range(draw.random.randint(1, 5))],
        "some": lambda: [draw.random.randint(0, 9) for _ in range(draw.random.randint(1, 5))],
        "equal": lambda: [draw.random.randint(1, 6)] * draw.random.randint(1, 4),
        "trailing": lambda: [draw.random.randint(1, 9), 0, draw.random.randint(1, 9), 0, 0],
        "large": lambda: [46, 50 + draw.random.randint(0, 9)],
    })()  # fmt: skip
    draw.words["sizes"] = str(found)
    return found


def edge_list(draw) -> Edges:
    counts = sizes(draw)
    ends = draw.of("edges", {
        "none": lambda low, n: torch.empty(2, 0, dtype=torch.long),
        "sparse": lambda low, n: torch.randint(low, low + n, (2, n)),
        "dense": lambda low, n: torch.randint(low, low + n, (2, 5 * n)),
        "loops": lambda low, n: torch.arange(low, low + n).expand(2, n),
        "many of one pair": lambda low, n: torch.full((2, 30), low),
        "hub hears": lambda low, n: torch.stack([torch.randint(low, low + n, (9 * n,)), torch.full((9 * n,), low)]),
        "hub is heard": lambda low, n: torch.stack([torch.full((9 * n,), low), torch.randint(low, low + n, (9 * n,))]),
        "great hub": lambda low, n: torch.stack([torch.randint(low, low + n, (4200,)), torch.full((4200,), low)]),
    })  # fmt: skip
    ptr = torch.tensor([0, *counts]).cumsum(0)
    parts = [ends(int(low), size) for low, size in zip(ptr, counts, strict=False) if size]
    joined = torch.cat([torch.empty(2, 0, dtype=torch.long), *parts], dim=1)
    joined = joined[:, torch.randperm(joined.size(1))] if draw.often(0.7) else joined
    return Edges(joined, ptr=ptr) if draw.often(0.7) else Edges(joined, sum(counts))


def bipartite(draw) -> Edges:
    senders, receivers = draw.random.randint(1, 12), draw.random.randint(1, 12)
    many = draw.random.randint(0, 60)
    ends = torch.stack([torch.randint(0, senders, (many,)), torch.randint(0, receivers, (many,))])
    draw.words["edges"] = f"{many} from {senders} to {receivers}"
    return Edges(ends, (senders, receivers))


GRAPHS = {
    "Edges": edge_list,
    "Edges too": edge_list,
    "more Edges": edge_list,
    "bipartite": bipartite,
    "mask": lambda draw: Edges.from_mask(torch.rand(draw.random.randint(0, 3), 7, 7) < 0.4),
    "Full": lambda draw: graphs.Full(sizes(draw)),
    "Causal": lambda draw: graphs.Causal(sizes(draw)),
    "Window": lambda draw: graphs.Window(sizes(draw), radius=2, dilation=draw.random.choice((1, 3))),
    "Prefix": lambda draw: graphs.Prefix(sizes(draw), prefix=2),
    "Line": lambda draw: graphs.Line(sizes(draw)),
    "Cross": lambda draw: graphs.Cross(n := sizes(draw), [draw.random.randint(0, 9) for _ in n]),
    "Star": lambda draw: graphs.Star(sizes(draw), hubs=2),
    "Reversed": lambda draw: graphs.Prefix(sizes(draw), prefix=2).reverse(),
    "Union": lambda draw: graphs.Causal(n := sizes(draw)) | graphs.Line(n),
    "WithHubs": lambda draw: graphs.with_hubs(graphs.Window(sizes(draw), radius=1), hubs=2),
}


# Numbers --------------------------------------------------------------------------------------------------------------


def drawn_edges(draw, layer, graph) -> dict[str, Tensor]:
    """Features of all edges, of kinds of edges or of some edges; types where the layer has relations; weights where it scales."""
    edges, message = graph.num_edges, layer.message_function
    if isinstance(message, say.Relation):
        return {"edge_type": torch.randint(0, 3, (edges,))}
    if isinstance(message, say.Scaled):
        weight = torch.rand(edges, dtype=torch.float64)
        return draw.of("weights", {"": {}, "given": {"edge_attr": weight}, "column": {"edge_attr": weight[:, None]}})
    if not isinstance(message, say.Attend):
        return {}
    name = "edge_attr" if layer.name in ("GAT", "GATv2", "GraphTransformer") else "bond"
    some, kind = torch.randint(0, max(edges, 1), (min(edges, 7),)), torch.randint(0, KINDS, (edges,))
    rows, places = draw.of("features", {
        "of all": (edges, {}),
        "of kinds": (KINDS, {f"{name}_kind": kind}),
        "of some": (len(some), {f"{name}_number": some}),
    })  # fmt: skip
    return {name: torch.randn(rows, BONDS, dtype=torch.float64), **places}


def floating(x, edge) -> list[Tensor]:
    given = [*(x if isinstance(x, tuple) else (x,)), *edge.values()]
    return [tensor for tensor in given if tensor.is_floating_point()]


def scale(draw, graph, x, edge) -> None:
    """Everything, or each graph of a batch, larger or smaller."""
    if not draw.often(0.35):
        return
    factor = draw.random.choice(SCALES)
    if draw.often(0.3) and graph is not None and graph.num_graphs > 1:
        draw.words["scale"] = f"{factor} in one graph"
        first = x[0] if isinstance(x, tuple) else x
        first[: int(graph.senders.ptr[1])] *= factor
        return
    draw.words["scale"] = str(factor)
    for tensor in floating(x, edge) if draw.often(0.3) else floating(x, {}):
        tensor *= factor


def spoil(draw, x, edge) -> None:
    """Numbers that are none, or infinite, or all alike, or zero."""
    if draw.often(0.1):
        draw.words["ties"] = "all alike"
        for tensor in floating(x, {}):
            tensor.copy_(tensor.sign())
    if not draw.often(0.2):
        return
    value = draw.random.choice(BROKEN)
    tensor = draw.random.choice(floating(x, edge))
    if tensor.numel():
        where = draw.random.choice(("a number", "a row"))
        draw.words["broken"] = f"{value} in {where}"
        row = draw.random.randrange(tensor.size(0))
        if where == "a row" or tensor.dim() == 1:
            tensor[row] = value
        else:
            tensor[row, draw.random.randrange(tensor.size(1))] = value


STRIDES: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    "plain": lambda x: x,
    "transposed": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
    "sliced": lambda x: torch.cat([x, x], dim=-1)[..., : x.size(-1)] if x.dim() else x,
    "every other": lambda x: torch.stack([x, x], dim=1)[:, 1] if x.dim() else x,
    "expanded": lambda x: x[:1].expand_as(x) if x.dim() else x,
}
"""Other places in memory; the last one makes all rows those of the first."""
