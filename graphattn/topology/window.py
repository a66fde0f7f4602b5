"""Everyone hears those nearby: the graph of local attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphattn.counts import read_integer
from graphattn.slots import Sizes
from graphattn.topology.base import Topology
from graphattn.topology.blockwise import Blockwise, Run
from graphattn.topology.sizes import joined, read_sizes, spans


@final
class Window(Blockwise):
    r"""Every node hears the nodes near it in its graph, itself included (Longformer, Beltagy et al. 2020).

    .. math:: N(i) = \{j : |i - j| = k \cdot \text{dilation},\ 0 \le k \le \text{radius}\}

    Args:
        source, ptr, batch, num_graphs: the sizes of the graphs, as in :class:`Full`.
        radius: required; how many nodes are heard to either side; 0 is each node alone.
        dilation: how far these are apart.
        causal: whether only nodes before ``i`` and ``i`` itself are heard.

    Raises:
        ValueError: a negative radius, or a dilation below 1.
        TypeError: no integers; no radius.

    >>> Window([5], radius=1, dilation=2).mask().int()
    tensor([[1, 0, 1, 0, 0],
            [0, 1, 0, 1, 0],
            [1, 0, 1, 0, 1],
            [0, 1, 0, 1, 0],
            [0, 0, 1, 0, 1]], dtype=torch.int32)
    """

    def __init__(
        self,
        source: Data | Batch | Sizes | Sequence[int] | None = None,
        radius: int | None = None,
        *,
        ptr: Tensor | None = None,
        batch: Tensor | None = None,
        num_graphs: int | None = None,
        dilation: int = 1,
        causal: bool = False,
    ) -> None:
        radius, dilation = read_integer(radius, "radius"), read_integer(dilation, "dilation")
        if radius < 0 or dilation < 1:
            raise ValueError(
                f"expected a radius of 0 or more and a dilation of 1 or more, got radius={radius} and dilation={dilation}"
            )
        self.radius, self.dilation, self.causal = radius, dilation, causal
        self.receivers = self.senders = read_sizes(source, ptr=ptr, batch=batch, num_graphs=num_graphs)
        self.num_receivers = self.num_senders = int(self.receivers.ptr[-1])

    def within(self, receiver: Tensor, sender: Tensor) -> Tensor:
        distance = receiver - sender
        near = (distance.abs() <= self.radius * self.dilation) & (distance % self.dilation == 0)
        return near & (distance >= 0) if self.causal else near

    def heard(self) -> Run:
        return self._run(before=True, after=not self.causal)

    def hearing(self) -> Run:
        return self._run(before=not self.causal, after=True)

    def reach(self) -> tuple[int, int]:
        return self.radius, 0 if self.causal else self.radius

    def reverse(self) -> Topology:
        """The window that looks ahead; itself where it looks both ways."""
        return super().reverse() if self.causal else self

    def _run(self, *, before: bool, after: bool) -> Run:
        start, end = spans(self.receivers, self.num_receivers)
        node = torch.arange(self.num_receivers, device=start.device)
        back = ((node - start) // self.dilation).clamp(max=self.radius) * before
        ahead = ((end - 1 - node) // self.dilation).clamp(max=self.radius) * after
        return Run(node - back * self.dilation, back + 1 + ahead, self.dilation)

    def _options(self) -> dict[str, object]:
        return {"radius": self.radius, "dilation": self.dilation, "causal": self.causal}

    def _joined(self, graphs: Sequence[Any]) -> Window:
        sizes = joined([graph.receivers for graph in graphs])
        return Window(sizes, radius=self.radius, dilation=self.dilation, causal=self.causal)
