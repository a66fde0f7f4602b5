"""Attention and weighted sums over lists of edges, by kernels that never make a tensor of edges times channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from graphattn.aggregation import Max, Mean, Min, Sum
from graphattn.backends.closed_form import ClosedForm
from graphattn.backends.dense import Dense
from graphattn.backends.edges.csr_attention import heard_attention, why_no_attention
from graphattn.backends.edges.edgeconv import heard_split, why_not_split
from graphattn.backends.edges.node_scales import node_scales
from graphattn.backends.edges.relations import heard_by_relation, why_not_by_relation
from graphattn.backends.linear import Linear
from graphattn.backends.numba.usable import why_not_usable
from graphattn.backends.watched import watched
from graphattn.dropout import loudness
from graphattn.message import Attend, Copy, Difference, Relation, Scaled
from graphattn.slots import Inputs
from graphattn.topology import Blockwise, Edges, Topology
from graphattn.topology.lattice import Lattice

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_WITHOUT_LIST = (Dense(), Linear(), ClosedForm())
_EXACT = (torch.float32, torch.float64)
_SHORT = (torch.bfloat16, torch.float16)


@final
class Csr:
    """Edges grouped by receiver, and by sender for gradients; grouped once for a graph."""

    name = "csr"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> list[str]:
        message, reasons = layer.message_function, [*why_not_usable()]
        if isinstance(graph, Blockwise) and any(not any(it.unsupported(layer, graph, inputs)) for it in _WITHOUT_LIST):
            # Nobody should hold the edges of a graph that is computed without them.
            reasons.append(f"needs a list of edges (Edges), got {type(graph).__name__}")
        elif torch.compiler.is_compiling() and not graph.grouped:
            reasons.append("needs edges that were grouped before compiling: call graph.listed().prepare()")
        if isinstance(message, Attend):
            reasons.extend(why_no_attention(layer, message, inputs.edge))
        elif isinstance(message, Relation) and isinstance(graph, Lattice):
            reasons.append(f"needs relations of a list of edges, got those of places in {type(graph).__name__}")
        elif isinstance(message, Relation):
            reasons.extend(why_not_by_relation(layer, message, inputs))
        elif not isinstance(message, Scaled | Copy | Difference):
            kinds = "Attend, Scaled, Copy, Difference or Relation"
            reasons.append(f"needs the message {kinds}, got {type(message).__name__}")
        elif not isinstance(layer.aggregation, Sum | Mean | Max | Min):
            reasons.append(f"needs the aggregation Sum, Mean, Max or Min, got {type(layer.aggregation).__name__}")
        if isinstance(message, Difference):
            reasons.extend(why_not_split(message, layer.aggregation, inputs))
        state = inputs.senders.get("value", inputs.senders.get("x"))
        known = _EXACT if isinstance(message, Difference | Relation) else _EXACT + _SHORT
        if state is not None and (state.device.type != "cpu" or state.dtype not in known):
            reasons.append(f"needs {_names(known)} on the CPU, got {state.dtype} on {state.device}")
        return reasons + watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message, edges = layer.message_function, graph.listed()
        if isinstance(message, Difference):
            return heard_split(message, layer.aggregation, edges, inputs)
        if isinstance(message, Relation):
            return heard_by_relation(layer, message, edges, inputs)
        if isinstance(message, Attend):
            return heard_attention(layer, message, edges, inputs)
        said = inputs.senders["value"]
        return _collected(layer, said.float() if said.dtype in _SHORT else said, edges, inputs).to(said.dtype)


def _collected(layer: GraphLayer, value: Tensor, graph: Edges, inputs: Inputs) -> Tensor:
    from graphattn.backends.numba import extreme_functions, functions, sum_functions

    message, aggregation = layer.message_function, layer.aggregation
    scales = node_scales(message, aggregation, graph, inputs)
    if scales is not None:
        return sum_functions.total(value, graph, *scales)
    scale = message.on_edges(graph, inputs.edge).get("scale")
    weight = weights(scale, value, graph, inputs.seed, layer.dropout)
    if isinstance(aggregation, Max):
        return extreme_functions.largest(weight, value, graph)
    if isinstance(aggregation, Min):
        return -extreme_functions.largest(-weight, value, graph)
    total = functions.weighted_sum(weight, value, graph)
    if isinstance(aggregation, Sum):
        return total
    return total / graph.by_receiver().ptr.diff().clamp(min=1).to(value.dtype)[:, None, None]


def weights(scale: Tensor | None, value: Tensor, graph: Edges, seed: Tensor | None, dropout: float) -> Tensor:
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


def _names(dtypes: tuple[torch.dtype, ...]) -> str:
    *most, last = (str(dtype).removeprefix("torch.") for dtype in dtypes)
    return f"{', '.join(most)} or {last}"
