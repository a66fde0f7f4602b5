"""What kernels share: how a tile is loaded, what scores are, the hash of dropout.

Triton keeps compiled kernels by their text and that of what they call. Letters: ``E`` edges of a tile, ``H`` heads and ``C``
channels, each rounded up to a power of two; their true numbers are ``HEADS`` and ``CHANNELS``. Channels of the value are ``D``
(``WIDE``), those of an edge's features ``F`` (``DEEP``).
"""

# ruff: noqa: ANN001, ANN201  Triton reads types from the arguments
# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
# pyright: reportOptionalSubscript=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import triton
import triton.language as tl

# What kind of score: a dot product, GATv2's, GAT's.
PRODUCT: tl.constexpr = tl.constexpr(0)
ADDITIVE: tl.constexpr = tl.constexpr(1)
SPLIT: tl.constexpr = tl.constexpr(2)


@triton.jit
def of_node(x, row, h, c, HEADS: tl.constexpr, CHANNELS: tl.constexpr, ACC: tl.constexpr):
    """A node's tile ``[H, C]`` of ``x [N, HEADS, CHANNELS]``."""
    at = (row * HEADS + h[:, None]) * CHANNELS + c[None, :]
    return tl.load(x + at, mask=(h[:, None] < HEADS) & (c[None, :] < CHANNELS), other=0).to(ACC)


@triton.jit
def to_node(x, tile, row, h, c, HEADS: tl.constexpr, CHANNELS: tl.constexpr):
    """Write a node's tile ``[H, C]``."""
    at = (row * HEADS + h[:, None]) * CHANNELS + c[None, :]
    tl.store(x + at, tile.to(x.dtype.element_ty), mask=(h[:, None] < HEADS) & (c[None, :] < CHANNELS))


@triton.jit
def of_nodes(x, node, real, h, c, HEADS: tl.constexpr, CHANNELS: tl.constexpr, ACC: tl.constexpr):
    """The tile ``[E, H, C]`` of the nodes at the other ends of edges."""
    at = (node[:, None, None] * HEADS + h[None, :, None]) * CHANNELS + c[None, None, :]
    inside = real[:, None, None] & (h[None, :, None] < HEADS) & (c[None, None, :] < CHANNELS)
    return tl.load(x + at, mask=inside, other=0).to(ACC)


@triton.jit
def of_edges(x, edge, real, h, HEADS: tl.constexpr, ACC: tl.constexpr):
    """The rows ``[E, H]`` of edges in ``x [*, HEADS]``."""
    at = edge[:, None].to(tl.int64) * HEADS + h[None, :]
    return tl.load(x + at, mask=real[:, None] & (h[None, :] < HEADS), other=0).to(ACC)


@triton.jit
def to_edges(x, tile, edge, real, h, HEADS: tl.constexpr):
    """Write the rows ``[E, H]`` of edges."""
    at = edge[:, None].to(tl.int64) * HEADS + h[None, :]
    tl.store(x + at, tile.to(x.dtype.element_ty), mask=real[:, None] & (h[None, :] < HEADS))


@triton.jit
def steepness(q, k, inside, SLOPE: tl.constexpr):
    """The slope of the leaky ReLU at ``q + k + inside``, ``[E, H, C]``."""
    x = q[None, :, :] + k if inside is None else q[None, :, :] + k + inside[:, :, None]
    # Where a number stands alone it would be rounded to float32.
    return tl.where(x > 0, tl.full(x.shape, 1, x.dtype), tl.full(x.shape, SLOPE, x.dtype))


@triton.jit
def scores(q, k, w, feature_query, feature, bias, SCORE: tl.constexpr, SLOPE: tl.constexpr):
    """Scores ``[E, H]`` of a receiver's query ``q [H, C]`` and its senders' keys ``k [E, H, C]``."""
    if SCORE == PRODUCT:
        score = tl.sum(q[None, :, :] * k, 2)
    else:
        x = q[None, :, :] + k
        if SCORE == SPLIT and bias is not None:
            x += bias[:, :, None]
        x = tl.where(x > 0, x, SLOPE * x)
        if SCORE == ADDITIVE:
            x *= w[None, :, :]
        score = tl.sum(x, 2)
    if feature_query is not None:
        score += tl.sum(feature_query[None, :, :] * feature[:, None, :], 2)
    if SCORE != SPLIT and bias is not None:
        score += bias
    return score


@triton.jit
def ends(sender, number, edge, real):
    """The senders of edges, and the numbers of what edges have of their own."""
    return tl.load(sender + edge, mask=real, other=0).to(tl.int64), tl.load(number + edge, mask=real, other=0)


@triton.jit
def mixed(word):
    """The hash of graphattn.dropout."""
    word = (word ^ (word >> 16)) * 0x7FEB352D
    word = (word ^ (word >> 15)) * 0x846CA68B
    return word ^ (word >> 16)


@triton.jit
def dropout_scale(seed, receiver, sender, number, h, THRESHOLD: tl.constexpr, SCALE: tl.constexpr, ACC: tl.constexpr):
    """The dropout scale of edges in each head; ``receiver``, ``sender`` and ``number`` broadcast to all but heads."""
    word = mixed(mixed(seed.to(tl.uint32)) ^ receiver.to(tl.uint32))
    word = mixed(word ^ sender.to(tl.uint32))
    word = mixed(word ^ number.to(tl.uint32))
    word = mixed(word ^ h.to(tl.uint32))
    return (word.to(tl.int64) >= THRESHOLD).to(ACC) * SCALE


@triton.jit
def behind_dropout(
    alpha, seed, receiver, sender, number, h, THRESHOLD: tl.constexpr, SCALE: tl.constexpr, ACC: tl.constexpr
):
    """Weights after dropout; ``receiver``, ``sender``, ``number`` and ``h`` broadcast to their shape."""
    if THRESHOLD:
        alpha *= dropout_scale(seed, receiver, sender, number, h, THRESHOLD, SCALE, ACC)
    return alpha
