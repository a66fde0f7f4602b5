"""What a caller gives a layer, bound to a topology and checked by shapes, dtypes and devices, never by values."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import Linear
from torch_geometric.utils import to_edge_index

from graphattn.lasting import remembered
from graphattn.slots import Message, State
from graphattn.topology import Edges, Topology
from graphattn.traced import must_hold

_SHAPES = ("shapes cannot be multiplied", "size of tensor", "must match", "source.size(dim)", "on device")
_DTYPES = ("same dtype", "scalar type")


def bind(
    message: Message, x_j: Tensor, x_i: Tensor | None, edge_index: Tensor | Topology, edge_attr: Tensor | State | None
) -> tuple[Topology, State]:
    """The topology of ``edge_index``, and edge features by name; what does not fit them is refused.

    Raises:
        ValueError: another number of rows than the topology has nodes or edges; kinds or numbers of edges that are not there;
            several devices; a call that is traced.
        TypeError: senders and receivers of different dtypes.
    """
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        raise ValueError(
            "expected torch.export.export, or torch.onnx.export with dynamo=True, which keep graphs of all sizes, "
            "got torch.jit.trace, which would write the sizes of this graph into the program"
        )
    graph = edge_index if isinstance(edge_index, Topology) else as_edges(edge_index, x_j, x_i)
    edge = _by_name(message, edge_index, edge_attr)
    check(graph, x_j, x_i, edge)
    if isinstance(edge_attr, Tensor):
        _check_rows(graph, edge_attr)
    read = getattr(message, "read", None)
    return graph, edge if read is None else read(graph, edge)


def check(graph: Topology, x_j: Tensor, x_i: Tensor | None, edge: State) -> None:
    """Refuse states that are not those of a topology's nodes.

    Raises:
        ValueError: another number of rows than the topology has nodes; several devices; a topology that was written into.
        TypeError: senders and receivers of different dtypes.
    """
    _check_devices(graph, x_j, x_i, edge)
    graph.check()
    if x_j.size(0) != graph.num_senders:
        raise ValueError(f"expected {graph.num_senders} rows of senders in x for {graph}, got {x_j.size(0)}")
    if x_i is not None:
        if x_i.size(0) != graph.num_receivers:
            raise ValueError(f"expected {graph.num_receivers} rows of receivers in x for {graph}, got {x_i.size(0)}")
        # Autocast casts what meets in a product; a model may then hold both dtypes on purpose.
        if x_i.dtype != x_j.dtype and not _autocast(x_j):
            raise TypeError(f"expected senders and receivers of one dtype, got {x_j.dtype} and {x_i.dtype}")


def as_edges(edge_index: Tensor, x_j: Tensor, x_i: Tensor | None, given: tuple[int, int] | None = None) -> Edges:
    """The ``Edges`` of a plain ``edge_index``, remembered as long as the tensor lives and stays as it is (:func:`remembered`).

    Receivers without a state are as many as there are senders, as in PyG; ``given``, or an ``Edges`` of other sizes, says
    otherwise.
    """
    same = x_j.size(0) if x_i is x_j or given is None else given
    size = same if x_i is None or x_i is x_j else (x_j.size(0), x_i.size(0))
    if edge_index.layout != torch.strided:
        size = None  # a matrix knows its own
    if edge_index.device != x_j.device:
        raise ValueError(f"expected edge_index and x on one device, got {edge_index.device} and {x_j.device}")
    return remembered(edge_index, size, lambda: Edges(edge_index, size))


def misfit(
    error: RuntimeError, message: Message, x: Tensor | tuple[Tensor, Tensor | None], edge_attr: Tensor | State | None
) -> ValueError | TypeError | None:
    """What does not fit in words, where torch's error is one of shapes, dtypes or devices; None for any other error."""
    text = str(error)
    if type(error) is not RuntimeError or not any(sign in text for sign in (*_SHAPES, *_DTYPES)):
        return None
    wanted = [
        f"{_channels(module)} channels in {_of(module.weight)} for {name or type(message).__name__}"
        for name, module in (message.named_modules() if isinstance(message, nn.Module) else ())
        if isinstance(module, (Linear, nn.Linear))
    ]
    senders, receivers = x if isinstance(x, tuple) else (x, None)
    edge = {"edge_attr": edge_attr} if isinstance(edge_attr, Tensor) else edge_attr or {}
    given = {"x": senders, "receivers": receivers, **edge}
    got = [f"{name} {list(value.shape)} in {_of(value)}" for name, value in given.items() if value is not None]
    kind = TypeError if any(sign in text for sign in _DTYPES) else ValueError
    return kind(f"expected {', '.join(wanted) or 'inputs that fit'}, got {', '.join(got)}: {text}")


def _by_name(message: Message, edge_index: Tensor | Topology, edge_attr: Tensor | State | None) -> State:
    if isinstance(edge_attr, Tensor):
        return {"edge_attr": edge_attr}
    if edge_attr is None and isinstance(edge_index, Tensor) and edge_index.layout != torch.strided:
        value = to_edge_index(edge_index)[1]
        # PyG's reading of adj_t: numbers are edge weights, rows are edge features.
        return {"edge_attr": value} if value.dim() > 1 or not message.scored else {}
    return {} if edge_attr is None else edge_attr


def _check_devices(graph: Topology, x_j: Tensor, x_i: Tensor | None, edge: State) -> None:
    device = graph.device
    if (
        x_j.device == device
        and (x_i is None or x_i.device == device)
        and all(e.device == device for e in edge.values())
    ):
        return
    given = {"senders": x_j, "receivers": x_i, **{f"edge feature {name!r}": value for name, value in edge.items()}}
    found = ", ".join(f"{name} on {value.device}" for name, value in given.items() if value is not None)
    raise ValueError(
        f"expected everything on {device}, where {graph} is, got {found}: move the graph with graph.to(device)"
    )


def _check_rows(graph: Topology, edge_attr: Tensor) -> None:
    # A number of edges that is counted cannot be read there.
    if torch.compiler.is_compiling() and not isinstance(graph, Edges):
        fits = graph.degrees().sum() == edge_attr.size(0)
        must_hold(fits, "expected as many rows in edge_attr as the topology has edges")
    elif edge_attr.size(0) != graph.num_edges:
        raise ValueError(f"expected {graph.num_edges} rows in edge_attr for {graph}, got {edge_attr.size(0)}")


def _channels(module: Linear | nn.Linear) -> int:
    return module.in_channels if isinstance(module, Linear) else module.in_features


def _of(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"


def _autocast(x: Tensor) -> bool:
    return torch.amp.is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type)
