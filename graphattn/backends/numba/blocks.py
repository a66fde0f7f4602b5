"""Blocks of rows of scores: laid out, given their terms, made weights, and the way back.

A row of a block has ``full`` numbers, more than there are senders, so that instructions are filled. Matrices are flat.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
# pyright: reportCallIssue=false
# (Numba adds the first argument of an intrinsic)

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from graphattn.backends.numba.lanes import factor_of, inner, word_of
from graphattn.backends.numba.tiles import (
    copy,
    exponentials,
    grad_of_scores,
    highest,
    inner_product,
    pick,
    put,
    turn_square,
)


class Block(NamedTuple):
    """Some receivers of a graph, ``rows`` from the ``top``-th on, times all its senders, in head ``h`` of ``heads``.

    The graph's nodes begin at ``receiver`` and ``sender``, its edges at ``edge``; it has so many senders, ``columns``.
    """

    h: int
    heads: int
    receiver: Any
    sender: Any
    edge: Any
    columns: Any
    causal: bool
    full: int
    top: int
    rows: Any


class Terms(NamedTuple):
    """What edges add to scores: ``bias [E * H]``, a row of ``table [H * T]`` by ``kind [E]``, ``extra [K * H]``; or nothing.

    ``number [K]`` are listed edges in order, ``place [K]`` where each stands in ``extra``, ``ptr [B + 1]`` where a graph's begin.
    """

    bias: np.ndarray
    table: np.ndarray
    kind: np.ndarray
    extra: np.ndarray
    number: np.ndarray
    place: np.ndarray
    ptr: np.ndarray


class Dropout(NamedTuple):
    """The seed, from which word on a message is kept (0: always), and the scale of those that are."""

    seed: np.uint32
    threshold: np.uint64
    scale: np.generic


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
def row_of(i, block):
    """The first edge of a graph's ``i``-th receiver among those of the graph, and how many it has."""
    return (i * (i + 1) // 2, i + 1) if block.causal else (i * block.columns, block.columns)


@inner
def add_terms(score, block, terms):
    """Adds the terms of edges to rows of scores, and silences where there is no edge."""
    h, heads, size = block.h, block.heads, terms.table.size // block.heads
    for r in range(block.rows):
        before, degree = row_of(block.top + r, block)
        before, at = block.edge + before, r * block.full
        if terms.bias.size:
            for j in range(degree):
                put(score, at + j, pick(score, at + j) + pick(terms.bias, (before + j) * heads + h))
        if terms.kind.size:
            for j in range(degree):
                put(score, at + j, pick(score, at + j) + pick(terms.table, h * size + pick(terms.kind, before + j)))
        for j in range(degree, block.full):
            put(score, at + j, -np.inf)


@inner
def place_in(block, number):
    """Where an edge stands in a block, by its number."""
    number -= block.edge
    if not block.causal:
        return (number // block.columns - block.top) * block.full + number % block.columns
    i = int(math.sqrt(2 * number + 0.25) - 0.5)
    return (i - block.top) * block.full + number - i * (i + 1) // 2


@inner
def listed_in(block, k, last, number):
    """The first listed edge, from the ``k``-th on, that is behind a block."""
    behind = block.edge + row_of(block.top + block.rows, block)[0]
    while k < last and number[k] < behind:
        k += 1
    return k


@inner
def add_listed(matrix, block, low, high, terms, extra):
    """Adds a term of listed edges, from ``low`` to ``high``, to a block."""
    for k in range(low, high):
        matrix[place_in(block, terms.number[k])] += extra[terms.place[k] * block.heads + block.h]


@inner
def take_listed(matrix, block, low, high, terms, extra, scale):
    """The way back, times the scale of each row."""
    for k in range(low, high):
        at = place_in(block, terms.number[k])
        extra[terms.place[k] * block.heads + block.h] = matrix[at] * scale[at // block.full]


@inner
def drop(matrix, block, dropout):
    """Rows of weights, or of their gradients, times the dropout scale of their edges."""
    for r in range(block.rows):
        before, degree = row_of(block.top + r, block)
        receiver, before = block.receiver + block.top + r, block.edge + before
        for j in range(degree):
            word = word_of(dropout.seed, receiver, block.sender + j, before + j)
            factor = factor_of(word, block.h, dropout.threshold, dropout.scale)
            put(matrix, r * block.full + j, pick(matrix, r * block.full + j) * factor)


@inner
def soften(score, block, top, share, scale):
    """Rows of scores become what is proportional to their softmax; ``scale`` is the factor, zero where no sender counts."""
    i = block.receiver + block.top
    for r in range(block.rows):
        most = highest(score, r * block.full, block.full)
        most = most if most > -np.inf else type(most)(0)
        total = exponentials(score, r * block.full, block.full, most, type(most)(1))
        scale[r] = 1 / total if total != 0 else type(most)(0)
        top[i + r, block.h], share[i + r, block.h] = most, scale[r]


@inner
def take_terms(grad_score, block, terms, bias_grad, table_grad, start):
    """Gradients of the terms of edges, those of the table from ``start`` on."""
    heads, h = block.heads, block.h
    for r in range(block.rows):
        before, degree = row_of(block.top + r, block)
        before, at = block.edge + before, r * block.full
        if bias_grad.size:
            for j in range(degree):
                put(bias_grad, (before + j) * heads + h, pick(grad_score, at + j))
        if terms.kind.size:
            for j in range(degree):
                place = start + pick(terms.kind, before + j)
                put(table_grad, place, pick(table_grad, place) + pick(grad_score, at + j))


@inner
def back_to_scores(score, grad_score, block, terms, listed, dropout, alpha_grad, top, share):
    """Scores become weights behind dropout, and the gradients of weights those of scores; ``listed`` are bounds."""
    add_terms(score, block, terms)
    low, high = listed
    if terms.extra.size:
        add_listed(score, block, low, high, terms, terms.extra)
    add_listed(grad_score, block, low, high, terms, alpha_grad)
    if dropout.threshold:
        drop(grad_score, block, dropout)
    full, i = block.full, block.receiver + block.top
    for r in range(block.rows):
        exponentials(score, r * full, full, top[i + r, block.h], share[i + r, block.h])
        mean = inner_product(score, grad_score, r * full, full)
        grad_of_scores(score, grad_score, r * full, full, mean)
    if dropout.threshold:
        drop(score, block, dropout)
