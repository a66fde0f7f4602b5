"""Is there a path of three colours in a graph? Who is beside whom decides, and nothing else does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.generated.coloured import random_edges

_TRIALS = 64


def motif(count: int, nodes: int = 16, colours: int = 4, degree: float = 3.0, seed: int = 0) -> list[Data]:
    r"""Graphs of coloured nodes: is there a path red - green - blue (colours 0, 1 and 2)?

    .. math:: y = \big[\exists\, i, j, k:\ c_i = 0,\ c_j = 1,\ c_k = 2,\ j \in N(i),\ j \in N(k)\big]

    Half of the labels are 1. Edges are drawn alike for both, and each colour has as many nodes in all graphs: only which node has
    which colour differs. So colours without edges say nothing, nor do edges without colours. ``true_edge [K]`` marks the edges
    of all such paths.

    Args:
        count: graphs.
        nodes: of each, of every colour as many, as far as that goes.
        colours: how many there are.
        degree: neighbours of a node, on average.
        seed: of edges and colours.

    Shapes: ``x [nodes, 1]``, the colour (int64), ``edge_index [2, K]`` in both directions, ``true_edge [K]``, ``y [1]``.

    Raises:
        ValueError: fewer than 3 colours, or fewer nodes than colours; a degree with which such a path is hardly ever there or
            hardly ever missing.

    >>> graphs = motif(100)
    >>> graphs[0].true_edge.any(), graphs[1].true_edge.any(), sum(int(data.y) for data in graphs)
    (tensor(True), tensor(False), 50)
    """
    if not 3 <= colours <= nodes:
        raise ValueError(f"expected from 3 to {nodes} colours of {nodes} nodes, got {colours}")
    generator = torch.Generator().manual_seed(seed)
    return [_graph(number % 2 == 0, nodes, colours, degree, generator) for number in range(count)]


def _graph(wanted: bool, nodes: int, colours: int, degree: float, generator: torch.Generator) -> Data:
    """A graph with a path, or without, on edges that allow both."""
    palette = torch.arange(nodes) % colours
    for _ in range(_TRIALS):
        edges = random_edges(nodes, degree, generator)
        drawn = palette[torch.rand(_TRIALS, nodes, generator=generator).argsort(1)]
        decides = true_edges(drawn, edges)
        there = decides.any(1)
        if there.any() and not there.all():
            row = int((there == wanted).long().argmax())
            return Data(x=drawn[row, :, None], edge_index=edges, true_edge=decides[row], y=there[row, None].long())
    raise ValueError(
        f"expected a degree with which a path of three colours is there or not in {nodes} nodes, got {degree}"
    )


def true_edges(colour: Tensor, edge_index: Tensor) -> Tensor:
    """Whether an edge is of a path of colours 0, 1 and 2: colours ``[..., N]``, edges ``[2, K]`` -> ``[..., K]``.

    >>> true_edges(torch.tensor([0, 1, 2, 0]), torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]))
    tensor([ True,  True,  True,  True, False, False])
    """
    sender, receiver = edge_index
    said = colour[..., sender]
    at = receiver.expand(said.shape)
    ends = [torch.zeros(colour.shape).scatter_add(-1, at, (said == end).float()) > 0 for end in (0, 2)]
    middle = (colour == 1) & ends[0] & ends[1]
    outer = (colour == 0) | (colour == 2)
    return (middle[..., sender] & outer[..., receiver]) | (outer[..., sender] & middle[..., receiver])
