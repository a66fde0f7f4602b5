"""Virtual nodes that hear everyone and are heard by everyone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from graphattn.counts import read_integer
from graphattn.topology.base import Topology, collate
from graphattn.topology.blockwise import Run
from graphattn.topology.sizes import from_ptr, graph_of, spans


@final
class WithHubs(Topology):
    """A graph with virtual nodes that hear everyone in their graph, themselves included, and are heard by everyone in it.

    They are BigBird's and Longformer's global tokens, and the virtual node of graph networks (Gilmer et al. 2017).

    **The rows of x**: hubs stand behind the nodes of their graph, so that each graph is one stretch of rows: ``n_0`` nodes of
    graph 0, its hubs, ``n_1`` nodes of graph 1, its hubs. ``node_rows [N]`` and ``hub_rows [B, hubs]`` tell where;
    ``rows(x, hubs)`` builds ``x``.

    Edges are those of the graph, then receiver-major those from hubs and to hubs. Behind the types of the graph's edges there
    are two: a node that hears a hub, and a hub that hears.

    Args:
        graph: a topology whose senders and receivers are the same nodes.
        hubs: virtual nodes for each graph.

    Raises:
        ValueError: a bipartite graph, or fewer than one hub.
        TypeError: no integer.

    >>> ring = Edges(torch.tensor([[0, 1], [1, 0]]))
    >>> graph = WithHubs(ring, hubs=1)
    >>> graph.hub_rows, graph.mask().int()
    (tensor([[2]]), tensor([[0, 1, 1],
            [1, 0, 1],
            [1, 1, 1]], dtype=torch.int32))
    """

    def __init__(self, graph: Topology, hubs: int = 1) -> None:
        if graph.senders is not graph.receivers:
            raise ValueError(f"expected senders and receivers to be the same nodes for hubs, got {graph}")
        if read_integer(hubs, "hubs") < 1:
            raise ValueError(f"expected at least one hub per graph, got hubs={hubs}")
        self.graph, self.hubs = graph, hubs
        ptr = graph.receivers.ptr
        self.receivers = self.senders = from_ptr(ptr + hubs * torch.arange(ptr.numel(), device=ptr.device))
        self.num_receivers = self.num_senders = int(self.receivers.ptr[-1])
        node = torch.arange(graph.num_receivers, device=ptr.device)
        self.node_rows = node + hubs * graph_of(ptr, node)
        self.hub_rows = self.receivers.ptr[1:, None] + torch.arange(-hubs, 0, device=ptr.device)

    def rows(self, x: Tensor, hubs: Tensor) -> Tensor:
        """The states of all nodes, from those of the graph's nodes ``[N, F]`` and of the hubs ``[B, hubs, F]``.

        A learned state that all graphs share is ``hub.expand(graph.num_graphs, -1, -1)``. Back: ``x[graph.node_rows]``.
        """
        rows = x.new_zeros(self.num_receivers, x.size(1)).index_copy(0, self.node_rows, x)
        return rows.index_copy(0, self.hub_rows.flatten(), hubs.flatten(0, 1))

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        (hub, node), (speaking_hub, speaking_node) = self._read(receiver), self._read(sender)
        together = graph_of(self.receivers.ptr, receiver) == graph_of(self.senders.ptr, sender)
        served = together & (hub | speaking_hub)
        if self.graph.num_receivers == 0:
            return served
        return served | (self.graph.keep(node, speaking_node) & ~hub & ~speaking_hub)

    def edge_index(self) -> Tensor:
        served = self._hub_run().edge_index(self.num_edges - self.graph.num_edges)
        return torch.cat([self.node_rows[self.graph.edge_index()], served], dim=1)

    @property
    def num_edges(self) -> int:
        # Every node hears the hubs of its graph, every hub hears all of it.
        nodes, hubs = self.graph.num_receivers, self.hubs * self.num_graphs
        return self.graph.num_edges + 2 * nodes * self.hubs + hubs * self.hubs

    @property
    def num_edge_types(self) -> int:
        """Those of the graph and two more."""
        return self.graph.num_edge_types + 2

    def edge_type(self) -> Tensor:
        known, device = self.graph.edge_type(), self.receivers.ptr.device
        plain = torch.zeros(self.graph.num_edges, dtype=torch.long, device=device) if known is None else known
        hub, _ = self._read(torch.arange(self.num_receivers, device=device))
        types = self.graph.num_edge_types + hub.long().repeat_interleave(
            self._hub_run().many, output_size=self.num_edges - self.graph.num_edges
        )
        return torch.cat([plain, types])

    def degrees(self) -> Tensor:
        return self._hub_run().many.index_add(0, self.node_rows, self.graph.degrees())

    def check(self) -> None:
        super().check()
        self.graph.check()

    def with_self_loops(self) -> WithHubs:
        return WithHubs(self.graph.with_self_loops(), self.hubs)

    def reverse(self) -> WithHubs:
        return WithHubs(self.graph.reverse(), self.hubs)

    def _hub_run(self) -> Run:
        """Nodes hear the hubs of their graph, hubs hear all of it."""
        start, end = spans(self.receivers, self.num_receivers)
        hub, _ = self._read(torch.arange(self.num_receivers, device=start.device))
        first = torch.where(hub, start, end - self.hubs)
        return Run(first, end - first)

    def _read(self, row: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows are hubs, and the numbers of the nodes in the graph; some node's for hubs."""
        graph = graph_of(self.receivers.ptr, row)
        hub = row >= self.receivers.ptr[graph + 1] - self.hubs
        return hub, (row - self.hubs * graph).clamp(max=self.graph.num_receivers - 1)

    def _options(self) -> dict[str, object]:
        return {"graph": type(self.graph).__name__, "hubs": self.hubs}

    def _joined(self, graphs: Sequence[Any]) -> WithHubs:
        return WithHubs(collate([graph.graph for graph in graphs]), self.hubs)


def with_hubs(graph: Topology, hubs: int = 1) -> WithHubs:
    """The graph with ``hubs`` virtual nodes behind the nodes of each graph: :class:`WithHubs`.

    >>> from graphattn.topology import Window
    >>> with_hubs(Window([6, 2], radius=1), hubs=2)
    WithHubs(graph=Window, hubs=2, graphs=2, receivers=12, senders=12, edges=60)
    """
    return WithHubs(graph, hubs)
