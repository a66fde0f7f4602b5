"""Do two marked nodes have the same colour? They are farther apart than a network of few layers on the edges can hear."""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from graphattn.data.generated.coloured import both_ways


def distant(count: int, nodes: int = 16, hops: int = 6, colours: int = 2, seed: int = 0) -> list[Data]:
    r"""Trees with two marked nodes ``a`` and ``b`` so many hops apart, each asked whether the other has its colour.

    .. math:: y_a = y_b = [c_a = c_b] \qquad d(a, b) = \text{hops}

    Half of the labels are 1, for each colour of the node that is asked. All nodes have colours, those without a mark at random.
    What lies within fewer hops than ``hops`` says nothing about the label: it takes that many layers on the edges to beat chance,
    and one layer in which all hear all.

    Args:
        count: graphs.
        nodes: of each.
        hops: from one marked node to the other.
        colours: how many there are.
        seed: of trees and colours.

    Shapes: ``x [nodes, 2]``, the mark (0 or 1) and the colour (int64), ``edge_index [2, K]`` in both directions, ``y [nodes]``,
    which is -100 for nodes without a mark.

    Raises:
        ValueError: no hop, fewer than 2 colours, or fewer nodes than stand between the marked ones.

    >>> graphs = distant(100)
    >>> graphs[0].x[graphs[0].y == 1], graphs[1].x[graphs[1].y == 0]
    (tensor([[1, 0],
            [1, 0]]), tensor([[1, 0],
            [1, 1]]))
    """
    if hops < 1 or colours < 2 or nodes <= hops:
        raise ValueError(
            f"expected 1 hop or more, more nodes than hops and 2 colours or more, got {hops=}, {nodes=}, {colours=}"
        )
    generator = torch.Generator().manual_seed(seed)
    return [_tree(number, nodes, hops, colours, generator) for number in range(count)]


def _tree(number: int, nodes: int, hops: int, colours: int, generator: torch.Generator) -> Data:
    """A path from the first node to the one ``hops`` away; each further node joins one that is there, so no path gets shorter."""
    parent = [child - 1 for child in range(1, hops + 1)]
    parent += [int(torch.randint(child, (1,), generator=generator)) for child in range(hops + 1, nodes)]
    order = torch.randperm(nodes, generator=generator)
    pairs = order[torch.tensor([parent, list(range(1, nodes))])]
    first = number // 2 % colours
    other = int(torch.randint(1, colours, (1,), generator=generator))
    colour = torch.randint(colours, (nodes,), generator=generator)
    marked = order[[0, hops]]
    colour[marked] = torch.tensor([first, (first + other * (number % 2)) % colours])
    mark = torch.zeros(nodes, dtype=torch.long).index_fill(0, marked, 1)
    y = torch.full((nodes,), -100).index_fill(0, marked, 1 - number % 2)
    return Data(x=torch.stack([mark, colour], dim=1), edge_index=both_ways(pairs, nodes), y=y)
