"""Attention over grouped edges: a program for each part of a row, with all its heads. Letters as in :mod:`.parts`."""

# ruff: noqa: ANN001, ANN201  Triton reads types from the arguments
# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
# pyright: reportOptionalSubscript=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import triton
import triton.language as tl

from graphattn.backends.triton.parts import (
    PRODUCT,
    SPLIT,
    behind_dropout,
    ends,
    of_edges,
    of_node,
    of_nodes,
    scores,
    steepness,
    to_edges,
    to_node,
)


@triton.jit(do_not_specialize=["begin", "seed"])
def attend(
    rows, firsts, lasts, begin, sender, number, query, key, value, feature_query, feature, bias, weight, seed,
    out, feature_sum, lse, totals,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    H: tl.constexpr, C: tl.constexpr, D: tl.constexpr, F: tl.constexpr, E: tl.constexpr,
    SCORE: tl.constexpr, SLOPE: tl.constexpr, THRESHOLD: tl.constexpr, SCALE: tl.constexpr,
    PART: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Softmax-weighted sums; ``lse`` becomes the logarithm of a row's sum, infinity for a row without edges.

    Of a part of a hub the sums as they are, ``lse`` its largest score, and ``totals`` the sum of its weights.
    """
    part = begin + tl.program_id(0)
    row, first, last = tl.load(rows + part).to(tl.int64), tl.load(firsts + part), tl.load(lasts + part)
    h, c, d, f = tl.arange(0, H), tl.arange(0, C), tl.arange(0, D), tl.arange(0, F)
    q = of_node(query, row, h, c, HEADS, CHANNELS, ACC)
    w = None if weight is None else of_node(weight, 0, h, c, HEADS, CHANNELS, ACC)
    a = None if feature_query is None else of_node(feature_query, row, h, f, HEADS, DEEP, ACC)
    top, total = tl.full([H], float("-inf"), ACC), tl.zeros([H], ACC)
    summed, features = tl.zeros([H, D], ACC), tl.zeros([H, F], ACC)
    for at in range(first, last, E):
        edge = at + tl.arange(0, E)
        real = edge < last
        j, n = ends(sender, number, edge, real)
        k = of_nodes(key, j, real, h, c, HEADS, CHANNELS, ACC)
        x = None if feature_query is None else of_edges(feature, n, real, f, DEEP, ACC)
        b = None if bias is None else of_edges(bias, n, real, h, HEADS, ACC)
        score = tl.where(real[:, None], scores(q, k, w, a, x, b, SCORE, SLOPE), float("-inf"))
        higher = tl.maximum(top, tl.max(score, 0))
        finite = tl.where(higher == float("-inf"), 0.0, higher)
        alpha, fade = tl.exp(score - finite[None, :]), tl.exp(top - finite)
        total = total * fade + tl.sum(alpha, 0)
        top = higher
        alpha = behind_dropout(alpha, seed, row, j[:, None], n[:, None], h[None, :], THRESHOLD, SCALE, ACC)
        v = of_nodes(value, j, real, h, d, HEADS, WIDE, ACC)
        summed = summed * fade[:, None] + tl.sum(alpha[:, :, None] * v, 0)
        if feature_query is not None:
            features = features * fade[:, None] + tl.sum(alpha[:, :, None] * x[:, None, :], 0)
    given = feature_query is not None
    if PART:
        give_part(out, feature_sum, lse, totals, part, top, total, summed, features, h, d, f, HEADS, WIDE, DEEP, given)
    else:
        give(out, feature_sum, lse, row, top, total, summed, features, h, d, f, HEADS, WIDE, DEEP, given)


@triton.jit
def give_part(
    out, feature_sum, tops, totals, part, top, total, summed, features, h, d, f,
    HEADS: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr, FEATURED: tl.constexpr,
):  # fmt: skip
    """Write the sums of a part of a hub, which are to be merged with the others."""
    tl.store(tops + part * HEADS + h, top, mask=h < HEADS)
    tl.store(totals + part * HEADS + h, total, mask=h < HEADS)
    to_node(out, summed, part, h, d, HEADS, WIDE)
    if FEATURED:
        to_node(feature_sum, features, part, h, f, HEADS, DEEP)


@triton.jit
def give(
    out, feature_sum, lse, row, top, total, summed, features, h, d, f,
    HEADS: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr, FEATURED: tl.constexpr,
):  # fmt: skip
    """Write the sums of a row."""
    some = total > 0
    sure = tl.where(some, total, 1.0)
    tl.store(lse + row * HEADS + h, tl.where(some, top + tl.log(sure), float("inf")), mask=h < HEADS)
    to_node(out, summed / sure[:, None], row, h, d, HEADS, WIDE)
    if FEATURED:
        to_node(feature_sum, features / sure[:, None], row, h, f, HEADS, DEEP)


@triton.jit
def merge(
    hub_row, hub_ptr, part_sum, part_feature, tops, totals, out, feature_sum, lse,
    HEADS: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    H: tl.constexpr, D: tl.constexpr, F: tl.constexpr, E: tl.constexpr, FEATURED: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The parts of a hub in one, in their order."""
    hub = tl.program_id(0)
    row, first, last = tl.load(hub_row + hub).to(tl.int64), tl.load(hub_ptr + hub), tl.load(hub_ptr + hub + 1)
    h, d, f = tl.arange(0, H), tl.arange(0, D), tl.arange(0, F)
    top, total = tl.full([H], float("-inf"), ACC), tl.zeros([H], ACC)
    summed, features = tl.zeros([H, D], ACC), tl.zeros([H, F], ACC)
    for at in range(first, last, E):
        part = at + tl.arange(0, E)
        real = part < last
        place = part.to(tl.int64)
        known = real[:, None] & (h[None, :] < HEADS)
        score = tl.load(tops + place[:, None] * HEADS + h[None, :], mask=known, other=float("-inf"))
        higher = tl.maximum(top, tl.max(score, 0))
        finite = tl.where(higher == float("-inf"), 0.0, higher)
        share, fade = tl.exp(score - finite[None, :]), tl.exp(top - finite)
        total = total * fade + tl.sum(share * of_edges(totals, part, real, h, HEADS, ACC), 0)
        top = higher
        tile = of_nodes(part_sum, place, real, h, d, HEADS, WIDE, ACC)
        summed = summed * fade[:, None] + tl.sum(share[:, :, None] * tile, 0)
        if FEATURED:
            tile = of_nodes(part_feature, place, real, h, f, HEADS, DEEP, ACC)
            features = features * fade[:, None] + tl.sum(share[:, :, None] * tile, 0)
    give(out, feature_sum, lse, row, top, total, summed, features, h, d, f, HEADS, WIDE, DEEP, FEATURED)


@triton.jit(do_not_specialize=["begin", "seed"])
def to_receivers(
    rows, firsts, lasts, begin, sender, number, query, key, value, feature_query, feature, bias, weight, seed,
    out, feature_sum, lse, grad, feature_sum_grad, dropped, score_grad, query_grad, feature_query_grad, feature_grad,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr, H: tl.constexpr, C: tl.constexpr,
    D: tl.constexpr, F: tl.constexpr, E: tl.constexpr, SCORE: tl.constexpr, SLOPE: tl.constexpr,
    THRESHOLD: tl.constexpr, SCALE: tl.constexpr, PART: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Back to receivers: weights after dropout, ``dropped [E, H]``, gradients of scores, ``score_grad``, and the query's.

    GATv2's query gets its gradient without the factor ``weight``; GAT's ``score_grad`` is that within the leaky ReLU.
    """
    part = begin + tl.program_id(0)
    row, first, last = tl.load(rows + part).to(tl.int64), tl.load(firsts + part), tl.load(lasts + part)
    h, c, d, f = tl.arange(0, H), tl.arange(0, C), tl.arange(0, D), tl.arange(0, F)
    q, g = of_node(query, row, h, c, HEADS, CHANNELS, ACC), of_node(grad, row, h, d, HEADS, WIDE, ACC)
    w = None if weight is None else of_node(weight, 0, h, c, HEADS, CHANNELS, ACC)
    a = None if feature_query is None else of_node(feature_query, row, h, f, HEADS, DEEP, ACC)
    s = None if feature_query is None else of_node(feature_sum_grad, row, h, f, HEADS, DEEP, ACC)
    mean = mean_weight_grad(out, feature_sum, g, s, row, h, d, f, HEADS, WIDE, DEEP, ACC)
    norm = tl.load(lse + row * HEADS + h, mask=h < HEADS, other=float("inf"))
    of_query, of_feature_query = tl.zeros([H, C], ACC), tl.zeros([H, F], ACC)
    for at in range(first, last, E):
        edge = at + tl.arange(0, E)
        real = edge < last
        j, n = ends(sender, number, edge, real)
        k, v = of_nodes(key, j, real, h, c, HEADS, CHANNELS, ACC), of_nodes(value, j, real, h, d, HEADS, WIDE, ACC)
        x = None if feature_query is None else of_edges(feature, n, real, f, DEEP, ACC)
        b = None if bias is None else of_edges(bias, n, real, h, HEADS, ACC)
        score = tl.where(real[:, None], scores(q, k, w, a, x, b, SCORE, SLOPE), float("-inf"))
        alpha = tl.exp(score - norm[None, :])
        scaled = behind_dropout(alpha, seed, row, j[:, None], n[:, None], h[None, :], THRESHOLD, SCALE, ACC)
        slope = within(scaled * weight_grad(g, v, s, x) - alpha * mean[None, :], q, k, b, SCORE, SLOPE)
        to_edges(dropped, scaled, edge, real, h, HEADS)
        to_edges(score_grad, slope, edge, real, h, HEADS)
        of_query += to_query(slope, q, k, SCORE, SLOPE)
        if feature_query is not None:
            of_feature_query += tl.sum(slope[:, :, None] * x[:, None, :], 0)
            to_edges(feature_grad, to_features(slope, scaled, a, s), n, real, f, DEEP)
    place = part.to(tl.int64) if PART else row
    to_node(query_grad, of_query, place, h, c, HEADS, CHANNELS)
    if feature_query is not None:
        to_node(feature_query_grad, of_feature_query, place, h, f, HEADS, DEEP)


@triton.jit
def weight_grad(g, v, s, x):
    """The gradients of attention weights after dropout, ``[E, H]``, from those of sums of values and of features."""
    grad = tl.sum(g[None, :, :] * v, 2)
    if s is not None:
        grad += tl.sum(s[None, :, :] * x[:, None, :], 2)
    return grad


@triton.jit
def mean_weight_grad(
    out, feature_sum, g, s, row, h, d, f,
    HEADS: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The weighted mean of that over a row's edges, ``[H]``, from the sums themselves."""
    mean = tl.sum(g * of_node(out, row, h, d, HEADS, WIDE, ACC), 1)
    if s is not None:
        mean += tl.sum(s * of_node(feature_sum, row, h, f, HEADS, DEEP, ACC), 1)
    return mean


@triton.jit
def within(slope, q, k, b, SCORE: tl.constexpr, SLOPE: tl.constexpr):
    """The gradient of the score ``[E, H]``; of GAT's within its leaky ReLU."""
    if SCORE == SPLIT:
        slope *= tl.sum(steepness(q, k, b, SLOPE), 2)
    return slope


@triton.jit
def to_query(slope, q, k, SCORE: tl.constexpr, SLOPE: tl.constexpr):
    """What a tile of edges adds to the gradient of the query, ``[H, C]``; of GAT's one number for each head."""
    if SCORE == PRODUCT:
        found = tl.sum(slope[:, :, None] * k, 0)
    elif SCORE == SPLIT:
        found = tl.sum(slope, 0)[:, None]
    else:
        found = tl.sum(slope[:, :, None] * steepness(q, k, None, SLOPE), 0)
    return found


@triton.jit
def to_features(slope, scaled, a, s):
    """The gradients of edges' features ``[E, F]``: through scores and through sums of features."""
    return tl.sum(slope[:, :, None] * a[None, :, :] + scaled[:, :, None] * s[None, :, :], 1)
