"""Lists of edges: attention, weighted sums and extremes, EdgeConv and relations; no tensor of edges times channels is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import Max, Mean, Min, Sum
from graphattn.backends.closed_form import ClosedForm
from graphattn.backends.dense import Dense
from graphattn.backends.edges.attention import heard_attention, why_no_attention
from graphattn.backends.edges.edgeconv import heard_split, why_not_split
from graphattn.backends.edges.node_scales import node_scales
from graphattn.backends.edges.relations import heard_by_relation, why_not_by_relation
from graphattn.backends.linear import Linear
from graphattn.backends.numba.usable import why_not_usable
from graphattn.backends.operators.extremes import largest
from graphattn.backends.operators.products import senders, spmm
from graphattn.backends.operators.scaled_sum import scaled_sum
from graphattn.backends.triton.usable import why_not_here
from graphattn.backends.watched import watched
from graphattn.dropout import dropout_scale
from graphattn.message import Attend, Copy, Difference, Relation, Scaled
from graphattn.slots import Inputs
from graphattn.topology import Blockwise, Edges, Topology
from graphattn.topology.lattice import Lattice

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_WITHOUT_LIST = (Dense(), Linear(), ClosedForm())
_EXACT = (torch.float32, torch.float64)
_SHORT = (torch.bfloat16, torch.float16)


class Language(NamedTuple):
    """What kernels of a language compute besides attention, and why they cannot be used on a tensor."""

    kernels: str
    messages: tuple[type, ...]
    aggregations: tuple[type, ...]
    why_not: Callable[[Tensor | None], list[str]]


def _why_not_torch(state: Tensor | None) -> list[str]:
    if state is None or state.device.type in ("cpu", "cuda"):
        return []
    return [f"needs a device with sparse matrices (cpu, cuda), got {state.device}"]


NUMBA = Language("numba", (Scaled, Copy, Difference, Relation), (Sum, Mean, Max, Min), lambda state: why_not_usable())
TRITON = Language("triton", (Scaled, Copy), (Sum, Mean), why_not_here)
TORCH = Language("torch", (Scaled, Copy), (Sum, Mean), _why_not_torch)


@final
class OnEdges:
    """Edges grouped by receiver, and by sender for gradients; grouped once for a graph. One backend in three languages.

    ``csr`` are kernels in Numba, ``cuda`` in Triton, ``sparse`` are torch's own operators.
    """

    def __init__(self, name: str, language: Language) -> None:
        self.name, self.language = name, language

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        message, language = layer.message_function, self.language
        state = inputs.senders.get("value", inputs.senders.get("x"))
        yield from language.why_not(state)
        if isinstance(graph, Blockwise) and any(not any(it.unsupported(layer, graph, inputs)) for it in _WITHOUT_LIST):
            # Nobody should hold the edges of a graph that is computed without them.
            yield f"needs a list of edges (Edges), got {type(graph).__name__}"
        elif torch.compiler.is_compiling() and not graph.grouped:
            yield "needs edges that were grouped before compiling: call graph.listed().prepare()"
        if isinstance(message, Attend):
            yield from why_no_attention(layer, message, inputs.edge, language.kernels)
        elif not isinstance(message, language.messages):
            yield f"needs the message {_names(Attend, *language.messages)}, got {type(message).__name__}"
        elif isinstance(message, Relation) and isinstance(graph, Lattice):
            yield f"needs relations of a list of edges, got those of places in {type(graph).__name__}"
        elif isinstance(message, Relation):
            yield from why_not_by_relation(layer, message, inputs)
        elif not isinstance(layer.aggregation, language.aggregations):
            yield f"needs the aggregation {_names(*language.aggregations)}, got {type(layer.aggregation).__name__}"
        if isinstance(message, Difference) and isinstance(message, language.messages):
            yield from why_not_split(message, layer.aggregation, inputs)
        known = _EXACT if isinstance(message, (Difference, Relation)) else _EXACT + _SHORT
        if language is NUMBA and state is not None and (state.device.type != "cpu" or state.dtype not in known):
            dtypes = _listed([str(dtype).removeprefix("torch.") for dtype in known])
            yield f"needs {dtypes} on the CPU, got {state.dtype} on {state.device}"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message, edges = layer.message_function, graph.listed()
        if isinstance(message, Difference):
            return heard_split(message, layer.aggregation, edges, inputs)
        if isinstance(message, Relation):
            return heard_by_relation(layer, message, edges, inputs)
        if isinstance(message, Attend):
            return heard_attention(layer, message, edges, inputs, self.language.kernels)
        value = inputs.senders["value"]
        # Kernels on the CPU know no half precision; those on CUDA add it up in float32 themselves.
        wide = value.float() if value.dtype in _SHORT and self.language is not TRITON else value
        return _collected(layer, wide, edges, inputs, self.language).to(value.dtype)


def _collected(layer: GraphLayer, value: Tensor, graph: Edges, inputs: Inputs, language: Language) -> Tensor:
    message, aggregation = layer.message_function, layer.aggregation
    scales = node_scales(message, aggregation, graph, inputs) if language is NUMBA else None
    if scales is not None:
        return scaled_sum(value, graph, *scales)
    scale = message.on_edges(graph, inputs.edge).get("scale")
    weight = _weights(scale, value, graph, inputs.seed, layer.dropout)
    if isinstance(aggregation, (Max, Min)):
        return largest(weight, value, graph) if isinstance(aggregation, Max) else -largest(-weight, value, graph)
    total = spmm(weight, value, senders(graph, language.kernels))
    if isinstance(aggregation, Sum):
        return total
    return total / graph.by_receiver().ptr.diff().clamp(min=1).to(value.dtype)[:, None, None]


def _weights(scale: Tensor | None, value: Tensor, graph: Edges, seed: Tensor | None, dropout: float) -> Tensor:
    """The factor of each edge's message, ``[E, H]`` in the order of the receivers' groups."""
    heads, order = value.size(1), graph.by_receiver().number.long()
    weight = (
        value.new_ones(graph.num_edges, heads)
        if scale is None
        else scale.to(value.dtype)[order, None].expand(-1, heads)
    )
    if seed is None:
        return weight
    sender, receiver = graph.edge_index()[:, order]
    return weight * dropout_scale(seed, receiver, sender, order, heads, dropout, value.dtype)


def _names(*kinds: type) -> str:
    return _listed([kind.__name__ for kind in kinds])


def _listed(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
