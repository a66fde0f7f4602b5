"""Choosing some of the nodes of a topology."""

from __future__ import annotations

import torch
from torch import Tensor

from graphattn.slots import Sizes
from graphattn.topology.base import Nodes, Topology
from graphattn.topology.sizes import from_ptr


def chosen(graph: Topology, nodes: Nodes) -> tuple[Tensor, Tensor]:
    """Which senders and which receivers are chosen, bool ``([N_j], [N_i])``.

    Raises:
        ValueError: numbers that do not rise, or that are not there; one tensor where two are needed.
    """
    if graph.senders is graph.receivers:
        if isinstance(nodes, tuple):
            raise ValueError("expected one tensor of nodes where senders and receivers are the same, got a pair")
        same = _as_mask(nodes, graph.num_senders)
        return same, same
    if not isinstance(nodes, tuple):
        raise ValueError("expected (senders, receivers) where these are different nodes, got one tensor")
    return _as_mask(nodes[0], graph.num_senders), _as_mask(nodes[1], graph.num_receivers)


def fewer(graph: Topology, nodes: Nodes) -> tuple[Sizes, Sizes]:
    """How many of the chosen senders and receivers are in each graph."""
    senders, receivers = chosen(graph, nodes)
    listening = _count(graph.receivers, receivers)
    return listening if senders is receivers else _count(graph.senders, senders), listening


def _as_mask(nodes: Tensor, count: int) -> Tensor:
    if nodes.dtype == torch.bool:
        if nodes.shape != (count,):
            raise ValueError(f"expected a mask of shape [{count}] for {count} nodes, got {list(nodes.shape)}")
        return nodes
    if nodes.numel() and (bool((nodes.diff() <= 0).any()) or int(nodes[0]) < 0 or int(nodes[-1]) >= count):
        raise ValueError(f"expected rising node numbers from 0 to {count - 1}, got {nodes.tolist()}")
    return torch.zeros(count, dtype=torch.bool, device=nodes.device).index_fill(0, nodes.long(), True)


def _count(sizes: Sizes, chosen: Tensor) -> Sizes:
    before = torch.cat([chosen.new_zeros(1, dtype=torch.long), chosen.cumsum(0)])
    return from_ptr(before[sizes.ptr])
