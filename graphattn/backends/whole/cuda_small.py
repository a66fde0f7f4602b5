"""Attention in batches of small graphs on CUDA devices: a program for each graph and head, no list of edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.triton.usable import why_not_here
from graphattn.backends.watched import watched
from graphattn.message import Attend
from graphattn.score.base import is_product
from graphattn.slots import Inputs
from graphattn.topology import Causal, Cross, Full, Star, Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

CLASSES = (32, 64, 128)
"""Numbers of nodes for which there is a kernel each; a graph takes the least that is not below."""
# Numbers of a tile, nodes times channels, that a program's registers hold as the compiler for Hopper lays them out: products of
# half precision run on tensor cores, those of others on ordinary ones, which hold both factors.
_HALF, _FULL = 128 * 128, 2048


@final
class CudaSmall:
    """A graph's scores in the registers of one program, where no graph has more nodes than the last of :data:`CLASSES`."""

    name = "cuda_small"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        # The device first: no size is asked about elsewhere, as each would be compiled for itself.
        yield from why_not_here(inputs.senders.get("value"))
        message = layer.message_function
        if not isinstance(graph, (Full, Cross, Star, Causal)):
            yield f"needs a topology of whole graphs (Full, Causal, Cross, Star), got {type(graph).__name__}"
        elif (largest := max(graph.receivers.max, graph.senders.max)) > CLASSES[-1]:
            yield f"needs graphs of at most {CLASSES[-1]} nodes, got one of {largest}"
        elif isinstance(message, Attend):
            yield from _why_not_this_tile(largest, inputs)
        if isinstance(message, Attend):
            yield from _why_not_this_message(message)
        else:
            yield f"needs the message Attend, got {type(message).__name__}"
        if not isinstance(layer.aggregation, SoftmaxSum):
            yield f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.operators.edge_attention import Scored
        from graphattn.backends.triton.small_functions import attention

        message = layer.message_function
        assert isinstance(graph, Full | Cross | Star | Causal)
        assert isinstance(message, Attend)
        assert is_product(message.score)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        bias = None
        if message.edge_bias is not None:
            bias = message.edge_bias.on_edges(graph, inputs.edge).expand(graph.num_edges, value.size(1))
        scale = message.score.factor(query.size(-1))
        scored = Scored(slope=scale, seed=inputs.seed, dropout=layer.dropout)
        return attention(query, key, value, bias, scored, graph)


def _why_not_this_tile(largest: int, inputs: Inputs) -> list[str]:
    value = inputs.senders["value"]
    channels = max(inputs.receivers["query"].size(-1), value.size(-1))
    nodes = next(most for most in CLASSES if largest <= most)
    fit = _HALF if value.dtype in (torch.float16, torch.bfloat16) else _FULL
    if nodes * channels <= fit:
        return []
    return [
        f"needs at most {fit} numbers in a tile of {value.dtype}, got {nodes} nodes of {channels} channels in a head"
    ]


def _why_not_this_message(message: Attend) -> list[str]:
    if not is_product(message.score):
        return [f"needs a score that is a multiple of the dot product, got {type(message.score).__name__}"]
    return [
        f"needs keys and values of nodes alone, got the {name} {type(term).__name__}"
        for name, term in (("edge_key", message.edge_key), ("edge_value", message.edge_value))
        if term is not None
    ]
