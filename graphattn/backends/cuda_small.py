"""Attention in batches of small graphs on CUDA devices: a program for each graph and head, no list of edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.cuda import why_not_here
from graphattn.backends.watched import watched
from graphattn.message import Attend
from graphattn.score import ProductScore
from graphattn.slots import Inputs
from graphattn.topology import Causal, Cross, Full, Star, Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

LARGEST = 128
"""The most nodes of a graph, and the most channels of a head, whose tiles fit the registers of a program."""


@final
class CudaSmall:
    """A graph's scores in the registers of one program, where no graph of the batch has more than :data:`LARGEST` nodes."""

    name = "cuda_small"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> list[str]:
        message, reasons = layer.message_function, []
        if not isinstance(graph, Full | Cross | Star | Causal):
            reasons.append(f"needs a topology of whole graphs (Full, Causal, Cross, Star), got {type(graph).__name__}")
        elif (largest := max(graph.receivers.max, graph.senders.max)) > LARGEST:
            reasons.append(f"needs graphs of at most {LARGEST} nodes, got one of {largest}")
        if isinstance(message, Attend):
            reasons.extend(_why_not_this_message(message, inputs))
        else:
            reasons.append(f"needs the message Attend, got {type(message).__name__}")
        if not isinstance(layer.aggregation, SoftmaxSum):
            reasons.append(f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}")
        return reasons + why_not_here(inputs.senders.get("value")) + watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.cuda_kernels.functions import Scored
        from graphattn.backends.cuda_kernels.small_functions import attention

        message = layer.message_function
        assert isinstance(graph, Full | Cross | Star | Causal)
        assert isinstance(message, Attend)
        assert isinstance(message.score, ProductScore)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        bias = None
        if message.edge_bias is not None:
            bias = message.edge_bias.on_edges(graph, inputs.edge).expand(graph.num_edges, value.size(1))
        scale = message.score.factor(query.size(-1))
        scored = Scored(slope=scale, seed=inputs.seed, dropout=layer.dropout)
        return attention(query, key, value, bias, scored, graph)


def _why_not_this_message(message: Attend, inputs: Inputs) -> list[str]:
    if not isinstance(message.score, ProductScore):
        return [f"needs a score that is a multiple of the dot product, got {type(message.score).__name__}"]
    reasons = [
        f"needs keys and values of nodes alone, got the {name} {type(term).__name__}"
        for name, term in (("edge_key", message.edge_key), ("edge_value", message.edge_value))
        if term is not None
    ]
    wide = max(inputs.receivers["query"].size(-1), inputs.senders["value"].size(-1))
    if wide > LARGEST:
        reasons.append(f"needs at most {LARGEST} channels in a head, got {wide}")
    return reasons
