"""Attention on lists of edges, without linear maps: what ``TransformerConv.propagate`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from graphattn import backends
from graphattn.aggregation import SoftmaxSum
from graphattn.bench import graphs, peers
from graphattn.bench.comparison import COMPILED, OURS, Comparison, both_passes
from graphattn.bench.compiling import compiled
from graphattn.edge_terms import LinearBias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.slots import Inputs, State
from graphattn.topology import Edges, Topology
from graphattn.update import Replace

TORCH_ONLY = "graphattn, torch alone"
_NO_NUMBA = "sparse"


def states(nodes: int, heads: int, channels: int) -> list[Tensor]:
    """Queries, keys and values, ``[N, H, C]`` each."""
    return [torch.randn(nodes, heads, channels, requires_grad=True) for _ in range(3)]


def attention(heads: int, channels: int, bias: LinearBias | None = None) -> GraphLayer:
    """A layer of attention whose linear maps are never called."""
    return GraphLayer(Attend(-1, Heads(heads, channels), edge_bias=bias), SoftmaxSum(), Replace())


def attended(layer: GraphLayer, graph: Topology, edge: State | None = None) -> peers.Attention:
    """Aggregated messages by the backend of the layer, for given queries, keys and values."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        inputs = Inputs({"key": key, "value": value}, {"query": query}, edge or {}, None)
        return backends.choose(layer, graph, inputs).heard(layer, graph, inputs)

    return attend


def on_edges(
    ends: Tensor, nodes: int, heads: int, channels: int, more: dict[str, peers.Attention] | None = None
) -> Iterator[Comparison]:
    """Ours, PyG's, PyG's compiled, and more peers if given, on edges sorted by receiver."""
    query, key, value = leaves = states(nodes, heads, channels)
    graph, layer = Edges(ends, nodes).prepare(), attention(heads, channels)
    sizes = f"{nodes:,} nodes, {ends.size(1):,} edges, H{heads}C{channels}"
    ours, theirs = attended(layer, graph), peers.propagation(heads, channels, ends)
    quick = compiled(peers.propagation(heads, channels, ends))
    sides: dict[str, Callable[[], Tensor]] = {
        OURS: lambda: ours(query, key, value),
        "PyG": lambda: theirs(query, key, value),
        COMPILED: lambda: quick(query, key, value),
    }
    for name, attend in (more or {}).items():
        sides[name] = lambda attend=attend: attend(query, key, value)
    left_out = {}
    if any(backend.name == _NO_NUMBA for backend in backends.BACKENDS):
        sides[TORCH_ONLY] = lambda: _without_numba(ours, *leaves)
    else:
        left_out[TORCH_ONLY] = f"this version has no backend named {_NO_NUMBA}"
    yield from both_passes(sizes, sides, leaves, left_out)


def _without_numba(attend: peers.Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    with backends.use_backend(_NO_NUMBA):
        return attend(query, key, value)


def random(nodes: int, heads: int, channels: int, shrink: int = 1) -> Iterator[Comparison]:
    """Random edges, 16 for each node in the mean."""
    nodes = max(nodes // shrink, 16)
    return on_edges(graphs.random(nodes), nodes, heads, channels)


def power_law(shrink: int = 1) -> Iterator[Comparison]:
    """A few hubs and many leaves."""
    nodes = max(10_000 // shrink, 16)
    return on_edges(graphs.power_law(nodes), nodes, heads=8, channels=16)


def points(shrink: int = 1) -> Iterator[Comparison]:
    """Points with edges from their eight nearest neighbours."""
    nodes = max(10_000 // shrink, 16)
    return on_edges(graphs.neighbours(nodes), nodes, heads=8, channels=16)


def bonds(shrink: int = 1) -> Iterator[Comparison]:
    """Atoms with edges along bonds; peers lay the molecules out with padding, too."""
    batch = graphs.molecules(max(256 // shrink, 4))
    padded, ends = peers.Padded(batch.ptr), batch.bonds
    mask = padded.pairs(torch.ones(ends.size(1), dtype=torch.bool), ends, filling=False)[:, None]
    more = {"padded SDPA": lambda query, key, value: padded.attention(query, key, value, mask)}
    return on_edges(ends, int(batch.ptr[-1]), 8, 16, more)
