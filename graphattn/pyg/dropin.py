"""What all drop-ins share: when they answer, when PyG does, and a count of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.aggr import (
    MaxAggregation,
    MeanAggregation,
    MinAggregation,
    MultiAggregation,
    StdAggregation,
    SumAggregation,
    VarAggregation,
)
from torch_geometric.typing import Adj

from graphattn import backends
from graphattn.aggregation import Max, Mean, Min, Multi, Std, Sum, Variance
from graphattn.backends.watched import hooked
from graphattn.binding import as_edges, check
from graphattn.dropout import draw_seed
from graphattn.layer import GraphLayer
from graphattn.slots import Aggregation, Inputs, State
from graphattn.topology import Topology

AGGREGATIONS: dict[type, Callable[[], Aggregation]] = {
    SumAggregation: Sum,
    MeanAggregation: Mean,
    MaxAggregation: Max,
    MinAggregation: Min,
    VarAggregation: Variance,
    StdAggregation: Std,
}
"""PyG's aggregations that are ours; several side by side are :class:`~graphattn.aggregation.Multi`."""

Ends = tuple[Tensor, Any]
"""States of senders and of receivers (or None), as PyG takes them for bipartite graphs."""

Graph = Adj | Topology
"""What a drop-in takes for a graph: all that PyG takes, and a topology."""

Module = TypeVar("Module", bound=nn.Module)

_OWN = frozenset(("message", "aggregate", "message_and_aggregate", "update", "edge_update", "edge_updater"))
_MADE = "_graphattn"


class Calls(NamedTuple):
    """How many calls of a layer graphattn answered, and how many PyG did, by reason."""

    ours: int
    theirs: dict[str, int]


_OURS: Counter[str] = Counter()
_THEIRS: dict[str, Counter[str]] = {}


def calls() -> dict[str, Calls]:
    """Who answered the calls of drop-ins so far, by class; calls inside a compiled graph are not counted.

    >>> from graphattn.pyg import SAGEConv, calls, forget_calls
    >>> forget_calls()
    >>> x, edge_index = torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])
    >>> _ = SAGEConv(4, 4)(x, edge_index), SAGEConv(4, 4, aggr="softmax")(x, edge_index)
    >>> calls()
    {'SAGEConv': Calls(ours=1, theirs={'it aggregates with SoftmaxAggregation': 1})}
    """
    names = sorted({*_OURS, *_THEIRS})
    return {name: Calls(_OURS[name], dict(_THEIRS.get(name, {}))) for name in names}


def forget_calls() -> None:
    """Count from zero again."""
    _OURS.clear()
    _THEIRS.clear()


class DropIn:
    """What a drop-in adds to PyG's class ``theirs``: PyG must know that it is a subclass, and copies must not share."""

    theirs: type[nn.Module]
    aggregations: frozenset[type] = frozenset(AGGREGATIONS)
    side_by_side: bool = True

    def _set_jittable_templates(self, raise_on_error: bool = False) -> None:
        # PyG takes the generated `propagate` that it finds for the plain one, which an explainer needs: the one
        # found here would be the parent's generated one.
        super()._set_jittable_templates(raise_on_error)  # pyright: ignore[reportAttributeAccessIssue]
        if "theirs" in vars(type(self)):
            for name in ("propagate", "edge_updater"):
                setattr(type(self), f"_orig_{name}", getattr(MessagePassing, name))

    def __getstate__(self) -> dict[str, Any]:
        # A copy makes its own layer from its own parameters.
        return {name: value for name, value in self.__dict__.items() if name != _MADE}

    def __prepare_scriptable__(self) -> nn.Module:
        # TorchScript compiles PyG's own forward.
        plain = self.theirs.__new__(self.theirs)
        plain.__setstate__(self.__getstate__())
        return plain


def refusals(layer: MessagePassing, drop_in: type[DropIn]) -> list[str]:
    """Why PyG must answer every call of this layer, whatever it is called with; ``drop_in`` is its class, or would be."""
    reasons = []
    if isinstance(layer, DropIn) and "theirs" not in vars(type(layer)):
        reasons.append(f"{type(layer).__name__} is a subclass, which may compute something else")
    if layer.flow != "source_to_target":
        reasons.append(f"its flow is {layer.flow}")
    if layer.decomposed_layers != 1:
        reasons.append("its channels are decomposed")
    kinds = kinds_of(layer.aggr_module)
    if len(kinds) > 1 and not drop_in.side_by_side:
        reasons.append(f"it aggregates with {type(layer.aggr_module).__name__}")
    reasons.extend(f"it aggregates with {kind.__name__}" for kind in kinds if kind not in drop_in.aggregations)
    if any(getattr(part, "semi_grad", False) for part in layer.aggr_module.modules()):
        reasons.append("its aggregation has half a gradient")
    if not _OWN.isdisjoint(layer.__dict__):
        reasons.append(f"its {min(_OWN & layer.__dict__.keys())} was replaced")
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
    if torch.compiler.is_compiling() and (_MADE not in layer.__dict__ or getattr(layer, "add_self_loops", False)):
        reasons.append("a graph or a layer would have to be made inside a compiled graph")
    return [*reasons, *_unreadable(edge_index)]


def answered(layer: nn.Module, reasons: list[str]) -> bool:
    """Count a call, and tell whether graphattn answers it."""
    if torch.compiler.is_compiling():
        return not reasons
    name = type(layer).__name__
    if reasons:
        _THEIRS.setdefault(name, Counter())[reasons[0]] += 1
    else:
        _OURS[name] += 1
    return not reasons


def listed(edge_index: Any) -> Any:
    """What PyG's own forward takes: a topology's list of edges, anything else as it is."""
    return edge_index.edge_index() if isinstance(edge_index, Topology) else edge_index


def topology_of(edge_index: Any, x_j: Tensor, x_i: Tensor | None, size: Any = None) -> Topology:
    """The topology of what PyG takes; ``size`` is PyG's ``(senders, receivers)``."""
    if isinstance(edge_index, Topology):
        return edge_index
    return as_edges(edge_index, x_j, x_i, None if size is None else tuple(size))


def made_of(layer: nn.Module, parts: tuple[object, ...], make: Callable[..., GraphLayer]) -> GraphLayer:
    """The GraphLayer ``make(*parts)``, remembered beside the layer (not as its child) while the parts are the same objects."""
    seen = layer.__dict__.get(_MADE)
    if seen is None or len(seen[0]) != len(parts) or any(a is not b for a, b in zip(seen[0], parts, strict=True)):
        seen = layer.__dict__[_MADE] = (parts, make(*parts))
    return seen[1]


def prepared(
    layer: GraphLayer, graph: Topology, x_j: Tensor, x_i: Tensor | None, edge_attr: Tensor | None, dropout: float = 0.0
) -> Inputs:
    """What backends compute with, made by PyG's own linear maps, which the layer's message holds."""
    if layer.dropout != dropout:
        layer.dropout = dropout
    edge: State = {} if edge_attr is None else {"edge_attr": edge_attr}
    check(graph, x_j, x_i, edge)
    senders, receivers = layer.message_function.project(x_j, x_i, graph, None)
    return Inputs(senders, receivers, edge, draw_seed() if dropout else None)


def heard(layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
    """What every receiver hears, ``[N_i, H, C]``, by the first backend that can."""
    return backends.choose(layer, graph, inputs).heard(layer, graph, inputs)


def kinds_of(aggregation: nn.Module) -> tuple[type, ...]:
    """The classes of PyG's aggregations that stand side by side in one: mostly its own.

    >>> from torch_geometric.nn.aggr import MultiAggregation
    >>> [kind.__name__ for kind in kinds_of(MultiAggregation(["mean", "max"]))]
    ['MeanAggregation', 'MaxAggregation']
    """
    if type(aggregation) is not MultiAggregation or aggregation.mode != "cat":
        return (type(aggregation),)
    return tuple(kind for part in aggregation.aggrs for kind in kinds_of(part))


def ours_of(kinds: tuple[type, ...]) -> Aggregation:
    """Our aggregation for one or several of PyG's."""
    ours = [AGGREGATIONS[kind]() for kind in kinds]
    return ours[0] if len(ours) == 1 else Multi(ours)


def bare(kind: type[Module]) -> Module:
    """A module without its constructor: its parts are put in, so that none is drawn at random and no generator moves on."""
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    return module


def put(module: nn.Module, name: str, value: object) -> None:
    """Let a module hold a parameter or module of another one: any object, as ``torch.func`` swaps tensors in."""
    module._parameters.pop(name, None)
    module._modules.pop(name, None)
    module.__dict__[name] = value


def forget(layers: Iterable[nn.Module]) -> None:
    """Drop the layers that drop-ins have made of themselves."""
    for layer in layers:
        layer.__dict__.pop(_MADE, None)


def _unreadable(edge_index: object) -> list[str]:
    if isinstance(edge_index, Topology):
        return []
    if not isinstance(edge_index, Tensor):
        return [f"edge_index is a {type(edge_index).__name__}"]
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return ["a plain edge_index is being compiled"]
    if edge_index.layout == torch.strided and not isinstance(edge_index, EdgeIndex):
        integers = not edge_index.is_floating_point() and edge_index.dtype != torch.bool
        if edge_index.dim() != 2 or edge_index.size(0) != 2 or not integers:
            return ["edge_index is no list of edges"]
    return []
