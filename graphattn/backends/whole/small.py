"""Attention on batches of small graphs in kernels with implicit columns: no padding, no list of edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.numba.usable import why_not_usable
from graphattn.backends.watched import watched
from graphattn.backends.whole.terms import heard_of_edges, sorted_terms
from graphattn.edge_terms import LinearValue
from graphattn.message import Attend
from graphattn.score.base import has_node_part, is_product
from graphattn.slots import Inputs, State
from graphattn.topology import Causal, Cross, Full, Star, Topology

if TYPE_CHECKING:
    from graphattn.backends.numba.small_functions import Whole
    from graphattn.layer import GraphLayer

LARGEST, CAUSAL = 4096, 1024
"""Up to so many senders per graph in the mean, and in causal graphs, kernels are as fast as fused attention or faster, on an AMD
EPYC with AVX-512 (docs/kernels.md). Larger graphs were not measured; larger causal ones are slower, as half of their scores
are void."""
FEWEST = 2048
"""From so many pairs of nodes on a batch is worth a kernel, which takes seconds to compile when it is first met."""
FUSED = 600_000
"""Up to so many scores, of all heads and graphs, fused attention is as fast or faster where all graphs are of one size and edges
add nothing, on two threads: its call takes less time to begin."""
_DTYPES = (torch.float32, torch.float64, torch.bfloat16)


@final
class Small:
    """Kernels that go from graph to graph and keep a graph's scores in the processor's cache.

    The rule looks at sizes alone: graphs have at most :data:`LARGEST` senders in the mean (causal ones :data:`CAUSAL`), and the
    batch about :data:`FEWEST` pairs or more, (receivers x senders) / graphs; and :data:`FUSED` scores or more where torch's
    fused attention serves as well.
    """

    name = "small"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        message = layer.message_function
        if not isinstance(graph, (Full, Cross, Star, Causal)):
            yield f"needs a topology of whole graphs (Full, Causal, Cross, Star), got {type(graph).__name__}"
        else:
            yield from _why_not_this_size(graph)
        if not isinstance(message, Attend):
            yield f"needs the message Attend, got {type(message).__name__}"
        else:
            yield from _why_not_this_message(message, inputs.edge)
            if isinstance(graph, (Full, Cross, Star, Causal)):
                yield from _why_fused(message, graph, inputs)
        if not isinstance(layer.aggregation, SoftmaxSum):
            yield f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}"
        state = inputs.senders.get("value", inputs.senders.get("x"))
        if state is not None and (state.device.type != "cpu" or state.dtype not in _DTYPES):
            yield f"needs float32, float64 or bfloat16 on the CPU, got {state.dtype} on {state.device}"
        yield from why_not_usable()
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        from graphattn.backends.numba.functions import Dropped
        from graphattn.backends.numba.small_functions import attention

        message = layer.message_function
        assert isinstance(graph, (Full, Cross, Star, Causal))
        assert isinstance(message, Attend)
        assert is_product(message.score)
        states = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        # Kernels compute in float32 what is stored in less.
        query, key, value = (state.to(torch.promote_types(state.dtype, torch.float32)) for state in states)
        factor = message.score.factor(query.size(-1))
        terms, spoken = sorted_terms(message, graph, inputs.edge, query, factor)
        out, alpha = attention(query, key, value, graph, factor, terms, Dropped(inputs.seed, layer.dropout))
        if spoken is not None:
            out = out + heard_of_edges(message, spoken, alpha, inputs.edge, graph.num_receivers)
        return out.to(states[2].dtype)


def _why_not_this_size(graph: Whole) -> Iterator[str]:
    # Numbers that are at hand: nothing is counted, and a compiler meets the same question in every batch.
    if torch.compiler.is_compiling():
        # The rule would have each of its sides compiled, and exported models need the kernel.
        yield "needs sizes that are known, which they are not while a graph is compiled"
        return
    graphs, most = graph.num_graphs, CAUSAL if isinstance(graph, Causal) else LARGEST
    if graph.num_senders > most * graphs:
        yield f"needs at most {most} senders per graph, got {graph.num_senders} in {graphs} graphs"
    if graph.num_receivers * graph.num_senders < FEWEST * graphs or not graphs:
        yield f"needs {FEWEST} pairs of nodes to be worth a kernel, got about {_pairs(graph)}"


def _why_fused(message: Attend, graph: Whole, inputs: Inputs) -> Iterator[str]:
    if torch.compiler.is_compiling() or inputs.seed is not None:
        return
    alike = graph.receivers.equal and graph.senders.equal
    terms = (message.edge_bias, message.edge_key, message.edge_value)
    if not alike or any(term is not None for term in terms):
        return
    scores = _pairs(graph) * inputs.senders["value"].size(1)
    if scores < FUSED:
        yield f"needs {FUSED} scores where graphs of one size can be fused by torch, got {scores}"


def _pairs(graph: Whole) -> int:
    return graph.num_receivers * graph.num_senders // max(graph.num_graphs, 1)


def _why_not_this_message(message: Attend, edge: State) -> Iterator[str]:
    score = message.score
    if not is_product(score):
        yield f"needs a score that is a multiple of the dot product, got {type(score).__name__}"
        return
    for name, term in (("edge_key", message.edge_key), ("edge_value", message.edge_value)):
        if term is not None and not isinstance(term, LinearValue):
            yield f"needs linear keys and values of edges, got the {name} {type(term).__name__}"
        elif term is not None and f"{term.name}_number" not in edge:
            yield f"needs keys and values of some edges, got the {name} {term.name!r} of all"
    if message.edge_key is not None and has_node_part(score) and not score.linear_in_key:
        yield f"needs a score that is linear in the key of an edge, got {type(score).__name__}"
