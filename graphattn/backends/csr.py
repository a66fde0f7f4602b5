"""Attention and weighted sums over lists of edges, by kernels that never make a tensor of edges times channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

from graphattn.aggregation import Max, Mean, Min, SoftmaxSum, Sum
from graphattn.backends.cpu.usable import why_not_usable
from graphattn.backends.differences import heard_split, why_not_split
from graphattn.backends.node_scales import node_scales
from graphattn.backends.relations import heard_by_relation, why_not_by_relation
from graphattn.backends.watched import watched
from graphattn.dropout import loudness
from graphattn.edge_terms import LinearValue
from graphattn.message import Attend, Copy, Difference, Relation, Scaled
from graphattn.message.edge_values import must_be_one_each, on_every_edge
from graphattn.score import Additive, NodeScore, ProductScore, SplitAdditive
from graphattn.slots import Inputs, State
from graphattn.topology import Edges, Topology

if TYPE_CHECKING:
    from graphattn.backends.cpu.functions import Dropped
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
            reasons.extend(why_no_attention(layer, message))
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
        if state is not None and (state.device.type != "cpu" or state.dtype not in (torch.float32, torch.float64)):
            reasons.append(f"needs float32 or float64 on the CPU, got {state.dtype} on {state.device}")
        return reasons + why_not_usable() + watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.cpu import extreme_functions, functions, sum_functions

        assert isinstance(graph, Edges)
        message = layer.message_function
        if isinstance(message, Difference):
            return heard_split(message, layer.aggregation, graph, inputs)
        if isinstance(message, Relation):
            return heard_by_relation(layer, message, graph, inputs)
        value = inputs.senders["value"]
        if isinstance(message, Attend):
            return _attention(message, graph, inputs, functions.Dropped(inputs.seed, layer.dropout))
        scales = node_scales(message, layer.aggregation, graph, inputs)
        if scales is not None:
            return sum_functions.total(value, graph, *scales)
        scale = message.on_edges(graph, inputs.edge).get("scale")
        weight = weights(scale, value, graph, inputs.seed, layer.dropout)
        if isinstance(layer.aggregation, Max):
            return extreme_functions.largest(weight, value, graph)
        if isinstance(layer.aggregation, Min):
            return -extreme_functions.largest(-weight, value, graph)
        total = functions.weighted_sum(weight, value, graph)
        if isinstance(layer.aggregation, Sum):
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


def _attention(message: Attend, graph: Edges, inputs: Inputs, dropped: Dropped) -> Tensor:
    from graphattn.backends.cpu import additive_functions as additive
    from graphattn.backends.cpu.functions import Said, attention

    score, query, key, value = message.score, inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
    # Kernels read one row for each edge: what fits by broadcasting is spread out, what does not is refused by torch.
    shape = (graph.num_edges, value.size(1))
    bias = None if message.edge_bias is None else message.edge_bias.on_edges(graph, inputs.edge).expand(shape)
    if isinstance(score, SplitAdditive):
        term = message.edge_key
        inside = None if term is None else on_every_edge(term, graph, inputs.edge).squeeze(-1).expand(shape)
        return additive.split_attention(
            query.squeeze(-1), key.squeeze(-1), value, slope_of(score), graph, inside, dropped
        )
    if isinstance(score, Additive):
        weight = score.weight.reshape(1, *query.shape[1:])
        return additive.additive_attention(query, key, value, weight, slope_of(score), graph, bias, dropped)
    assert isinstance(score, ProductScore)
    query = query * score.factor(query.size(-1))
    if message.edge_key is None and message.edge_value is None:
        return attention(query, key, value, graph, Said(bias), dropped)[0]
    feature, into_key, into_value = factored(message, graph, inputs.edge)
    asked = (
        query.new_zeros(*query.shape[:2], feature.size(1))
        if into_key is None
        else torch.einsum("nhc,fhc->nhf", query, into_key)
    )
    out, felt = attention(query, key, value, graph, Said(bias, asked, feature), dropped)
    return out if into_value is None else out + torch.einsum("nhf,fhc->nhc", felt, into_value)


def factored(message: Attend, graph: Edges, edge: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Features of edges ``[E, F]``, and the maps ``[F, H, C]`` that make keys and values of them."""
    in_key, in_value = message.edge_key, message.edge_value
    term = in_value if in_key is None else in_key
    assert isinstance(term, LinearValue)
    feature = term.features(graph, edge)
    must_be_one_each(feature, graph)
    into_key = in_key.matrix(feature) if isinstance(in_key, LinearValue) else None
    if in_key is in_value:
        return feature, into_key, into_key
    return feature, into_key, in_value.matrix(feature) if isinstance(in_value, LinearValue) else None


def slope_of(score: Additive | SplitAdditive) -> float:
    """Of the leaky ReLU in a score."""
    assert isinstance(score.activation, nn.LeakyReLU)
    return score.activation.negative_slope


def why_no_attention(layer: GraphLayer, message: Attend) -> list[str]:
    """Why the layer is no attention that can be had without a tensor of edges times channels."""
    score, reasons = message.score, []
    if isinstance(score, Additive | SplitAdditive):
        if not isinstance(score.activation, nn.LeakyReLU):
            reasons.append(f"needs a leaky ReLU in the score, got {type(score.activation).__name__}")
        if message.edge_value is not None:
            reasons.append(f"needs values of nodes alone, got the edge_value {type(message.edge_value).__name__}")
        if message.edge_key is not None and isinstance(score, Additive):
            reasons.append(f"needs keys of nodes alone, got the edge_key {type(message.edge_key).__name__}")
        if message.edge_bias is not None and isinstance(score, SplitAdditive):
            reasons.append(f"needs no bias beside GAT's score, got the edge_bias {type(message.edge_bias).__name__}")
    elif isinstance(score, ProductScore):
        reasons.extend(_why_not_factored(message))
    else:
        reasons.append(f"needs a score that is additive or a multiple of the dot product, got {type(score).__name__}")
    if not isinstance(layer.aggregation, SoftmaxSum):
        reasons.append(f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}")
    return reasons


def _why_not_factored(message: Attend) -> list[str]:
    """Why what edges add to keys and values does not follow from sums of their features."""
    terms = {name: term for name in ("edge_key", "edge_value") if (term := getattr(message, name)) is not None}
    strange = [
        f"needs linear keys and values of edges, got the {name} {type(term).__name__}"
        for name, term in terms.items()
        if not isinstance(term, LinearValue) or getattr(term.linear, "bias", None) is not None
    ]
    if strange:
        return strange
    if len({term.name for term in terms.values()}) > 1:
        return [f"needs one feature in the keys and values of edges, got {[term.name for term in terms.values()]}"]
    score = message.score
    if "edge_key" in terms and isinstance(score, NodeScore) and not score.linear_in_key:
        return [f"needs a score that is linear in the key of an edge, got {type(score).__name__}"]
    return []
