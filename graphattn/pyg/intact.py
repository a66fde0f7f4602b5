"""Whether PyG's layers and their parts compute what PyG wrote: without hooks, with nothing put in the place of a method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

from torch import nn
from torch.nn.modules import module as torch_module
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.aggr.fused import FusedAggregation
from torch_geometric.nn.attention import PerformerAttention
from torch_geometric.nn.attention.performer import PerformerProjection

STEPS = ("message", "aggregate", "message_and_aggregate", "update", "edge_update", "edge_updater", "propagate")
"""The methods that compute a message-passing layer, besides ``forward``."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GENERATED = ("propagate", "edge_updater")


class _Written(NamedTuple):
    """A class as PyG wrote it: its methods, and the functions of its module that they call."""

    methods: dict[str, Any]
    functions: list[tuple[dict[str, Any], str, FunctionType]]


def watched(parts: Iterable[nn.Module]) -> bool:
    """Whether one of the modules has a hook, or a ``forward`` of its own; or every module of torch has a hook.

    >>> layer = torch.nn.Linear(2, 2)
    >>> _ = layer.register_full_backward_hook(print)
    >>> watched([layer]), watched(torch.nn.Linear(2, 2).modules())
    (True, False)
    """
    if torch_module._has_any_global_hook():
        return True
    return any("forward" in part.__dict__ or any(getattr(part, hooks) for hooks in _HOOKS) for part in parts)


def linear(part: nn.Module) -> bool:
    """Whether a module is a linear map that nobody watches, so that one call is as good as two.

    >>> linear(torch.nn.Linear(2, 2)), linear(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    (True, False)
    """
    return type(part) in (nn.Linear, pyg.Linear) and not watched([part]) and not any(patched(type(part)))


def patched(kind: type, drop_in: type | None = None) -> Iterator[str]:
    """What was replaced in one of PyG's classes since this module was imported, or in its drop-in, in sentences."""
    written = _WRITTEN[kind]
    for name, method in written.methods.items():
        found = getattr(kind if drop_in is None or name == "forward" else drop_in, name, None)
        if found is not method and not (name in _GENERATED and _generated(found, kind, name)):
            yield f"{kind.__name__}.{name} was replaced"
    for names, name, function in written.functions:
        if names.get(name) is not function:
            yield f"{name}, which {kind.__name__} calls, was replaced"


def replaced(layer: MessagePassing, kind: type) -> list[str]:
    """The steps that a layer of PyG's class ``kind`` has for itself alone."""
    own = [name for name in STEPS if name in layer.__dict__]
    # PyG gives a layer that was explained or decomposed its plain or generated ones.
    return [name for name in own if name not in _GENERATED or not _pygs(layer.__dict__[name], kind, name)]


def _pygs(method: object, kind: type, name: str) -> bool:
    function = getattr(method, "__func__", None)
    return function is _WRITTEN[MessagePassing].methods[name] or _generated(function, kind, name)


def _generated(function: object, kind: type, name: str) -> bool:
    # PyG generates these from a template when the first layer of a class is made, in a module of this name.
    generated = getattr(kind, f"_jinja_{name}", None)
    return function is generated and getattr(generated, "__module__", "").endswith(f"_{kind.__name__}_{name}")


def _written(kind: type) -> _Written:
    names = STEPS if issubclass(kind, MessagePassing) else ("__call__", "reduce") if hasattr(kind, "reduce") else ()
    methods = {name: getattr(kind, name, None) for name in ("forward", *names)}
    functions = [
        (method.__globals__, name, function)
        for method in methods.values()
        if isinstance(method, FunctionType)
        for name in method.__code__.co_names
        if isinstance(function := method.__globals__.get(name), FunctionType)
    ]
    return _Written(methods, functions)


_WRITTEN: dict[type, _Written] = {
    kind: _written(kind)
    for kind in (
        MessagePassing, pyg.TransformerConv, pyg.GATConv, pyg.GATv2Conv, pyg.GCNConv, pyg.SAGEConv, pyg.GINConv, pyg.EdgeConv,
        pyg.GPSConv, nn.MultiheadAttention, PerformerAttention, PerformerProjection, nn.Linear, pyg.Linear,
        pyg.SumAggregation, pyg.MeanAggregation, pyg.MaxAggregation, pyg.MinAggregation, pyg.VarAggregation,
        pyg.StdAggregation, pyg.MultiAggregation, FusedAggregation,
    )
}  # fmt: skip
