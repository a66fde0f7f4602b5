"""Attention in batches of small graphs: a program for each graph and head.

Edges are all pairs of a graph or the causal ones: no list of edges is read. A launch takes the graphs of one class
of sizes, the others leave at once, so that nobody has to wait for their sizes. Letters: ``N`` receivers and as many senders of a
tile, ``C`` channels of query and key, ``D`` of the value.
"""

# ruff: noqa: ANN001, ANN201  Triton reads types from the arguments
# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
# pyright: reportOptionalSubscript=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import triton
import triton.language as tl

from graphattn.backends.operators import whole
from graphattn.backends.triton.launch import TYPES, dropout_of, kept, power, start, wide
from graphattn.backends.triton.parts import behind_dropout
from graphattn.backends.triton.usable import interpreted
from graphattn.backends.whole.backend import CLASSES

if TYPE_CHECKING:
    from torch import Tensor


@triton.jit
def states(x, first, many, head, i, c, HEADS: tl.constexpr, CHANNELS: tl.constexpr):
    """The tile ``[N, C]`` of one head of the nodes from ``first`` on, as it is stored."""
    at = ((first + i[:, None]) * HEADS + head) * CHANNELS + c[None, :]
    return tl.load(x + at, mask=(i[:, None] < many) & (c[None, :] < CHANNELS), other=0)


@triton.jit
def give(x, tile, first, many, head, i, c, HEADS: tl.constexpr, CHANNELS: tl.constexpr):
    """Write the tile ``[N, C]``."""
    at = ((first + i[:, None]) * HEADS + head) * CHANNELS + c[None, :]
    tl.store(x + at, tile.to(x.dtype.element_ty), mask=(i[:, None] < many) & (c[None, :] < CHANNELS))


@triton.jit
def product(a, b, FACTOR: tl.constexpr, ACC: tl.constexpr):
    """A product of matrices in full precision."""
    return tl.dot(a.to(FACTOR), b.to(FACTOR), input_precision="ieee", out_dtype=ACC)


@triton.jit
def edges(first, i, j, n, m, CAUSAL: tl.constexpr):
    """The numbers of the edges of a graph, and which there are, ``[N, M]``."""
    real = (i[:, None] < n) & (j[None, :] < m)
    if CAUSAL:
        return first + i[:, None] * (i[:, None] + 1) // 2 + j[None, :], real & (j[None, :] <= i[:, None])
    return first + i[:, None] * m + j[None, :], real


@triton.jit
def softmax(score, ACC: tl.constexpr):
    """Row by row; zero for a row of minus infinity, and no number for a row with one that is none."""
    top = tl.max(score, 1)
    alpha = tl.exp(score - tl.where(top == float("-inf"), 0.0, top)[:, None])
    total = tl.sum(alpha, 1)
    return alpha / tl.where(total == 0, 1.0, total)[:, None]


@triton.jit(do_not_specialize=["seed"])
def attention(
    receivers, senders, before, query, key, value, bias, seed, out,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDE: tl.constexpr, LEAST: tl.constexpr,
    N: tl.constexpr, C: tl.constexpr, D: tl.constexpr, SCALE: tl.constexpr, CAUSAL: tl.constexpr,
    THRESHOLD: tl.constexpr, KEPT: tl.constexpr, FACTOR: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The weighted sums of the receivers of a graph in a head."""
    graph, head = tl.program_id(0), tl.program_id(1)
    start, origin = tl.load(receivers + graph).to(tl.int64), tl.load(senders + graph).to(tl.int64)
    n, m = tl.load(receivers + graph + 1) - start, tl.load(senders + graph + 1) - origin
    if (tl.maximum(n, m) > LEAST) & (tl.maximum(n, m) <= N):
        i, j, c, d = tl.arange(0, N), tl.arange(0, N), tl.arange(0, C), tl.arange(0, D)
        q, k = states(query, start, n, head, i, c, HEADS, CHANNELS), states(key, origin, m, head, j, c, HEADS, CHANNELS)
        v = states(value, origin, m, head, j, d, HEADS, WIDE)
        score = product(q, tl.trans(k), FACTOR, ACC) * SCALE
        number, real = edges(0 if before is None else tl.load(before + graph), i, j, n, m, CAUSAL)
        if bias is not None:
            score += tl.load(bias + number * HEADS + head, mask=real, other=0).to(ACC)
        alpha = softmax(tl.where(real, score, float("-inf")), ACC)
        ends = start + i[:, None], origin + j[None, :]
        alpha = behind_dropout(alpha, seed, ends[0], ends[1], number, head, THRESHOLD, KEPT, ACC)
        give(out, product(alpha.to(v.dtype), v, FACTOR, ACC), start, n, head, i, d, HEADS, WIDE)


@triton.jit(do_not_specialize=["seed"])
def attention_backward(
    receivers, senders, before, query, key, value, bias, seed, grad, query_grad, key_grad, value_grad, bias_grad,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDE: tl.constexpr, LEAST: tl.constexpr,
    N: tl.constexpr, C: tl.constexpr, D: tl.constexpr, SCALE: tl.constexpr, CAUSAL: tl.constexpr,
    THRESHOLD: tl.constexpr, KEPT: tl.constexpr, FACTOR: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """All gradients of a graph in a head; the weights are computed anew."""
    graph, head = tl.program_id(0), tl.program_id(1)
    start, origin = tl.load(receivers + graph).to(tl.int64), tl.load(senders + graph).to(tl.int64)
    n, m = tl.load(receivers + graph + 1) - start, tl.load(senders + graph + 1) - origin
    if (tl.maximum(n, m) > LEAST) & (tl.maximum(n, m) <= N):
        i, j, c, d = tl.arange(0, N), tl.arange(0, N), tl.arange(0, C), tl.arange(0, D)
        q, k = states(query, start, n, head, i, c, HEADS, CHANNELS), states(key, origin, m, head, j, c, HEADS, CHANNELS)
        v, g = states(value, origin, m, head, j, d, HEADS, WIDE), states(grad, start, n, head, i, d, HEADS, WIDE)
        score = product(q, tl.trans(k), FACTOR, ACC) * SCALE
        number, real = edges(0 if before is None else tl.load(before + graph), i, j, n, m, CAUSAL)
        if bias is not None:
            score += tl.load(bias + number * HEADS + head, mask=real, other=0).to(ACC)
        alpha = softmax(tl.where(real, score, float("-inf")), ACC)
        grad_alpha = product(g, tl.trans(v), FACTOR, ACC)
        ends = start + i[:, None], origin + j[None, :]
        kept = behind_dropout(alpha, seed, ends[0], ends[1], number, head, THRESHOLD, KEPT, ACC)
        grad_score = kept * grad_alpha - alpha * tl.sum(kept * grad_alpha, 1)[:, None]
        give(value_grad, product(tl.trans(kept.to(g.dtype)), g, FACTOR, ACC), origin, m, head, j, d, HEADS, WIDE)
        if bias_grad is not None:
            tl.store(bias_grad + number * HEADS + head, grad_score.to(bias_grad.dtype.element_ty), mask=real)
        grad_score = (grad_score * SCALE).to(q.dtype)
        give(query_grad, product(grad_score, k, FACTOR, ACC), start, n, head, i, c, HEADS, CHANNELS)
        give(key_grad, product(tl.trans(grad_score), q, FACTOR, ACC), origin, m, head, j, c, HEADS, CHANNELS)


def attend(attended: whole.Attended, batch: whole.Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums; no edge is listed, and nothing is kept of scores."""
    query, heads = attended.query, attended.query.size(1)
    out = query.new_empty(*query.shape[:2], attended.value.size(2))
    _each(attention, attended, batch, (out,))
    return out, query.new_empty(0, heads), query.new_empty(0, heads), query.new_empty(0, heads)


def attend_backward(
    grads: tuple[Tensor, Tensor],
    statistics: tuple[Tensor, Tensor],
    attended: whole.Attended,
    batch: whole.Batch,
    bias_wanted: bool,
) -> tuple[Tensor, ...]:
    """Gradients of the states and the bias."""
    del statistics
    found = whole.room(attended, bias_wanted)
    of_bias = found[3] if bias_wanted and attended.bias is not None else None
    _each(attention_backward, attended, batch, (grads[0].contiguous(), *found[:3], of_bias))
    return tuple(found)


def _each(kernel: Any, attended: whole.Attended, batch: whole.Batch, results: Sequence[Tensor | None]) -> None:
    """A launch for each class of sizes up to that of the largest graph."""
    query, key, value, bias = attended[:4]
    (heads, channels), graphs = query.shape[1:], batch.receivers.size(0) - 1
    if not graphs or not heads:
        return
    threshold, scale = dropout_of(attended.seed, attended.dropout, query.dtype)
    before = _edges_before(batch) if threshold or bias is not None else None
    given = (
        batch.receivers, batch.receivers if batch.senders is None else batch.senders, before,
        *map(kept, (query, key, value, bias)), 0 if attended.seed is None else int(attended.seed), *results,
    )  # fmt: skip
    constants = {
        "HEADS": heads, "CHANNELS": channels, "WIDE": value.size(2), "C": max(power(channels), 16),
        "D": max(power(value.size(2)), 16), "SCALE": attended.factor, "CAUSAL": batch.causal, "THRESHOLD": threshold,
        "KEPT": scale, "ACC": TYPES[wide(query.dtype)],
        # Triton's interpreter multiplies the bits of bfloat16.
        "FACTOR": TYPES[wide(query.dtype) if interpreted() else query.dtype],
    }  # fmt: skip
    for least, most in zip((-1, *CLASSES), CLASSES, strict=False):
        if least < batch.largest:
            start(kernel, (graphs, heads), given, constants | {"LEAST": least, "N": most, "num_warps": most // 8})


def _edges_before(batch: whole.Batch) -> Tensor:
    """How many edges there are before those of each graph, ``[B]``."""
    rows = batch.receivers.diff()
    columns = rows if batch.senders is None else batch.senders.diff()
    many = rows * (rows + 1) // 2 if batch.causal else rows * columns
    return many.cumsum(0) - many
