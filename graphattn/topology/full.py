"""Everyone hears everyone: the graph of a transformer encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes
from graphattn.topology.base import Nodes
from graphattn.topology.blockwise import Blockwise, Run, everyone
from graphattn.topology.sizes import fewer, joined, read_sizes


@final
class Full(Blockwise):
    """Every node hears every node of its graph, itself included: ``N(i) = {j : graph(j) = graph(i)}``.

    Args:
        source: a PyG ``Data`` or ``Batch``, or a list of sizes.
        ptr: boundaries of the graphs, ``[B + 1]``, instead.
        batch: the graph of each node, ``[N]``, sorted, instead; with ``num_graphs``.

    Edges are receiver-major and never listed unless asked for.

    >>> graph = Full([2, 1])
    >>> graph
    Full(graphs=2, receivers=3, senders=3, edges=5)
    >>> graph.edge_index()
    tensor([[0, 1, 0, 1, 2],
            [0, 0, 1, 1, 2]])
    """

    complete = True

    def __init__(
        self,
        source: Data | Batch | Sizes | Sequence[int] | None = None,
        *,
        ptr: Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> None:
        self.receivers = self.senders = read_sizes(source, ptr=ptr, batch=batch, num_graphs=num_graphs)
        self.num_receivers = self.num_senders = int(self.receivers.ptr[-1])

    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return torch.ones((), dtype=torch.bool, device=receiver.device)

    def heard(self) -> Run:
        return everyone(self.receivers, self.senders, self.num_receivers)

    def hearing(self) -> Run:
        return self.heard()

    def reverse(self) -> Full:
        """Itself: all hear each other."""
        return self

    def subgraph(self, nodes: Nodes) -> Full:
        return Full(fewer(self, nodes)[1])

    def _joined(self, graphs: Sequence[Any]) -> Full:
        return Full(joined([graph.receivers for graph in graphs]))
