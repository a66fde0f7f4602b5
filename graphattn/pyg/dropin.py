"""What all drop-ins share: when they answer, when PyG does, and a count of both."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
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

from graphattn.aggregation import Max, Mean, Min, Multi, Std, Sum, Variance
from graphattn.backends import dispatch
from graphattn.binding import as_edges, check
from graphattn.dropout import draw_seed
from graphattn.layer import GraphLayer
from graphattn.message.edge_values import must_be_one_each
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

MADE = "_graphattn"


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


class _Packaged:
    """How ``torch.package`` holds a drop-in: as PyG's layer. A subclass, which may compute something else, has no such method."""

    def __get__(
        self, layer: DropIn | None, owner: type
    ) -> Callable[[object], tuple[Callable[..., Any], tuple[nn.Module]]]:
        if layer is None or "theirs" not in vars(owner):
            raise AttributeError("__reduce_package__")
        # The importer of a package calls `cast(importer, layer)`, which needs no graphattn.
        return lambda exporter: (cast, (layer.__prepare_scriptable__(),))


class DropIn:
    """What a drop-in adds to PyG's class ``theirs``: PyG must know that it is a subclass, and copies must not share.

    ``aggregations`` are those of PyG that it has, ``inside`` names the modules that are not called, but computed with.
    """

    theirs: type[nn.Module]
    aggregations: frozenset[type] = frozenset(AGGREGATIONS)
    side_by_side: bool = True
    inside: tuple[str, ...] = ("aggr_module",)
    inspector: Any
    __reduce_package__ = _Packaged()

    def _set_jittable_templates(self, raise_on_error: bool = False) -> None:
        # PyG generates methods for the class of a new layer: for its own, ours inherits what is there, be it replaced later.
        ours = type(self)
        if "theirs" in vars(ours):
            self.inspector._cls = self.theirs
            self.__class__: Any = self.theirs
        else:  # a subclass reads what `propagate` is called with from the source, where PyG keeps one for each name
            self.inspector._source_dict[self.theirs.__name__] = inspect.getsource(self.theirs)
        super(DropIn, ours)._set_jittable_templates(self, raise_on_error)  # pyright: ignore[reportAttributeAccessIssue]
        self.__class__ = ours

    def __getstate__(self) -> dict[str, Any]:
        # A copy makes its own layer from its own parameters.
        return {name: value for name, value in self.__dict__.items() if name != MADE}

    def __prepare_scriptable__(self) -> nn.Module:
        # TorchScript compiles PyG's own forward.
        if "theirs" not in vars(type(self)):
            name = type(self).__name__
            raise TypeError(
                f"expected a drop-in for TorchScript, got its subclass {name}: derive {name} from PyG's class"
            )
        plain = self.theirs.__new__(self.theirs)
        plain.__setstate__(self.__getstate__())
        return plain


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
    seen = layer.__dict__.get(MADE)
    if seen is None or len(seen[0]) != len(parts) or any(a is not b for a, b in zip(seen[0], parts, strict=True)):
        seen = layer.__dict__[MADE] = (parts, make(*parts))
    return seen[1]


def prepared(
    layer: GraphLayer, graph: Topology, x_j: Tensor, x_i: Tensor | None, edge_attr: Tensor | None, dropout: float = 0.0
) -> Inputs:
    """What backends compute with, made by PyG's own linear maps, which the layer's message holds."""
    if layer.dropout != dropout:
        layer.dropout = dropout
    edge: State = {}
    if edge_attr is not None:
        if edge_attr.size(0) == 1:  # a single row is that of all edges, as in PyG
            edge_attr = edge_attr.expand(graph.num_edges, *edge_attr.shape[1:])
        must_be_one_each(edge_attr, graph)
        edge["edge_attr"] = edge_attr
    check(graph, x_j, x_i, edge)
    senders, receivers = layer.message_function.project(x_j, x_i, graph, None)
    return Inputs(senders, receivers, edge, draw_seed() if dropout else None)


def must_be_listed(rows: Tensor, edges: Tensor) -> None:
    """Refuse another number of edge features or weights than a list has edges, before loops are added to both.

    Raises:
        ValueError: both numbers.
    """
    number = rows.size(0) if rows.dim() else 1
    if edges.layout == torch.strided and number != edges.size(1):
        raise ValueError(f"expected {edges.size(1)} rows of edge features, got {number}")


def heard(layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
    """What every receiver hears, ``[N_i, H, C]``, by the first backend that can."""
    return dispatch.choose(layer, graph, inputs).heard(layer, graph, inputs)


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
        layer.__dict__.pop(MADE, None)
