"""The kernels as operators that torch can trace, differentiate and map.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels of query and key, ``D`` of the value,
``F`` of an edge's features. Half precision is added up in float32, and what a receiver hears is returned so.
"""

from __future__ import annotations

from typing import Tuple  # noqa: UP035  torch reads this spelling

import torch
from torch import Tensor

from graphattn.backends.operators.rules import LIBRARY, alike, one_by_one

# What kind of score: a dot product, GATv2's, GAT's; the kernels' own numbers.
PRODUCT, ADDITIVE, SPLIT = 0, 1, 2


def wide(dtype: torch.dtype) -> torch.dtype:
    """What numbers of a dtype are added up in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@torch.library.custom_op(f"{LIBRARY}::cuda_attend", mutates_args=())
def attend(
    query: Tensor, key: Tensor, value: Tensor, asked: Tensor | None, feature: Tensor | None, bias: Tensor | None,
    weight: Tensor | None, score: int, slope: float, seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor,
) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """What every receiver hears ``[N_i, H, D]``, of edge features ``[N_i, H, F]``, and the log-sum-exp of its scores."""
    from graphattn.backends.triton import rows

    said = rows.Heard(query, key, value, asked, feature, bias, weight, seed, dropout, score, slope)
    return rows.attend(said, rows.Grouped(ptr, sender, number))


@attend.register_fake
def _(query, key, value, asked, *_):  # noqa: ANN001, ANN002, ANN202
    rows, heads, deep, dtype = query.size(0), query.size(1), 0 if asked is None else asked.size(2), wide(query.dtype)
    shapes = (rows, heads, value.size(2)), (rows, heads, deep), (rows, heads)
    return tuple(query.new_empty(shape, dtype=dtype) for shape in shapes)


@torch.library.custom_op(f"{LIBRARY}::cuda_attend_backward", mutates_args=())
def attend_backward(
    grad: Tensor, felt_grad: Tensor, out: Tensor, felt: Tensor, lse: Tensor, query: Tensor, key: Tensor, value: Tensor,
    asked: Tensor | None, feature: Tensor | None, bias: Tensor | None, weight: Tensor | None, score: int, slope: float,
    seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor, sender_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of query, key, value, asked, features, and of the scores ``[E, H]`` in the receivers' order.

    Those of GATv2's query and key lack the factor ``weight``; of GAT's scores they are those within the leaky ReLU.
    """
    from graphattn.backends.triton import rows

    # What came in half precision travels so, for the sake of the senders that gather it.
    grad, felt_grad = grad.to(value.dtype), felt_grad.to(value.dtype)
    said = rows.Heard(query, key, value, asked, feature, bias, weight, seed, dropout, score, slope)
    back = rows.to_receivers(said, rows.Grouped(ptr, sender, number), (out, felt, lse), (grad, felt_grad))
    key_grad, value_grad = rows.to_senders(said, rows.Grouped(sender_ptr, receiver, place), back, grad)
    asked_grad = query.new_empty(*query.shape[:2], 0) if back.asked is None else back.asked
    feature_grad = query.new_empty(0, 0) if back.feature is None else back.feature
    return back.query, key_grad, value_grad, asked_grad, feature_grad, back.pull


@attend_backward.register_fake
def _(grad, felt_grad, out, felt, lse, query, key, value, asked, feature, *rest):  # noqa: ANN001, ANN002, ANN202
    asked = query.new_empty(*query.shape[:2], 0) if asked is None else asked
    feature = query.new_empty(0, 0) if feature is None else feature
    return *alike(query, key, value, asked, feature), lse.new_empty(rest[8].size(0), query.size(1))


@torch.library.custom_op(f"{LIBRARY}::cuda_weighted_sum", mutates_args=())
def weighted_sum(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``weight [E, H]``, ``x [N, H, C] -> [rows, H, C]``."""
    from graphattn.backends.triton import rows

    return rows.summed(weight, x, rows.Grouped(ptr, other, place))


@weighted_sum.register_fake
def _(weight, x, ptr, other, place):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


@torch.library.custom_op(f"{LIBRARY}::cuda_edge_products", mutates_args=())
def edge_products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """Inner products along edges, ``[E, H]`` by ``place``: ``left [rows, H, C]``, ``right [N, H, C]``."""
    from graphattn.backends.triton import rows

    return rows.edge_products(left, right, rows.Grouped(ptr, other, place))


@edge_products.register_fake
def _(left, right, ptr, other, place):  # noqa: ANN001, ANN202
    return left.new_empty(place.size(0), left.size(1))


for _operator in (attend, attend_backward, weighted_sum, edge_products):
    torch.library.register_vmap(_operator, one_by_one(_operator))
