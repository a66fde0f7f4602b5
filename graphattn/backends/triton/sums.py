"""Weighted sums over grouped edges, and products along them; letters as in :mod:`.parts`."""

# ruff: noqa: ANN001, ANN201  Triton reads types from the arguments
# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
# pyright: reportOptionalSubscript=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import triton
import triton.language as tl

from graphattn.backends.triton.parts import of_edges, of_node, of_nodes, steepness, to_edges, to_node

# What an edge sends: the other end's state, the slope of a leaky ReLU, or its weight alone.
STATE: tl.constexpr = tl.constexpr(0)
STEEPNESS: tl.constexpr = tl.constexpr(1)
NOTHING: tl.constexpr = tl.constexpr(2)


@triton.jit(do_not_specialize=["begin"])
def weighted_sum(
    rows, firsts, lasts, begin, other, place, weight, x, own, out,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, H: tl.constexpr, C: tl.constexpr, E: tl.constexpr,
    MESSAGE: tl.constexpr, SLOPE: tl.constexpr, PART: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """``out_r = sum_e weight[place_e] x[other_e]``, or ``leaky'(own_r + x[other_e])`` for the latter; ``weight [E, H]``."""
    part = begin + tl.program_id(0)
    row, first, last = tl.load(rows + part).to(tl.int64), tl.load(firsts + part), tl.load(lasts + part)
    h, c = tl.arange(0, H), tl.program_id(1) * C + tl.arange(0, C)
    total = tl.zeros([H, C], ACC)
    if MESSAGE == STEEPNESS:
        mine = of_node(own, row, h, c, HEADS, CHANNELS, ACC)
    for at in range(first, last, E):
        edge = at + tl.arange(0, E)
        real = edge < last
        w = of_edges(weight, tl.load(place + edge, mask=real, other=0), real, h, HEADS, ACC)
        if MESSAGE == NOTHING:
            total += tl.sum(w, 0)[:, None]
        else:
            j = tl.load(other + edge, mask=real, other=0).to(tl.int64)
            message = of_nodes(x, j, real, h, c, HEADS, CHANNELS, ACC)
            if MESSAGE == STEEPNESS:
                message = steepness(mine, message, None, SLOPE)
            total += tl.sum(w[:, :, None] * message, 0)
    to_node(out, total, part.to(tl.int64) if PART else row, h, c, HEADS, CHANNELS)


@triton.jit
def merge(
    hub_row, hub_ptr, parts, out,
    WIDTH: tl.constexpr, COLUMNS: tl.constexpr, E: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The sums of a hub's parts, in their order."""
    hub = tl.program_id(0)
    row, first, last = tl.load(hub_row + hub).to(tl.int64), tl.load(hub_ptr + hub), tl.load(hub_ptr + hub + 1)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros([COLUMNS], ACC)
    for at in range(first, last, E):
        part = at + tl.arange(0, E)
        tile = (part < last)[:, None] & (column < WIDTH)[None, :]
        total += tl.sum(tl.load(parts + part[:, None].to(tl.int64) * WIDTH + column[None, :], mask=tile, other=0), 0)
    tl.store(out + row * WIDTH + column, total.to(out.dtype.element_ty), mask=column < WIDTH)


@triton.jit(do_not_specialize=["begin"])
def edge_products(
    rows, firsts, lasts, begin, other, place, left, right, out,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, H: tl.constexpr, C: tl.constexpr, E: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Inner products of a row and the other end of each of its edges, ``out[place_e] = left_r . right[other_e]``, ``[E, H]``."""
    part = begin + tl.program_id(0)
    row, first, last = tl.load(rows + part).to(tl.int64), tl.load(firsts + part), tl.load(lasts + part)
    h = tl.arange(0, H)
    for at in range(first, last, E):
        edge = at + tl.arange(0, E)
        real = edge < last
        j = tl.load(other + edge, mask=real, other=0).to(tl.int64)
        p = tl.load(place + edge, mask=real, other=0)
        product = tl.zeros([E, H], ACC)
        for channel in range(0, CHANNELS, C):
            c = channel + tl.arange(0, C)
            own = of_node(left, row, h, c, HEADS, CHANNELS, ACC)
            product += tl.sum(own[None, :, :] * of_nodes(right, j, real, h, c, HEADS, CHANNELS, ACC), 2)
        to_edges(out, product, p, real, h, HEADS)
