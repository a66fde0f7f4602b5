"""The score of GATv2 on every edge, in tiles: a leaky ReLU looks at both ends together, so no product of matrices gives it."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Iterator
from typing import Tuple, final  # noqa: UP035  torch reads this spelling

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from graphattn.backends.numba.functions import differentiated
from graphattn.backends.operators.rules import LIBRARY, over_heads
from graphattn.backends.torch.functions import Ends
from graphattn.backends.torch.ops import row_of, tiles


def leaky_products(query: Tensor, key: Tensor, weight: Tensor, slope: float, ends: Ends) -> Tensor:
    r"""What each receiver makes of each sender, :math:`s_{ij} = w \cdot \text{LeakyReLU}(q_i + k_j)`.

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``weight [1, H, C]`` -> ``[E, H]`` in the order of
    ``graph.by_receiver()``.

    >>> from graphattn.backends.torch.functions import to_senders
    >>> graph = Edges(torch.tensor([[0, 1], [1, 0]]))
    >>> leaky_products(torch.ones(2, 1, 1), -torch.arange(4.0)[::3, None, None], torch.ones(1, 1, 1), 0.5, to_senders(graph))
    tensor([[-1.],
            [ 1.]])
    """
    states = (query, key, weight)
    if differentiated(*states):
        return _LeakyProducts.apply(*states, slope, ends.ptr, ends.other)
    return score(*states, slope, ends.ptr, ends.other)


@torch.library.custom_op(f"{LIBRARY}::leaky_products_on_edges", mutates_args=())
def score(query: Tensor, key: Tensor, weight: Tensor, slope: float, ptr: Tensor, other: Tensor) -> Tensor:
    """The scores ``[E, H]``."""
    out = query.new_empty(other.size(0), query.size(1))
    for low, high, _, _, both in _tiles(query, key, ptr, other):
        torch.sum(leaky_relu(both, slope).mul_(weight), -1, out=out[low:high])
    return out


@score.register_fake
def _(query, key, weight, slope, ptr, other):  # noqa: ANN001, ANN202
    return query.new_empty(other.size(0), query.size(1))


@torch.library.custom_op(f"{LIBRARY}::leaky_products_on_edges_backward", mutates_args=())
def slopes(pull: Tensor, query: Tensor, key: Tensor, slope: float, ptr: Tensor, other: Tensor) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """The gradients of query and key without the factor ``weight``, from those of the scores."""
    of_query, of_key = (torch.zeros_like(x, memory_format=torch.contiguous_format) for x in (query, key))
    for low, high, row, sender, both in _tiles(query, key, ptr, other):
        said = torch.where(both > 0, both.new_ones(()), slope).mul_(pull[low:high, :, None])
        of_query.index_add_(0, row, said)
        of_key.index_add_(0, sender, said)
    return of_query, of_key


@slopes.register_fake
def _(pull, query, key, slope, ptr, other):  # noqa: ANN001, ANN202
    return tuple(torch.empty_like(x, memory_format=torch.contiguous_format) for x in (query, key))


torch.library.register_vmap(score, over_heads(score, 3, 1))
torch.library.register_vmap(slopes, over_heads(slopes, 3, 2))


def _tiles(query: Tensor, key: Tensor, ptr: Tensor, other: Tensor) -> Iterator[tuple[int, int, Tensor, Tensor, Tensor]]:
    """Ranges of edges, their receivers and senders, and the sums of both ends' states ``[T, H, C]``."""
    every = row_of(ptr, other.size(0))
    for low, high in tiles(other.size(0), query[:1].numel()):
        row, sender = every[low:high], other[low:high]
        yield low, high, row, sender, query.index_select(0, row).add_(key.index_select(0, sender))


@final
class _LeakyProducts(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return score(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        query, key, weight, ctx.slope, *ends = inputs
        ctx.save_for_backward(query, key, weight, *ends)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        query, key, weight, *ends = ctx.saved_tensors
        find = _slopes_at_once if torch.is_grad_enabled() else slopes
        of_query, of_key = find(grad, query, key, ctx.slope, *ends)
        of_weight = ((query * of_query).sum(0) + (key * of_key).sum(0)).unsqueeze(0)
        return weight * of_query, weight * of_key, of_weight, None, None, None


def _slopes_at_once(
    pull: Tensor, query: Tensor, key: Tensor, slope: float, ptr: Tensor, other: Tensor
) -> tuple[Tensor, Tensor]:
    # The gradient will be differentiated in turn: in torch's own operators.
    row, sender = row_of(ptr, other.size(0)).long(), other.long()
    both = query[row] + key[sender]
    said = torch.where(both > 0, both.new_ones(()), slope) * pull.unsqueeze(-1)
    return torch.zeros_like(query).index_add(0, row, said), torch.zeros_like(key).index_add(0, sender, said)
