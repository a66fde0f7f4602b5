"""Weights of edges that are a factor of the receiver times one of the sender: no edge needs one of its own."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphattn.aggregation import Mean, Sum
from graphattn.message import Copy, Scaled, as_weighted, by_row, symmetric
from graphattn.slots import Aggregation, Inputs, Message
from graphattn.topology import Edges


class NodeScales(NamedTuple):
    """Factors of receivers ``[N_i]`` and of senders ``[N_j]``; None for one."""

    receivers: Tensor | None
    senders: Tensor | None


def node_scales(message: Message, aggregation: Aggregation, graph: Edges, inputs: Inputs) -> NodeScales | None:
    """The factors of nodes that make a sum of what is heard, or None where edges have weights of their own.

    >>> graph = Edges(torch.tensor([[0, 1, 1], [1, 1, 0]]))
    >>> node_scales(Copy(), Mean(), graph, Inputs({}, {}, {}))
    NodeScales(receivers=tensor([1.0000, 0.5000], dtype=torch.float64), senders=None)
    """
    if inputs.seed is not None or not isinstance(aggregation, (Sum, Mean)):
        return None
    if isinstance(message, Copy):
        scales = NodeScales(None, None)
    elif isinstance(message, Scaled) and "edge_attr" not in inputs.edge:
        scales = _of_scale(message, graph)
    else:
        return None
    if scales is None or isinstance(aggregation, Sum):
        return scales
    share = 1 / _degree(graph).clamp(min=1)
    return NodeScales(share if scales.receivers is None else share * scales.receivers, scales.senders)


def _of_scale(message: Scaled, graph: Edges) -> NodeScales | None:
    if message.scale is as_weighted:
        return NodeScales(None, None)
    if message.scale is by_row:
        return NodeScales(1 / _degree(graph).clamp(min=1), None)
    if message.scale is symmetric and graph.num_senders == graph.num_receivers:
        degree = _degree(graph)
        root = degree.clamp(min=1).rsqrt() * (degree > 0)
        return NodeScales(root, root.clone())  # torch.compile gives a Function no tensor twice
    return None


def _degree(graph: Edges) -> Tensor:
    return graph.by_receiver().ptr.diff().to(torch.float64)
