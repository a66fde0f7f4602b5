"""Weighted sums over edges, and what it costs to group edges."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch_geometric import EdgeIndex

from graphattn.backends.operators.products import senders, spmm
from graphattn.bench import graphs
from graphattn.bench.cases.layers import matrix
from graphattn.bench.comparison import OURS, Comparison, both_passes
from graphattn.topology import Edges

GROUPING = "grouping, once for a graph"


def weighted(shrink: int = 1) -> Iterator[Comparison]:
    """The sum of a GCN alone, against torch's own product of a sparse and a dense matrix."""
    nodes, channels = max(10_000 // shrink, 16), 128
    ends = graphs.random(nodes)
    weight, x = torch.rand(ends.size(1)), torch.randn(nodes, channels, requires_grad=True)
    graph, sparse = Edges(ends, nodes).prepare(), matrix(ends, nodes, weight)

    def ours() -> Tensor:
        return spmm(weight[:, None], x[:, None], senders(graph, "numba")).squeeze(1)

    sides = {OURS: ours, "torch.sparse.mm": lambda: torch.sparse.mm(sparse, x)}
    yield from both_passes(f"{nodes:,} nodes, {ends.size(1):,} edges, {channels} channels", sides, [x])


def grouping(shrink: int = 1) -> Iterator[Comparison]:
    """Edges grouped by receiver and by sender, from no order at all, against PyG's ``EdgeIndex``."""
    nodes = max(100_000 // shrink, 16)
    ends = graphs.random(nodes)
    ends = ends[:, torch.randperm(ends.size(1))]

    def ours() -> list[Tensor]:
        graph = Edges(ends, nodes)
        return [graph.by_receiver().ptr.long(), graph.by_sender().ptr.long()]

    def theirs() -> list[Tensor]:
        index, _ = EdgeIndex(ends, sparse_size=(nodes, nodes)).sort_by("col")  # pyright: ignore[reportCallIssue]
        (by_receiver, _), _ = index.get_csc()
        (by_sender, _), _ = index.get_csr()
        return [by_receiver, by_sender]

    sizes = f"{nodes:,} nodes, {ends.size(1):,} edges"
    yield Comparison(GROUPING, sizes, {OURS: ours, "PyG EdgeIndex": theirs})
