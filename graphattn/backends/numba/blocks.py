"""Blocks of rows of scores: laid out, given their terms, made weights, and the way back.

A row of a block has ``full`` numbers, more than there are senders, so that instructions are filled. Matrices are flat.
"""

# ruff: noqa: ANN001, ANN201  Numba reads types from the arguments
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from graphattn.backends.numba.compiling import inner
from graphattn.backends.numba.matrices import turn_square
from graphattn.backends.numba.vector import (
    dropout_scale,
    exp,
    get,
    highest,
    load,
    product,
    put,
    select,
    spread,
    store,
    total,
    width,
    word_of,
)


class RowBlock(NamedTuple):
    """Some receivers of a graph, ``rows`` from the ``top``-th on, times all its senders, in head ``h`` of ``heads``.

    The graph's nodes begin at ``receiver`` and ``sender``, its edges at ``edge``; it has so many senders, ``columns``.
    """

    h: int
    heads: int
    receiver: int
    sender: int
    edge: int
    columns: int
    causal: bool
    full: int
    top: int
    rows: int


class Graphs(NamedTuple):
    """Where receivers, senders and edges of each graph start, ``[B + 1]``, and whether receivers hear up to themselves."""

    receivers: np.ndarray
    senders: np.ndarray
    edges: np.ndarray
    causal: bool


class TermArrays(NamedTuple):
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


class DropoutWords(NamedTuple):
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
def block_of(graph, head, heads, graphs, step):
    """A graph in a head, all its rows."""
    i, j = graphs.receivers[graph], graphs.senders[graph]
    rows, columns = graphs.receivers[graph + 1] - i, graphs.senders[graph + 1] - j
    return RowBlock(head, heads, i, j, graphs.edges[graph], columns, graphs.causal, filled(columns, step), 0, rows)


@inner
def rows_of(graph, top, most):
    """Of such a block the rows from the ``top``-th on, ``most`` at most."""
    h, heads, receiver, sender, edge, columns, causal, full, _, rows = graph
    return RowBlock(h, heads, receiver, sender, edge, columns, causal, full, top, min(most, rows - top))


@inner
def move(y, yt, x, xt, channels, scale, lanes):
    """``y[yt:] = scale * x[xt:]`` over some channels."""
    whole = channels // width(lanes) * width(lanes)
    for c in range(0, whole, width(lanes)):
        store(y, yt + c, scale * load(x, xt + c, lanes))
    for c in range(whole, channels):
        put(y, yt + c, scale * get(x, xt + c))


@inner
def lay_out(matrix, broad, x, first, number, across, channels, scale, lanes):
    """Rows of nodes side by side, ``matrix[r, c] = scale * x[first + r * across + c]``."""
    for r in range(number):
        move(matrix, r * broad, x, first + r * across, channels, scale, lanes)


@inner
def turn(matrix, full, x, first, number, across, channels, lanes):
    """The same, turned: ``matrix[c, r] = x[first + r * across + c]``."""
    step = width(lanes)
    for c in range(0, channels - step + 1, step):
        for r in range(0, number, step):
            turn_square(matrix, c * full + r, full, x, first + r * across + c, across, number - r)
    for c in range(channels // step * step, channels):
        for r in range(number):
            put(matrix, c * full + r, get(x, first + r * across + c))


@inner
def give(x, first, number, across, channels, matrix, broad, scale, lanes):
    """Rows' way back, ``x[first + r * across + c] = scale[r] * matrix[r, c]``."""
    for r in range(number):
        move(x, first + r * across, matrix, r * broad, channels, scale[r], lanes)


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
                put(score, at + j, get(score, at + j) + get(terms.bias, (before + j) * heads + h))
        if terms.kind.size:
            for j in range(degree):
                put(score, at + j, get(score, at + j) + get(terms.table, h * size + get(terms.kind, before + j)))
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
    """The way back, times the scale of each row; nothing, where there is no ``extra``."""
    for k in range(low, high if extra.size else low):
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
            factor = dropout_scale(word, block.h, dropout.threshold, dropout.scale)
            put(matrix, r * block.full + j, get(matrix, r * block.full + j) * factor)


@inner
def exponentials(row, at, last, top, factor, lanes):
    """``row = factor * exp(row - top)`` from ``at`` to ``last``; returns the sum."""
    whole = spread(0, row, lanes)
    for c in range(at, last, width(lanes)):
        power = factor * exp(load(row, c, lanes) - top)
        store(row, c, power)
        whole += power
    return total(whole)


@inner
def soften(score, block, top, share, scale, lanes):
    """Rows of scores become what is proportional to their softmax; ``scale`` is the factor, zero where no sender counts."""
    i, h = block.receiver + block.top, block.h
    for r in range(block.rows):
        at, last = r * block.full, (r + 1) * block.full
        best = spread(-np.inf, score, lanes)
        for c in range(at, last, width(lanes)):
            best = select(load(score, c, lanes) > best, load(score, c, lanes), best)
        most = highest(best)
        most = most if most > -np.inf else type(most)(0)
        whole = exponentials(score, at, last, most, type(most)(1), lanes)
        scale[r] = 1 / whole if whole != 0 else type(most)(0)
        top[i + r, h], share[i + r, h] = most, scale[r]


@inner
def soften_back(score, grad, block, top, share, lanes):
    """Rows of scores become weights, and gradients of weights those of scores, ``weight * (grad - sum weight grad)``."""
    i, h = block.receiver + block.top, block.h
    for r in range(block.rows):
        at, last = r * block.full, (r + 1) * block.full
        exponentials(score, at, last, top[i + r, h], share[i + r, h], lanes)
        mean = product(score, at, grad, at, block.full, lanes)
        for c in range(at, last, width(lanes)):
            store(grad, c, load(score, c, lanes) * (load(grad, c, lanes) - mean))


@inner
def take_terms(grad_score, block, terms, bias_grad, table_grad, start):
    """Gradients of the terms of edges, those of the table from ``start`` on."""
    heads, h = block.heads, block.h
    for r in range(block.rows):
        before, degree = row_of(block.top + r, block)
        before, at = block.edge + before, r * block.full
        if bias_grad.size:
            for j in range(degree):
                put(bias_grad, (before + j) * heads + h, get(grad_score, at + j))
        if terms.kind.size:
            for j in range(degree):
                place = start + get(terms.kind, before + j)
                put(table_grad, place, get(table_grad, place) + get(grad_score, at + j))


@inner
def back_to_scores(score, grad_score, block, terms, listed, dropout, alpha_grad, top, share, lanes):
    """Scores become weights behind dropout, and the gradients of weights those of scores; ``listed`` are bounds."""
    add_terms(score, block, terms)
    low, high = listed
    if terms.extra.size:
        add_listed(score, block, low, high, terms, terms.extra)
    add_listed(grad_score, block, low, high, terms, alpha_grad)
    if dropout.threshold:
        drop(grad_score, block, dropout)
    soften_back(score, grad_score, block, top, share, lanes)
    if dropout.threshold:
        drop(score, block, dropout)
