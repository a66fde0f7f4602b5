r"""Attention of positive kernels in linear time: what a graph's keys say is added up once, and each query reads the sum.

.. math::
    h_i = \frac{\sum_j (\phi(q_i) \cdot \phi(k_j))\, v_j}{\sum_j \phi(q_i) \cdot \phi(k_j)}
        = \frac{\phi(q_i)^\top \sum_j \phi(k_j) v_j^\top}{\phi(q_i)^\top \sum_j \phi(k_j)}

Letters: ``b`` blocks of ``n`` nodes of one graph, ``G`` graphs, ``H`` heads, ``F`` features of a key, ``C`` channels of a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import NormalizedSum
from graphattn.aggregation.normalized import share
from graphattn.backends.watched import watched
from graphattn.message import Attend
from graphattn.score.base import is_product
from graphattn.slots import Inputs, Sizes
from graphattn.topology import Causal, Cross, Full, Star, Topology
from graphattn.traced import larger, smaller

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_BLOCK = 64
_LARGE = 32.0


@final
class Linear:
    """Sums over the senders of each graph, in blocks of nodes: time and memory grow with nodes, not with pairs.

    On ``Causal`` a block reads the sum of all blocks before it, and its own nodes pair by pair.
    """

    name = "linear"

    def unsupported(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Iterator[str]:
        message = layer.message_function
        if not isinstance(graph, (Full, Causal, Cross, Star)):
            yield f"needs a topology of whole graphs (Full, Causal, Cross, Star), got {type(graph).__name__}"
        if not isinstance(layer.aggregation, NormalizedSum):
            yield f"needs the aggregation NormalizedSum, got {type(layer.aggregation).__name__}"
        if not isinstance(message, Attend):
            yield f"needs the message Attend, got {type(message).__name__}"
        elif not is_product(message.score):
            yield f"needs a score that is a dot product of features, got {type(message.score).__name__}"
        elif any(term is not None for term in (message.edge_bias, message.edge_key, message.edge_value)):
            yield "needs edges that add nothing, got an edge bias, key or value"
        if inputs.seed is not None:
            yield "messages are dropped edge by edge"
        yield from watched(layer)

    def heard(self, layer: GraphLayer, graph: Topology, inputs: Inputs) -> Tensor:
        message = layer.message_function
        assert isinstance(message, Attend)
        assert is_product(message.score)
        query, key, value = inputs.receivers["query"], inputs.senders["key"], inputs.senders["value"]
        wide = torch.float64 if value.dtype == torch.float64 else torch.float32
        query, key = query.to(wide), key.to(wide)
        query = query * (message.score.factor(query.size(-1)) / _excess(query.detach().amax(-1, keepdim=True)))
        # A value of one beside the others, so that the same sum gives the denominator.
        extended = torch.cat([value, torch.ones_like(value[..., :1])], dim=-1).to(wide)
        read = _causal if isinstance(graph, Causal) else _whole
        rows = read(graph, query, key, extended)
        return share(rows[..., :-1], rows[..., -1:]).to(value.dtype)


def _whole(graph: Topology, query: Tensor, key: Tensor, extended: Tensor) -> Tensor:
    speaking, listening = _packed(graph.senders, key.size(0)), _packed(graph.receivers, query.size(0))
    key = _moderated(speaking.laid(key), speaking.home, graph.num_graphs)
    sums = torch.einsum("bnhf,bnhc->bhfc", key, speaking.laid(extended))
    whole = sums.new_zeros(graph.num_graphs, *sums.shape[1:]).index_add(0, speaking.home, sums)
    rows = torch.einsum("bnhf,bhfc->bnhc", listening.laid(query), whole.index_select(0, listening.home))
    return listening.picked(rows)


def _causal(graph: Topology, query: Tensor, key: Tensor, extended: Tensor) -> Tensor:
    # As many blocks for every graph are of one form for a compiler; else they would be padding.
    even = torch.compiler.is_compiling() or graph.receivers.equal
    blocks = (_padded if even else _packed)(graph.receivers, query.size(0))
    query, key, extended = blocks.laid(query), blocks.laid(key), blocks.laid(extended)
    key = _moderated(key, blocks.home, graph.num_graphs)
    sums = torch.einsum("bnhf,bnhc->bhfc", key, extended)
    before = _before_in_rows(sums, graph.num_graphs) if even else _before(sums, blocks.home, _most(graph.receivers))
    pairs = torch.einsum("bnhf,bmhf->bhnm", query, key).tril()
    rows = torch.einsum("bnhf,bhfc->bnhc", query, before) + torch.einsum("bhnm,bmhc->bnhc", pairs, extended)
    return blocks.picked(rows)


def _moderated(key: Tensor, home: Tensor, graphs: int) -> Tensor:
    """Keys in blocks, ``[b, n, H, F]``, divided by how much the largest of a head in their graph is too large."""
    largest = key.detach().amax(1).amax(-1)
    index = home.unsqueeze(1).expand_as(largest)
    of_graph = largest.new_zeros(graphs, largest.size(1)).scatter_reduce(0, index, largest, "amax")
    return key.div_(_excess(of_graph)[home][:, None, :, None])


def _excess(largest: Tensor) -> Tensor:
    """How much larger than ``_LARGE`` numbers are, at least 1: divided by it, queries and the keys of a graph share out the same,
    and sums of their products with values do not overflow.
    """
    most = torch.finfo(largest.dtype).max
    return torch.where(largest > _LARGE, largest.clamp(max=most) / _LARGE, 1)


def _before_in_rows(sums: Tensor, graphs: int) -> Tensor:
    """The sums of all earlier blocks of a graph, where every graph has as many blocks."""
    sums = sums.unflatten(0, (graphs, sums.size(0) // larger(1, graphs)))
    return torch.cat([torch.zeros_like(sums[:, :1]), sums[:, :-1].cumsum(1)], dim=1).flatten(0, 1)


def _before(sums: Tensor, home: Tensor, most: int) -> Tensor:
    """The same where graphs have different numbers of blocks, ``most`` at most: each step doubles how far back a block sees.

    Never a difference of sums over several graphs, in which a graph of large values would drown the others.
    """

    def back(state: Tensor, steps: int) -> Tensor:
        shifted = torch.cat([torch.zeros_like(state[:steps]), state[:-steps]])
        same = home == torch.cat([torch.full_like(home[:steps], -1), home[:-steps]])
        return torch.where(same[:, None, None, None], shifted, 0)

    before, steps = back(sums, 1), 1
    while steps < most:
        before, steps = before + back(before, steps), 2 * steps
    return before


class _Blocks(NamedTuple):
    """Nodes in blocks that no two graphs share: where each stands ``[N]``, and the graph of each block ``[b]``."""

    slot: Tensor
    home: Tensor
    size: int

    def laid(self, state: Tensor) -> Tensor:
        """``[N, H, C] -> [b, n, H, C]``, zeros where there is no node."""
        rows = state.new_zeros(self.home.numel() * self.size, *state.shape[1:])
        return rows.index_copy(0, self.slot, state).unflatten(0, (self.home.numel(), self.size))

    def picked(self, rows: Tensor) -> Tensor:
        """``[b, n, H, C] -> [N, H, C]``."""
        return rows.flatten(0, 1).index_select(0, self.slot)


def _packed(sizes: Sizes, nodes: int) -> _Blocks:
    """The blocks of one graph behind those of another; their number needs no look at the sizes, so that some are empty."""
    graphs, size = sizes.ptr.numel() - 1, _size(sizes)
    many = -(-sizes.ptr.diff() // size)
    ends = many.cumsum(0)
    block = torch.arange(nodes // size + graphs, device=ends.device)
    home = torch.searchsorted(ends, block, right=True).clamp(max=graphs - 1)
    return _Blocks(_slots(sizes, nodes, (ends - many) * size), home, size)


def _padded(sizes: Sizes, nodes: int) -> _Blocks:
    """As many blocks for every graph as for the largest, so that sums over earlier blocks are those of one graph.

    Two or more, as a compiler makes a form of its own for one.
    """
    graphs, size = sizes.ptr.numel() - 1, larger(1, smaller(_BLOCK, (sizes.max + 1) // 2))
    most = (sizes.max + size - 1) // size
    graph = torch.arange(graphs, device=sizes.ptr.device)
    return _Blocks(_slots(sizes, nodes, graph * most * size), graph.repeat_interleave(most), size)


def _most(sizes: Sizes) -> int:
    """How many blocks the largest graph has."""
    return larger(1, -(-sizes.max // _size(sizes)))


def _size(sizes: Sizes) -> int:
    return larger(1, smaller(_BLOCK, sizes.max))


def _slots(sizes: Sizes, nodes: int, first: Tensor) -> Tensor:
    """Where each node stands, from the place where its graph begins."""
    shift = (first - sizes.ptr[:-1]).repeat_interleave(sizes.ptr.diff(), output_size=nodes)
    return torch.arange(nodes, device=shift.device) + shift
