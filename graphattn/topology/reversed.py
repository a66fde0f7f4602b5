"""A topology with every edge turned round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from graphattn.topology.base import Nodes, Topology, collate
from graphattn.topology.blockwise import Blockwise, Run


@final
class Reversed(Blockwise):
    """Who was heard hears: ``N(i) = {j : i in N'(j)}``; what ``graph.reverse()`` gives where no simpler graph does.

    Edges are receiver-major again, thus in another order than those of ``graph``.

    Args:
        graph: the topology to turn round, with senders and receivers the same nodes.

    >>> from graphattn.topology import Causal
    >>> Reversed(Causal([3])).mask().int()
    tensor([[1, 1, 1],
            [0, 1, 1],
            [0, 0, 1]], dtype=torch.int32)
    """

    def __init__(self, graph: Blockwise) -> None:
        self.graph = graph
        self.senders, self.receivers = graph.receivers, graph.senders
        self.num_senders, self.num_receivers = graph.num_receivers, graph.num_senders

    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return self.graph.within(sender, receiver)

    def heard(self) -> Run:
        return self.graph.hearing()

    def hearing(self) -> Run:
        return self.graph.heard()

    def reach(self) -> tuple[int, int] | None:
        reach = self.graph.reach()
        return None if reach is None else (reach[1], reach[0])

    def reverse(self) -> Topology:
        return self.graph

    def subgraph(self, nodes: Nodes) -> Topology:
        return self.graph.subgraph(nodes).reverse()

    def _options(self) -> dict[str, object]:
        return {"graph": type(self.graph).__name__}

    def _joined(self, graphs: Sequence[Any]) -> Topology:
        return collate([graph.graph for graph in graphs]).reverse()
