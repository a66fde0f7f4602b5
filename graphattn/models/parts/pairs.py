"""Features of pairs of nodes for edge terms: those of the data's edges, and distances where there is none.

Letters: ``K`` edges of the data, ``T`` kinds of edges, ``F`` channels.
"""

from __future__ import annotations

from typing import Protocol, final

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn.models.parts.embedding import Distinct
from graphattn.slots import State
from graphattn.topology import Blockwise, Topology

FARTHEST = 20
"""Edges on the longest shortest path that is told from longer ones; ``FARTHEST + 1`` stands for no path."""


class Encodes(Protocol):
    """A module that maps the features ``[K, columns]`` of edges to their different rows."""

    def distinct(self, features: Tensor, /) -> Distinct: ...


@final
class EdgeEncoder(nn.Module):
    """Features of the data's edges, each different one once: from ``edge_attr``, or one learned vector for all edges.

    Args:
        encoder: of ``edge_attr [K, columns]``, such as :class:`~graphattn.models.parts.embedding.CategoryEmbedding`; None where
            edges have no features.
        channels: ``F``.
    """

    def __init__(self, encoder: Encodes | None, channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.same = nn.Parameter(torch.randn(1, channels)) if encoder is None else None

    def forward(self, data: Data) -> Distinct:
        if self.encoder is None:
            assert self.same is not None
            return Distinct(self.same, data["edge_index"].new_zeros(data["edge_index"].size(1)))
        return self.encoder.distinct(data["edge_attr"])


@final
class ListedPairs(nn.Module):
    """Features of the pairs in a list of edges that begins with those of the data; other pairs have none.

    Args:
        edges: encoder of the data's edges.
    """

    def __init__(self, edges: EdgeEncoder) -> None:
        super().__init__()
        self.edges = edges

    def forward(self, data: Data, graph: Topology) -> State:
        found = self.edges(data)
        number = torch.arange(len(found.kind), device=found.kind.device)
        return _numbered(found, number, "pair") | _numbered(found, number, "bond")


@final
class AllPairs(nn.Module):
    """Features of all pairs of nodes of a graph: those of the data's edge, or a vector for the distance where there is none.

    Args:
        edges: encoder of the data's edges.
        channels: ``F``.

    Raises:
        ValueError: in ``forward``, graphs without ``distance``.
    """

    def __init__(self, edges: EdgeEncoder, channels: int) -> None:
        super().__init__()
        self.edges = edges
        self.distance = nn.Embedding(FARTHEST + 2, channels)

    def forward(self, data: Data, graph: Topology) -> State:
        assert isinstance(graph, Blockwise)
        if "distance" not in data:
            raise ValueError(f"expected graphs with the distances of all pairs as distance, got {sorted(data.keys())}")
        found, (sender, receiver) = self.edges(data), data["edge_index"]
        # In order, once for all layers.
        number, order = graph.edge_number(receiver, sender).sort()
        found = Distinct(found.rows, found.kind[order])
        kind = data["distance"].index_copy(0, number, found.kind + FARTHEST + 2)
        pair = {"pair": torch.cat([self.distance.weight, found.rows]), "pair_kind": kind}
        return pair | _numbered(found, number, "bond")


def _numbered(found: Distinct, number: Tensor, name: str) -> State:
    return {name: found.rows, f"{name}_kind": found.kind, f"{name}_number": number}
