"""Several terms as one."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from graphattn.edge_terms.reading import read
from graphattn.reset import reset
from graphattn.slots import EdgeTerm, State
from graphattn.topology import Tile, Topology


@final
class SumOfTerms(nn.Module):
    r"""The sum of several edge terms, :math:`b_{ji} = \sum_k b_{ji}^{(k)}`.

    Args:
        terms: one or more.

    Raises:
        ValueError: no term.

    Graphormer's bias by the shortest path and by the bond:

    >>> from graphattn.edge_terms import LinearBias, ShortestPathBias
    >>> SumOfTerms(ShortestPathBias(farthest=20, heads=4), LinearBias("bond", 6, heads=4))
    SumOfTerms(
      (0): ShortestPathBias(farthest=20, heads=4, name='distance')
      (1): LinearBias(
        (linear): Linear(6, 4, bias=False)
      )
    )
    """

    def __init__(self, *terms: EdgeTerm) -> None:
        super().__init__()
        if not terms:
            raise ValueError("expected one term or more, got none")
        self.names = [str(number) for number in range(len(terms))]
        # As attributes, because a term need not be a module and a ModuleList holds nothing else.
        for name, term in zip(self.names, terms, strict=True):
            setattr(self, name, term)

    @property
    def terms(self) -> list[EdgeTerm]:
        return [getattr(self, name) for name in self.names]

    def reset_parameters(self) -> None:
        reset(*self.terms)

    def read(self, graph: Topology, edge: State) -> State:
        return read(self.terms, graph, edge)

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        first, *others = [term.on_edges(graph, edge) for term in self.terms]
        return sum(others, first)

    def on_tile(self, tile: Tile, edge: State) -> Tensor | None:
        """The sum; None if one of the terms has no shorter way than ``on_edges``."""
        laid = [term.on_tile(tile, edge) for term in self.terms]
        known = [bias for bias in laid if bias is not None]
        return sum(known[1:], known[0]) if len(known) == len(laid) else None
