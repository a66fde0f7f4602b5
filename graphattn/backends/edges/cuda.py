"""Attention and weighted sums over lists of edges on CUDA devices, by kernels in Triton (:mod:`graphattn.backends.triton`)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from os import environ
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from graphattn.aggregation import Sum
from graphattn.backends.edges.csr import weights
from graphattn.backends.torch.attention import factored, slope_of, why_not_on_edges
from graphattn.backends.watched import watched
from graphattn.message import Attend
from graphattn.message.edge_values import on_every_edge
from graphattn.score import Additive, SplitAdditive
from graphattn.score.base import is_product
from graphattn.slots import Inputs
from graphattn.topology import Edges, Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

# Read once, as Triton does; a compiler meets two constants.
_HAS_TRITON = find_spec("triton") is not None
_INTERPRETED = environ.get("TRITON_INTERPRET") == "1"
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@final
class Cuda:
    """Edges grouped by receiver, and by sender for gradients, as ``csr`` does on the CPU: no atomics, the same bits in every run.

    Half precision is added up in float32. Where Triton interprets its kernels (``TRITON_INTERPRET=1``), tensors on the CPU are
    taken, too: for tests.
    """

    name = "cuda"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        yield from why_not_here(inputs.senders.get("value"))
        yield from why_not_on_edges(layer, graph)
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.triton.functions import weighted_sum

        assert isinstance(graph, Edges)
        message, value = layer.message_function, inputs.senders["value"]
        if isinstance(message, Attend):
            return _attention(message, graph, inputs, layer.dropout)
        scale = message.on_edges(graph, inputs.edge).get("scale")
        total = weighted_sum(weights(scale, value, graph, inputs.seed, layer.dropout), value, graph)
        if isinstance(layer.aggregation, Sum):
            return total
        return total / graph.by_receiver().ptr.diff().clamp(min=1).to(value.dtype)[:, None, None]


def _attention(message: Attend, graph: Edges, inputs: Inputs, dropout: float) -> Tensor:
    from graphattn.backends.triton.functions import ADDITIVE, SPLIT, Said, Scored, attention

    score, query, key, value = message.score, inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
    # Kernels read one row for each edge: what fits by broadcasting is spread out, what does not is refused by torch.
    shape, dropped = (graph.num_edges, value.size(1)), (inputs.seed, dropout)
    bias = None if message.edge_bias is None else message.edge_bias.on_edges(graph, inputs.edge).expand(shape)
    if isinstance(score, SplitAdditive):
        term = message.edge_key
        inside = None if term is None else on_every_edge(term, graph, inputs.edge).squeeze(-1).expand(shape)
        return attention(Said(query, key, value, bias=inside), Scored(SPLIT, slope_of(score), *dropped), graph)[0]
    if isinstance(score, Additive):
        said = Said(query, key, value, bias=bias, weight=score.weight.reshape(1, *query.shape[1:]))
        return attention(said, Scored(ADDITIVE, slope_of(score), *dropped), graph)[0]
    assert is_product(score)
    said, into_value = Said(query * score.factor(query.size(-1)), key, value, bias=bias), None
    if message.edge_key is not None or message.edge_value is not None:
        feature, into_key, into_value = factored(message, graph, inputs.edge)
        asked = query.new_zeros(*query.shape[:2], feature.size(1))
        asked = asked if into_key is None else torch.einsum("nhc,fhc->nhf", said.query, into_key)
        said = said._replace(asked=asked, feature=feature)
    out, felt = attention(said, Scored(seed=inputs.seed, dropout=dropout), graph)
    return out if into_value is None else out + torch.einsum("nhf,fhc->nhc", felt, into_value)


def why_not_here(state: Tensor | None) -> list[str]:
    """Why kernels in Triton do not take a tensor: where it is, or what it holds."""
    if state is None:
        return []
    if state.device.type != "cuda" and not interpreted():
        return [f"needs tensors on a CUDA device, got {state.device}"]
    if not _HAS_TRITON:
        return ["needs the package triton, which is not installed"]
    if state.dtype not in _FLOATS:
        return [f"needs float16, bfloat16, float32 or float64, got {state.dtype}"]
    return []


def interpreted() -> bool:
    """Whether Triton runs its kernels on the CPU, one program after the other: slow, for tests."""
    return _INTERPRETED
