"""Random-walk return probabilities."""

import numpy as np
import torch
from torch import Tensor

from graphattn.encoding.reading import check_edges


def random_walk(edge_index: Tensor, num_nodes: int, steps: int) -> Tensor:
    """Probability that a random walk from a node is back there after 1, 2, ..., ``steps`` steps.

    Formula: ``diag((D^-1 A)^k)`` for k = 1 ... ``steps``, with A the adjacency matrix (repeated edges count repeatedly)
    and D the number of edges that leave each node. A node that no edge leaves has zeros.

    Args:
        edge_index: ``[2, E]`` integers, sender above receiver. An undirected edge is there in both directions.
        num_nodes: number n of nodes; may be 0 or 1.
        steps: number of steps, 1 or more.

    Returns:
        float32 ``[n, steps]``. The time is that of ``steps / 2`` products of n x n matrices: for graphs of up to some
        thousand nodes.

    Raises:
        ValueError: ``edge_index`` is not ``[2, E]``, names a node outside 0 ... n - 1, or ``steps`` is below 1.

    A walk on a path of three nodes: from the middle it is back after every second step, from an end half the time.

    >>> import torch
    >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    >>> random_walk(edge_index, num_nodes=3, steps=4)
    tensor([[0.0000, 0.5000, 0.0000, 0.5000],
            [0.0000, 1.0000, 0.0000, 1.0000],
            [0.0000, 0.5000, 0.0000, 0.5000]])
    """
    check_edges(edge_index, num_nodes)
    if steps < 1:
        raise ValueError(f"a random walk takes at least 1 step; got steps={steps}")
    sender, receiver = edge_index.cpu().numpy()
    adjacency = np.zeros((num_nodes, num_nodes), dtype=np.float32)
    np.add.at(adjacency, (sender, receiver), 1)
    # NumPy, because torch wakes all its threads for a product of 25 x 25 matrices: 400 times slower on busy cores.
    walk = adjacency / adjacency.sum(axis=1, keepdims=True).clip(min=1)
    powers = [walk]
    while 2 * len(powers) < steps:
        powers.append(powers[-1] @ walk)
    # diag(P^(a + b)) is the sum over j of P^a[i, j] P^b[j, i]: half the powers do.
    pairs = [(powers[(step - 1) // 2], powers[step // 2 - 1]) for step in range(2, steps + 1)]
    back = [walk.diagonal(), *(np.einsum("ij,ji->i", left, right) for left, right in pairs)]
    return torch.from_numpy(np.stack(back, axis=1)).to(edge_index.device)
