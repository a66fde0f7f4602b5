"""Edges of one graph, checked and as a SciPy matrix."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from torch import Tensor


def check_edges(edge_index: Tensor, num_nodes: int) -> None:
    """Refuse what is no ``edge_index`` of that many nodes.

    Raises:
        ValueError: another shape than ``[2, E]``, or a node outside 0 ... n - 1.
    """
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index is [2, number of edges]; got {list(edge_index.shape)}")
    if edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < num_nodes:
        low, high = int(edge_index.min()), int(edge_index.max())
        raise ValueError(
            f"edge_index names nodes {low} to {high}, but there are {num_nodes} nodes (0 to {num_nodes - 1})"
        )


def counts(edge_index: Tensor, num_nodes: int) -> csr_matrix:
    """How many edges go from each sender (row) to each receiver (column)."""
    sender, receiver = edge_index.cpu().numpy()
    return csr_matrix((np.ones(sender.size), (sender, receiver)), shape=(num_nodes, num_nodes))
