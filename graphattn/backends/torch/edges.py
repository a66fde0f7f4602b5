"""Operators over lists of edges in torch's own operators, where no kernel can be compiled: no tensor of edges times channels.

Sums are what ``embedding_bag`` computes: an edge is an entry of its receiver's bag, the sender a row of the table. Inner products
are those of two matrices where a third is not empty. Edges are grouped by row: those of row ``r`` from ``ptr[r]`` to
``ptr[r + 1]``, their other ends ``other [E]``.

Letters: ``N`` rows, ``M`` nodes at the other end, ``E`` edges, ``H`` heads, ``C`` channels, ``S`` edges of a tile. What stands at
the other end has ``G`` heads, ``H`` or one for all.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, leaky_relu

from graphattn.backends.layout.compressed import row_of
from graphattn.backends.operators.edge_attention import SPLIT, Grads, Scored, States
from graphattn.backends.operators.rules import Order
from graphattn.dropout import dropout_scale

_TILE = 1 << 16


def products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, out: Tensor | None = None) -> Tensor:
    """Inner products along edges: ``left [N, H, C]``, ``right [M, G, C]`` -> ``[E, H]``, added to ``out`` if given."""
    if out is not None:
        return out.add_(products(left, right, ptr, other))
    if left.numel() == 0 or other.numel() == 0:
        return left.new_zeros(other.numel(), left.size(1))
    heads, shape = left.size(1), (left.size(0), right.size(0))
    # torch takes no matrix with more entries than it has places, which edges listed several times can need.
    if other.numel() > shape[0] * shape[1] or (left.device.type == "cpu" and not torch.backends.mkl.is_available()):
        return in_tiles(left, right, ptr, other)
    _warned_of_beta()
    pattern = torch.sparse_csr_tensor(ptr, other, left.new_zeros(other.numel()), shape, check_invariants=False)
    found = []
    for head in range(heads):
        key = right[:, head * right.size(1) // heads].t()
        found.append(torch.sparse.sampled_addmm(pattern, left[:, head], key, beta=0).values())
    return torch.stack(found, 1)


def in_tiles(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    """The same without a sampled product of matrices."""
    out, row = left.new_empty(other.numel(), left.size(1)), row_of(ptr, other.numel())
    for low, high in tiles(other.numel(), left[:1].numel()):
        both = left.index_select(0, row[low:high]).mul_(right.index_select(0, other[low:high]))
        torch.sum(both, -1, out=out[low:high])
    return out


@lru_cache(maxsize=1)
def _warned_of_beta() -> None:
    """Let torch say once, unheard, that its sparse matrices may change: of them, ours are seen by nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.zeros(1, dtype=torch.int32), torch.empty(0, dtype=torch.int32), torch.empty(0))


def sums(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``weight [E, H]``, ``x [M, G, C]`` -> ``[N, H, C]``."""
    heads = weight.size(1)
    out = x.new_zeros(ptr.numel() - 1, heads, x.size(2))
    if weight.numel() == 0 or x.numel() == 0:
        return out
    for head in range(heads):
        of_head = weight[:, head].contiguous() if place is None else weight[:, head].index_select(0, place)
        out[:, head] = _bags(x[:, head * x.size(1) // heads], other, ptr, of_head)
    return out


def feature_sums(weight: Tensor, left: Tensor, ptr: Tensor, number: Tensor, out: Tensor | None = None) -> Tensor:
    """What heads send to an edge's feature, ``sum_h weight[e, h] left[row_e, h]`` at ``number [E]``, added to ``out [E, C]``."""
    out = left.new_zeros(number.numel(), left.size(2)) if out is None else out
    row = row_of(ptr, number.numel())
    for low, high in tiles(number.numel(), left[:1].numel()):
        of_edges = torch.einsum("eh,ehc->ec", weight[low:high], left.index_select(0, row[low:high]))
        out.index_add_(0, number[low:high], of_edges)
    return out


def table_products(left: Tensor, table: Tensor, ptr: Tensor, kind: Tensor) -> Tensor:
    """Inner products of each edge's row and its ``kind``'s: ``left [N, H, C]``, ``table [T, H, C]`` -> ``[E, H]``."""
    return products(left, table, ptr, kind)


def table_weighted_sums(weight: Tensor, table: Tensor, ptr: Tensor, kind: Tensor) -> Tensor:
    """Sums over each row's edges, ``sum_e weight_e table[kind_e]``: ``weight [E, H]``, ``table [T, H, C]`` -> ``[N, H, C]``."""
    return sums(weight, table, ptr, kind, None)


def table_sums(weight: Tensor, left: Tensor, ptr: Tensor, kind: Tensor, size: int) -> Tensor:
    """Sums over the edges of each kind, ``sum_e weight_e left[row_e]``: ``[E, H], [N, H, C] -> [T, H, C]``."""
    order = kind.argsort(stable=True)
    limits = torch.arange(size + 1, dtype=kind.dtype, device=kind.device)
    grouped = torch.searchsorted(kind.index_select(0, order), limits).to(ptr.dtype)
    return sums(weight, left, grouped, row_of(ptr, kind.numel()).index_select(0, order), order)


def softmax(score: Tensor, ptr: Tensor) -> Tensor:
    """Scores ``[E, H]`` become the softmax of their row, in place; zero where all of them are minus infinity."""
    if score.numel() == 0:
        return score
    row = row_of(ptr, score.size(0))
    top = torch.segment_reduce(score, "max", offsets=ptr.long(), axis=0)
    score.sub_(top.masked_fill_(top == -torch.inf, 0).index_select(0, row)).exp_()
    total = _row_sums(score, ptr)
    return score.mul_(torch.where(total != 0, total, 1).reciprocal_().index_select(0, row))


def softmax_backward(alpha: Tensor, grad: Tensor, ptr: Tensor) -> Tensor:
    """Gradients of weights ``[E, H]`` become those of scores, ``alpha (grad - mean)`` with the row's mean, in place."""
    if alpha.numel() == 0:
        return grad
    grad.mul_(alpha)
    return grad.addcmul_(alpha, _row_sums(grad, ptr).index_select(0, row_of(ptr, grad.size(0))), value=-1)


def drop(weight: Tensor, seed: Tensor, rate: float, ptr: Tensor, sender: Tensor, number: Tensor) -> Tensor:
    """Weights ``[E, H]`` times the dropout scale of each edge and head, in place."""
    receiver = row_of(ptr, sender.numel()).long()
    return weight.mul_(dropout_scale(seed, receiver, sender.long(), number.long(), weight.size(1), rate, weight.dtype))


def scores(states: States, scored: Scored, ptr: Tensor, sender: Tensor, number: Tensor) -> Tensor:
    """GATv2's or GAT's scores of all edges, ``[E, H]``."""
    score = states.query.new_empty(sender.numel(), states.query.size(1))
    for low, high, _, _, inside in _insides(states, scored, ptr, sender, number):
        leaky = leaky_relu(inside, scored.slope)
        torch.sum(leaky if states.weight is None else leaky.mul_(states.weight), -1, out=score[low:high])
    return score


def scores_backward(grad: Tensor, states: States, scored: Scored, order: Order) -> Grads:
    """Gradients through GATv2's or GAT's scores from theirs, ``grad [E, H]``; GAT's becomes that within the leaky ReLU."""
    of_query, of_key = (torch.zeros_like(x, memory_format=torch.contiguous_format) for x in states[:2])
    for low, high, row, end, inside in _insides(states, scored, *order[:3]):
        within = torch.where(inside > 0, inside.new_ones(()), scored.slope).mul_(grad[low:high, :, None])
        of_query.index_add_(0, row, within)
        of_key.index_add_(0, end, within)
        if scored.score == SPLIT:
            grad[low:high] = within.squeeze(-1)
    return Grads(grad, of_query, of_key)


def _insides(
    states: States, scored: Scored, ptr: Tensor, sender: Tensor, number: Tensor
) -> Iterator[tuple[int, int, Tensor, Tensor, Tensor]]:
    """Ranges of edges, their receivers and senders, and what the leaky ReLU sees of them, ``[S, H, C]``."""
    row = row_of(ptr, sender.numel())
    for low, high in tiles(sender.numel(), states.query[:1].numel()):
        receivers, senders = row[low:high], sender[low:high]
        inside = states.query.index_select(0, receivers).add_(states.key.index_select(0, senders))
        if states.bias is not None and scored.score == SPLIT:
            inside.add_(states.bias.index_select(0, number[low:high]).unsqueeze(-1))
        yield low, high, receivers, senders, inside


def tiles(edges: int, width: int) -> Iterator[tuple[int, int]]:
    """Ranges of edges with about as many numbers as the cache holds, ``width`` for an edge."""
    step = max(1, _TILE // max(width, 1))
    for low in range(0, edges, step):
        yield low, min(low + step, edges)


def _row_sums(x: Tensor, ptr: Tensor) -> Tensor:
    """Sums of the rows' edges, ``[E, H] -> [N, H]``."""
    return _bags(x, torch.arange(x.size(0), dtype=ptr.dtype, device=ptr.device), ptr, None)


def _bags(table: Tensor, entry: Tensor, ptr: Tensor, weight: Tensor | None) -> Tensor:
    # Of what wants gradients, torch would note the bag of each entry, which takes longer than the sums; so with strides.
    table, weight = table.detach(), None if weight is None else weight.detach()
    return embedding_bag(entry, table, ptr, mode="sum", per_sample_weights=weight, include_last_offset=True)
