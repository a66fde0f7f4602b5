"""Blocks of rows of scores: laid out, given their terms, softened, and the way back.

A block is some receivers of one graph and head, from the ``top``-th on, times all senders: ``some`` rows of ``full`` numbers,
more than there are senders, so that instructions are filled. See :mod:`graphattn.backends.numba.small` for the arguments.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import math

import numpy as np

from graphattn.backends.numba.lanes import factor_of, inner, word_of
from graphattn.backends.numba.tiles import copy, exponentials, highest, inner_product, pick, pull, put, turn_square


@inner
def filled(number, step):
    """A number, filled up to a multiple."""
    return (number + step - 1) // step * step


@inner
def room(like, rows, columns):
    """Room for a matrix, flat."""
    return np.zeros(rows * columns, like.dtype)


@inner
def most_of(ptr, low, high, heads):
    """The size of the largest graph among pairs of a graph and a head, one at least."""
    most = 1
    for g in range(low // heads, (high + heads - 1) // heads):
        most = max(most, ptr[g + 1] - ptr[g])
    return most


@inner
def lay_out(matrix, broad, x, first, number, across, channels, scale):
    """Rows of nodes side by side, ``matrix[r, c] = scale * x[first + r * across + c]``."""
    step = 64 // matrix.itemsize
    for r in range(number):
        for c in range(0, channels - step + 1, step):
            copy(matrix, r * broad + c, x, first + r * across + c, scale)
        for c in range(channels // step * step, channels):
            put(matrix, r * broad + c, scale * pick(x, first + r * across + c))


@inner
def turn(matrix, full, x, first, number, across, channels):
    """The same, turned: ``matrix[c, r] = x[first + r * across + c]``."""
    step = 64 // matrix.itemsize
    for c in range(0, channels - step + 1, step):
        for r in range(0, number, step):
            turn_square(matrix, c * full + r, full, x, first + r * across + c, across, number - r)
    for c in range(channels // step * step, channels):
        for r in range(number):
            put(matrix, c * full + r, pick(x, first + r * across + c))


@inner
def give(x, first, number, across, channels, matrix, broad, scale):
    """Rows' way back, ``x[first + r * across + c] = scale[r] * matrix[r, c]``."""
    step = 64 // matrix.itemsize
    for r in range(number):
        for c in range(0, channels - step + 1, step):
            copy(x, first + r * across + c, matrix, r * broad + c, scale[r])
        for c in range(channels // step * step, channels):
            put(x, first + r * across + c, scale[r] * pick(matrix, r * broad + c))


@inner
def give_sum(x, first, number, across, channels, matrix, broad, scale, rows):
    """The same of what ``rows`` blocks added up; zero, where there was none."""
    if not rows:
        matrix[:] = 0
    give(x, first, number, across, channels, matrix, broad, scale)


@inner
def row_of(i, causal, columns):
    """The first edge of a graph's ``i``-th receiver, and how many it has."""
    return (i * (i + 1) // 2, i + 1) if causal else (i * columns, columns)


@inner
def add_terms(score, full, top, some, first, columns, causal, h, heads, bias, table, kind):
    """Adds the terms of edges to rows of scores, and silences where there is no edge."""
    size = table.size // heads
    for r in range(some):
        before, degree = row_of(top + r, causal, columns)
        before, at = first + before, r * full
        if bias.size:
            for j in range(degree):
                put(score, at + j, pick(score, at + j) + pick(bias, (before + j) * heads + h))
        if kind.size:
            for j in range(degree):
                put(score, at + j, pick(score, at + j) + pick(table, h * size + pick(kind, before + j)))
        for j in range(degree, full):
            put(score, at + j, -np.inf)


@inner
def spot_of(number, full, top, columns, causal):
    """Where the edge of a graph with that number stands in a block of rows, from ``top`` on."""
    if not causal:
        return (number // columns - top) * full + number % columns
    i = int(math.sqrt(2 * number + 0.25) - 0.5)
    return (i - top) * full + number - i * (i + 1) // 2


@inner
def listed_in(k, last, listed, behind):
    """The first listed edge that is not before ``behind``."""
    while k < last and listed[k] < behind:
        k += 1
    return k


@inner
def add_listed(matrix, full, top, columns, causal, first, low, high, listed, spot, heads, h, extra):
    """Adds a term of listed edges, from ``low`` to ``high``, to a block of rows."""
    for k in range(low, high):
        matrix[spot_of(listed[k] - first, full, top, columns, causal)] += extra[spot[k] * heads + h]


@inner
def take_listed(matrix, full, top, columns, causal, first, low, high, listed, spot, heads, h, alpha, scale):
    """The way back, times the scale of each row."""
    for k in range(low, high):
        at = spot_of(listed[k] - first, full, top, columns, causal)
        alpha[spot[k] * heads + h] = matrix[at] * scale[at // full]


@inner
def drop(matrix, full, top, some, receiver, sender, first, columns, causal, h, seed, threshold, loud):
    """Rows of weights, or of wishes, times how loud their edges are."""
    for r in range(some):
        before, degree = row_of(top + r, causal, columns)
        for j in range(degree):
            factor = factor_of(word_of(seed, receiver + top + r, sender + j, first + before + j), h, threshold, loud)
            put(matrix, r * full + j, pick(matrix, r * full + j) * factor)


@inner
def soften(score, full, some, best, share, i, h, scale):
    """Rows of scores become what is proportional to their softmax; ``scale`` is the factor, zero where nobody is heard."""
    for r in range(some):
        top = highest(score, r * full, full)
        top = top if top > -np.inf else type(top)(0)
        total = exponentials(score, r * full, full, top, type(top)(1))
        scale[r] = 1 / total if total > 0 else type(top)(0)
        best[i + r, h], share[i + r, h] = top, scale[r]


@inner
def pull_rows(score, want, full, some, best, share, i, h):
    """Rows of scores become weights, rows of what these would add to the loss the gradients of the scores."""
    for r in range(some):
        exponentials(score, r * full, full, best[i + r, h], share[i + r, h])
        pull(score, want, r * full, full, inner_product(score, want, r * full, full))


@inner
def take_terms(want, full, top, some, first, columns, causal, h, heads, bias_grad, table_grad, start, kind):
    """Gradients of the terms of edges, those of the table from ``start`` on."""
    for r in range(some):
        before, degree = row_of(top + r, causal, columns)
        before, at = first + before, r * full
        if bias_grad.size:
            for j in range(degree):
                put(bias_grad, (before + j) * heads + h, pick(want, at + j))
        if kind.size:
            for j in range(degree):
                place = start + pick(kind, before + j)
                put(table_grad, place, pick(table_grad, place) + pick(want, at + j))


@inner
def back_to_scores(
    score, want, full, top, some, i, sender, first, columns, causal, h, heads, bias, table, kind, extra, listed, spot, start,
    last, seed, threshold, loud, alpha_grad, best, share, bias_grad, table_grad, part, extra_grad, one,
):  # fmt: skip
    """Scores become weights behind dropout, and what weights add to the loss the gradients of scores, which terms take.

    Returns the first listed edge behind the block.
    """
    add_terms(score, full, top, some, first, columns, causal, h, heads, bias, table, kind)
    k = listed_in(start, last, listed, first + row_of(top + some, causal, columns)[0])
    if extra.size:
        add_listed(score, full, top, columns, causal, first, start, k, listed, spot, heads, h, extra)
    add_listed(want, full, top, columns, causal, first, start, k, listed, spot, heads, h, alpha_grad)
    if threshold:
        drop(want, full, top, some, i - top, sender, first, columns, causal, h, seed, threshold, loud)
    pull_rows(score, want, full, some, best, share, i, h)
    if threshold:
        drop(score, full, top, some, i - top, sender, first, columns, causal, h, seed, threshold, loud)
    place = part + h * (table.size // heads)
    take_terms(want, full, top, some, first, columns, causal, h, heads, bias_grad, table_grad, place, kind)
    if extra.size:
        take_listed(want, full, top, columns, causal, first, start, k, listed, spot, heads, h, extra_grad, one)
    return k
