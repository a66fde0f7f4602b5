"""Several topologies over the same nodes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from graphattn.topology.base import Nodes, Topology, collate


@final
class Union(Topology):
    """All edges of several topologies, as a multigraph: what two of them share is heard twice. Also ``one | other``.

    Edges are those of the first topology, then those of the second, and so on; so are their types: those of the first, behind
    them those of the second. A topology without types counts as one type. ``keep`` and ``mask`` tell who hears whom at all.

    Args:
        parts: topologies over the same graphs, senders and receivers.

    Raises:
        ValueError: no topologies, or topologies over other graphs.

    >>> from graphattn.topology import Window
    >>> ring = Edges(torch.tensor([[0, 1, 2], [1, 2, 0]]))
    >>> both = ring | Window([3], radius=0)
    >>> both.edge_index(), both.edge_type()
    (tensor([[0, 1, 2, 0, 1, 2],
            [1, 2, 0, 0, 1, 2]]), tensor([0, 0, 0, 1, 1, 1]))
    """

    def __init__(self, *parts: Topology) -> None:
        if not parts:
            raise ValueError("expected one topology or more, got none")
        self.parts = tuple(inner for part in parts for inner in (part.parts if isinstance(part, Union) else (part,)))
        first = self.parts[0]
        for part in self.parts[1:]:
            if not _same_nodes(first, part):
                raise ValueError(f"expected topologies over the same graphs, got {first} and {part}")
        self.senders, self.receivers = first.senders, first.receivers
        self.num_senders, self.num_receivers = first.num_senders, first.num_receivers

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        kept = self.parts[0].keep(receiver, sender)
        for part in self.parts[1:]:
            kept = kept | part.keep(receiver, sender)
        return kept

    def edge_index(self) -> Tensor:
        return torch.cat([part.edge_index() for part in self.parts], dim=1)

    @property
    def num_edges(self) -> int:
        return sum(part.num_edges for part in self.parts)

    @property
    def num_edge_types(self) -> int:
        """The types of all parts together."""
        return sum(part.num_edge_types for part in self.parts)

    def edge_type(self) -> Tensor:
        """The type of each edge, ``[E]``: the part it comes from, or its type there behind those of the parts before."""
        types, before = [], 0
        for part in self.parts:
            known = part.edge_type()
            plain = torch.zeros(part.num_edges, dtype=torch.long, device=self.receivers.ptr.device)
            types.append((plain if known is None else known) + before)
            before += part.num_edge_types
        return torch.cat(types)

    def degrees(self) -> Tensor:
        return torch.stack([part.degrees() for part in self.parts]).sum(0)

    def check(self) -> None:
        for part in self.parts:
            part.check()

    def with_self_loops(self) -> Topology:
        """Itself where one part has them all; else a list of edges, with one loop of each node behind the others."""
        looped = any(part.with_self_loops() is part for part in self.parts)
        return self if looped else self.as_edges().with_self_loops()

    def reverse(self) -> Union:
        return Union(*(part.reverse() for part in self.parts))

    def subgraph(self, nodes: Nodes) -> Union:
        return Union(*(part.subgraph(nodes) for part in self.parts))

    def _options(self) -> dict[str, object]:
        return {"parts": " | ".join(type(part).__name__ for part in self.parts)}

    def _joined(self, graphs: Sequence[Any]) -> Union:
        return Union(*(collate(parts) for parts in zip(*(graph.parts for graph in graphs), strict=True)))


def _same_nodes(one: Topology, other: Topology) -> bool:
    return (
        torch.equal(one.senders.ptr, other.senders.ptr)
        and torch.equal(one.receivers.ptr, other.receivers.ptr)
        and (one.senders is one.receivers) == (other.senders is other.receivers)
    )
