"""Starts the kernels over rows of grouped edges, part by part; letters as in :mod:`.ops`."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphattn.backends.triton import attention, sums
from graphattn.backends.triton.launch import TYPES, columns, dropout_of, kept, power, start, steps, warps
from graphattn.backends.triton.ops import ADDITIVE, PRODUCT, SPLIT, wide
from graphattn.backends.triton.work import Bucket, Work, work_of


class Grouped(NamedTuple):
    """Edges grouped by row: boundaries, the other end of each edge, and the number of what the edge has of its own."""

    ptr: Tensor
    other: Tensor
    number: Tensor


class Heard(NamedTuple):
    """States and edge terms of one call, and how they are scored."""

    query: Tensor
    key: Tensor
    value: Tensor
    asked: Tensor | None
    feature: Tensor | None
    bias: Tensor | None
    weight: Tensor | None
    seed: Tensor | None
    dropout: float
    score: int
    slope: float = 1.0

    def given(self, grouped: Grouped) -> tuple[object, ...]:
        """What kernels read, in their order."""
        seed = 0 if self.seed is None else int(self.seed)
        return (grouped.other, grouped.number, *map(kept, self[:7]), seed)

    def constants(self) -> dict[str, Any]:
        """What kernels are compiled for."""
        heads, channels = self.query.shape[1:]
        size, deep = self.value.size(2), 0 if self.asked is None else self.asked.size(2)
        threshold, loud = dropout_of(self.seed, self.dropout, self.query.dtype)
        return {
            "HEADS": heads, "CHANNELS": channels, "WIDE": size, "DEEP": deep,
            "H": power(heads), "C": power(channels), "D": power(size), "F": power(deep),
            "SCORE": self.score, "SLOPE": self.slope, "THRESHOLD": threshold, "LOUD": loud,
            "ACC": TYPES[wide(self.query.dtype)],
        }  # fmt: skip


class Back(NamedTuple):
    """How loud each edge was and the gradient of its score ``[E, H]``, and gradients of query, asked and features."""

    heard: Tensor
    pull: Tensor
    query: Tensor
    asked: Tensor | None
    feature: Tensor | None


def attend(said: Heard, grouped: Grouped) -> tuple[Tensor, Tensor, Tensor]:
    """What every receiver hears ``[N_i, H, D]``, of edge features ``[N_i, H, F]``, and the log-sum-exp of its scores."""
    query, constants, work = said.query, said.constants(), work_of(grouped.ptr)
    rows, heads, exact = query.size(0), query.size(1), wide(query.dtype)
    out, felt = (query.new_empty(rows, heads, constants[name], dtype=exact) for name in ("WIDE", "DEEP"))
    lse = query.new_empty(rows, heads, dtype=exact)
    given = said.given(grouped)
    for bucket in work.buckets:
        _each(attention.attend, work, bucket, (*given, out, felt, lse, lse), constants | {"PART": False})
    if work.hubs.many:
        parts = [lse.new_empty(work.hubs.many, heads, *more) for more in ((out.size(2),), (felt.size(2),), (), ())]
        _each(attention.attend, work, work.hubs, (*given, *parts), constants | {"PART": True})
        names = ("HEADS", "WIDE", "DEEP", "H", "D", "F", "ACC")
        known = {name: constants[name] for name in names} | _block(constants, work.hubs)
        given = (work.hub_row, work.hub_ptr, *parts, out, felt, lse)
        start(attention.merge, (work.hub_row.numel(),), given, known | {"FEATURED": felt.size(2) > 0})
    return out, felt, lse


def to_receivers(
    said: Heard, grouped: Grouped, results: tuple[Tensor, Tensor, Tensor], grads: tuple[Tensor, Tensor]
) -> Back:
    """Back from ``results`` (what receivers heard, felt, and the log-sum-exp) with the gradients of the first two."""
    query, constants, work = said.query, said.constants(), work_of(grouped.ptr)
    exact = wide(query.dtype)
    heard, pull = (query.new_empty(grouped.number.size(0), query.size(1), dtype=exact) for _ in range(2))
    query_grad = torch.empty_like(query, memory_format=torch.contiguous_format)
    asked_grad, feature_grad = (_alike(x) for x in (said.asked, said.feature))
    given = (*said.given(grouped), *map(kept, (*results, *grads)), heard, pull)
    for bucket in work.buckets:
        arguments = (*given, query_grad, asked_grad, feature_grad)
        _each(attention.to_receivers, work, bucket, arguments, constants | {"PART": False})
    if work.hubs.many:
        of_query, of_asked = (
            None if x is None else x.new_empty(work.hubs.many, *x.shape[1:], dtype=exact) for x in (query, said.asked)
        )
        arguments = (*given, of_query, of_asked, feature_grad)
        _each(attention.to_receivers, work, work.hubs, arguments, constants | {"PART": True})
        _merge(work, of_query, query_grad)
        _merge(work, of_asked, asked_grad)
    return Back(heard, pull, query_grad, asked_grad, feature_grad)


def to_senders(said: Heard, transposed: Grouped, back: Back, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of key and value; of GATv2's key without the factor ``weight``."""
    kinds = {PRODUCT: sums.STATE, ADDITIVE: sums.STEEPNESS, SPLIT: sums.NOTHING}
    key_grad = summed(back.pull, said.query, transposed, kinds[said.score].value, said.key, said.slope)
    return key_grad, summed(back.heard, grad, transposed)


def summed(
    weight: Tensor,
    x: Tensor,
    grouped: Grouped,
    said: int = sums.STATE.value,
    own: Tensor | None = None,
    slope: float = 1.0,
) -> Tensor:
    """Sums over each row's edges of what they say, times ``weight [E, H]`` at the edge's number: ``[rows, H, C]``."""
    work, heads, channels = work_of(grouped.ptr), x.size(1), x.size(2)
    out, acc = x.new_empty(grouped.ptr.size(0) - 1, heads, channels), wide(x.dtype)
    h, c = power(heads), columns(channels, heads)
    known = {"HEADS": heads, "CHANNELS": channels, "H": h, "C": c, "SAID": said, "SLOPE": slope, "ACC": TYPES[acc]}
    given, blocks = (grouped.other, grouped.number, *map(kept, (weight, x, own))), -(-channels // c)
    for bucket in work.buckets:
        _each(sums.weighted_sum, work, bucket, (*given, out), known | {"PART": False}, h * c, blocks)
    if work.hubs.many:
        parts = out.new_empty(work.hubs.many, heads, channels, dtype=acc)
        _each(sums.weighted_sum, work, work.hubs, (*given, parts), known | {"PART": True}, h * c, blocks)
        _merge(work, parts, out)
    return out


def edge_products(left: Tensor, right: Tensor, grouped: Grouped) -> Tensor:
    """Inner products along edges, ``[E, H]`` by number: ``left [rows, H, C]``, ``right [N, H, C]``."""
    work, heads, channels = work_of(grouped.ptr), left.size(1), left.size(2)
    out = left.new_empty(grouped.number.size(0), heads)
    h, c = power(heads), columns(channels, heads)
    constants = {"HEADS": heads, "CHANNELS": channels, "H": h, "C": c, "ACC": TYPES[wide(left.dtype)]}
    given = (grouped.other, grouped.number, kept(left), kept(right), out)
    for bucket in (work.hubs, *work.buckets):
        if bucket.many:
            _each(sums.edge_products, work, bucket, given, constants, h * c)
    return out


def _each(
    kernel: Any,
    work: Work,
    bucket: Bucket,
    given: tuple[object, ...],
    constants: dict[str, Any],
    numbers: int | None = None,
    blocks: int = 1,
) -> None:
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
    start(sums.merge, grid, (work.hub_row, work.hub_ptr, parts, out), constants)


def _alike(x: Tensor | None) -> Tensor | None:
    """Room for a gradient."""
    return None if x is None else torch.empty_like(x, memory_format=torch.contiguous_format)
