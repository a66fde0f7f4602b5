"""A problem for the cells of the design: its graphs as they read them, and their networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch_geometric.data import Data

from graphattn.comparison.problem import Problem
from graphattn.models.by_name import topologies
from graphattn.models.by_name.features import Features
from graphattn.models.by_name.network import Size, named_network
from graphattn.models.by_name.topologies import Cell
from graphattn.models.network import Network


def prepared(problem: Problem, cells: Iterable[Cell], seed: int = 0) -> Problem:
    """The problem, with graphs that hold what these cells read and nothing else; the given graphs are not changed.

    See :func:`graphattn.models.by_name.topologies.prepared`; ``seed`` draws the permutations of shuffled edges.
    """
    cells = list(cells)
    graphs = [topologies.prepared(data, cells, (seed, number)) for number, data in enumerate(problem.graphs)]
    return replace(problem, graphs=graphs)


def network(
    problem: Problem, cell: Cell, size: Size, seed: int = 0, learned_from: Sequence[Data] | None = None
) -> Network:
    """The network of a cell for a problem, its weights drawn from ``seed``; torch's generator is left as it was.

    Numbers are standardised by the graphs that it is ``learned_from``, by all of the problem if these are not given.

    >>> import torch
    >>> graph = Data(x=torch.randn(3, 5), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.arange(3.0))
    >>> problem = Problem("one", [graph], "regression", level="node")
    >>> network(problem, Cell("gcn", "edges"), Size(width=8, hidden=16))(graph).shape
    torch.Size([3, 1])
    """
    features = Features.of(problem.graphs)
    features = features if learned_from is None else features.standardised(learned_from)
    return named_network(cell, size, features, problem.outputs, problem.level, seed)
