"""Attention and weighted sums over lists of edges, by kernels that never make a tensor of edges times channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from graphattn.aggregation import Mean, SoftmaxSum, Sum
from graphattn.backends.watched import watched
from graphattn.dropout import loudness
from graphattn.message import Attend, Copy, Scaled
from graphattn.score import ProductScore
from graphattn.slots import Inputs
from graphattn.topology import Edges, Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer


@final
class Csr:
    """Edges grouped by receiver, and by sender for gradients; grouped once for a graph."""

    name = "csr"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> list[str]:
        message, reasons = layer.message_function, []
        if not isinstance(graph, Edges):
            reasons.append(f"needs a list of edges (Edges), got {type(graph).__name__}")
        elif torch.compiler.is_compiling() and not graph.grouped:
            reasons.append("needs edges that were grouped before compiling: call graph.prepare()")
        if isinstance(message, Attend):
            reasons.extend(_why_no_attention(layer, message))
        elif not isinstance(message, Scaled | Copy):
            reasons.append(f"needs the message Attend, Scaled or Copy, got {type(message).__name__}")
        elif not isinstance(layer.aggregation, Sum | Mean):
            reasons.append(f"needs the aggregation Sum or Mean, got {type(layer.aggregation).__name__}")
        state = inputs.senders.get("value")
        if state is not None and (state.device.type != "cpu" or state.dtype not in (torch.float32, torch.float64)):
            reasons.append(f"needs float32 or float64 on the CPU, got {state.dtype} on {state.device}")
        return reasons + watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.cpu import functions

        assert isinstance(graph, Edges)
        message, value = layer.message_function, inputs.senders["value"]
        if isinstance(message, Attend):
            assert isinstance(message.score, ProductScore)
            query = inputs.receivers["query"]
            query = query * message.score.factor(query.size(-1))
            bias = None if message.edge_bias is None else message.edge_bias.on_edges(graph, inputs.edge)
            return functions.attention(query, inputs.senders["key"], value, bias, graph, inputs.seed, layer.dropout)
        scale = message.on_edges(graph, inputs.edge).get("scale")
        total = functions.weighted_sum(_weights(scale, value, graph, inputs.seed, layer.dropout), value, graph)
        if isinstance(layer.aggregation, Sum):
            return total
        return total / graph.by_receiver().ptr.diff().clamp(min=1).to(value.dtype)[:, None, None]


def _weights(scale: Tensor | None, value: Tensor, graph: Edges, seed: Tensor | None, dropout: float) -> Tensor:
    """How much of its sender each edge says, ``[E, H]`` in the order of the receivers' groups."""
    heads, order = value.size(1), graph.by_receiver().number.long()
    weight = (
        value.new_ones(graph.num_edges, heads)
        if scale is None
        else scale.to(value.dtype)[order, None].expand(-1, heads)
    )
    if seed is None:
        return weight
    sender, receiver = graph.edge_index()[:, order]
    return weight * loudness(seed, receiver, sender, order, heads, dropout, value.dtype)


def _why_no_attention(layer: GraphLayer, message: Attend) -> list[str]:
    reasons = []
    if not isinstance(message.score, ProductScore):
        reasons.append(f"needs a score that is a multiple of the dot product, got {type(message.score).__name__}")
    for name in ("edge_key", "edge_value"):
        term = getattr(message, name)
        if term is not None:
            reasons.append(f"needs keys and values of nodes alone, got the {name} {type(term).__name__}")
    if not isinstance(layer.aggregation, SoftmaxSum):
        reasons.append(f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}")
    return reasons
