"""Attention and weighted sums over lists of edges in torch's own operators, where no kernel can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from graphattn.aggregation import Mean
from graphattn.backends.edges.csr import weights
from graphattn.backends.torch.attention import factored, slope_of, why_not_on_edges
from graphattn.backends.watched import watched
from graphattn.dropout import loudness
from graphattn.message import Attend
from graphattn.message.edge_values import on_every_edge
from graphattn.score import Additive, SplitAdditive
from graphattn.score.base import is_product
from graphattn.slots import Inputs
from graphattn.topology import Edges, Topology

if TYPE_CHECKING:
    from graphattn.backends.torch.functions import Ends
    from graphattn.layer import GraphLayer


@final
class Sparse:
    """Products of sparse matrices with those of nodes, head by head; half precision is computed in float32.

    What is as long as the list of edges has a number per head, never channels.
    """

    name = "sparse"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        yield from why_not_on_edges(layer, graph)
        value = inputs.senders.get("value")
        if value is not None and value.device.type not in ("cpu", "cuda"):
            yield f"needs a device with sparse matrices (cpu, cuda), got {value.device}"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.torch import functions

        assert isinstance(graph, Edges)
        message, value, ends = layer.message_function, _wide(inputs.senders["value"]), functions.to_senders(graph)
        if isinstance(message, Attend):
            out = _attention(layer, message, graph, inputs, ends)
        else:
            scale = message.on_edges(graph, inputs.edge).get("scale")
            out = functions.sums(weights(scale, value, graph, inputs.seed, layer.dropout), value, ends)
            if isinstance(layer.aggregation, Mean):
                out = out / ends.ptr.diff().clamp(min=1).to(out.dtype)[:, None, None]
        return out.to(inputs.senders["value"].dtype)


def _attention(layer: GraphLayer, message: Attend, graph: Edges, inputs: Inputs, ends: Ends) -> Tensor:
    from graphattn.backends.torch import functions

    value, order = _wide(inputs.senders["value"]), graph.by_receiver().number.long()
    score, features = _scores(message, graph, inputs, ends, order)
    alpha = functions.softmax(score, ends)
    if inputs.seed is not None:
        sender, receiver = graph.edge_index()[:, order]
        alpha = alpha * loudness(inputs.seed, receiver, sender, order, alpha.size(1), layer.dropout, alpha.dtype)
    out = functions.sums(alpha, value, ends)
    if features is None or message.edge_value is None:
        return out
    feature, into_value = features
    felt = functions.sums(alpha, feature, functions.to_features(graph))
    return out + torch.einsum("nhf,fhc->nhc", felt, into_value)


def _scores(
    message: Attend, graph: Edges, inputs: Inputs, ends: Ends, order: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Scores ``[E, H]`` in the order of the receivers' groups; features ``[E, 1, F]`` and what makes values of them."""
    from graphattn.backends.torch import additive, functions

    query, key = _wide(inputs.receivers["query"]), _wide(inputs.senders["key"])
    shape = (graph.num_edges, key.size(1))
    if isinstance(message.score, SplitAdditive):
        one = torch.ones_like
        both = functions.products(query, one(key), ends) + functions.products(one(query), key, ends)
        if message.edge_key is not None:
            inside = on_every_edge(message.edge_key, graph, inputs.edge).squeeze(-1)
            both = both + _wide(inside).expand(shape).index_select(0, order)
        return message.score.activation(both), None
    features = None
    if isinstance(message.score, Additive):
        weight = _wide(message.score.weight).reshape(1, *query.shape[1:])
        score = additive.leaky_products(query, key, weight, slope_of(message.score), ends)
    else:
        assert is_product(message.score)
        query = query * message.score.factor(query.size(-1))
        score = functions.products(query, key, ends)
        if message.edge_key is not None or message.edge_value is not None:
            feature, into_key, into_value = (
                None if x is None else _wide(x) for x in factored(message, graph, inputs.edge)
            )
            assert feature is not None
            if into_key is not None:
                asked = torch.einsum("nhc,fhc->nhf", query, into_key)
                score = score + functions.products(asked, feature.unsqueeze(1), functions.to_features(graph))
            features = None if into_value is None else (feature.unsqueeze(1), into_value)
    if message.edge_bias is None:
        return score, features
    bias = message.edge_bias.on_edges(graph, inputs.edge)
    return score + _wide(bias).expand(shape).index_select(0, order), features


def _wide(state: Tensor) -> Tensor:
    return state if state.dtype == torch.float64 else state.float()
