"""Which layers need no tensor of edges times channels, on lists of edges, and what edges add to attention in two factors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graphattn.aggregation import Mean, SoftmaxSum, Sum
from graphattn.edge_terms import LinearValue
from graphattn.message import Attend, Copy, Scaled
from graphattn.message.edge_values import must_be_one_each
from graphattn.score import Additive, SplitAdditive
from graphattn.score.base import has_node_part, is_product
from graphattn.slots import State
from graphattn.topology import Edges, Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer


def factored(message: Attend, graph: Edges, edge: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Features of edges ``[E, F]``, and the maps ``[F, H, C]`` that make keys and values of them."""
    in_key, in_value = (
        term.on_list(graph, edge) if isinstance(term, LinearValue) else None
        for term in (message.edge_key, message.edge_value)
    )
    said = in_value if in_key is None else in_key
    assert said is not None
    must_be_one_each(said.feature, graph)
    return said.feature, None if in_key is None else in_key.table, None if in_value is None else in_value.table


def slope_of(score: Additive | SplitAdditive) -> float:
    """Of the leaky ReLU in a score."""
    assert isinstance(score.activation, nn.LeakyReLU)
    return score.activation.negative_slope


def why_not_on_edges(layer: GraphLayer, graph: Topology) -> Iterator[str]:
    """Why the layer is neither attention nor a weighted sum or mean over a list of edges that is grouped in time."""
    message = layer.message_function
    if not isinstance(graph, Edges):
        yield f"needs a list of edges (Edges), got {type(graph).__name__}"
    elif torch.compiler.is_compiling() and not graph.grouped:
        yield "needs edges that were grouped before compiling: call graph.prepare()"
    if isinstance(message, Attend):
        yield from _why_no_attention(layer, message)
    elif not isinstance(message, (Scaled, Copy)):
        yield f"needs the message Attend, Scaled or Copy, got {type(message).__name__}"
    elif not isinstance(layer.aggregation, (Sum, Mean)):
        yield f"needs the aggregation Sum or Mean, got {type(layer.aggregation).__name__}"


def _why_no_attention(layer: GraphLayer, message: Attend) -> Iterator[str]:
    """Why the layer is no attention that can be had without a tensor of edges times channels."""
    score = message.score
    if isinstance(score, (Additive, SplitAdditive)):
        if not isinstance(score.activation, nn.LeakyReLU):
            yield f"needs a leaky ReLU in the score, got {type(score.activation).__name__}"
        if message.edge_value is not None:
            yield f"needs values of nodes alone, got the edge_value {type(message.edge_value).__name__}"
        if message.edge_key is not None and isinstance(score, Additive):
            yield f"needs keys of nodes alone, got the edge_key {type(message.edge_key).__name__}"
        if message.edge_bias is not None and isinstance(score, SplitAdditive):
            yield f"needs no bias beside GAT's score, got the edge_bias {type(message.edge_bias).__name__}"
    elif is_product(score):
        yield from _why_not_factored(message)
    else:
        yield f"needs a score that is additive or a multiple of the dot product, got {type(score).__name__}"
    if not isinstance(layer.aggregation, SoftmaxSum):
        yield f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}"


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
    if "edge_key" in terms and has_node_part(score) and not score.linear_in_key:
        return [f"needs a score that is linear in the key of an edge, got {type(score).__name__}"]
    return []
