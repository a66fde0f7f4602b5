"""Nodes speak to the hubs of their graph: the graph of a readout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.counts import read_integer
from graphattn.slots import Sizes
from graphattn.topology.base import Nodes
from graphattn.topology.blockwise import Blockwise, Run, everyone
from graphattn.topology.cross import Cross
from graphattn.topology.sizes import fewer, joined, of_equal, read_sizes


@final
class Star(Blockwise):
    """``N`` nodes speak to ``hubs`` hubs per graph; hub ``g * hubs + k`` is the k-th hub of graph ``g``.

    A readout is a layer on a star: mean pooling copies and averages, a CLS token or attention pooling attends. Hubs are
    other nodes than the senders, so layers take ``x = (nodes, hubs)``, or ``(nodes, None)`` where hubs have no state.

    Args:
        source, ptr, batch, num_graphs: the sizes of the graphs, as in :class:`Full`.
        hubs: hubs per graph.

    Raises:
        ValueError: fewer than one hub.
        TypeError: no integer.

    >>> Star([2, 0, 1]).edge_index()
    tensor([[0, 1, 2],
            [0, 0, 2]])
    """

    complete = True

    def __init__(
        self,
        source: Data | Batch | Sizes | Sequence[int] | None = None,
        hubs: int = 1,
        *,
        ptr: Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> None:
        if read_integer(hubs, "hubs") < 1:
            raise ValueError(f"expected at least one hub per graph, got hubs={hubs}")
        self.hubs = hubs
        self.senders = read_sizes(source, ptr=ptr, batch=batch, num_graphs=num_graphs)
        graphs = self.senders.ptr.numel() - 1
        self.receivers = of_equal(graphs, hubs, self.senders.ptr.device)
        self.num_senders, self.num_receivers = int(self.senders.ptr[-1]), graphs * hubs

    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return torch.ones((), dtype=torch.bool, device=receiver.device)

    def heard(self) -> Run:
        return everyone(self.receivers, self.senders, self.num_receivers)

    def hearing(self) -> Run:
        return everyone(self.senders, self.receivers, self.num_senders)

    def with_self_loops(self) -> Star:
        """Refused: a hub is not one of the nodes it hears."""
        raise ValueError(
            "expected senders and receivers to be the same nodes for self-loops, got a Star of nodes and hubs"
        )

    def reverse(self) -> Cross:
        """The hubs speak to the nodes of their graph."""
        return Cross(self.receivers, self.senders)

    def subgraph(self, nodes: Nodes) -> Cross:
        return Cross(*fewer(self, nodes))

    def _options(self) -> dict[str, object]:
        return {"hubs": self.hubs}

    def _joined(self, graphs: Sequence[Any]) -> Star:
        return Star(joined([graph.senders for graph in graphs]), hubs=self.hubs)
