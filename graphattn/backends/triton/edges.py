"""Operators over lists of edges in Triton: kernels over rows of grouped edges, part by part; letters as in :mod:`.parts`.

Half precision is added up in float32, and sums over a receiver's edges are returned so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphattn.backends.operators.edge_attention import ADDITIVE, PRODUCT, SPLIT, Grads, Scored, States
from graphattn.backends.operators.rules import Order
from graphattn.backends.torch import edges as plain
from graphattn.backends.triton import attention
from graphattn.backends.triton import sums as sum_kernels
from graphattn.backends.triton.launch import TYPES, columns, dropout_of, kept, power, start, steps, warps, wide
from graphattn.backends.triton.work import Bucket, Work, work_of

# What works on numbers per edge and head alone is torch's on every device.
softmax, softmax_backward, drop = plain.softmax, plain.softmax_backward, plain.drop
table_products, table_weighted_sums, table_sums = plain.table_products, plain.table_weighted_sums, plain.table_sums
feature_sums = plain.feature_sums


class Grouped(NamedTuple):
    """Edges grouped by row: boundaries, the other end of each edge, and the number of what the edge has of its own."""

    ptr: Tensor
    other: Tensor
    number: Tensor


def products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, out: Tensor | None = None) -> Tensor:
    """Inner products along edges: ``left [rows, H, C]``, ``right [N, G, C]`` -> ``[E, H]``, added to ``out`` if given."""
    if out is not None or right.size(1) != left.size(1):
        return plain.products(left, right, ptr, other, out)
    work, heads = work_of(ptr), left.size(1)
    found, constants = left.new_empty(other.size(0), heads), _of_nodes(left)
    given = (other, _in_order(other), kept(left), kept(right), found)
    for bucket in (work.hubs, *work.buckets):
        if bucket.many:
            _each(sum_kernels.edge_products, work, bucket, given, constants, constants["H"] * constants["C"])
    return found


def sums(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor | None) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``[E, H], [N, G, C] -> [rows, H, C]``."""
    if x.size(1) != weight.size(1):
        return plain.sums(weight, x, ptr, other, place)
    return _summed(weight, x, Grouped(ptr, other, _in_order(other) if place is None else place))


def attend(states: States, scored: Scored, grouped: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of values ``[N_i, H, D]`` and of features ``[N_i, H, F]``, and the log-sum-exp of each receiver's scores."""
    query, constants, work = states.query, _constants(states, scored), work_of(grouped[0])
    rows, heads, exact = query.size(0), query.size(1), wide(query.dtype)
    out, feature_sum = (query.new_empty(rows, heads, constants[name], dtype=exact) for name in ("WIDE", "DEEP"))
    lse, given = query.new_empty(rows, heads, dtype=exact), _given(states, scored, grouped)
    for bucket in work.buckets:
        _each(attention.attend, work, bucket, (*given, out, feature_sum, lse, lse), constants | {"PART": False})
    if work.hubs.many:
        parts = [
            lse.new_empty(work.hubs.many, heads, *more) for more in ((out.size(2),), (feature_sum.size(2),), (), ())
        ]
        _each(attention.attend, work, work.hubs, (*given, *parts), constants | {"PART": True})
        names = ("HEADS", "WIDE", "DEEP", "H", "D", "F", "ACC")
        known = {name: constants[name] for name in names} | _block(constants, work.hubs)
        merged = (work.hub_row, work.hub_ptr, *parts, out, feature_sum, lse)
        start(attention.merge, (work.hub_row.numel(),), merged, known | {"FEATURED": feature_sum.size(2) > 0})
    return out, feature_sum, lse


def attend_backward(
    states: States, scored: Scored, order: Order, results: tuple[Tensor, Tensor, Tensor], grads: tuple[Tensor, Tensor]
) -> tuple[Grads, Tensor]:
    """Back from ``results`` (sums of values and of features, log-sum-exp) with the first two's gradients; values' at last."""
    # What came in half precision travels so, for the sake of the senders that gather it.
    grad, feature_sum_grad = (each.to(states.value.dtype) for each in grads)
    found, dropped = _to_receivers(states, scored, order, results, (grad, feature_sum_grad))
    transposed = Grouped(order.sender_ptr, order.receiver, order.place)
    kinds = {PRODUCT: sum_kernels.STATE, ADDITIVE: sum_kernels.STEEPNESS, SPLIT: sum_kernels.NOTHING}
    key = _summed(found.score, states.query, transposed, kinds[scored.score].value, states.key, scored.slope)
    return found._replace(key=key), _summed(dropped, grad, transposed)


def _to_receivers(
    states: States, scored: Scored, order: Order, results: tuple[Tensor, Tensor, Tensor], grads: tuple[Tensor, Tensor]
) -> tuple[Grads, Tensor]:
    """Gradients of scores, query, feature query and features, and attention weights after dropout."""
    query, constants, work = states.query, _constants(states, scored), work_of(order.ptr)
    exact = wide(query.dtype)
    dropped, score_grad = (query.new_empty(order.number.size(0), query.size(1), dtype=exact) for _ in range(2))
    query_grad, feature_query_grad = _alike(query), _alike(states.feature_query)
    feature_grad = None if states.feature_query is None else _alike(states.feature)
    given = (*_given(states, scored, order[:3]), *map(kept, (*results, *grads)), dropped, score_grad)
    for bucket in work.buckets:
        arguments = (*given, query_grad, feature_query_grad, feature_grad)
        _each(attention.to_receivers, work, bucket, arguments, constants | {"PART": False})
    if work.hubs.many:
        of_query, of_feature_query = (
            None if x is None else x.new_empty(work.hubs.many, *x.shape[1:], dtype=exact)
            for x in (query, states.feature_query)
        )
        arguments = (*given, of_query, of_feature_query, feature_grad)
        _each(attention.to_receivers, work, work.hubs, arguments, constants | {"PART": True})
        _merge(work, of_query, query_grad)
        _merge(work, of_feature_query, feature_query_grad)
    assert query_grad is not None
    return Grads(score_grad, query_grad, query_grad, feature_query_grad, None, feature_grad), dropped


def _given(states: States, scored: Scored, grouped: tuple[Tensor, ...]) -> tuple[object, ...]:
    """What kernels of attention read, in their order."""
    seed = 0 if scored.seed is None else int(scored.seed)
    terms = (states.feature_query, states.feature, states.bias, states.weight)
    return (*grouped[1:], *map(kept, (*states[:3], *terms)), seed)


def _constants(states: States, scored: Scored) -> dict[str, Any]:
    """What kernels of attention are compiled for."""
    heads, channels = states.query.shape[1:]
    size, deep = states.value.size(2), 0 if states.feature_query is None else states.feature_query.size(2)
    threshold, scale = dropout_of(scored.seed, scored.dropout, states.query.dtype)
    return {
        "HEADS": heads, "CHANNELS": channels, "WIDE": size, "DEEP": deep,
        "H": power(heads), "C": power(channels), "D": power(size), "F": power(deep),
        "SCORE": scored.score, "SLOPE": scored.slope, "THRESHOLD": threshold, "SCALE": scale,
        "ACC": TYPES[wide(states.query.dtype)],
    }  # fmt: skip


def _summed(
    weight: Tensor,
    x: Tensor,
    grouped: Grouped,
    message: int = sum_kernels.STATE.value,
    own: Tensor | None = None,
    slope: float = 1.0,
) -> Tensor:
    """Sums over each row's edges of their messages, times ``weight [E, H]`` at the edge's number: ``[rows, H, C]``."""
    work, heads, channels = work_of(grouped.ptr), x.size(1), x.size(2)
    out, acc = x.new_empty(grouped.ptr.size(0) - 1, heads, channels), wide(x.dtype)
    known = _of_nodes(x) | {"MESSAGE": message, "SLOPE": slope}
    given, blocks = (grouped.other, grouped.number, *map(kept, (weight, x, own))), -(-channels // known["C"])
    numbers = known["H"] * known["C"]
    for bucket in work.buckets:
        _each(sum_kernels.weighted_sum, work, bucket, (*given, out), known | {"PART": False}, numbers, blocks)
    if work.hubs.many:
        parts = out.new_empty(work.hubs.many, heads, channels, dtype=acc)
        _each(sum_kernels.weighted_sum, work, work.hubs, (*given, parts), known | {"PART": True}, numbers, blocks)
        _merge(work, parts, out)
    return out


def _of_nodes(x: Tensor) -> dict[str, Any]:
    """What kernels that read states of nodes, block by block of their columns, are compiled for."""
    (_, heads, channels), acc = x.shape, TYPES[wide(x.dtype)]
    return {"HEADS": heads, "CHANNELS": channels, "H": power(heads), "C": columns(channels, heads), "ACC": acc}


def _each(
    kernel: Any, work: Work, bucket: Bucket, given: tuple[object, ...], constants: dict[str, Any],
    numbers: int | None = None, blocks: int = 1,
) -> None:  # fmt: skip
    """A program for each part of a bucket, and each block of columns; ``numbers`` of an edge stand in a tile."""
    known = constants | _block(constants, bucket, numbers)
    start(kernel, (bucket.many, blocks), (work.row, work.first, work.last, bucket.begin, *given), known)


def _block(constants: dict[str, Any], bucket: Bucket, numbers: int | None = None) -> dict[str, int]:
    """How many edges a program takes at once, and of how many warps it is made."""
    each: int = numbers or constants["H"] * max(constants["C"], constants["D"], constants["F"])
    edges = steps(bucket, each)
    return {"E": edges, "num_warps": warps(edges * each)}


def _merge(work: Work, parts: Tensor | None, out: Tensor | None) -> None:
    if parts is None or out is None or out.numel() == 0:
        return
    width = parts.size(1) * parts.size(2)
    at_once = columns(width)
    constants = {"WIDTH": width, "COLUMNS": at_once, "ACC": TYPES[parts.dtype]} | _block({}, work.hubs, at_once)
    grid = (work.hub_row.numel(), -(-width // at_once))
    start(sum_kernels.merge, grid, (work.hub_row, work.hub_ptr, parts, out), constants)


def _alike(x: Tensor | None) -> Tensor | None:
    """Room for a gradient."""
    return None if x is None else torch.empty_like(x, memory_format=torch.contiguous_format)


def _in_order(other: Tensor) -> Tensor:
    return torch.arange(other.size(0), dtype=other.dtype, device=other.device)
