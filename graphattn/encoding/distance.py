"""How many edges away: between all nodes, or from a few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from graphattn.encoding.reading import check_edges, counts


def shortest_path(edge_index: Tensor, num_nodes: int, farthest: int) -> Tensor:
    """Number of edges on the shortest path between all nodes, along the edges' direction, for :class:`ShortestPathBias`.

    Args:
        edge_index: ``[2, E]``, sender above receiver. An undirected edge is there in both directions.
        num_nodes: number n of nodes; may be 0 or 1.
        farthest: stands for that many edges or more.

    Returns:
        int64 ``[n n]``, from sender to receiver at ``receiver * n + sender``: the edge order of ``Full``, also where PyG batches
        graphs. 0 to ``farthest``, and ``farthest + 1`` where no path is.

    Raises:
        ValueError: what is no ``edge_index`` of n nodes; ``farthest`` below 1.

    A directed path of three nodes; 6 says that there is no way back:

    >>> shortest_path(torch.tensor([[0, 1], [1, 2]]), num_nodes=3, farthest=5).view(3, 3)
    tensor([[0, 6, 6],
            [1, 0, 6],
            [2, 1, 0]])
    """
    check_edges(edge_index, num_nodes)
    every = np.arange(num_nodes)
    return _steps(edge_index, num_nodes, every, farthest).T.flatten()


def anchor_distance(edge_index: Tensor, num_nodes: int, anchors: Sequence[int], farthest: int) -> Tensor:
    """Number of edges on the shortest path from each anchor to each node (as in P-GNN, You et al. 2019).

    Args:
        edge_index: ``[2, E]``, sender above receiver.
        num_nodes: number n of nodes.
        anchors: node numbers.
        farthest: stands for that many edges or more.

    Returns:
        int64 ``[n, anchors]``: 0 to ``farthest``, and ``farthest + 1`` where no path is.

    Raises:
        ValueError: what is no ``edge_index`` of n nodes; an anchor that is not there; ``farthest`` below 1.

    >>> anchor_distance(torch.tensor([[0, 1], [1, 2]]), num_nodes=3, anchors=[0, 1], farthest=5)
    tensor([[0, 6],
            [1, 0],
            [2, 1]])
    """
    check_edges(edge_index, num_nodes)
    strangers = [anchor for anchor in anchors if not 0 <= anchor < num_nodes]
    if strangers:
        raise ValueError(f"expected anchors from 0 to {num_nodes - 1}, got {strangers}")
    return _steps(edge_index, num_nodes, np.array(anchors, dtype=np.int64), farthest).T.contiguous()


def hub_distance(edge_index: Tensor, num_nodes: int, hubs: int, farthest: int) -> Tensor:
    """Number of edges on the shortest path from the graph's hubs, the nodes that most hear, to each node.

    Hubs are in order of how many edges leave them, of the lowest number where that is equal. Where there are fewer nodes than
    hubs, the missing ones have no path to anybody. An ``nn.Embedding`` of ``farthest + 2`` rows makes channels of the numbers.

    Args:
        edge_index: ``[2, E]``, sender above receiver.
        num_nodes: number n of nodes.
        hubs: how many.
        farthest: stands for that many edges or more.

    Returns:
        int64 ``[n, hubs]``: 0 to ``farthest``, and ``farthest + 1`` where no path is.

    Raises:
        ValueError: what is no ``edge_index`` of n nodes; fewer than one hub; ``farthest`` below 1.

    >>> star = torch.tensor([[0, 2, 1, 2, 3, 2], [2, 0, 2, 1, 2, 3]])
    >>> hub_distance(star, num_nodes=4, hubs=1, farthest=5).flatten()
    tensor([1, 1, 0, 1])
    """
    check_edges(edge_index, num_nodes)
    if hubs < 1:
        raise ValueError(f"expected at least one hub, got {hubs}")
    heard = torch.bincount(edge_index[0], minlength=num_nodes)
    chosen = heard.argsort(descending=True, stable=True)[:hubs].tolist()
    distance = anchor_distance(edge_index, num_nodes, chosen, farthest)
    return torch.nn.functional.pad(distance, (0, hubs - len(chosen)), value=farthest + 1)


def _steps(edge_index: Tensor, num_nodes: int, start: NDArray[np.int64], farthest: int) -> Tensor:
    """From each start to each node, ``[starts, n]``."""
    if farthest < 1:
        raise ValueError(f"expected a farthest distance of at least 1, got {farthest}")
    if num_nodes == 0 or start.size == 0:
        return edge_index.new_zeros(start.size, num_nodes)
    steps = dijkstra(counts(edge_index, num_nodes), unweighted=True, indices=start)
    coded = np.where(np.isinf(steps), farthest + 1, np.minimum(steps, farthest)).astype(np.int64)
    return torch.from_numpy(coded).to(edge_index.device)
