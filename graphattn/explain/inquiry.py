"""What a method of attribution is given beside the model, and what it gives back."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch_geometric.data import Data


class Inquiry(NamedTuple):
    """Which prediction is explained: of a graph as networks take it, the column of what is predicted, the node whose answer it is
    (None: the graph's), and the groups of nodes that are explained together.
    """

    graph: Data
    column: int
    node: int | None = None
    groups: tuple[tuple[int, ...], ...] = ()


class Contributions(NamedTuple):
    """To the answer of each of ``M`` members: of nodes ``[M, N]``, and of edges ``[M, E]`` and groups ``[M, G]``, or None."""

    nodes: Tensor
    edges: Tensor | None = None
    groups: Tensor | None = None
