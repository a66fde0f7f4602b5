"""The kernels as operators that torch can trace, differentiate and map.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels of query and key, ``D`` of the value.
"""

from __future__ import annotations

from typing import Tuple  # noqa: UP035  torch reads this spelling

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.numba.threads import pieces, ranges, run
from graphattn.backends.operators.rules import LIBRARY, alike, over_heads, over_heads_unless_featured


def flat(*tensors: Tensor) -> list[np.ndarray]:
    """Tensors as arrays without dimensions, their memory where they are contiguous."""
    return [tensor.detach().contiguous().view(-1).numpy() for tensor in tensors]


def term(query: Tensor, bias: Tensor | None) -> np.ndarray:
    """A number per edge and head, ``[E, H]``; empty if there is none."""
    return (query.new_empty(0, query.size(1)) if bias is None else bias.detach().contiguous()).numpy()


def real(number: float, dtype: torch.dtype) -> np.generic:
    """A number as kernels of that dtype take it."""
    return np.float32(number) if dtype == torch.float32 else np.float64(number)


def drop(seed: Tensor | None, dropout: float, dtype: torch.dtype) -> tuple[np.uint32, np.uint64, np.generic]:
    """Dropout as kernels take it: the seed, from which word on a message is heard, and how loud."""
    if seed is None:
        return np.uint32(0), np.uint64(0), real(1, dtype)
    return np.uint32(int(seed)), np.uint64(round(dropout * 2**32)), real(1 / (1 - dropout), dtype)


@torch.library.custom_op(f"{LIBRARY}::attend", mutates_args=(), device_types="cpu")
def attend(
    query: Tensor, key: Tensor, value: Tensor, asked: Tensor | None, bias: Tensor | None, feature: Tensor | None,
    seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """What every receiver hears ``[N_i, H, D]``, and of edge features ``[N_i, H, F]``; weights ``[E, H]``, and behind dropout."""
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes
    from graphattn.backends.numba.rows import period_of

    heads, alpha = query.size(1), _edge_products(query, key, ptr, sender)
    if bias is not None:
        run(kernels.add_bias, _bounds(ptr, heads), lanes(1), heads, *flat(ptr, number, bias, alpha))
    if asked is not None and feature is not None:
        _add_asked(alpha, asked, feature, ptr, number)
    run(kernels.softmaxes, _bounds(ptr, heads), lanes(1), (heads, period_of(heads)), *flat(ptr, alpha))
    heard = alpha if seed is None else _quieter(alpha.clone(), seed, dropout, ptr, sender, number)
    out = _weighted_sum(heard, value, ptr, sender, None)
    felt = query.new_empty(query.size(0), heads, 0) if feature is None else _feature_sums(heard, feature, ptr, number)
    return out, felt, alpha, alpha.new_empty(0, heads) if seed is None else heard


@attend.register_fake
def _(query, key, value, asked, bias, feature, seed, dropout, ptr, sender, number):  # noqa: ANN001, ANN202
    rows, heads, deep = query.size(0), query.size(1), 0 if asked is None else asked.size(2)
    alpha = query.new_empty(sender.size(0), heads)
    heard = query.new_empty(0 if seed is None else sender.size(0), heads)
    return query.new_empty(rows, heads, value.size(2)), query.new_empty(rows, heads, deep), alpha, heard


@torch.library.custom_op(f"{LIBRARY}::attend_backward", mutates_args=(), device_types="cpu")
def attend_backward(
    grad: Tensor, felt_grad: Tensor, out: Tensor, felt: Tensor, alpha: Tensor, heard: Tensor,
    query: Tensor, key: Tensor, value: Tensor, asked: Tensor | None, feature: Tensor | None, seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor, sender_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of query, key, value, asked, of the scores ``[E, H]`` in the receivers' order, and of the features."""
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes
    from graphattn.backends.numba.rows import period_of

    heads, wide, heard = query.size(1), value.size(2), alpha if seed is None else heard
    asked, feature, deep = _features(query, asked, feature)
    thin, bounds = lanes(deep), _bounds(ptr, heads)
    pull = _edge_products(grad, value, ptr, sender)
    if deep:
        _add_asked(pull, felt_grad, feature, ptr, number)
    if seed is not None:
        _quieter(pull, seed, dropout, ptr, sender, number)
    sizes, rows = (heads, wide, deep, period_of(heads)), (alpha, grad, out, felt_grad, felt, pull)
    run(kernels.pull_backs, bounds, lanes(wide), thin, sizes, *flat(ptr, *rows))
    asked_grad, feature_grad = alike(asked, feature)
    if deep:
        asked_grad = _feature_sums(pull, feature, ptr, number)
        edges = flat(ptr, number, heard, pull, felt_grad, asked, feature_grad)
        run(kernels.feature_grads, bounds, thin, (heads, deep), *edges)
    query_grad = _weighted_sum(pull, key, ptr, sender, None)
    key_grad = _weighted_sum(pull, query, sender_ptr, receiver, place)
    return query_grad, key_grad, _weighted_sum(heard, grad, sender_ptr, receiver, place), asked_grad, pull, feature_grad


@attend_backward.register_fake
def _(grad, felt_grad, out, felt, alpha, heard, query, key, value, asked, feature, *_):  # noqa: ANN001, ANN202, ANN002
    asked, feature, _ = _features(query, asked, feature)
    return tuple(alike(query, key, value, asked, alpha, feature))


def _features(query: Tensor, asked: Tensor | None, feature: Tensor | None) -> tuple[Tensor, Tensor, int]:
    """What is asked of the features of edges, they, and their number of channels; empty where there are none."""
    if asked is None or feature is None:
        return query.new_empty(*query.shape[:2], 0), query.new_empty(0, 0), 0
    return asked, feature, feature.size(1)


def _bounds(ptr: Tensor, heads: int) -> list[int]:
    # An exponential costs about as much as sixteen products.
    return ranges(ptr, 16 * heads)


def _add_asked(weight: Tensor, asked: Tensor, feature: Tensor, ptr: Tensor, number: Tensor) -> None:
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes

    sizes = (weight.size(1), feature.size(1))
    run(
        kernels.add_asked,
        ranges(ptr, sizes[0] * sizes[1]),
        lanes(sizes[1]),
        sizes,
        *flat(ptr, number, asked, feature, weight),
    )


def _quieter(weight: Tensor, seed: Tensor, dropout: float, ptr: Tensor, sender: Tensor, number: Tensor) -> Tensor:
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes

    heads, dropped = weight.size(1), drop(seed, dropout, weight.dtype)
    run(kernels.drop, _bounds(ptr, heads), lanes(1), heads, *flat(ptr, sender, number), *dropped, *flat(weight))
    return weight


def _edge_products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes

    sizes = (left.size(1), left.size(2))
    out, (row_of, starts) = left.new_empty(other.numel(), sizes[0]), pieces(ptr)
    bounds = ranges(starts, sizes[0] * sizes[1])
    run(kernels.edge_products, bounds, lanes(sizes[1]), sizes, *flat(row_of, starts, other, left, right, out))
    return out


def _weighted_sum(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes

    sizes, (row_of, starts) = (x.size(1), x.size(2)), pieces(ptr)
    out = x.new_empty(starts.numel() - 1, *sizes)
    order = flat(starts, other, other[:0] if place is None else place)
    bounds = ranges(starts, sizes[0] * sizes[1])
    run(kernels.weighted_sum, bounds, lanes(sizes[1]), sizes, *order, *flat(weight, x, out))
    return _joined(out, row_of, ptr.numel() - 1)


def _feature_sums(weight: Tensor, feature: Tensor, ptr: Tensor, number: Tensor) -> Tensor:
    from graphattn.backends.numba import kernels
    from graphattn.backends.numba.lanes import lanes

    sizes, (row_of, starts) = (weight.size(1), feature.size(1)), pieces(ptr)
    felt = feature.new_empty(starts.numel() - 1, *sizes)
    edges = flat(starts, number, weight, feature, felt)
    run(kernels.feature_sums, ranges(starts, sizes[0] * sizes[1]), lanes(sizes[1]), sizes, *edges)
    return _joined(felt, row_of, ptr.numel() - 1)


def _joined(parts: Tensor, row_of: Tensor, rows: int) -> Tensor:
    """The sums of rows from those of their pieces."""
    return parts.new_zeros(rows, *parts.shape[1:]).index_add(0, row_of, parts) if row_of.numel() else parts


@torch.library.custom_op(f"{LIBRARY}::weighted_sum", mutates_args=(), device_types="cpu")
def weighted_sum(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``weight [E, H]``, ``x [N, H, C] -> [rows, H, C]``.

    Without a ``place`` weights stand in the order of the rows.
    """
    return _weighted_sum(weight, x, ptr, other, place)


@weighted_sum.register_fake
def _(weight, x, ptr, other, place):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


@torch.library.custom_op(f"{LIBRARY}::edge_products", mutates_args=(), device_types="cpu")
def edge_products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor) -> Tensor:
    """Inner products along edges, ``[E, H]`` in the order of the rows: ``left [rows, H, C]``, ``right [N, H, C]``."""
    return _edge_products(left, right, ptr, other)


@edge_products.register_fake
def _(left, right, ptr, other):  # noqa: ANN001, ANN202
    return left.new_empty(other.size(0), left.size(1))


torch.library.register_vmap(attend, over_heads_unless_featured(attend, 5, 4))
torch.library.register_vmap(attend_backward, over_heads_unless_featured(attend_backward, 10, 5))
torch.library.register_vmap(weighted_sum, over_heads(weighted_sum, 2, 1))
torch.library.register_vmap(edge_products, over_heads(edge_products, 2, 1))
