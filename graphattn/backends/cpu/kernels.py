"""Kernels over grouped edges. No tensor of edges times channels is ever made.

Every kernel works on the rows from ``low`` to ``high`` and writes to no other. Node tensors come flat, ``[N * H * C]``; a node's
heads lie side by side. Edges may have features ``[E, D]``: a receiver asks them with ``asked [N_i, H, D]``, and what it hears of
them is ``felt [N_i, H, D]``; where there are none, these arrays are empty.

Letters: ``H`` heads, ``C`` channels of query and key.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import numpy as np

from graphattn.backends.cpu.lanes import (
    add,
    add_all,
    compiled,
    dot,
    drop,
    inner,
    most_edges,
    product,
    pulled,
    softmax,
    width,
)


@compiled
def attention(
    low, high, lanes, thin, ptr, sender, number, query, key, value, asked, feature, bias, seed, threshold, loud, out, felt, lse
):  # fmt: skip
    """Softmax-weighted sums; ``lse [N_i, H]`` becomes the logarithm of each row's sum, infinity for a row that hears nobody."""
    heads, rows, step = lse.shape[1], max(lse.size, 1), width(lanes)
    channels, wide, deep = query.size // rows, out.size // rows, asked.size // rows
    weight = np.empty((most_edges(ptr, low, high), heads), out.dtype)
    top, total = np.empty(heads, out.dtype), np.empty(heads, out.dtype)
    for i in range(low, high):
        first, degree = ptr[i], ptr[i + 1] - ptr[i]
        out[i * heads * wide : (i + 1) * heads * wide] = 0
        felt[i * heads * deep : (i + 1) * heads * deep] = 0
        for e in range(degree):
            j, at = np.int64(sender[first + e]) * heads, np.int64(number[first + e]) * deep
            for h in range(heads):
                score = dot(query, (i * heads + h) * channels, key, (j + h) * channels, lanes)
                for c in range(step, channels, step):
                    score += dot(query, (i * heads + h) * channels + c, key, (j + h) * channels + c, lanes)
                weight[e, h] = score
            if deep:
                for h in range(heads):
                    weight[e, h] += product(asked, (i * heads + h) * deep, feature, at, deep, thin)
            if bias.shape[0]:
                for h in range(heads):
                    weight[e, h] += bias[number[first + e], h]
        softmax(weight, degree, top, total, lse, i)
        if threshold:
            drop(weight, degree, ptr, sender, number, i, seed, threshold, loud)
        for e in range(degree):
            j, at = np.int64(sender[first + e]) * heads, np.int64(number[first + e]) * deep
            for h in range(heads):
                for c in range(0, wide, step):
                    add(out, (i * heads + h) * wide + c, weight[e, h], value, (j + h) * wide + c, lanes)
            if deep:
                for h in range(heads):
                    add_all(felt, (i * heads + h) * deep, weight[e, h], feature, at, deep, thin)


@compiled
def attention_to_receivers(
    low, high, lanes, thin, ptr, sender, number, query, key, value, asked, feature, bias, seed, threshold, loud,
    out, felt, lse, grad, felt_grad, heard, pull, query_grad, asked_grad, feature_grad,
):  # fmt: skip
    """Back to receivers: how loud each edge was, ``heard [E, H]``, the score's gradient ``pull [E, H]``, and the query's."""
    heads, rows, step = lse.shape[1], max(lse.size, 1), width(lanes)
    channels, wide, deep = query.size // rows, out.size // rows, asked.size // rows
    mean = np.empty(heads, out.dtype)
    for i in range(low, high):
        query_grad[i * heads * channels : (i + 1) * heads * channels] = 0
        asked_grad[i * heads * deep : (i + 1) * heads * deep] = 0
        for h in range(heads):
            r = i * heads + h
            mean[h] = product(grad, r * wide, out, r * wide, wide, lanes)
            if deep:
                mean[h] += product(felt_grad, r * deep, felt, r * deep, deep, thin)
        for e in range(ptr[i], ptr[i + 1]):
            j, at = np.int64(sender[e]) * heads, np.int64(number[e]) * deep
            for h in range(heads):
                score = dot(query, (i * heads + h) * channels, key, (j + h) * channels, lanes)
                for c in range(step, channels, step):
                    score += dot(query, (i * heads + h) * channels + c, key, (j + h) * channels + c, lanes)
                want = dot(grad, (i * heads + h) * wide, value, (j + h) * wide, lanes)
                for c in range(step, wide, step):
                    want += dot(grad, (i * heads + h) * wide + c, value, (j + h) * wide + c, lanes)
                heard[e, h], pull[e, h] = score, want
            if deep:
                for h in range(heads):
                    heard[e, h] += product(asked, (i * heads + h) * deep, feature, at, deep, thin)
                    pull[e, h] += product(felt_grad, (i * heads + h) * deep, feature, at, deep, thin)
            if bias.shape[0]:
                for h in range(heads):
                    heard[e, h] += bias[number[e], h]
            pulled(e, i, heard, pull, mean, lse, sender, number, seed, threshold, loud)
            for h in range(heads):
                for c in range(0, channels, step):
                    add(query_grad, (i * heads + h) * channels + c, pull[e, h], key, (j + h) * channels + c, lanes)
            if deep:
                give_back(e, i, at, heard, pull, asked, feature, felt_grad, asked_grad, feature_grad, deep, thin)


@inner
def give_back(e, i, at, heard, pull, asked, feature, felt_grad, asked_grad, feature_grad, deep, thin):
    """What an edge gives back to what it was asked, and gets for its features ``feature_grad [E * D]``."""
    heads = heard.shape[1]
    feature_grad[at : at + deep] = 0
    for h in range(heads):
        r = (i * heads + h) * deep
        add_all(asked_grad, r, pull[e, h], feature, at, deep, thin)
        add_all(feature_grad, at, pull[e, h], asked, r, deep, thin)
        add_all(feature_grad, at, heard[e, h], felt_grad, r, deep, thin)


@compiled
def weighted_sum(low, high, lanes, ptr, other, place, weight, x, out):
    """Sums over a row's edges, ``out_r = sum_e weight[place_e] x[other_e]``; ``weight [E, H]``."""
    heads, step = weight.shape[1], width(lanes)
    channels = out.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        out[r * heads * channels : (r + 1) * heads * channels] = 0
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, place[e]
            for h in range(heads):
                for c in range(0, channels, step):
                    add(out, (r * heads + h) * channels + c, weight[at, h], x, (i + h) * channels + c, lanes)


@compiled
def edge_products(low, high, lanes, ptr, other, place, left, right, out):
    """Inner products of a row and the other end of each of its edges, ``out[place_e] = left_r . right[other_e]``, ``[E, H]``."""
    heads = out.shape[1]
    channels = left.size // max((ptr.size - 1) * heads, 1)
    for r in range(low, high):
        for e in range(ptr[r], ptr[r + 1]):
            i, at = np.int64(other[e]) * heads, place[e]
            for h in range(heads):
                out[at, h] = product(left, (r * heads + h) * channels, right, (i + h) * channels, channels, lanes)
