"""Sums and products over edges as operators that torch can trace, differentiate and map: no tensor of edges times channels.

Sums are what ``embedding_bag`` computes: an edge is an entry of its receiver's bag, the sender a row of the table. Inner products
are those of two matrices where a third is not empty. Edges are in the order of the rows' groups.

Letters: ``N`` rows that the edges are grouped by, ``M`` nodes at their other end, ``E`` edges, ``H`` heads, ``C`` channels,
``T`` edges of a tile. What stands at the other end may have fewer heads, ``G``: each then serves ``H / G`` heads in a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from graphattn.backends.operators.rules import LIBRARY, over_heads

_TILE = 1 << 16


@torch.library.custom_op(f"{LIBRARY}::sums_on_edges", mutates_args=())
def sums(weight: Tensor, x: Tensor, like: Tensor, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    """Sums over each row's edges, ``out_r = sum_e weight[place_e] x[other_e]``; of heads, too, where ``like`` has fewer.

    Shapes: ``weight [E, H]``, ``x [M, G or H, C]``, ``like [N, H or G, C]`` -> ``[N, H or G, C]``.
    """
    heads = weight.size(1)
    if weight.numel() == 0 or x.numel() == 0:
        return torch.zeros_like(like, memory_format=torch.contiguous_format)
    per = heads // like.size(1)
    if per > 1:
        return _pooled(weight, x, per, ptr, other, place)
    out = x.new_empty(ptr.numel() - 1, heads, x.size(2))
    for head in range(heads):
        told = weight[:, head].contiguous() if place is None else weight[:, head].index_select(0, place)
        out[:, head] = _bags(x[:, head * x.size(1) // heads], other, ptr, told)
    return out


@sums.register_fake
def _(weight, x, like, ptr, other, place):  # noqa: ANN001, ANN202
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def _pooled(weight: Tensor, x: Tensor, per: int, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    """Sums over edges and over groups of ``per`` heads."""
    weight = weight if place is None else weight.index_select(0, place)
    heads, table, groups = x.size(1), x.reshape(-1, x.size(2)), []
    for first in range(0, heads, per):
        head = torch.arange(first, first + per, dtype=other.dtype, device=other.device)
        entry = (other[:, None] * heads + head).flatten()
        groups.append(_bags(table, entry, ptr * per, weight[:, first : first + per].reshape(-1)))
    return torch.stack(groups, 1)


@torch.library.custom_op(f"{LIBRARY}::products_on_edges", mutates_args=())
def products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    """Inner products along edges: ``left [N, H, C]``, ``right [M, G, C]`` -> ``[E, H]``."""
    if left.numel() == 0 or other.numel() == 0:
        return left.new_zeros(other.numel(), left.size(1))
    heads, shape = left.size(1), (left.size(0), right.size(0))
    # torch takes no matrix with more entries than it has places, which edges said several times can ask for.
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
    (rows, heads, channels), groups = left.shape, right.size(1)
    left, right = left.reshape(rows, groups, -1, channels), right.contiguous().unsqueeze(2)
    out, row = left.new_empty(other.numel(), groups, heads // groups), row_of(ptr, other.numel())
    for low, high in tiles(other.numel(), heads * channels):
        said = right.index_select(0, other[low:high])
        torch.sum(left.index_select(0, row[low:high]).mul_(said), -1, out=out[low:high])
    return out.flatten(1)


@lru_cache(maxsize=1)
def _warned_of_beta() -> None:
    """Let torch say once, unheard, that its sparse matrices may change: of them, ours are seen by nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.zeros(1, dtype=torch.int32), torch.empty(0, dtype=torch.int32), torch.empty(0))


@products.register_fake
def _(left, right, ptr, other):  # noqa: ANN001, ANN202
    return left.new_empty(other.size(0), left.size(1))


@torch.library.custom_op(f"{LIBRARY}::softmax_on_edges", mutates_args=())
def softmax(score: Tensor, ptr: Tensor) -> Tensor:
    """The softmax of each row's scores, ``[E, H] -> [E, H]``; zero where all of them are minus infinity."""
    if score.numel() == 0:
        return torch.zeros_like(score)
    row = row_of(ptr, score.size(0))
    top = torch.segment_reduce(score, "max", offsets=ptr.long(), axis=0)
    weight = score - top.masked_fill_(top == -torch.inf, 0).index_select(0, row)
    total = row_sums(weight.exp_(), ptr)
    return weight.mul_(torch.where(total > 0, total, 1).reciprocal_().index_select(0, row))


@torch.library.custom_op(f"{LIBRARY}::softmax_on_edges_backward", mutates_args=())
def softmax_backward(grad: Tensor, alpha: Tensor, ptr: Tensor) -> Tensor:
    """The gradient of the scores, ``alpha (grad - mean)`` with the row's mean of ``grad``, ``[E, H]``."""
    if alpha.numel() == 0:
        return torch.zeros_like(alpha)
    pull = alpha * grad
    return pull.addcmul_(alpha, row_sums(pull, ptr).index_select(0, row_of(ptr, pull.size(0))), value=-1)


@softmax.register_fake
def _(score, ptr):  # noqa: ANN001, ANN202
    return torch.empty_like(score, memory_format=torch.contiguous_format)


@softmax_backward.register_fake
def _(grad, alpha, ptr):  # noqa: ANN001, ANN202
    return torch.empty_like(alpha, memory_format=torch.contiguous_format)


def row_of(ptr: Tensor, edges: int) -> Tensor:
    """The row of each edge, ``[N + 1] -> [E]``."""
    rows = torch.arange(ptr.size(0) - 1, dtype=ptr.dtype, device=ptr.device)
    return rows.repeat_interleave(ptr.diff(), output_size=edges)


def row_sums(x: Tensor, ptr: Tensor) -> Tensor:
    """Sums of the rows' edges, ``[E, F] -> [N, F]``."""
    return _bags(x, torch.arange(x.size(0), dtype=ptr.dtype, device=ptr.device), ptr, None)


def tiles(edges: int, width: int) -> Iterator[tuple[int, int]]:
    """Ranges of edges with about as many numbers as the cache holds, ``width`` for an edge."""
    step = max(1, _TILE // max(width, 1))
    for low in range(0, edges, step):
        yield low, min(low + step, edges)


def _bags(table: Tensor, entry: Tensor, ptr: Tensor, weight: Tensor | None) -> Tensor:
    # Of what wants gradients, torch would note the bag of each entry, which takes longer than the sums; so with strides.
    table, weight = table.detach(), None if weight is None else weight.detach()
    return embedding_bag(entry, table, ptr, mode="sum", per_sample_weights=weight, include_last_offset=True)


torch.library.register_vmap(sums, over_heads(sums, 3, 1))
torch.library.register_vmap(products, over_heads(products, 2, 1))
torch.library.register_vmap(softmax, over_heads(softmax, 1, 1))
torch.library.register_vmap(softmax_backward, over_heads(softmax_backward, 2, 1))
