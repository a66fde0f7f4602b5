"""A graph of a million nodes and 16 million edges: one forward and backward pass, its time and its memory."""

from __future__ import annotations

from collections.abc import Iterator

from graphattn.bench import graphs
from graphattn.bench.cases.sparse import attended, attention, states
from graphattn.bench.comparison import BOTH, OURS, Comparison, with_backward
from graphattn.topology import Edges


def large(shrink: int = 1) -> Iterator[Comparison]:
    """Ours alone: a tensor of edges times channels takes 8 GB, and PyG makes several."""
    heads, channels = 8, 16
    small = states(32, heads, channels)
    few = attended(attention(heads, channels), Edges(graphs.random(32), 32).prepare())
    with_backward(lambda: few(*small), small)()  # compiles, so that the one call that is timed does not

    nodes = max(1_000_000 // shrink, 64)
    graph = Edges(graphs.random(nodes), nodes).prepare()
    leaves, attend = states(nodes, heads, channels), attended(attention(heads, channels), graph)
    sizes = f"{nodes:,} nodes, {graph.num_edges:,} edges, H{heads}C{channels}"
    step = with_backward(lambda: attend(*leaves), leaves)
    reason = f"PyG makes tensors of {graph.num_edges * heads * channels * 4 / 2**30:.1f} GiB, several at a time"
    yield Comparison(BOTH, sizes, {OURS: step}, {"PyG": reason}, once=True)
