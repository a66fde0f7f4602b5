"""A prompt that everyone hears, and a causal rest: the graph of a prefix language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.counts import read_integer
from graphattn.slots import Sizes
from graphattn.topology.base import Nodes
from graphattn.topology.blockwise import Blockwise, Run
from graphattn.topology.sizes import chosen, fewer, graph_of, joined, must_be_integers, read_sizes, spans


@final
class Prefix(Blockwise):
    r"""The first nodes of each graph are heard by all of it; otherwise every node hears itself and those before it.

    .. math:: N(i) = \{j : j < p \ \text{or}\ j \le i\}

    with places counted from 0 in each graph (the prefix LM of Raffel et al. 2020, T5).

    Args:
        source, ptr, batch, num_graphs: the sizes of the graphs, as in :class:`Full`.
        prefix: required; ``p``, one for all graphs or one for each; a graph of fewer nodes is full.

    Raises:
        ValueError: a negative prefix, or another number of them than graphs.
        TypeError: no integers; no prefix.

    >>> Prefix([4], prefix=2).mask().int()
    tensor([[1, 1, 0, 0],
            [1, 1, 0, 0],
            [1, 1, 1, 0],
            [1, 1, 1, 1]], dtype=torch.int32)
    """

    def __init__(
        self,
        source: Data | Batch | Sizes | Sequence[int] | None = None,
        prefix: int | Sequence[int] | Tensor | None = None,
        *,
        ptr: Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
    ) -> None:
        self.receivers = self.senders = read_sizes(source, ptr=ptr, batch=batch, num_graphs=num_graphs)
        self.num_receivers = self.num_senders = int(self.receivers.ptr[-1])
        many = self.receivers.ptr.diff()
        given = _read(prefix).to(many.device)
        if given.dim() > 1 or (given.dim() == 1 and given.shape != many.shape) or bool((given < 0).any()):
            raise ValueError(
                f"expected one prefix of 0 or more, or one for each of {many.numel()} graphs, got {given.tolist()}"
            )
        self.prefix = given.expand_as(many).minimum(many)

    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        if self.num_graphs == 0:
            return sender <= receiver
        graph = graph_of(self.senders.ptr, sender)
        return (sender < (self.senders.ptr[:-1] + self.prefix)[graph]) | (sender <= receiver)

    def heard(self) -> Run:
        start, _ = spans(self.receivers, self.num_receivers)
        place = torch.arange(self.num_receivers, device=start.device) - start
        return Run(start, (place + 1).maximum(self._prefix_of_nodes()))

    def hearing(self) -> Run:
        start, end = spans(self.receivers, self.num_receivers)
        node = torch.arange(self.num_receivers, device=start.device)
        first = torch.where(node - start < self._prefix_of_nodes(), start, node)
        return Run(first, end - first)

    def subgraph(self, nodes: Nodes) -> Prefix:
        keep, _ = chosen(self, nodes)
        start, _ = spans(self.receivers, self.num_receivers)
        node = torch.arange(self.num_receivers, device=start.device)
        left = keep & (node - start < self._prefix_of_nodes())
        graph = graph_of(self.receivers.ptr, node)
        prefix = torch.zeros_like(self.prefix).index_add(0, graph, left.long())
        return Prefix(fewer(self, nodes)[1], prefix=prefix)

    def _prefix_of_nodes(self) -> Tensor:
        return self.prefix.repeat_interleave(self.receivers.ptr.diff(), output_size=self.num_receivers)

    def _joined(self, graphs: Sequence[Any]) -> Prefix:
        sizes = joined([graph.receivers for graph in graphs])
        return Prefix(sizes, prefix=torch.cat([graph.prefix for graph in graphs]))


def _read(prefix: int | Sequence[int] | Tensor | None) -> Tensor:
    if isinstance(prefix, Tensor):
        return must_be_integers(prefix, "prefix").long()
    if isinstance(prefix, (list, tuple)):
        return torch.tensor([read_integer(each, "prefix") for each in prefix], dtype=torch.long)
    return torch.tensor(read_integer(prefix, "prefix"))
