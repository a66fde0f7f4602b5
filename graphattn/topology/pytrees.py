"""Topologies as inputs of exported programs: trees of tensors, in which numbers are shapes, so that they may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, final
from weakref import ref

import torch
from torch import Tensor
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor, is_gradtrackingtensor
from torch.utils import _pytree as pytree

from graphattn.slots import Sizes
from graphattn.topology.base import Topology
from graphattn.topology.causal import Causal
from graphattn.topology.cross import Cross
from graphattn.topology.edges import Edges
from graphattn.topology.full import Full
from graphattn.topology.grid import Grid
from graphattn.topology.hubs import WithHubs
from graphattn.topology.line import Line
from graphattn.topology.prefix import Prefix
from graphattn.topology.reversed import Reversed
from graphattn.topology.sizes import from_ptr
from graphattn.topology.star import Star
from graphattn.topology.union import Union
from graphattn.topology.window import Window

_WINDOW = ("radius", "dilation", "causal")
_KERNEL = ("kernel_size", "stride", "dilation", "padding", "wrap")


@final
@dataclass(frozen=True)
class _Context:
    """What is no tensor: whether senders and receivers are the same nodes, parts that there are, options, and the topology."""

    same: bool
    parts: tuple[str, ...]
    chosen: tuple[object, ...]
    source: ref[Topology] | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[type[_Context], tuple[bool, tuple[str, ...], tuple[object, ...]]]:
        return _Context, (self.same, self.parts, self.chosen)


def register_all() -> None:
    """Let ``torch.export`` take topologies as inputs."""
    _register(Full, lambda g: Full(g.receivers))
    _register(Causal, lambda g: Causal(g.receivers))
    _register(Cross, lambda g: Cross(g.senders, g.receivers))
    _register(Window, lambda g: Window(g.receivers, **_of(g, _WINDOW)), options=_WINDOW)
    _register(Prefix, lambda g: Prefix(g.receivers, prefix=g.prefix), parts=("prefix",))
    _register(Star, lambda g: Star(g.senders, hubs=g.hubs), options=("hubs",))
    _register(Reversed, lambda g: Reversed(g.graph), parts=("graph",))
    _register(Edges, _edges, parts=("_given", "_by_receiver", "_by_sender", "_list", "_types"))
    _register(Union, lambda g: Union(*g.parts), parts=("parts",))
    _register(
        WithHubs, lambda g: WithHubs(g.graph, g.hubs), parts=("graph", "node_rows", "hub_rows"), options=("hubs",)
    )
    _register(
        Line, lambda g: Line(g.senders, **_of(g, _KERNEL)), parts=("lengths", "_edges"), options=(*_KERNEL, "axes")
    )
    _register(Grid, _grid, parts=("lengths", "_edges"), options=(*_KERNEL, "axes", "height", "width"))


def _register(
    kind: type[Topology], again: Callable[[Any], Topology], parts: tuple[str, ...] = (), options: tuple[str, ...] = ()
) -> None:
    """Let it take those of a kind.

    Args:
        kind: the class.
        again: the topology, checked, of one whose sizes alone were checked.
        parts: attributes that are tensors, topologies, or tuples of these.
        options: attributes that are the same in every batch, and can be written as JSON.
    """

    def flatten(graph: Any) -> tuple[list[Any], _Context]:
        same = graph.senders is graph.receivers
        leaves = [_counts(graph), graph.receivers.ptr, *([] if same else [graph.senders.ptr])]
        chosen = tuple(getattr(graph, name) for name in options)
        present = graph._parts or tuple(name for name in parts if getattr(graph, name) is not None)
        context = _Context(same, present, chosen, ref(graph))
        return [*leaves, *(getattr(graph, name) for name in present)], context

    def flatten_with_keys(graph: Any) -> tuple[list[tuple[Any, Any]], _Context]:
        children, context = flatten(graph)
        names = ["counts", "ptr", *([] if context.same else ["sender_ptr"]), *context.parts]
        return [(pytree.GetAttrKey(name), child) for name, child in zip(names, children, strict=True)], context

    def unflatten(children: Iterable[Any], context: _Context) -> Topology:
        given = pytree.tree_map(_without_gradient, list(children))
        source = None if context.source is None else context.source()
        leaves = pytree.tree_leaves(given)
        if source is not None and _are_the_same(leaves, pytree.tree_leaves(flatten(source)[0])):
            return source
        readable = not torch.compiler.is_compiling() and all(map(_is_readable, leaves))
        graph = _unchecked(kind, given, context, readable=readable)
        found = dict(zip(reversed(context.parts), reversed(given), strict=False))
        for name, value in (*zip(options, context.chosen, strict=True), *((name, found.get(name)) for name in parts)):
            setattr(graph, name, value)
        return again(graph) if readable else graph

    pytree.register_pytree_node(
        kind,
        flatten,
        unflatten,
        serialized_type_name=f"graphattn.topology.{kind.__name__}",
        to_dumpable_context=lambda context: json.dumps([context.same, context.parts, context.chosen]),
        from_dumpable_context=lambda text: _Context(*map(_tuples, json.loads(text))),
        flatten_with_keys_fn=flatten_with_keys,
    )


def _edges(graph: Edges) -> Edges:
    bipartite = graph.senders is not graph.receivers
    ptr = (graph.senders.ptr, graph.receivers.ptr) if bipartite else graph.receivers.ptr
    edges = Edges(
        graph._ends() if graph._list is None else graph._list,
        (graph.num_senders, graph.num_receivers) if bipartite else graph.num_senders,
        ptr=ptr,
        edge_type=graph._types,
    )
    return edges.prepare() if graph.grouped else edges


def _grid(graph: Grid) -> Grid:
    return Grid(graph.height, graph.width, **_of(graph, _KERNEL), images=graph.num_graphs).to(
        graph.receivers.ptr.device
    )


def _of(graph: Topology, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(graph, name) for name in names}


def _unchecked(kind: type[Topology], given: list[Any], context: _Context, *, readable: bool) -> Any:
    """A topology with sizes alone; where a compiler looks on graphs are of any size, so that a program takes all."""
    counts, ptr, *rest = given
    graph: Any = kind.__new__(kind)
    graph._counts, graph._parts = counts, context.parts
    graph.num_senders, graph.num_receivers, most, most_receivers, edges = map(_size, counts)
    graph.receivers = from_ptr(ptr) if readable else Sizes(ptr, most_receivers, equal=False)
    if context.same:
        graph.senders = graph.receivers
    else:
        graph.senders = from_ptr(rest[0]) if readable else Sizes(rest[0], most, equal=False)
    graph._num_edges = edges or None
    return graph


def _counts(graph: Any) -> tuple[Tensor, ...]:
    """Empty tensors whose first sizes are the numbers of senders and receivers, the largest of each, and of edges.

    The same ones every time: ``torch.export`` knows them by their identity.
    """
    if graph._counts is None:
        largest, edges = (graph.senders.max, graph.receivers.max), getattr(graph, "_num_edges", None) or 0
        numbers = (graph.num_senders, graph.num_receivers, *largest, edges)
        graph._counts = tuple(torch.empty(number, 0, device=graph.device) for number in numbers)
    return graph._counts


def _size(count: Any) -> Any:
    # Trees may hold other things than tensors: shapes, specifications of these, names.
    return count.size(0) if isinstance(count, Tensor) else None


def _without_gradient(leaf: Any) -> Any:
    # torch.func wraps all tensors that it is given, and integers have no derivative.
    while isinstance(leaf, Tensor) and is_gradtrackingtensor(leaf):
        leaf = get_unwrapped(leaf)
    return leaf


def _is_readable(leaf: Any) -> bool:
    return type(leaf) is Tensor and leaf.device.type != "meta" and not is_functorch_wrapped_tensor(leaf)


def _are_the_same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
