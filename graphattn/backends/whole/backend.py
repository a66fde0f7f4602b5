"""Attention on batches of whole graphs in kernels with implicit columns: no padding, no list of edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.numba.usable import why_not_usable
from graphattn.backends.operators.whole import WHOLE, Attended, Whole, attention
from graphattn.backends.triton.usable import why_not_here
from graphattn.backends.watched import watched
from graphattn.backends.whole.terms import ScoreTerms, Valued, bias_alone, sorted_terms, values_of_edges
from graphattn.edge_terms import LinearValue
from graphattn.message import Attend
from graphattn.score.base import has_node_part, is_product
from graphattn.slots import Inputs, State
from graphattn.topology import Causal, Topology

if TYPE_CHECKING:
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

CLASSES = (32, 64, 128)
"""Numbers of nodes for which there is a kernel in Triton each; a graph takes the least that is not below."""
# Numbers of a tile, nodes times channels, that a program's registers hold as the compiler for Hopper lays them out: products of
# half precision run on tensor cores, those of others on ordinary ones, which hold both factors.
_HALF, _FULL = 128 * 128, 2048


class Rules(NamedTuple):
    """What kernels in a language take: reasons why not, in sentences; and what edges add, as they read it."""

    kernels: str
    why_not_here: Callable[[Tensor | None], Iterable[str]]
    why_not_these_graphs: Callable[[Whole, object, Inputs], Iterable[str]]
    why_not_these_terms: Callable[[Attend, State], Iterable[str]]
    terms: Callable[[Attend, Whole, State, Tensor, float], tuple[ScoreTerms, Valued | None]]


@final
class WholeGraphs:
    """Kernels that go from graph to graph: in Numba (``small``), which keep a graph's scores in the processor's cache, and in
    Triton (``cuda_small``), which keep them in the registers of one program.

    The rule of ``small`` looks at sizes alone: graphs have at most :data:`LARGEST` senders in the mean (causal ones
    :data:`CAUSAL`), and the batch about :data:`FEWEST` pairs or more, (receivers x senders) / graphs; and :data:`FUSED` scores
    or more where torch's fused attention serves as well. For ``cuda_small`` no graph has more nodes than the last of
    :data:`CLASSES`.
    """

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.rules = rules

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        # The device first: no size is read elsewhere, as each would be compiled for itself.
        yield from self.rules.why_not_here(inputs.senders.get("value", inputs.senders.get("x")))
        message = layer.message_function
        if isinstance(graph, WHOLE):
            yield from self.rules.why_not_these_graphs(graph, message, inputs)
        else:
            yield f"needs a topology of whole graphs (Full, Causal, Cross, Star), got {type(graph).__name__}"
        if not isinstance(message, Attend):
            yield f"needs the message Attend, got {type(message).__name__}"
        elif not is_product(message.score):
            yield f"needs a score that is a multiple of the dot product, got {type(message.score).__name__}"
        else:
            yield from self.rules.why_not_these_terms(message, inputs.edge)
        if not isinstance(layer.aggregation, SoftmaxSum):
            yield f"needs the aggregation SoftmaxSum, got {type(layer.aggregation).__name__}"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message, (kernels, *_, terms_of) = layer.message_function, self.rules
        assert isinstance(graph, WHOLE)
        assert isinstance(message, Attend)
        assert is_product(message.score)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        if kernels == "numba":  # they compute in float32 what is stored in less
            query, key, value = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (query, key, value))
        factor = message.score.factor(query.size(-1))
        terms, valued = terms_of(message, graph, inputs.edge, query, factor)
        attended = Attended(query, key, value, *terms, seed=inputs.seed, factor=factor, dropout=layer.dropout)
        out, alpha = attention(attended, graph, kernels)
        if valued is not None:
            out = out + values_of_edges(message, valued, alpha, inputs.edge, graph.num_receivers)
        return out.to(inputs.senders["value"].dtype)


def _why_not_on_cpu(state: Tensor | None) -> Iterator[str]:
    if state is not None and (state.device.type != "cpu" or state.dtype not in _DTYPES):
        yield f"needs float32, float64 or bfloat16 on the CPU, got {state.dtype} on {state.device}"
    yield from why_not_usable()


def _why_not_this_size(graph: Whole, message: object, inputs: Inputs) -> Iterator[str]:
    # Numbers that are at hand: nothing is counted, and a compiler meets the same question in every batch.
    if torch.compiler.is_compiling():
        # The rule would have each of its sides compiled, and exported models need the kernel.
        yield "needs sizes that are known, which they are not while a graph is compiled"
        return
    graphs, most = graph.num_graphs, CAUSAL if isinstance(graph, Causal) else LARGEST
    pairs = graph.num_receivers * graph.num_senders // max(graphs, 1)
    if graph.num_senders > most * graphs:
        yield f"needs at most {most} senders per graph, got {graph.num_senders} in {graphs} graphs"
    if graph.num_receivers * graph.num_senders < FEWEST * graphs or not graphs:
        yield f"needs {FEWEST} pairs of nodes to be worth a kernel, got about {pairs}"
    if not isinstance(message, Attend) or inputs.seed is not None:
        return
    terms = (message.edge_bias, message.edge_key, message.edge_value)
    fused = graph.receivers.equal and graph.senders.equal and not any(term is not None for term in terms)
    if fused and (scores := pairs * inputs.senders["value"].size(1)) < FUSED:
        yield f"needs {FUSED} scores where graphs of one size can be fused by torch, got {scores}"


def _why_not_by_numba(message: Attend, edge: State) -> Iterator[str]:
    for name, term in (("edge_key", message.edge_key), ("edge_value", message.edge_value)):
        if term is not None and not isinstance(term, LinearValue):
            yield f"needs linear keys and values of edges, got the {name} {type(term).__name__}"
        elif term is not None and f"{term.name}_number" not in edge:
            yield f"needs keys and values of some edges, got the {name} {term.name!r} of all"
        elif term is not None and (reason := term.why_not_listed(edge)) is not None:
            yield reason
    score = message.score
    if message.edge_key is not None and has_node_part(score) and not score.linear_in_key:
        yield f"needs a score that is linear in the key of an edge, got {type(score).__name__}"


def _why_not_this_tile(graph: Whole, message: object, inputs: Inputs) -> Iterator[str]:
    if (largest := max(graph.receivers.max, graph.senders.max)) > CLASSES[-1]:
        yield f"needs graphs of at most {CLASSES[-1]} nodes, got one of {largest}"
    elif isinstance(message, Attend):
        value = inputs.senders["value"]
        channels = max(inputs.receivers["query"].size(-1), value.size(-1))
        nodes = next(most for most in CLASSES if largest <= most)
        fit = _HALF if value.dtype in (torch.float16, torch.bfloat16) else _FULL
        if nodes * channels > fit:
            got = f"{nodes} nodes of {channels} channels in a head"
            yield f"needs at most {fit} numbers in a tile of {value.dtype}, got {got}"


def _why_not_by_triton(message: Attend, edge: State) -> Iterator[str]:
    for name, term in (("edge_key", message.edge_key), ("edge_value", message.edge_value)):
        if term is not None:
            yield f"needs keys and values of nodes alone, got the {name} {type(term).__name__}"


SMALL = WholeGraphs("small", Rules("numba", _why_not_on_cpu, _why_not_this_size, _why_not_by_numba, sorted_terms))
CUDA_SMALL = WholeGraphs(
    "cuda_small", Rules("triton", why_not_here, _why_not_this_tile, _why_not_by_triton, bias_alone)
)
