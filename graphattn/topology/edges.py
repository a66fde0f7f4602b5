"""Any graph that PyG can hold, as a topology."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, final

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.utils import to_edge_index

from graphattn.slots import Sizes
from graphattn.topology.base import Nodes, Topology
from graphattn.topology.compressed import Compressed, compress
from graphattn.topology.sizes import from_ptr, graph_of, joined
from graphattn.topology.subgraph import chosen, fewer


@final
class Edges(Topology):
    """The graph of a PyG ``edge_index``; edges keep their order, so edge features keep theirs.

    Args:
        edge_index: ``[2, E]`` of ``[sender, receiver]``, a PyG ``EdgeIndex``, or a ``torch.sparse`` matrix
            ``[receiver, sender]`` (PyG's ``adj_t``; its edges are then in the order of its entries).
        num_nodes: the number of nodes, or ``(senders, receivers)`` for a bipartite graph; if not given, the largest number
            plus one.
        ptr: boundaries of the graphs in the batch, ``[B + 1]``, or ``(senders, receivers)`` of these; one graph if not given.
        edge_type: the type of each edge, ``[E]``, counted from 0.

    Raises:
        ValueError: a shape other than ``[2, E]``, a negative node number, or one beyond ``num_nodes``; an edge between two
            graphs; another number of types than of edges.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 2, 2]]))
    >>> graph.degrees()
    tensor([0, 1, 2])
    >>> graph.mask().int()
    tensor([[0, 0, 0],
            [1, 0, 0],
            [0, 1, 1]], dtype=torch.int32)
    """

    _by_receiver: Compressed | None = None
    _by_sender: Compressed | None = None

    def __init__(
        self,
        edge_index: Tensor,
        num_nodes: int | tuple[int, int] | None = None,
        *,
        ptr: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_type: Tensor | None = None,
    ) -> None:
        self._edge_index, known = _read_edges(edge_index)
        largest = self._edge_index.amax(1).tolist() if self._edge_index.numel() else [-1, -1]
        size = num_nodes if num_nodes is not None else known
        if size is None:
            size = max(largest) + 1 if ptr is None else _last(ptr)
        self.num_senders, self.num_receivers = (size, size) if isinstance(size, int) else size
        _check_range(self._edge_index, largest, self.num_senders, self.num_receivers)
        if edge_type is not None and edge_type.shape != self._edge_index.shape[1:]:
            raise ValueError(f"expected {self.num_edges} types of edges, got {list(edge_type.shape)}")
        self._edge_type = edge_type
        self.senders, self.receivers = _read_ptr(ptr, size, self._edge_index.device)
        if ptr is not None:
            _check_graphs(self)

    @classmethod
    def from_mask(cls, mask: Tensor) -> Edges:
        """The graph of an attention mask: true where a receiver (row) hears a sender (column).

        That is the meaning of a mask for ``scaled_dot_product_attention``; ``torch.nn.MultiheadAttention`` says the opposite:
        give ``~mask`` then. Edges are receiver-major. Of a square mask, senders and receivers are the same nodes.

        Args:
            mask: bool ``[n, m]``, or ``[B, n, m]`` for ``B`` graphs of ``n`` receivers and ``m`` senders.

        Raises:
            ValueError: a mask of another type or shape.

        >>> Edges.from_mask(torch.tensor([[True, False], [True, True]])).edge_index()
        tensor([[0, 0, 1],
                [0, 1, 1]])
        """
        if mask.dtype != torch.bool or mask.dim() not in (2, 3):
            raise ValueError(
                f"expected a bool mask of shape [n, m] or [B, n, m], got {mask.dtype} of shape {list(mask.shape)}"
            )
        blocks = mask if mask.dim() == 3 else mask[None]
        graphs, n, m = blocks.shape
        graph, receiver, sender = blocks.nonzero().unbind(1)
        ends = torch.stack([graph * m + sender, graph * n + receiver])
        start = torch.arange(graphs + 1, device=mask.device)
        return cls(ends, graphs * n, ptr=start * n) if n == m else cls(ends, ptr=(start * m, start * n))

    @classmethod
    def from_padding(cls, padding: Tensor, receivers: int | None = None) -> Edges:
        """The graph of a key padding mask: in each graph all that stand there, padding too, hear what is no padding.

        Without padding there is nothing to mask: ``Full`` and ``Cross`` take graphs of unequal size as they are. With another
        mask: ``Edges.from_mask(mask & ~padding[:, None, :])``.

        Args:
            padding: bool ``[B, m]``, true at padding, as in ``torch.nn.MultiheadAttention``.
            receivers: how many nodes hear in each graph; if not given the senders do, ``m``.

        >>> graph = Edges.from_padding(torch.tensor([[False, False], [False, True]]))
        >>> graph.edge_index()
        tensor([[0, 1, 0, 1, 2, 2],
                [0, 0, 1, 1, 2, 3]])
        """
        if padding.dim() != 2:
            raise ValueError(f"expected a key padding mask of shape [B, m], got {list(padding.shape)}")
        listening = padding.size(1) if receivers is None else receivers
        return cls.from_mask((~padding)[:, None, :].expand(-1, listening, -1))

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        have = self._edge_index[1] * max(self.num_senders, 1) + self._edge_index[0]
        return torch.isin(receiver * max(self.num_senders, 1) + sender, have)

    def edge_index(self) -> Tensor:
        return self._edge_index

    def edge_type(self) -> Tensor | None:
        return self._edge_type

    @property
    def grouped(self) -> bool:
        """Whether the edges are grouped by both ends already, so that no kernel has to wait for it."""
        return self._by_receiver is not None and self._by_sender is not None

    def prepare(self) -> Self:
        self.by_sender()
        return self

    def by_receiver(self) -> Compressed:
        """The edges grouped by receiver (CSR); made once."""
        if self._by_receiver is None:
            # What inference mode makes cannot take part in training later.
            with torch.inference_mode(False):
                sender, receiver = self._edge_index
                self._by_receiver = compress(receiver, sender, self.num_receivers)
        return self._by_receiver

    def by_sender(self) -> Compressed:
        """The edges grouped by sender (CSC), numbered as they stand in ``by_receiver()``; made once."""
        if self._by_sender is None:
            with torch.inference_mode(False):
                sender, receiver = self._edge_index[:, self.by_receiver().number.long()]
                self._by_sender = compress(sender, receiver, self.num_senders)
        return self._by_sender

    @property
    def num_edges(self) -> int:
        return self._edge_index.size(1)

    @property
    def num_edge_types(self) -> int:
        """The largest type plus one; 1 where there are no types."""
        return 1 if self._edge_type is None or self.num_edges == 0 else int(self._edge_type.max()) + 1

    def degrees(self) -> Tensor:
        if self._by_receiver is not None:
            return self._by_receiver.ptr.diff().long()
        # Unlike bincount, this never waits for the device.
        receiver = self._edge_index[1]
        return receiver.new_zeros(self.num_receivers).index_add(0, receiver, torch.ones_like(receiver))

    def as_edges(self) -> Edges:
        return self

    def listed(self) -> Edges:
        return self

    def with_self_loops(self) -> Edges:
        """The graph with a loop, behind all other edges, for each node that has none (PyG: ``add_remaining_self_loops``).

        Where edges have types, these loops have a new one.

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
        types = self._edge_type
        if types is not None:
            types = torch.cat([types, torch.full_like(lonely, self.num_edge_types)])
        return self._among_the_same(torch.cat([self._edge_index, lonely.expand(2, -1)], dim=1), types)

    def reverse(self) -> Edges:
        """Every edge turned round; edges keep their order and types."""
        if self.senders is self.receivers:
            return self._among_the_same(self._edge_index.flip(0), self._edge_type)
        size, ptr = (self.num_receivers, self.num_senders), (self.receivers.ptr, self.senders.ptr)
        return Edges(self._edge_index.flip(0), size, ptr=ptr, edge_type=self._edge_type)

    def subgraph(self, nodes: Nodes) -> Edges:
        """The graph among some of the nodes only, numbered anew; edges keep their order and types."""
        senders, receivers = chosen(self, nodes)
        kept = senders[self._edge_index[0]] & receivers[self._edge_index[1]]
        number = (senders.cumsum(0) - 1, receivers.cumsum(0) - 1)
        ends = torch.stack([new[old] for new, old in zip(number, self._edge_index[:, kept], strict=True)])
        types = None if self._edge_type is None else self._edge_type[kept]
        speaking, listening = fewer(self, nodes)
        if self.senders is self.receivers:
            return Edges(ends, ptr=listening.ptr, edge_type=types)
        return Edges(ends, ptr=(speaking.ptr, listening.ptr), edge_type=types)

    def _among_the_same(self, edge_index: Tensor, edge_type: Tensor | None) -> Edges:
        return Edges(edge_index, self.num_senders, ptr=self.receivers.ptr, edge_type=edge_type)

    def _options(self) -> dict[str, object]:
        return {} if self._edge_type is None else {"typed": True}

    def _joined(self, graphs: Sequence[Any]) -> Edges:
        speaking, listening = joined([g.senders for g in graphs]), joined([g.receivers for g in graphs])
        ends, before = [], torch.zeros(2, 1, dtype=torch.long, device=self._edge_index.device)
        for graph in graphs:
            ends.append(graph._edge_index + before)
            before = before + before.new_tensor([[graph.num_senders], [graph.num_receivers]])
        types = [graph._edge_type for graph in graphs if graph._edge_type is not None]
        ptr = listening.ptr if self.senders is self.receivers else (speaking.ptr, listening.ptr)
        return Edges(torch.cat(ends, dim=1), ptr=ptr, edge_type=torch.cat(types) if types else None)


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


def _last(ptr: Tensor | tuple[Tensor, Tensor]) -> int | tuple[int, int]:
    return int(ptr[-1]) if isinstance(ptr, Tensor) else (int(ptr[0][-1]), int(ptr[1][-1]))


def _read_ptr(
    ptr: Tensor | tuple[Tensor, Tensor] | None, size: int | tuple[int, int], device: torch.device
) -> tuple[Sizes, Sizes]:
    """Sizes of senders and of receivers: one object where they are the same nodes."""
    if isinstance(size, int):
        if isinstance(ptr, tuple):
            raise ValueError(f"expected one ptr for {size} nodes that are senders and receivers, got two")
        same = from_ptr(torch.tensor([0, size], device=device) if ptr is None else ptr)
        return same, same
    if isinstance(ptr, Tensor):
        raise ValueError(f"expected (senders, receivers) in ptr for {size[0]} senders and {size[1]} receivers, got one")
    if ptr is None:
        ptr = (torch.tensor([0, size[0]], device=device), torch.tensor([0, size[1]], device=device))
    return from_ptr(ptr[0]), from_ptr(ptr[1])


def _check_range(edge_index: Tensor, largest: list[int], senders: int, receivers: int) -> None:
    if edge_index.numel() == 0:
        return
    if int(edge_index.min()) < 0:
        raise ValueError(f"expected node numbers of 0 or more, got {int(edge_index.min())} in edge_index")
    for row, highest, size in zip(("sender", "receiver"), largest, (senders, receivers), strict=True):
        if highest >= size:
            raise ValueError(f"expected {row} numbers below {size}, got {highest} in edge_index")


def _check_graphs(graph: Edges) -> None:
    """Edges stay within their graph, and boundaries fit the nodes."""
    for name, sizes, count in (
        ("senders", graph.senders, graph.num_senders),
        ("receivers", graph.receivers, graph.num_receivers),
    ):
        if int(sizes.ptr[-1]) != count:
            raise ValueError(f"expected ptr to end at {count} {name}, got {int(sizes.ptr[-1])}")
    if graph.senders.ptr.numel() != graph.receivers.ptr.numel():
        many = (graph.senders.ptr.numel() - 1, graph.receivers.ptr.numel() - 1)
        raise ValueError(f"expected as many graphs of senders as of receivers, got {many[0]} and {many[1]}")
    sender, receiver = graph.edge_index()
    apart = graph_of(graph.senders.ptr, sender) != graph_of(graph.receivers.ptr, receiver)
    if bool(apart.any()):
        pair = (int(sender[apart][0]), int(receiver[apart][0]))
        raise ValueError(f"expected edges within one graph, got one from sender {pair[0]} to receiver {pair[1]}")
