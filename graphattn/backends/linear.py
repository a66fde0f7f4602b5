r"""Attention of positive kernels in linear time: what a graph's keys say is added up once, and each query reads the sum.

.. math::
    h_i = \frac{\sum_j (\phi(q_i) \cdot \phi(k_j))\, v_j}{\sum_j \phi(q_i) \cdot \phi(k_j)}
        = \frac{\phi(q_i)^\top \sum_j \phi(k_j) v_j^\top}{\phi(q_i)^\top \sum_j \phi(k_j)}

Letters: ``b`` blocks of ``n`` nodes of one graph, ``G`` graphs, ``H`` heads, ``F`` features of a key, ``C`` channels of a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import NormalizedSum
from graphattn.aggregation.normalized import share
from graphattn.backends.watched import watched
from graphattn.message import Attend
from graphattn.score import ProductScore
from graphattn.slots import Inputs, Sizes
from graphattn.topology import Full, Star, Topology

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_BLOCK = 64


@final
class Linear:
    """Sums over the senders of each graph, in blocks of nodes: time and memory grow with nodes, not with pairs."""

    name = "linear"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> list[str]:
        message, reasons = layer.message_function, []
        if not isinstance(graph, (Full, Star)):
            reasons.append(f"needs a topology of whole graphs (Full, Star), got {type(graph).__name__}")
        if not isinstance(layer.aggregation, NormalizedSum):
            reasons.append(f"needs the aggregation NormalizedSum, got {type(layer.aggregation).__name__}")
        if not isinstance(message, Attend):
            reasons.append(f"needs the message Attend, got {type(message).__name__}")
        elif not isinstance(message.score, ProductScore):
            reasons.append(f"needs a score that is a dot product of features, got {type(message.score).__name__}")
        elif any(term is not None for term in (message.edge_bias, message.edge_key, message.edge_value)):
            reasons.append("needs edges that add nothing, got an edge bias, key or value")
        if inputs.seed is not None:
            reasons.append("messages are dropped edge by edge")
        return reasons + watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message = layer.message_function
        assert isinstance(message, Attend)
        assert isinstance(message.score, ProductScore)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        query = query * message.score.factor(query.size(-1))
        wide = torch.float64 if value.dtype == torch.float64 else torch.float32
        # A value of one beside the others, so that the same sum gives the denominator.
        said = torch.cat([value, torch.ones_like(value[..., :1])], dim=-1).to(wide)
        speaking, listening = _blocks(graph.senders, key.size(0)), _blocks(graph.receivers, query.size(0))
        sums = torch.einsum("bnhf,bnhc->bhfc", speaking.laid(key.to(wide)), speaking.laid(said))
        whole = sums.new_zeros(graph.num_graphs, *sums.shape[1:]).index_add(0, speaking.home, sums)
        read = torch.einsum("bnhf,bhfc->bnhc", listening.laid(query.to(wide)), whole.index_select(0, listening.home))
        rows = read.flatten(0, 1).index_select(0, listening.slot)
        return share(rows[..., :-1], rows[..., -1:]).to(value.dtype)


class _Blocks(NamedTuple):
    """Nodes in blocks that no two graphs share: where each stands ``[N]``, and the graph of each block ``[b]``."""

    slot: Tensor
    home: Tensor
    size: int

    def laid(self, state: Tensor) -> Tensor:
        """``[N, H, C] -> [b, n, H, C]``, zeros where there is no node."""
        rows = state.new_zeros(self.home.numel() * self.size, *state.shape[1:])
        return rows.index_copy(0, self.slot, state).unflatten(0, (self.home.numel(), self.size))


def _blocks(sizes: Sizes, nodes: int) -> _Blocks:
    # The number of blocks is an upper bound that needs no look at the sizes on the device; those behind are empty.
    graphs, device = sizes.ptr.numel() - 1, sizes.ptr.device
    size = max(1, min(_BLOCK, sizes.max))
    many = -(-sizes.ptr.diff() // size)
    ends = many.cumsum(0)
    home = torch.arange(graphs, device=device).repeat_interleave(sizes.ptr.diff(), output_size=nodes)
    place = torch.arange(nodes, device=device) - sizes.ptr[home]
    block = torch.arange(nodes // size + graphs, device=device)
    slot = (ends - many)[home] * size + place
    return _Blocks(slot, torch.searchsorted(ends, block, right=True).clamp(max=graphs - 1), size)
