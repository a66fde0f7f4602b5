"""Everyone hears the past: the graph of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes
from graphattn.topology.base import Nodes
from graphattn.topology.blockwise import Blockwise, Run
from graphattn.topology.sizes import fewer, joined, read_sizes, spans


@final
class Causal(Blockwise):
    r"""Every node hears itself and all nodes before it in its graph (the decoder of Vaswani et al. 2017).

    .. math:: N(i) = \{j : j \le i\}

    Args:
        source, ptr, batch, num_graphs: the sizes of the graphs, as in :class:`Full`.

    >>> Causal([3]).mask().int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    >>> Causal([100_000])  # nobody lists these edges
    Causal(graphs=1, receivers=100000, senders=100000, edges=5000050000)
    """

    triangular = True

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
        return sender <= receiver

    def heard(self) -> Run:
        start, _ = spans(self.receivers, self.num_receivers)
        return Run(start, torch.arange(self.num_receivers, device=start.device) + 1 - start)

    def hearing(self) -> Run:
        _, end = spans(self.receivers, self.num_receivers)
        node = torch.arange(self.num_receivers, device=end.device)
        return Run(node, end - node)

    def subgraph(self, nodes: Nodes) -> Causal:
        return Causal(fewer(self, nodes)[1])

    def _joined(self, graphs: Sequence[Any]) -> Causal:
        return Causal(joined([graph.receivers for graph in graphs]))
