"""The kernels of additive scores as operators that torch can trace, differentiate and map; letters as in :mod:`.ops`."""

from __future__ import annotations

from typing import Tuple  # noqa: UP035  torch reads this spelling

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.numba.ops import drop, flat, real, term
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.operators.rules import LIBRARY, alike, over_heads, over_heads_unless_featured


@torch.library.custom_op(f"{LIBRARY}::additive_attend", mutates_args=(), device_types="cpu")
def attend(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor | None,
    feature: Tensor | None, kind: Tensor | None, slope: float, seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """What every receiver hears ``[N_i, H, D]``, and the log-sum-exp of its scores; ``weight [1, H, C]``, ``table [T, H, C]``."""
    from graphattn.backends.numba import additive

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    out, lse = query.new_empty(query.size(0), heads, wide), query.new_empty(query.size(0), heads)
    work = heads * (_depth(table, kind) * channels + wide)
    run(
        additive.attention, ranges(ptr, work), *_widths(query, value),
        *flat(ptr, sender, number, query, key, value, weight), *_edges(query, sender, table, feature, kind),
        real(slope, query.dtype), term(query, bias),
        *drop(seed, dropout, query.dtype), *flat(out), lse.numpy(),
    )  # fmt: skip
    return out, lse


@attend.register_fake
def _(query, key, value, *_):  # noqa: ANN001, ANN002, ANN202
    return query.new_empty(*query.shape[:2], value.size(2)), query.new_empty(query.shape[:2])


@torch.library.custom_op(f"{LIBRARY}::additive_attend_backward", mutates_args=(), device_types="cpu")
def attend_backward(
    grad: Tensor, out: Tensor, lse: Tensor, query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None,
    table: Tensor | None, feature: Tensor | None, kind: Tensor | None, slope: float, seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor, sender_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of query, key, value, table, scores and features; without the factor ``weight`` where it is one."""
    from graphattn.backends.numba import additive

    heard, pull = (query.new_empty(number.numel(), query.size(1)) for _ in range(2))
    of_query, of_key, value_grad, of_table, of_feature = _room(query, key, value, table, feature)
    work, widths = query.size(1) * (_depth(table, kind) * query.size(2) + value.size(2)), _widths(query, value)
    said = [*_edges(query, sender, table, feature, kind), real(slope, query.dtype)]
    bounds = coarse(ranges(ptr, 2 * work), number.numel(), of_table.size(0))
    parts = np.zeros((len(bounds) - 1, of_table.numel()), said[0].dtype)
    run(
        additive.attention_to_receivers, bounds, *widths, np.array(bounds), *flat(ptr, sender, number, query, key, value, weight),
        *said, term(query, bias), *drop(seed, dropout, query.dtype), *flat(out), lse.numpy(), *flat(grad, _times(table, weight)),
        heard.numpy(), pull.numpy(), *flat(of_query), parts, *flat(of_feature),
    )  # fmt: skip
    run(
        additive.attention_to_senders, ranges(sender_ptr, 2 * work), *widths, *flat(sender_ptr, receiver, place, number),
        *flat(query, key), *said, heard.numpy(), pull.numpy(), *flat(grad, of_key, value_grad),
    )  # fmt: skip
    return of_query, of_key, value_grad, of_table.copy_(added(parts, of_table)), pull, of_feature


@attend_backward.register_fake
def _(grad, out, lse, query, key, value, weight, bias, table, feature, *graph):  # noqa: ANN001, ANN002, ANN202
    *rows, of_feature = _room(query, key, value, table, feature)
    return *rows, query.new_empty(graph[6].size(0), query.size(1)), of_feature


def coarse(bounds: list[int], edges: int, rows: int) -> list[int]:
    """Fewer ranges, where each holds a part of a table: together never more rows than a quarter of the edges.

    >>> coarse([0, 10, 20, 30, 40], edges=80, rows=10), coarse([0, 10, 20], edges=80, rows=0)
    ([0, 20, 40], [0, 10, 20])
    """
    if len(bounds) == 1 or not rows:
        return bounds
    most = max(1, edges // (4 * rows))
    return [*bounds[: -1 : -(-(len(bounds) - 1) // most)], bounds[-1]]


def added(parts: np.ndarray, like: Tensor) -> Tensor:
    """The sum of the parts of a table, always in the same order."""
    return torch.from_numpy(parts.sum(0)).view_as(like)


def _times(table: Tensor | None, weight: Tensor) -> Tensor:
    return weight[:0] if table is None else table * weight


def _widths(query: Tensor, value: Tensor) -> tuple[np.ndarray, np.ndarray]:
    from graphattn.backends.numba.lanes import lanes

    return lanes(query.size(2)), lanes(value.size(2))


def _depth(table: Tensor | None, kind: Tensor | None) -> int:
    """How often the channels of an edge's key are touched."""
    return 2 if table is None else 4 if kind is not None else 2 + table.size(0)


def _edges(
    query: Tensor, sender: Tensor, table: Tensor | None, feature: Tensor | None, kind: Tensor | None
) -> list[np.ndarray]:
    """What edges add to keys as kernels take it: table, features and kinds, empty where there are none."""
    nothing, none = query.new_empty(0), sender[:0]
    return flat(
        *(nothing if x is None else x for x in (table, feature)), none if kind is None else kind.to(sender.dtype)
    )


def _room(query: Tensor, key: Tensor, value: Tensor, table: Tensor | None, feature: Tensor | None) -> list[Tensor]:
    table = query.new_empty(0, *query.shape[1:]) if table is None else table
    return alike(query, key, value, table, query.new_empty(0, 0) if feature is None else feature)


@torch.library.custom_op(f"{LIBRARY}::split_attend", mutates_args=(), device_types="cpu")
def split_attend(
    query: Tensor, key: Tensor, value: Tensor, inside: Tensor | None, slope: float, seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """What every receiver hears ``[N_i, H, D]``, and the log-sum-exp of its scores; ``query [N_i, H]``, ``key [N_j, H]``."""
    from graphattn.backends.numba import additive
    from graphattn.backends.numba.lanes import lanes

    heads, wide = value.size(1), value.size(2)
    out, lse = value.new_empty(query.size(0), heads, wide), value.new_empty(query.size(0), heads)
    run(
        additive.split_attention, ranges(ptr, heads * wide), lanes(wide), *flat(ptr, sender, number),
        term(value, query), term(value, key), *flat(value), real(slope, value.dtype), term(value, inside),
        *drop(seed, dropout, value.dtype), *flat(out), lse.numpy(),
    )  # fmt: skip
    return out, lse


@split_attend.register_fake
def _(query, key, value, *_):  # noqa: ANN001, ANN002, ANN202
    return value.new_empty(query.size(0), *value.shape[1:]), value.new_empty(query.size(0), value.size(1))


@torch.library.custom_op(f"{LIBRARY}::split_attend_backward", mutates_args=(), device_types="cpu")
def split_attend_backward(
    grad: Tensor, out: Tensor, lse: Tensor, query: Tensor, key: Tensor, value: Tensor, inside: Tensor | None, slope: float,
    seed: Tensor | None, dropout: float,
    ptr: Tensor, sender: Tensor, number: Tensor, sender_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of query, key and value, and of what edges add ``[E, H]`` in the receivers' order."""
    from graphattn.backends.numba import additive
    from graphattn.backends.numba.lanes import lanes

    heads, wide = value.size(1), value.size(2)
    heard, pull = (value.new_empty(number.numel(), heads) for _ in range(2))
    query_grad, key_grad, value_grad = alike(query, key, value)
    run(
        additive.split_attention_to_receivers, ranges(ptr, 2 * heads * wide), lanes(wide), *flat(ptr, sender, number),
        term(value, query), term(value, key), *flat(value), real(slope, value.dtype), term(value, inside),
        *drop(seed, dropout, value.dtype), *flat(out), lse.numpy(), *flat(grad), heard.numpy(), pull.numpy(),
        query_grad.numpy(),
    )  # fmt: skip
    run(
        additive.split_attention_to_senders, ranges(sender_ptr, heads * wide), lanes(wide), *flat(sender_ptr, receiver, place),
        heard.numpy(), pull.numpy(), *flat(grad), key_grad.numpy(), *flat(value_grad),
    )  # fmt: skip
    return query_grad, key_grad, value_grad, pull


@split_attend_backward.register_fake
def _(grad, out, lse, query, key, value, inside, slope, seed, dropout, ptr, sender, number, *_):  # noqa: ANN001, ANN002, ANN202
    return *alike(query, key, value), value.new_empty(number.size(0), value.size(1))


torch.library.register_vmap(attend, over_heads_unless_featured(attend, 6, 2))
torch.library.register_vmap(attend_backward, over_heads_unless_featured(attend_backward, 9, 5))
torch.library.register_vmap(split_attend, over_heads(split_attend, 4, 2))
torch.library.register_vmap(split_attend_backward, over_heads(split_attend_backward, 7, 4))
