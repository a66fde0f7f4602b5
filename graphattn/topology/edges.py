"""Any graph that PyG can hold, as a topology."""

from __future__ import annotations

from typing import Self, final

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.utils import to_edge_index

from graphattn.topology.base import Topology
from graphattn.topology.sizes import from_ptr


@final
class Edges(Topology):
    """The graph of a PyG ``edge_index``; edges keep their order, so edge features keep theirs.

    Args:
        edge_index: ``[2, E]`` of ``[sender, receiver]``, a PyG ``EdgeIndex``, or a ``torch.sparse`` matrix
            ``[receiver, sender]`` (PyG's ``adj_t``; its edges are then in the order of its entries).
        num_nodes: the number of nodes, or ``(senders, receivers)`` for a bipartite graph; if not given, the largest number
            plus one.
        ptr: boundaries of the graphs in the batch, ``[B + 1]``; one graph if not given.

    Raises:
        ValueError: a shape other than ``[2, E]``, a negative node number, or one beyond ``num_nodes``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 2, 2]]))
    >>> graph.degrees()
    tensor([0, 1, 2])
    >>> graph.mask().int()
    tensor([[0, 0, 0],
            [1, 0, 0],
            [0, 1, 1]], dtype=torch.int32)
    """

    def __init__(
        self, edge_index: Tensor, num_nodes: int | tuple[int, int] | None = None, *, ptr: Tensor | None = None
    ) -> None:
        self._edge_index, known = _read_edges(edge_index)
        largest = self._edge_index.amax(1).tolist() if self._edge_index.numel() else [-1, -1]
        size = num_nodes if num_nodes is not None else known
        if size is None:
            size = max(largest) + 1 if ptr is None else int(ptr[-1])
        self.num_senders, self.num_receivers = (size, size) if isinstance(size, int) else size
        _check_range(self._edge_index, largest, self.num_senders, self.num_receivers)
        device = self._edge_index.device
        one_graph = torch.tensor([0, self.num_receivers], device=device)
        self.receivers = self.senders = from_ptr(ptr if ptr is not None else one_graph)
        if not isinstance(size, int):
            self.senders = from_ptr(torch.tensor([0, self.num_senders], device=device))

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        have = self._edge_index[1] * max(self.num_senders, 1) + self._edge_index[0]
        return torch.isin(receiver * max(self.num_senders, 1) + sender, have)

    def edge_index(self) -> Tensor:
        return self._edge_index

    @property
    def num_edges(self) -> int:
        return self._edge_index.size(1)

    def degrees(self) -> Tensor:
        return torch.bincount(self._edge_index[1], minlength=self.num_receivers)

    def with_self_loops(self) -> Edges:
        """The graph with a loop, behind all other edges, for each node that has none (PyG: ``add_remaining_self_loops``).

        >>> Edges(torch.tensor([[0, 0], [0, 1]])).with_self_loops().edge_index()
        tensor([[0, 0, 1],
                [0, 1, 1]])
        """
        if self.num_senders != self.num_receivers:
            raise ValueError(
                "expected senders and receivers to be the same nodes for self-loops, "
                f"got {self.num_senders} senders and {self.num_receivers} receivers"
            )
        looped = self._edge_index[0, self._edge_index[0] == self._edge_index[1]]
        node = torch.arange(self.num_senders, device=self._edge_index.device)
        lonely = node[~torch.isin(node, looped)]
        return Edges(
            torch.cat([self._edge_index, lonely.expand(2, -1)], dim=1), self.num_senders, ptr=self.receivers.ptr
        )

    def to(self, device: torch.device | str) -> Self:
        if self.senders is self.receivers:
            return type(self)(self._edge_index.to(device), self.num_senders, ptr=self.receivers.ptr.to(device))
        return type(self)(self._edge_index.to(device), (self.num_senders, self.num_receivers))


def _read_edges(edge_index: Tensor) -> tuple[Tensor, int | tuple[int, int] | None]:
    if edge_index.layout != torch.strided:
        receivers, senders = edge_index.shape[:2]
        known = senders if senders == receivers else (senders, receivers)
        receiver, sender = to_edge_index(edge_index)[0]
        return torch.stack([sender, receiver]), known
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.is_floating_point():
        raise ValueError(
            f"expected an integer edge_index of shape [2, E], got {edge_index.dtype} of shape {list(edge_index.shape)}"
        )
    plain = edge_index.as_tensor() if isinstance(edge_index, EdgeIndex) else edge_index
    return plain.long(), None


def _check_range(edge_index: Tensor, largest: list[int], senders: int, receivers: int) -> None:
    if edge_index.numel() == 0:
        return
    if int(edge_index.min()) < 0:
        raise ValueError(f"expected node numbers of 0 or more, got {int(edge_index.min())} in edge_index")
    for row, highest, size in zip(("sender", "receiver"), largest, (senders, receivers), strict=True):
        if highest >= size:
            raise ValueError(f"expected {row} numbers below {size}, got {highest} in edge_index")
