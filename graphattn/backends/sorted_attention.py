r"""GAT's attention on complete graphs without their pairs: senders are sorted once, every receiver finds its break.

.. math::
    \sum_j e^{\sigma(q_i + k_j)} v_j
        = e^{q_i} \sum_{k_j > -q_i} e^{k_j} v_j \;+\; e^{\lambda q_i} \sum_{k_j \le -q_i} e^{\lambda k_j} v_j

with a leaky ReLU :math:`\sigma` of slope :math:`\lambda`. Both are sums over one side of the sorted senders, so that time and
memory grow with ``N log N``. Exponents are taken from the largest key ``c`` of the graph: no term is above one, and one is one.

Letters: ``b`` graphs of a tile with ``n`` receivers and ``m`` senders, ``H`` heads, ``C`` channels per head.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from graphattn.aggregation import SoftmaxSum
from graphattn.message import Attend
from graphattn.score import SplitAdditive
from graphattn.slots import Aggregation, Inputs
from graphattn.topology import Cross, Full, Star, Tile, Topology

# From so many senders on sorting beats all pairs, forward and backward, with 8 heads of 8 to 32 channels.
_LEAST = 256


def why_not_sorted(message: Attend, aggregation: Aggregation, graph: Topology) -> Iterator[str]:
    """Why receivers cannot share sorted senders."""
    score = message.score
    if not isinstance(score, SplitAdditive):
        yield f"needs the score SplitAdditive for attention, got {type(score).__name__}"
    elif not isinstance(score.activation, nn.LeakyReLU):
        yield f"needs a leaky ReLU in the score, got {type(score.activation).__name__}"
    elif not 0 <= score.activation.negative_slope <= 1:
        yield f"needs a slope of 0 to 1 below zero, got {score.activation.negative_slope}"
    if not isinstance(graph, (Full, Cross, Star)):
        yield f"needs a topology of whole graphs (Full, Cross, Star), got {type(graph).__name__}"
    elif not torch.compiler.is_compiling() and graph.senders.max < _LEAST:  # each side would be compiled for itself
        yield f"needs a graph of at least {_LEAST} senders, below which pairs are faster, got {graph.senders.max}"
    if any(term is not None for term in (message.edge_bias, message.edge_key, message.edge_value)):
        yield "needs edges that add nothing, got an edge bias, key or value"
    if not isinstance(aggregation, SoftmaxSum):
        yield f"needs the aggregation SoftmaxSum, got {type(aggregation).__name__}"


def heard_sorted(message: Attend, graph: Topology, inputs: Inputs) -> Tensor:
    """Aggregated messages, ``[N_i, H, C]``."""
    assert isinstance(graph, (Full, Cross, Star))
    assert isinstance(message.score, SplitAdditive)
    assert isinstance(message.score.activation, nn.LeakyReLU)
    slope, plan = message.score.activation.negative_slope, graph.plan()
    value = inputs.senders["value"]
    wide = torch.float64 if value.dtype == torch.float64 else torch.float32
    # A value of one beside the others, so that the same sums give the denominator.
    extended = torch.cat([value, torch.ones_like(value[..., :1])], dim=-1).to(wide)
    query, key = inputs.receivers["query"].squeeze(-1).to(wide), inputs.senders["key"].squeeze(-1).to(wide)
    rows = [_rows(tile, query, key, extended, slope) for tile in plan.tiles]
    heard = torch.cat([*rows, extended[:0], extended.new_zeros(1, *extended.shape[1:])]).index_select(0, plan.row)
    return (heard[..., :-1] / heard[..., -1:].clamp(min=torch.finfo(wide).tiny)).to(value.dtype)


def _rows(tile: Tile, query: Tensor, key: Tensor, extended: Tensor, slope: float) -> Tensor:
    """Sums of a tile's receivers, ``[b n, H, C + 1]``; the last channel is what to divide by."""
    query, key = query[tile.receiver].movedim(-1, 0), key[tile.sender].movedim(-1, 0)
    silent = None if tile.real_sender is None else ~tile.real_sender
    key = key if silent is None else key.masked_fill(silent, -torch.inf)
    order = key.detach().argsort(dim=-1, stable=True)
    key = key.gather(-1, order)
    top = key.detach()[..., -1:]
    extended = extended[tile.sender].movedim(2, 0)
    extended = extended.gather(2, order.unsqueeze(-1).expand(-1, -1, -1, extended.size(-1)))
    above, below = _from_above(key - top, extended), _from_below((key - top) * slope, extended, key == -torch.inf)
    place = torch.searchsorted(key.detach().contiguous(), -query.detach().contiguous(), right=True)
    place = place.unsqueeze(-1).expand(-1, -1, -1, extended.size(-1))
    quiet = ((slope - 1) * (query + top).clamp(min=0)).exp().unsqueeze(-1)
    rows = above.gather(2, place) + quiet * below.gather(2, place)
    return rows.permute(1, 2, 0, 3).flatten(0, 1)


def _from_above(exponent: Tensor, extended: Tensor) -> Tensor:
    """Sums over the senders from each place on, none behind the last: ``[H, b, m + 1, C]``."""
    sums = (exponent.exp().unsqueeze(-1) * extended).flip(2).cumsum(2).flip(2)
    return torch.cat([sums, sums.new_zeros(sums[:, :, :1].shape)], dim=2)


def _from_below(exponent: Tensor, extended: Tensor, silent: Tensor) -> Tensor:
    """Sums over the senders before each place, none before the first: ``[H, b, m + 1, C]``."""
    sums = (exponent.masked_fill(silent, -torch.inf).exp().unsqueeze(-1) * extended).cumsum(2)
    return torch.cat([sums.new_zeros(sums[:, :, :1].shape), sums], dim=2)
