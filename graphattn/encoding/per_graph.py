"""Encodings of many graphs, each computed alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform

from graphattn.topology import Topology, graph_of

Encode = Callable[[Tensor, int], Tensor]
"""``(edge_index [2, E], number of nodes) -> [rows, ...]``, of one graph."""


def per_graph(encode: Encode, graph: Topology) -> Tensor:
    """An encoding of each graph of a topology alone, one behind the other.

    Args:
        encode: the encoding of one graph, such as ``partial(laplacian, size=8)``.
        graph: a topology whose senders and receivers are the same nodes; of ``Edges``, give it the ``ptr`` of the batch.

    Shapes: ``[N, ...]``; of encodings with a row for each pair ``[E of Full, ...]``.

    Raises:
        ValueError: senders and receivers that are different nodes.

    >>> from functools import partial
    >>> from graphattn.encoding import random_walk
    >>> pairs = Edges(torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), ptr=torch.tensor([0, 2, 4]))
    >>> per_graph(partial(random_walk, steps=2), pairs).tolist()
    [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    """
    if graph.senders is not graph.receivers:
        raise ValueError(f"expected senders and receivers to be the same nodes, got {graph}")
    ends, edge_index = graph.senders.ptr.tolist(), graph.edge_index()
    owner = graph_of(graph.senders.ptr, edge_index[0])
    order = owner.argsort(stable=True)
    parts = edge_index[:, order].split(torch.bincount(owner, minlength=graph.num_graphs).tolist(), dim=1)
    rows = [encode(part - low, high - low) for part, (low, high) in zip(parts, pairwise(ends), strict=True)]
    return torch.cat(rows) if rows else encode(edge_index, 0)


@final
class AddEncodings(BaseTransform):
    """A PyG transform that computes encodings of a graph once and stores them beside ``x``; for ``pre_transform``.

    Args:
        encodings: by name, functions of ``(edge_index, number of nodes)``.

    Shapes: each ``data[name]`` is what its function returns; PyG batches it along its rows.

    Raises:
        ValueError: no encoding; a graph without ``edge_index``; a name with "index", "batch" or "face" in it, which PyG would
            count up or lay side by side in a batch.

    >>> from functools import partial
    >>> from torch_geometric.data import Data
    >>> from graphattn.encoding import laplacian, random_walk
    >>> add = AddEncodings({"walk": partial(random_walk, steps=4), "eigenvectors": partial(laplacian, size=2)})
    >>> add(Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0, 1], [1, 0]])))
    Data(x=[2, 1], edge_index=[2, 2], walk=[2, 4], eigenvectors=[2, 2])
    """

    def __init__(self, encodings: Mapping[str, Encode]) -> None:
        moved = [name for name in encodings if any(word in name for word in ("index", "batch", "face"))]
        if moved or not encodings:
            raise ValueError(
                'expected names of encodings without "index", "batch" and "face", by which PyG batches otherwise, '
                f"got {moved or 'none'}"
            )
        self.encodings = dict(encodings)

    def forward(self, data: Any) -> Any:
        if isinstance(data, Batch):
            return Batch.from_data_list([self(graph) for graph in data.to_data_list()])
        if not isinstance(data, Data) or data.edge_index is None:
            raise ValueError(f"expected a Data or Batch with edge_index, got {data}")
        for name, encode in self.encodings.items():
            data[name] = encode(data.edge_index, data.num_nodes or 0)
        return data

    def __repr__(self) -> str:
        return f"AddEncodings({', '.join(self.encodings)})"
