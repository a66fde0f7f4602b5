"""Kernels over grouped edges: products along them, sums over them, the softmax of their scores.

No tensor of edges times channels is ever made. Each kernel reads nodes of one kind in the order of the edges' other ends, no two:
what a processor's caches hold is then these nodes alone, and three passes over the edges are faster than one that does
everything. What they hand on is ``[E, H]``, a number for every edge and head, in the order of the rows.

Every kernel works on the rows from ``low`` to ``high`` and writes to no other. Tensors come flat: nodes ``[N * H * C]``, a node's
heads side by side. What stands at the other end has ``H`` heads or one that all of them share, as the features of edges. Several
rows may be parts of one node's edges: ``row_of [rows]`` names each row's node, and is empty where every node is one row.

Letters: ``H`` heads, ``C`` channels of a node or a feature.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
from __future__ import annotations

import numpy as np

from graphattn.backends.numba.compiling import compiled, inner
from graphattn.backends.numba.rows import STRIDE, add_four, softmax, softmax_gradient
from graphattn.backends.numba.vector import add_all, ask_ahead, copy, dropout_scale, get, product, put, word_of


@inner
def node_of(row_of, row):
    """The node whose edges, or some of them, are a row."""
    return np.int64(row_of[row]) if row_of.size else row


@inner
def longest(ptr, low, high):
    """The largest number of edges of a row."""
    most = 0
    for i in range(low, high):
        most = max(most, ptr[i + 1] - ptr[i])
    return most


@inner
def row_like(array, ptr, low, high, period):
    """Room for the weights of a row, with what instructions may touch behind its end."""
    return np.empty(longest(ptr, low, high) * period + STRIDE, array.dtype)


@inner
def heads_like(array, period):
    """Room for a number of each head, repeated."""
    return np.zeros(max(period, STRIDE), array.dtype)


@inner
def move(y, yt, ystep, x, xt, xstep, many, size):
    """``size`` numbers of each of ``many`` edges, ``y[yt + e * ystep :] = x[xt + e * xstep :]``."""
    if ystep == xstep:
        copy(y, yt, x, xt, many * size)
    else:
        for e in range(many):
            copy(y, yt + e * ystep, x, xt + e * xstep, size)


@inner
def add_up_by_kind(known, weight, kind, first, last, heads, thin):
    """The sum of a row's weights of each kind, ``known [T, H]``."""
    known[:] = 0
    for e in range(first, last):
        add_all(known, np.int64(get(kind, e)) * heads, known.dtype.type(1), weight, e * heads, heads, thin)


@compiled
def edge_products(low, high, lanes, sizes, row_of, ptr, other, left, right, out):
    """Inner products of a node and the other end of each of its edges, ``out[e, h] = left_h . right[other_e]_h``.

    ``own`` is 1 where every head has its own ``right``, 0 where all share one; ``more`` adds to what ``out`` holds.
    """
    heads, channels, own, more = sizes
    size = channels * (heads if own else 1)
    for r in range(low, high):
        i = node_of(row_of, r) * heads
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            j = np.int64(get(other, e)) * size
            for h in range(heads):
                score = product(left, (i + h) * channels, right, j + h * own * channels, channels, lanes)
                if more:
                    score += get(out, e * heads + h)
                put(out, e * heads + h, score)


@compiled
def weighted_sum(low, high, lanes, sizes, ptr, other, place, weight, x, out):
    """Sums over a row's edges, ``out_r = sum_e weight[place_e] x[other_e]``; an empty ``place`` leaves the order as it is."""
    heads, channels, own = sizes
    size, apart = heads * channels, channels * (heads if own else 1)
    row = row_like(out, ptr, low, high, heads)
    for r in range(low, high):
        first, degree, at = np.int64(ptr[r]), np.int64(ptr[r + 1] - ptr[r]), r * size
        if place.size:
            # Each edge's weights are a line of memory of their own: those of the row after the next are asked for now.
            ask_ahead(weight, place, ptr[min(r + 2, high)], ptr[min(r + 3, high)], heads)
            for e in range(degree):
                copy(row, e * heads, weight, np.int64(get(place, first + e)) * heads, heads)
        out[at : at + size] = 0
        weights, start = (row, 0) if place.size else (weight, first * heads)
        four = degree - degree % 4
        for e in range(0, four, 4):
            j, k = np.int64(get(other, first + e)) * apart, np.int64(get(other, first + e + 1)) * apart
            m, n = np.int64(get(other, first + e + 2)) * apart, np.int64(get(other, first + e + 3)) * apart
            for h in range(heads):
                c, w = h * own * channels, start + e * heads + h
                w0, w1 = get(weights, w), get(weights, w + heads)
                w2, w3 = get(weights, w + 2 * heads), get(weights, w + 3 * heads)
                add_four(out, at + h * channels, w0, w1, w2, w3, x, j + c, k + c, m + c, n + c, channels, lanes)
        for e in range(four, degree):
            j = np.int64(get(other, first + e)) * apart
            for h in range(heads):
                weight_of = get(weights, start + e * heads + h)
                add_all(out, at + h * channels, weight_of, x, j + h * own * channels, channels, lanes)


@compiled
def feature_sums(low, high, lanes, sizes, ptr, number, weight, left, out):
    """What all heads of its receiver send to the one edge that has a feature, ``out[number_e] = sum_h weight[e, h] left_h``."""
    heads, channels, more = sizes
    for i in range(low, high):
        for e in range(np.int64(ptr[i]), np.int64(ptr[i + 1])):
            f = np.int64(get(number, e)) * channels
            if not more:
                out[f : f + channels] = 0
            for h in range(heads):
                add_all(out, f, get(weight, e * heads + h), left, (i * heads + h) * channels, channels, lanes)


@compiled
def table_products(low, high, lanes, sizes, ptr, kind, left, table, out):
    """Inner products of a node and each edge's row of a table, ``out[e, h] = left_h . table[kind_e]_h``.

    A row with more edges than there are kinds computes those of all kinds once.
    """
    heads, channels, kinds = sizes
    known = np.empty(kinds * heads, out.dtype)
    for i in range(low, high):
        first, last, own = np.int64(ptr[i]), np.int64(ptr[i + 1]), i * heads
        if last - first > kinds:
            for at in range(kinds * heads):
                score = product(left, (own + at % heads) * channels, table, at * channels, channels, lanes)
                put(known, at, score)
            for e in range(first, last):
                copy(out, e * heads, known, np.int64(get(kind, e)) * heads, heads)
        else:
            for e in range(first, last):
                t = np.int64(get(kind, e)) * heads
                for h in range(heads):
                    score = product(left, (own + h) * channels, table, (t + h) * channels, channels, lanes)
                    put(out, e * heads + h, score)


@compiled
def table_weighted_sums(low, high, lanes, thin, sizes, ptr, kind, weight, table, out):
    """Sums over a row's edges, ``out_i = sum_e weight_e table[kind_e]``; of many edges, weights are added up by kind first."""
    heads, channels, kinds = sizes
    known = np.empty(kinds * heads, out.dtype)
    for i in range(low, high):
        first, last, own = np.int64(ptr[i]), np.int64(ptr[i + 1]), i * heads
        out[own * channels : (own + heads) * channels] = 0
        if last - first > kinds:
            add_up_by_kind(known, weight, kind, first, last, heads, thin)
            for at in range(kinds * heads):
                add_all(out, (own + at % heads) * channels, get(known, at), table, at * channels, channels, lanes)
        else:
            for e in range(first, last):
                t = np.int64(get(kind, e)) * heads
                for h in range(heads):
                    weight_of = get(weight, e * heads + h)
                    add_all(out, (own + h) * channels, weight_of, table, (t + h) * channels, channels, lanes)


@compiled
def table_sums(low, high, lanes, thin, sizes, starts, ptr, kind, weight, left, parts):
    """``part_t = sum over edges of kind t of weight_e left_i``: a part ``[T * H * C]`` for each range of rows, which add up."""
    heads, channels, kinds = sizes
    known, part = np.empty(kinds * heads, parts.dtype), parts[np.searchsorted(starts, low)]
    for i in range(low, high):
        first, last, own = np.int64(ptr[i]), np.int64(ptr[i + 1]), i * heads
        if last - first > kinds:
            add_up_by_kind(known, weight, kind, first, last, heads, thin)
            for at in range(kinds * heads):
                add_all(part, at * channels, get(known, at), left, (own + at % heads) * channels, channels, lanes)
        else:
            for e in range(first, last):
                t = np.int64(get(kind, e)) * heads
                for h in range(heads):
                    weight_of = get(weight, e * heads + h)
                    add_all(part, (t + h) * channels, weight_of, left, (own + h) * channels, channels, lanes)


@compiled
def softmaxes(low, high, lanes, sizes, ptr, weight):
    """Scores ``weight [E, H]`` become the softmax of their row."""
    heads, period = sizes
    row = row_like(weight, ptr, low, high, period)
    top, share = heads_like(weight, period), heads_like(weight, period)
    for r in range(low, high):
        first, degree = np.int64(ptr[r]), np.int64(ptr[r + 1] - ptr[r])
        move(row, 0, period, weight, first * heads, heads, degree, heads)
        softmax(row, degree, heads, period, top, share)
        move(weight, first * heads, heads, row, 0, period, degree, heads)


@compiled
def softmax_gradients(low, high, lanes, sizes, ptr, alpha, grad):
    """The gradients of weights, ``grad [E, H]``, become those of scores, ``alpha (grad - sum_e alpha_e grad_e)``."""
    heads, period = sizes
    row, weight = row_like(grad, ptr, low, high, period), row_like(grad, ptr, low, high, period)
    mean = heads_like(grad, period)
    for r in range(low, high):
        first, degree = np.int64(ptr[r]), np.int64(ptr[r + 1] - ptr[r])
        move(weight, 0, period, alpha, first * heads, heads, degree, heads)
        move(row, 0, period, grad, first * heads, heads, degree, heads)
        softmax_gradient(weight, row, degree, heads, period, mean)
        move(grad, first * heads, heads, row, 0, period, degree, heads)


@compiled
def drop(low, high, lanes, heads, ptr, sender, number, seed, threshold, scale, weight):
    """``weight [E, H]``, times the dropout scale of each edge and head."""
    for i in range(low, high):
        for e in range(np.int64(ptr[i]), np.int64(ptr[i + 1])):
            word = word_of(seed, i, get(sender, e), get(number, e))
            for h in range(heads):
                put(weight, e * heads + h, get(weight, e * heads + h) * dropout_scale(word, h, threshold, scale))
