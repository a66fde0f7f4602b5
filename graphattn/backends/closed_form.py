r"""Layers whose edges algebra removes: the same sum for a whole graph, a product of matrices, a convolution.

- On complete graphs a message of the sender alone is the same for all receivers of its graph: one sum serves them.
- Factors of both places (:class:`~graphattn.message.ByPlace`) are one matrix for every graph of equal size.
- One linear map of both ends (:class:`~graphattn.message.Difference`) is a part of the receiver and one of the sender.
- GAT's attention needs the senders sorted (:mod:`graphattn.backends.sorted_attention`).
- A kernel on a grid (:class:`~graphattn.message.Relation` on ``Grid`` or ``Line``) is torch's convolution.

Letters: ``B`` graphs with ``n`` receivers and ``m`` senders each, ``H`` heads, ``C`` channels per head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d, linear
from torch_geometric.nn import Linear

from graphattn.aggregation import LogSumExp, Max, Mean, Min, Multi, Std, Sum, Variance
from graphattn.backends.edges.edgeconv import why_no_parts
from graphattn.backends.sorted_attention import heard_sorted, why_not_sorted
from graphattn.backends.watched import watched
from graphattn.message import (
    Attend,
    ByPlace,
    Copy,
    Difference,
    Kernel,
    Relation,
    Scaled,
    as_weighted,
    by_row,
    symmetric,
)
from graphattn.slots import Aggregation, Groups, Inputs
from graphattn.topology import Cross, Full, Grid, Line, Star, Topology
from graphattn.topology.lattice import Axis

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_COMPLETE = (Full, Cross, Star)
_ALIKE = (Sum, Mean, Max, Min, Std, Variance, LogSumExp, Multi)
_MESSAGES = "Copy, Scaled, Difference, ByPlace, Relation or Attend"
_FITTING = {Copy: _ALIKE, Scaled: _ALIKE, Difference: (Sum, Mean, Max, Min), ByPlace: (Sum,), Relation: (Sum,)}


@final
class ClosedForm:
    """Sums, matrix products and convolutions where a list of edges would repeat itself."""

    name = "closed_form"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        message = layer.message_function
        if isinstance(message, Relation):
            yield from _no_convolution(message, graph, inputs)
        elif isinstance(message, ByPlace):
            yield from _no_matrix(graph)
        elif isinstance(message, (Copy, Scaled)):
            yield from _no_single_sum(message, graph, inputs)
        elif isinstance(message, Difference):
            yield from _no_two_parts(message, graph, inputs)
        elif isinstance(message, Attend):
            yield from why_not_sorted(message, layer.aggregation, graph)
        else:
            yield f"needs the message {_MESSAGES}, got {type(message).__name__}"
        fit = _FITTING.get(type(message), ())
        if fit and not isinstance(layer.aggregation, fit):
            names = ", ".join(each.__name__ for each in fit)
            yield f"needs the aggregation {names}, got {type(layer.aggregation).__name__}"
        if inputs.seed is not None:
            yield "messages are dropped edge by edge"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message = layer.message_function
        if isinstance(message, Relation):
            return _convolution(message, graph, inputs.senders["x"])
        if isinstance(message, ByPlace):
            return _matrix(message, graph, inputs.senders["value"])
        if isinstance(message, Difference):
            return _two_parts(message, layer.aggregation, graph, inputs)
        if isinstance(message, Attend):
            return heard_sorted(message, graph, inputs)
        return _single_sum(layer, graph, inputs.senders["value"])


def _no_single_sum(message: Copy | Scaled, graph: Topology, inputs: Inputs) -> list[str]:
    reasons = []
    if not isinstance(graph, _COMPLETE):
        reasons.append(f"needs a topology of whole graphs (Full, Cross, Star), got {type(graph).__name__}")
    if isinstance(message, Scaled):
        if message.scale not in (as_weighted, by_row, symmetric):
            reasons.append(f"needs the scale symmetric, by_row or as_weighted, got {message.scale}")
        elif message.scale is symmetric and isinstance(graph, (Cross, Star)):
            reasons.append(f"needs Full for the scale symmetric, got {type(graph).__name__}")
        if "edge_attr" in inputs.edge:
            reasons.append("edges have weights of their own")
    return reasons


def _single_sum(layer: GraphLayer, graph: Topology, value: Tensor) -> Tensor:
    message = layer.message_function
    if isinstance(message, Scaled) and message.scale is not as_weighted:
        many = graph.senders.ptr.diff()
        value = value / many.repeat_interleave(many, output_size=graph.num_senders).to(value.dtype)[:, None, None]
    return _for_everyone(graph, _of_graphs(layer.aggregation, graph, value))


def _of_graphs(aggregation: Aggregation, graph: Topology, value: Tensor) -> Tensor:
    """What is heard of the senders of each graph, ``[N_j, H, C] -> [B, H, C]``."""
    many, graphs = graph.senders.ptr.diff(), graph.num_graphs
    home = torch.arange(graphs, device=value.device).repeat_interleave(many, output_size=graph.num_senders)
    return aggregation.reduce(value, Groups(home, None, graphs, None))


def _for_everyone(graph: Topology, heard: Tensor) -> Tensor:
    """The row of its graph for each receiver."""
    return heard.repeat_interleave(graph.receivers.ptr.diff(), dim=0, output_size=graph.num_receivers)


def _no_two_parts(message: Difference, graph: Topology, inputs: Inputs) -> Iterator[str]:
    if not isinstance(graph, _COMPLETE):
        yield f"needs a topology of whole graphs (Full, Cross, Star), got {type(graph).__name__}"
    if not isinstance(message.network, (nn.Linear, Linear)):
        yield f"needs a network of one linear map, got {type(message.network).__name__}"
    yield from why_no_parts(inputs)


def _two_parts(message: Difference, aggregation: Aggregation, graph: Topology, inputs: Inputs) -> Tensor:
    r""":math:`W (x_i \| x_j - x_i) + b = (W (x_i \| -x_i) + b) + W (0 \| x_j)`."""
    network, x_i, x_j = message.network, inputs.receivers["x"], inputs.senders["x"]
    assert isinstance(network, (nn.Linear, Linear))
    own = network(torch.cat([x_i, -x_i], dim=-1)).unsqueeze(1)
    sent = linear(x_j, network.weight[:, x_j.size(-1) :]).unsqueeze(1)
    heard = _for_everyone(graph, _of_graphs(aggregation, graph, sent))
    many = _for_everyone(graph, graph.senders.ptr.diff()[:, None, None]).to(own.dtype)
    times = many if isinstance(aggregation, Sum) else (many > 0).to(own.dtype)
    return times * own + heard


def _no_matrix(graph: Topology) -> list[str]:
    if not isinstance(graph, _COMPLETE):
        return [f"needs a topology of whole graphs (Full, Cross, Star), got {type(graph).__name__}"]
    return [] if graph.senders.equal and graph.receivers.equal else ["needs graphs of equal size"]


def _matrix(message: ByPlace, graph: Topology, value: Tensor) -> Tensor:
    message.check(graph)
    table = message.table[: graph.receivers.max, : graph.senders.max]
    laid = value.reshape(graph.num_graphs, graph.senders.max, *value.shape[1:])
    return torch.einsum("nm,bmhc->bnhc", table, laid).flatten(0, 1)


def _no_convolution(message: Relation, graph: Topology, inputs: Inputs) -> list[str]:
    if not isinstance(graph, (Grid, Line)):
        return [f"needs a topology of offsets (Grid, Line), got {type(graph).__name__}"]
    reasons = []
    if not isinstance(message.weight, Kernel):
        reasons.append(f"needs the weight Kernel, got {type(message.weight).__name__}")
    if message.name in inputs.edge:
        reasons.append("edges have types of their own")
    if not graph.senders.equal:
        reasons.append("needs sequences of equal length")
    if graph.num_senders == 0 or graph.num_receivers == 0:
        reasons.append("needs at least one sender and one receiver, got an empty graph")
    return reasons


def _convolution(message: Relation, graph: Topology, x: Tensor) -> Tensor:
    assert isinstance(graph, (Grid, Line))
    assert isinstance(message.weight, Kernel)
    message.check(graph)
    extent = (graph.height, graph.width) if isinstance(graph, Grid) else (graph.senders.max,)
    # A view: channels lie last in memory, as torch's convolution likes them.
    image = x.reshape(graph.num_graphs, *extent, -1).movedim(-1, 1)
    axes = graph.axes
    if any(axis.wrap or axis.before != axis.after for axis in axes):
        for number, (axis, length) in enumerate(zip(axes, extent, strict=True)):
            image = _around(image, number + 2, axis, length)
        padding = [0] * len(axes)
    else:
        padding = [axis.before for axis in axes]
    stride, dilation = [axis.stride for axis in axes], [axis.dilation for axis in axes]
    convolve, weight = conv2d if len(extent) == 2 else conv1d, message.weight
    out = convolve(image, weight.weight, None, stride, padding, dilation, weight.blocks)
    return out.movedim(1, -1).reshape(graph.num_receivers, weight.blocks, -1)


def _around(image: Tensor, dim: int, axis: Axis, length: int) -> Tensor:
    """The image with what the kernel reads beyond its borders: the other side of a circle, else zeros."""
    if axis.wrap:
        place = torch.arange(-axis.before, length + axis.after, device=image.device)
        return image.index_select(dim, place % length)
    last = image.dim() - 1
    return torch.nn.functional.pad(image, [0, 0] * (last - dim) + [axis.before, axis.after])
