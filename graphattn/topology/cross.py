"""One set of nodes hears another: the graph of cross-attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes
from graphattn.topology.base import Nodes, Topology
from graphattn.topology.blockwise import Blockwise, Run, everyone
from graphattn.topology.sizes import fewer, joined, read_sizes


@final
class Cross(Blockwise):
    r"""The receivers of a graph hear all its senders, which are other nodes (cross-attention, Vaswani et al. 2017).

    .. math:: N(i) = \{j : \text{graph}(j) = \text{graph}(i)\}

    Layers take ``x = (senders, receivers)``.

    Args:
        senders: how many nodes speak in each graph: a PyG ``Data`` or ``Batch``, a list of sizes, or
            :func:`~graphattn.topology.read_sizes` of a ``ptr`` or a ``batch``.
        receivers: how many listen, in the same graphs.

    Raises:
        ValueError: another number of graphs of senders than of receivers.

    >>> Cross([3, 1], [1, 2]).edge_index()
    tensor([[0, 1, 2, 3, 3],
            [0, 0, 0, 1, 2]])
    """

    complete = True

    def __init__(
        self, senders: Data | Batch | Sizes | Sequence[int], receivers: Data | Batch | Sizes | Sequence[int]
    ) -> None:
        # Two objects even where one is given twice: senders and receivers are different nodes.
        self.senders, self.receivers = Sizes(*read_sizes(senders)), Sizes(*read_sizes(receivers))
        graphs = (self.senders.ptr.numel() - 1, self.receivers.ptr.numel() - 1)
        if graphs[0] != graphs[1]:
            raise ValueError(f"expected as many graphs of senders as of receivers, got {graphs[0]} and {graphs[1]}")
        self.num_senders, self.num_receivers = int(self.senders.ptr[-1]), int(self.receivers.ptr[-1])

    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        return torch.ones((), dtype=torch.bool, device=receiver.device)

    def heard(self) -> Run:
        return everyone(self.receivers, self.senders, self.num_receivers)

    def hearing(self) -> Run:
        return everyone(self.senders, self.receivers, self.num_senders)

    def with_self_loops(self) -> Topology:
        """Refused: a receiver is not one of the nodes it hears."""
        raise ValueError("expected senders and receivers to be the same nodes for self-loops, got a Cross of two sets")

    def reverse(self) -> Cross:
        return Cross(self.receivers, self.senders)

    def subgraph(self, nodes: Nodes) -> Cross:
        return Cross(*fewer(self, nodes))

    def _joined(self, graphs: Sequence[Any]) -> Cross:
        return Cross(joined([graph.senders for graph in graphs]), joined([graph.receivers for graph in graphs]))
