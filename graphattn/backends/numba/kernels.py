"""Kernels over grouped edges. No tensor of edges times channels is ever made.

Each reads nodes of one kind in the order of the edges' other ends, no two: what a processor's caches hold is then these nodes
alone, and three passes over the edges are faster than one that does everything. What they hand on is ``[E, H]``, a number for
every edge and head, in the order of the rows.

Every kernel works on the rows from ``low`` to ``high`` and writes to no other. Tensors come flat: nodes ``[N * H * C]``, a node's
heads side by side; edges may have features ``[E * D]``. Several rows may share a node's edges: ``row_of [rows]`` names each row's
node, and is empty where every node is one row.

Letters: ``H`` heads, ``C`` channels of a node, ``D`` of an edge's features.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np

from graphattn.backends.numba.lanes import add_all, compiled, factor_of, inner, most_edges, product, word_of
from graphattn.backends.numba.memory import ask_ahead, copy, get, put
from graphattn.backends.numba.rows import STRIDE, add_four, pull_back, softmax


@inner
def node_of(row_of, row):
    """The node whose edges, or some of them, are a row."""
    return np.int64(row_of[row]) if row_of.size else row


@inner
def row_like(array, ptr, low, high, period):
    """Room for the weights of a row, with what instructions may touch behind its end."""
    return np.empty(most_edges(ptr, low, high) * period + STRIDE, array.dtype)


@inner
def heads_like(array, period):
    """Room for a number of each head, repeated."""
    return np.zeros(max(period, STRIDE), array.dtype)


@inner
def take(array, first, degree, heads, period, row):
    """A row's numbers, ``[degree, H]``, with what stands between them."""
    if period == heads:
        copy(row, 0, array, first * heads, degree * heads)
    else:
        for e in range(degree):
            copy(row, e * period, array, (first + e) * heads, heads)


@inner
def give(row, first, degree, heads, period, array):
    """A row's numbers go back to where :func:`take` took them."""
    if period == heads:
        copy(array, first * heads, row, 0, degree * heads)
    else:
        for e in range(degree):
            copy(array, (first + e) * heads, row, e * period, heads)


@compiled
def edge_products(low, high, lanes, sizes, row_of, ptr, other, left, right, out):
    """Inner products of a node and the other end of each of its edges, ``out[e, h] = left_h . right[other_e]_h``."""
    heads, channels = sizes
    for r in range(low, high):
        i = node_of(row_of, r) * heads
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            j = np.int64(get(other, e)) * heads
            for h in range(heads):
                said = product(left, (i + h) * channels, right, (j + h) * channels, channels, lanes)
                put(out, e * heads + h, said)


@compiled
def weighted_sum(low, high, lanes, sizes, ptr, other, place, weight, x, out):
    """Sums over a row's edges, ``out_r = sum_e weight[place_e] x[other_e]``; an empty ``place`` leaves the order as it is."""
    heads, channels = sizes
    size = heads * channels
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
            j, k = np.int64(get(other, first + e)) * size, np.int64(get(other, first + e + 1)) * size
            m, n = np.int64(get(other, first + e + 2)) * size, np.int64(get(other, first + e + 3)) * size
            for h in range(heads):
                c, w = h * channels, start + e * heads + h
                w0, w1 = get(weights, w), get(weights, w + heads)
                w2, w3 = get(weights, w + 2 * heads), get(weights, w + 3 * heads)
                add_four(out, at + c, w0, w1, w2, w3, x, j + c, k + c, m + c, n + c, channels, lanes)
        for e in range(four, degree):
            j = np.int64(get(other, first + e)) * size
            for h in range(heads):
                c = h * channels
                add_all(out, at + c, get(weights, start + e * heads + h), x, j + c, channels, lanes)


@compiled
def softmaxes(low, high, lanes, sizes, ptr, weight):
    """Scores ``weight [E, H]`` become the softmax of their row."""
    heads, period = sizes
    row = row_like(weight, ptr, low, high, period)
    top, share = heads_like(weight, period), heads_like(weight, period)
    for r in range(low, high):
        first, degree = np.int64(ptr[r]), np.int64(ptr[r + 1] - ptr[r])
        take(weight, first, degree, heads, period, row)
        softmax(row, degree, heads, period, top, share)
        give(row, first, degree, heads, period, weight)


@compiled
def pull_backs(low, high, lanes, thin, sizes, ptr, alpha, grad, out, felt_grad, felt, pull):
    """What each weight would add to the loss, ``pull [E, H]``, becomes its score's gradient, ``alpha (pull - grad . out)``."""
    heads, channels, deep, period = sizes
    row, weight = row_like(pull, ptr, low, high, period), row_like(pull, ptr, low, high, period)
    mean = heads_like(pull, period)
    for r in range(low, high):
        first, degree = np.int64(ptr[r]), np.int64(ptr[r + 1] - ptr[r])
        for h in range(heads):
            at = (r * heads + h) * channels
            mean[h] = product(grad, at, out, at, channels, lanes)
            if deep:
                at = (r * heads + h) * deep
                mean[h] += product(felt_grad, at, felt, at, deep, thin)
        take(alpha, first, degree, heads, period, weight)
        take(pull, first, degree, heads, period, row)
        pull_back(weight, row, degree, heads, period, mean)
        give(row, first, degree, heads, period, pull)


@compiled
def drop(low, high, lanes, heads, ptr, sender, number, seed, threshold, loud, weight):
    """``weight [E, H]``, times how loud the edges are."""
    for i in range(low, high):
        for e in range(np.int64(ptr[i]), np.int64(ptr[i + 1])):
            word = word_of(seed, i, get(sender, e), get(number, e))
            for h in range(heads):
                put(weight, e * heads + h, get(weight, e * heads + h) * factor_of(word, h, threshold, loud))


@compiled
def add_bias(low, high, lanes, heads, ptr, number, bias, weight):
    """The bias of each edge, in the order of the topology, is added to ``weight [E, H]``."""
    for e in range(np.int64(ptr[low]), np.int64(ptr[high])):
        at = np.int64(get(number, e)) * heads
        for h in range(heads):
            put(weight, e * heads + h, get(weight, e * heads + h) + get(bias, at + h))


@compiled
def add_asked(low, high, thin, sizes, ptr, number, asked, feature, weight):
    """What a node asks of its edges' features is added, ``weight[e, h] += asked_h . feature[number_e]``."""
    heads, deep = sizes
    for i in range(low, high):
        for e in range(np.int64(ptr[i]), np.int64(ptr[i + 1])):
            f = np.int64(get(number, e)) * deep
            for h in range(heads):
                said = product(asked, (i * heads + h) * deep, feature, f, deep, thin)
                put(weight, e * heads + h, get(weight, e * heads + h) + said)


@compiled
def feature_sums(low, high, thin, sizes, ptr, number, weight, feature, felt):
    """Sums over a row's edges, ``felt_r = sum_e weight[e] feature[number_e]``."""
    heads, deep = sizes
    for r in range(low, high):
        felt[r * heads * deep : (r + 1) * heads * deep] = 0
        for e in range(np.int64(ptr[r]), np.int64(ptr[r + 1])):
            f = np.int64(get(number, e)) * deep
            for h in range(heads):
                add_all(felt, (r * heads + h) * deep, get(weight, e * heads + h), feature, f, deep, thin)


@compiled
def feature_grads(low, high, thin, sizes, ptr, number, heard, pull, felt_grad, asked, feature_grad):
    """What the features of each edge get, ``sum_h heard[e, h] felt_grad_h + pull[e, h] asked_h``."""
    heads, deep = sizes
    for i in range(low, high):
        for e in range(np.int64(ptr[i]), np.int64(ptr[i + 1])):
            f = np.int64(get(number, e)) * deep
            feature_grad[f : f + deep] = 0
            for h in range(heads):
                at = (i * heads + h) * deep
                add_all(feature_grad, f, get(heard, e * heads + h), felt_grad, at, deep, thin)
                add_all(feature_grad, f, get(pull, e * heads + h), asked, at, deep, thin)
