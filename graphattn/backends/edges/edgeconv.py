r"""EdgeConv, whose first linear map is split into a part of receivers and one of senders.

.. math:: W (x_i \| x_j - x_i) + b = p_i + r_j \qquad p_i = W (x_i \| -x_i) + b \qquad r_j = W (0 \| x_j)

A last linear map is applied to sums instead of to each of their terms, and a last relu to the largest message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import Linear

from graphattn.aggregation import Max, Mean, Min, Sum
from graphattn.backends.edges.rows import is_linear, layers_of
from graphattn.backends.operators.edgeconv import largest_rectified, total_rectified
from graphattn.backends.operators.extremes import largest
from graphattn.backends.operators.scaled_sum import scaled_sum
from graphattn.backends.tiles import heard_in_tiles, why_no_sizes
from graphattn.message import Difference
from graphattn.slots import Aggregation, Inputs
from graphattn.topology import Edges
from graphattn.traced import is_broken


class _Plan(NamedTuple):
    """A network in parts: what is split between the ends of an edge, what edges go through, what receivers go through."""

    first: nn.Module
    edges: list[nn.Module]
    receivers: list[nn.Module]


def why_not_split(message: Difference, aggregation: Aggregation, inputs: Inputs) -> list[str]:
    """Why the message does not begin with a sum of a part of the receiver and one of the sender."""
    reasons = layers_of(message.network)[1]
    if not reasons and not _has_kernel(_plan(message, aggregation), aggregation):
        reasons.extend(why_no_sizes())
    if inputs.seed is not None:
        reasons.append("needs messages of which none is dropped")
    return [*reasons, *why_no_parts(inputs)]


def why_no_parts(inputs: Inputs) -> Iterator[str]:
    """Why a linear map of both ends of an edge is not the sum of a map of each."""
    states = [side["x"] for side in (inputs.receivers, inputs.senders)]
    if torch.is_autocast_enabled(states[0].device.type):
        yield "needs messages of the precision of x, got autocast"
    # Infinity less infinity is no number, but each part is.
    if is_broken(*states):
        yield "needs finite states, got infinity or NaN in x"


def heard_split(message: Difference, aggregation: Aggregation, graph: Edges, inputs: Inputs) -> Tensor:
    """Aggregated messages, ``[N_i, 1, C]``; 0 for receivers without senders."""
    plan = _plan(message, aggregation)
    own, sent = _split(message, plan.first, inputs.receivers["x"], inputs.senders["x"])
    degree = graph.by_receiver().ptr.diff().to(sent.dtype).unsqueeze(-1)
    if not _has_kernel(plan, aggregation):
        heard = heard_in_tiles(plan.edges, aggregation, graph, own, sent)
    elif isinstance(aggregation, (Max, Min)):
        heard = _largest(plan.edges, graph, own, sent, 1 if isinstance(aggregation, Max) else -1)
    else:
        heard = _total(plan.edges, graph, own, sent, degree)
        heard = heard / degree.clamp(min=1) if isinstance(aggregation, Mean) else heard
    for layer in plan.receivers:
        heard = functional.relu(heard) if type(layer) is nn.ReLU else _listen(layer, aggregation, heard, degree)
    return heard.unsqueeze(1)


def _plan(message: Difference, aggregation: Aggregation) -> _Plan:
    (first, *edges), _ = layers_of(message.network)
    receivers: list[nn.Module] = []
    if isinstance(aggregation, (Max, Min)):
        while edges and type(edges[-1]) is nn.ReLU:
            receivers.append(edges.pop())
    elif edges and is_linear(edges[-1]):
        receivers.append(edges.pop())
    return _Plan(first, edges, receivers)


def _has_kernel(plan: _Plan, aggregation: Aggregation) -> bool:
    kinds = [type(layer) for layer in plan.edges[:1]]
    deep = 2 if isinstance(aggregation, (Max, Min)) else 1
    return not kinds or (
        kinds[0] in (nn.ReLU, nn.LeakyReLU) and len(plan.edges) == deep and all(map(is_linear, plan.edges[1:]))
    )


def _split(message: Difference, first: nn.Module, x_i: Tensor, x_j: Tensor) -> tuple[Tensor, Tensor]:
    assert isinstance(first, (nn.Linear, Linear))
    weight = first.weight
    if not 2 * x_i.size(-1) == 2 * x_j.size(-1) == weight.size(-1):
        name = next(name for name, module in message.named_modules() if module is first)
        raise ValueError(
            f"expected receivers and senders of equal channels, {weight.size(-1)} together, for {name}, "
            f"got receivers {list(x_i.shape)} and senders {list(x_j.shape)}"
        )
    ours, theirs = weight[:, : x_i.size(-1)], weight[:, x_i.size(-1) :]
    return functional.linear(x_i, ours - theirs, first.bias), functional.linear(x_j, theirs)


def _largest(layers: list[nn.Module], graph: Edges, own: Tensor, sent: Tensor, sign: int) -> Tensor:
    if not layers:
        each = sent.new_full((graph.num_edges, 1), sign)
        return sign * largest(each, sent.unsqueeze(1), graph, sign * own.unsqueeze(1)).squeeze(1)
    act, linear = layers
    assert isinstance(linear, (nn.Linear, Linear))
    bias = None if linear.bias is None else sign * linear.bias
    return sign * largest_rectified(own, sent, _slope(act), sign * linear.weight, bias, graph)


def _total(layers: list[nn.Module], graph: Edges, own: Tensor, sent: Tensor, degree: Tensor) -> Tensor:
    if not layers:
        return degree * own + scaled_sum(sent.unsqueeze(1), graph).squeeze(1)
    return total_rectified(own, sent, _slope(layers[0]), graph)


def _slope(act: nn.Module) -> float:
    return act.negative_slope if isinstance(act, nn.LeakyReLU) else 0.0


def _listen(linear: nn.Module, aggregation: Aggregation, heard: Tensor, degree: Tensor) -> Tensor:
    """A linear map of each message, applied to their sum or mean."""
    assert isinstance(linear, (nn.Linear, Linear))
    out = functional.linear(heard, linear.weight)
    if linear.bias is None:
        return out
    return out + (degree if isinstance(aggregation, Sum) else (degree > 0).to(out.dtype)) * linear.bias
