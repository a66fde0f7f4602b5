"""What every topology can do: who hears whom, as a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import networkx
import torch
from torch import Tensor

from graphattn.slots import Sizes


class Topology(ABC):
    """Who hears whom in a batch of graphs; graphs of a batch never hear each other.

    Immutable. ``keep`` is the definition; lists, masks and counts follow from it and are made only when asked for.
    ``edge_index`` is ``[sender, receiver]``, matrices are ``[receiver, sender]``.
    """

    receivers: Sizes
    senders: Sizes
    num_receivers: int
    num_senders: int

    @abstractmethod
    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        """Whether ``receiver`` hears ``sender``: broadcasting tensors of node numbers in, bool out."""

    @abstractmethod
    def edge_index(self) -> Tensor:
        """All edges, ``[2, E]``: row 0 senders, row 1 receivers."""

    @property
    @abstractmethod
    def num_edges(self) -> int:
        """Number of edges, without listing them where the topology is implicit."""

    @abstractmethod
    def degrees(self) -> Tensor:
        """How many senders each receiver hears, ``[N_i]``."""

    @abstractmethod
    def with_self_loops(self) -> Topology:
        """The same graph in which every node also hears itself."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same topology on another device."""

    @property
    def num_graphs(self) -> int:
        """Number of graphs in the batch, empty ones included."""
        return self.receivers.ptr.numel() - 1

    def edge_type(self) -> Tensor | None:
        """The type of each edge, ``[E]`` in edge order, where the topology knows types; else None."""
        return None

    def places(self) -> tuple[Tensor, Tensor]:
        """Where each sender and each receiver stands in its graph, counted from 0: ``([N_j], [N_i])``."""
        return _places(self.senders, self.num_senders), _places(self.receivers, self.num_receivers)

    def mask(self) -> Tensor:
        """Who hears whom as a matrix, bool ``[N_i, N_j]``."""
        device = self.receivers.ptr.device
        receiver = torch.arange(self.num_receivers, device=device)
        sender = torch.arange(self.num_senders, device=device)
        return self.keep(receiver[:, None], sender[None, :])

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A networkx graph with an arc from sender to receiver for each edge.

        Nodes are numbers; where senders and receivers are different nodes, they are ``("sender", j)`` and ``("receiver", i)``.
        """
        graph = networkx.MultiDiGraph()
        bipartite = self.senders is not self.receivers
        senders = [("sender", j) for j in range(self.num_senders)] if bipartite else list(range(self.num_senders))
        receivers = [("receiver", i) for i in range(self.num_receivers)] if bipartite else senders
        graph.add_nodes_from(senders)
        graph.add_nodes_from(receivers)
        graph.add_edges_from((senders[j], receivers[i]) for j, i in self.edge_index().T.tolist())
        return graph

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(graphs={self.num_graphs}, receivers={self.num_receivers}, "
            f"senders={self.num_senders}, edges={self.num_edges})"
        )


def _places(sizes: Sizes, count: int) -> Tensor:
    start = sizes.ptr[:-1].repeat_interleave(sizes.ptr.diff(), output_size=count)
    return torch.arange(count, device=start.device) - start
