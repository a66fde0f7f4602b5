"""Any graph that PyG can hold, as a topology."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Self, final

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphattn.backends.layout.compressed import Compressed, compress, row_of, turned
from graphattn.lasting import lasting, mark
from graphattn.topology.base import Nodes, Topology
from graphattn.topology.reading import (
    check_graphs,
    check_range,
    largest_of,
    last_of,
    numbers_of,
    of_data,
    read_edges,
    read_ptr,
    read_types,
)
from graphattn.topology.sizes import chosen, fewer, joined


@final
class Edges(Topology):
    """The graph of a PyG ``edge_index``; edges keep their order, so edge features keep theirs.

    It owns its edges: what is later written into a tensor that it was made from, or that it gave, does not change it.

    Args:
        edge_index: ``[2, E]`` of ``[sender, receiver]``, a PyG ``EdgeIndex``, or a ``torch.sparse`` matrix
            ``[receiver, sender]`` (PyG's ``adj_t``; its edges are then in the order of its entries); or a PyG ``Data`` or
            ``Batch`` that holds one of these, its number of nodes and, of several graphs, their boundaries.
        num_nodes: the number of nodes, or ``(senders, receivers)`` for a bipartite graph; if not given, the largest number
            plus one.
        ptr: boundaries of the graphs in the batch, ``[B + 1]``, or ``(senders, receivers)`` of these; one graph if not given.
        edge_type: the type of each edge, ``[E]``, counted from 0.

    Raises:
        ValueError: a shape other than ``[2, E]``, a negative node number, or one beyond ``num_nodes``; an edge between two
            graphs; another number of types than of edges, or types below 0.
        TypeError: what is no ``edge_index``; boundaries or types that are no integers.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 2, 2]]))
    >>> graph.degrees()
    tensor([0, 1, 2])
    >>> graph.mask().int()
    tensor([[0, 0, 0],
            [1, 0, 0],
            [0, 1, 1]], dtype=torch.int32)
    """

    _given: Tensor | None  # until they are grouped
    _by_receiver: Compressed | None = None
    _by_sender: Compressed | None = None
    _list: Tensor | None = None
    _list_mark: Hashable = None

    def __init__(
        self,
        edge_index: Tensor | Data,
        num_nodes: int | tuple[int, int] | None = None,
        *,
        ptr: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_type: Tensor | None = None,
    ) -> None:
        if isinstance(edge_index, Data):
            edge_index, num_nodes, ptr = of_data(edge_index, num_nodes, ptr)
        self._given, known = read_edges(edge_index)
        size = num_nodes if num_nodes is not None else known
        if size is None:
            size = largest_of(self._given) + 1 if ptr is None else last_of(ptr)
        self.num_senders, self.num_receivers = numbers_of(size)
        check_range(self._given, self.num_senders, self.num_receivers)
        self._types = read_types(edge_type, self.num_edges)
        self.senders, self.receivers = read_ptr(ptr, size, self._given.device)
        if ptr is not None:
            check_graphs(self._given, (self.senders, self.num_senders), (self.receivers, self.num_receivers))

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
        many, ends = max(self.num_senders, 1), self.edge_index()
        return torch.isin(receiver * many + sender, ends[1] * many + ends[0])

    def edge_index(self) -> Tensor:
        """All edges, ``[2, E]`` of int64, in the order in which they were given; made when first asked for."""
        if torch.compiler.is_compiling():
            return self._ends().long() if self._list is None else self._list
        if self._list is None or mark(self._list) != self._list_mark:
            with lasting(self._memory):
                self._list = self._ends().long()
            self._list_mark = mark(self._list)
        return self._list

    def edge_type(self) -> Tensor | None:
        return None if self._types is None else self._types.clone()

    @property
    def device(self) -> torch.device:
        return self._memory.device

    @property
    def grouped(self) -> bool:
        """Whether the edges are grouped by both ends already, so that no kernel has to wait for it."""
        return self._by_receiver is not None and self._by_sender is not None

    def prepare(self) -> Self:
        self.by_sender()
        self.edge_index()
        return self

    def by_receiver(self) -> Compressed:
        """The edges grouped by receiver (CSR); made once, and the memory that kernels read: not to be written into."""
        given = self._given  # before a thread beside this one has grouped them
        if self._by_receiver is not None:
            return self._by_receiver
        assert given is not None
        # What a compiler traces must not outlive the trace.
        if torch.compiler.is_compiling():
            return compress(given[1], given[0], self.num_receivers)
        with lasting(given):
            self._by_receiver = compress(given[1], given[0], self.num_receivers)
        self._given = None
        return self._by_receiver

    def by_sender(self) -> Compressed:
        """The edges grouped by sender (CSC), numbered as they stand in ``by_receiver()``; likewise."""
        if self._by_sender is not None:
            return self._by_sender
        grouped = self.by_receiver()
        if torch.compiler.is_compiling():
            return turned(grouped, self.num_senders)
        with lasting(grouped.other):
            self._by_sender = turned(grouped, self.num_senders)
        return self._by_sender

    @property
    def num_edges(self) -> int:
        return self._memory.size(-1)

    @property
    def num_edge_types(self) -> int:
        """The largest type plus one; 1 where there are no types."""
        return 1 if self._types is None or self.num_edges == 0 else int(self._types.max()) + 1

    def degrees(self) -> Tensor:
        if self._by_receiver is not None:
            return self._by_receiver.ptr.diff().long()
        # Unlike bincount, this never waits for the device.
        receiver = self._ends()[1].long()
        return receiver.new_zeros(self.num_receivers).index_add(0, receiver, torch.ones_like(receiver))

    @property
    def _memory(self) -> Tensor:
        """What the graph holds of its edges, ``[2, E]`` or ``[E]``."""
        given = self._given
        return self.by_receiver().other if given is None else given

    def _ends(self) -> Tensor:
        """The edges as they were given, ``[2, E]``, in memory that nobody else holds."""
        given = self._given
        if given is not None:
            return given
        grouped = self.by_receiver()
        ends = torch.stack([grouped.other, row_of(grouped.ptr, grouped.other.size(0))])
        return torch.empty_like(ends).scatter_(1, grouped.number.long().expand(2, -1), ends)

    def check(self) -> None:
        """Nothing: no kernel for lists of edges reads boundaries."""

    def as_edges(self) -> Edges:
        return self

    def listed(self) -> Edges:
        return self

    def with_self_loops(self) -> Edges:
        """The graph with one loop for each node, behind all other edges: PyG's ``add_remaining_self_loops``, which does to edge
        features what is done to types here.

        A loop that is there keeps its type, the last of several; the others have a new one.

        >>> graph = Edges(torch.tensor([[0, 0], [0, 1]]), edge_type=torch.tensor([1, 0])).with_self_loops()
        >>> graph.edge_index(), graph.edge_type()
        (tensor([[0, 0, 1],
                [1, 0, 1]]), tensor([0, 1, 2]))
        """
        if self.num_senders != self.num_receivers:
            raise ValueError(
                "expected senders and receivers to be the same nodes for self-loops, "
                f"got {self.num_senders} senders and {self.num_receivers} receivers"
            )
        ends, types = self._ends().long(), self._types
        other, node = ends[0] != ends[1], torch.arange(self.num_senders, device=self.device)
        if types is not None:
            loop = (~other).nonzero().flatten()
            last = torch.full_like(node, -1).scatter_reduce(0, ends[0, loop], loop, "amax")
            types = torch.cat([types[other], torch.cat([types, types.new_full((1,), self.num_edge_types)])[last]])
        return self._among_the_same(torch.cat([ends[:, other], node.expand(2, -1)], dim=1), types)

    def reverse(self) -> Edges:
        """Every edge turned round; edges keep their order and types."""
        if self.senders is self.receivers:
            return self._among_the_same(self._ends().flip(0), self._types)
        size, ptr = (self.num_receivers, self.num_senders), (self.receivers.ptr, self.senders.ptr)
        return Edges(self._ends().flip(0), size, ptr=ptr, edge_type=self._types)

    def subgraph(self, nodes: Nodes) -> Edges:
        """The graph among some of the nodes only, numbered anew; edges keep their order and types."""
        senders, receivers = chosen(self, nodes)
        ends = self._ends().long()
        kept = senders[ends[0]] & receivers[ends[1]]
        number = (senders.cumsum(0) - 1, receivers.cumsum(0) - 1)
        ends = torch.stack([new[old] for new, old in zip(number, ends[:, kept], strict=True)])
        types = None if self._types is None else self._types[kept]
        speaking, listening = fewer(self, nodes)
        if self.senders is self.receivers:
            return Edges(ends, ptr=listening.ptr, edge_type=types)
        return Edges(ends, ptr=(speaking.ptr, listening.ptr), edge_type=types)

    def _among_the_same(self, edge_index: Tensor, edge_type: Tensor | None) -> Edges:
        return Edges(edge_index, self.num_senders, ptr=self.receivers.ptr, edge_type=edge_type)

    def _options(self) -> dict[str, object]:
        return {} if self._types is None else {"typed": True}

    def _joined(self, graphs: Sequence[Any]) -> Edges:
        speaking, listening = joined([g.senders for g in graphs]), joined([g.receivers for g in graphs])
        ends, before = [], torch.zeros(2, 1, dtype=torch.long, device=self.device)
        for graph in graphs:
            ends.append(graph._ends() + before)
            before = before + before.new_tensor([[graph.num_senders], [graph.num_receivers]])
        types = [graph._types for graph in graphs if graph._types is not None]
        ptr = listening.ptr if self.senders is self.receivers else (speaking.ptr, listening.ptr)
        return Edges(torch.cat(ends, dim=1), ptr=ptr, edge_type=torch.cat(types) if types else None)
