"""Why PyG must answer a call of a drop-in: what graphattn does not have, and what only PyG's own computation shows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.aggr import Aggregation, MultiAggregation
from torch_geometric.nn.aggr.fused import FusedAggregation

from graphattn.backends.watched import hooked
from graphattn.pyg.dropin import AGGREGATIONS, MADE, DropIn, Ends, kinds_of
from graphattn.pyg.intact import linear, patched, replaced, watched
from graphattn.topology import Topology

_KNOWN = frozenset((*AGGREGATIONS, MultiAggregation, FusedAggregation))


def refusals(layer: MessagePassing, drop_in: type[DropIn]) -> list[str]:
    """Why PyG must answer every call of this layer, whatever it is called with; ``drop_in`` is its class, or would be."""
    reasons = []
    if isinstance(layer, DropIn) and "theirs" not in vars(type(layer)):
        reasons.append(f"{type(layer).__name__} is a subclass, which may compute something else")
    if layer.flow != "source_to_target":
        reasons.append(f"its flow is {layer.flow}")
    if layer.decomposed_layers != 1:
        reasons.append("its channels are decomposed")
    reasons.extend(_aggregated_otherwise(layer.aggr_module, drop_in))
    reasons.extend(f"its {name} was replaced" for name in replaced(layer, drop_in.theirs))
    reasons.extend(patched(drop_in.theirs, drop_in))
    reasons.extend(_not_computed_with(layer, drop_in))
    dropout = getattr(layer, "dropout", 0.0)
    if isinstance(dropout, int | float) and not 0 <= dropout < 1:
        reasons.append(f"its dropout is {dropout}")
    return reasons


def why_not(layer: MessagePassing, x: Tensor | Ends, edge_index: object) -> list[str]:
    """Why PyG must answer this call; empty where graphattn does."""
    assert isinstance(layer, DropIn)
    reasons = refusals(layer, type(layer))
    if layer.explain:
        reasons.append("an explainer masks its edges")
    if hooked(layer):
        reasons.append("a hook wants to see every edge")
    ends = x if isinstance(x, tuple) else (x,)
    if not all(
        end is None or (isinstance(end, Tensor) and end.dim() == 2 and end.layout == torch.strided) for end in ends
    ):
        reasons.append("x is not one dense row for each node")
    if layer.node_dim not in (0, -2):
        reasons.append(f"it propagates along dimension {layer.node_dim}")
    if torch.compiler.is_compiling() and (MADE not in layer.__dict__ or getattr(layer, "add_self_loops", False)):
        reasons.append("a graph or a layer would have to be made inside a compiled graph")
    return [*reasons, *_unreadable(edge_index)]


def _not_computed_with(layer: MessagePassing, drop_in: type[DropIn]) -> Iterator[str]:
    for name in drop_in.inside:
        part = getattr(layer, name, None)
        if not isinstance(part, nn.Module):
            continue
        if watched(part.modules()):
            yield f"a hook wants to see its {name}"
        elif name == "lin_edge" and not (linear(part) and part.bias is None):
            yield f"its {name} is no linear map without a bias"


def _aggregated_otherwise(aggregation: nn.Module, drop_in: type[DropIn]) -> list[str]:
    kinds = kinds_of(aggregation)
    parts = [part for part in aggregation.modules() if isinstance(part, Aggregation)]
    strange = [kind for kind in kinds if kind not in drop_in.aggregations]
    strange += [type(part) for part in parts if type(part) not in _KNOWN]
    if len(kinds) > 1 and not drop_in.side_by_side:
        strange.append(type(aggregation))
    reasons = [f"it aggregates with {kind.__name__}" for kind in strange]
    if any(part.__dict__.get("semi_grad") for part in parts):
        reasons.append("its aggregation has half a gradient")
    return reasons or [reason for part in parts for reason in patched(type(part))]


def _unreadable(edge_index: object) -> list[str]:
    if isinstance(edge_index, Topology):
        return []
    if not isinstance(edge_index, Tensor):
        return [f"edge_index is a {type(edge_index).__name__}"]
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return ["a plain edge_index is being compiled"]
    if edge_index.layout == torch.strided and not isinstance(edge_index, EdgeIndex):
        numbers = edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool
        if edge_index.dim() != 2 or edge_index.size(0) != 2 or numbers:
            return ["edge_index is no list of edges"]
    return []
