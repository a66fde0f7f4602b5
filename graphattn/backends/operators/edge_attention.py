"""Attention over lists of edges: score, softmax over each receiver's edges, weighted sum.

Three kinds of scores are computed by kernels: a multiple of the dot product, GATv2's and GAT's. In Numba and torch the operator
is a composition of passes over the edges, each of which reads nodes of one kind: what a processor's caches hold is then these
nodes alone, and three passes are faster than one. On CUDA it is one fused kernel.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels of query and key, ``D`` of the value, ``F``
of an edge's features, ``T`` rows of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.operators.rules import (
    ORDER,
    Order,
    alike,
    differentiable,
    differentiated,
    language,
    operator,
    over_heads_unless_featured,
)
from graphattn.dropout import dropout_scale
from graphattn.slots import Groups
from graphattn.topology import Edges
from graphattn.traced import is_broken

PRODUCT, ADDITIVE, SPLIT = 0, 1, 2
"""Kinds of scores: ``q . k``, GATv2's ``w . leaky(q + k)``, GAT's ``leaky(q + k)`` of one number per node and head."""


class States(NamedTuple):
    """States of nodes ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]``, and what edges add to scores and values.

    ``bias [E, H]`` is added to the score; to GAT's within its activation. Of a dot product, ``feature [E, F]`` are features of
    edges with a query of their own, ``feature_query [N_i, H, F]``. GATv2's score has a ``weight [1, H, C]``, and an edge may add
    to its key: rows of a ``table [T, H, C]`` times its features (``F = T``), or the row of its ``kind [E]``.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    feature_query: Tensor | None = None
    bias: Tensor | None = None
    weight: Tensor | None = None
    table: Tensor | None = None
    feature: Tensor | None = None
    kind: Tensor | None = None


class Grads(NamedTuple):
    """Gradients through scores, ``[E, H]`` those of the scores themselves; GATv2's without the factor ``weight``."""

    score: Tensor
    query: Tensor
    key: Tensor
    feature_query: Tensor | None = None
    table: Tensor | None = None
    feature: Tensor | None = None


class Scored(NamedTuple):
    """The kind of score and the slope of its leaky ReLU; the seed of the call's dropout, None for none, and its rate."""

    score: int = PRODUCT
    slope: float = 1.0
    dropout: float = 0.0
    seed: Tensor | None = None


def edge_attention(states: States, scored: Scored, graph: Edges, kernels: str) -> tuple[Tensor, Tensor]:
    r"""Attention over the edges of a graph without a tensor of edges times channels.

    .. math::
        \alpha_{ij} = f_{ji}\, \text{softmax}_j(s_{ij}) \qquad
        o_i = \sum_{j \in N(i)} \alpha_{ij} v_j \qquad u_i = \sum_{j \in N(i)} \alpha_{ij} e_{ji}

    with the dropout scales ``f`` of :func:`graphattn.dropout.dropout_scale`.

    Shapes: -> ``o [N_i, H, D]``, ``u [N_i, H, F]`` where edges have a ``feature_query``, else with no channels.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> q, k, v = torch.randn(3, 3, 2, 4)
    >>> edge_attention(States(q, k, v), Scored(), graph, "torch")[0].shape
    torch.Size([3, 2, 4])
    """
    grouped, dtype = graph.by_receiver(), states.value.dtype
    if differentiated(*states):
        out, feature_sum, *_ = _attention(*states, *scored, kernels, *Order.of(graph))
    else:
        out, feature_sum, *_ = attend(*states, *scored, kernels, *grouped)
    return out.to(dtype), feature_sum.to(dtype)


_GIVEN = (
    "Tensor query, Tensor key, Tensor value, Tensor? feature_query, Tensor? bias, Tensor? weight, Tensor? table, "
    "Tensor? feature, Tensor? kind, int score, float slope, float dropout, Tensor? seed, str kernels"
)


def _attend(*given: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    states, scored, (kernels, ptr, sender, number) = States(*given[:9]), Scored(*given[9:13]), given[13:]
    query, edges = states.query, language(kernels, "edges")
    if kernels == "triton":
        out, feature_sum, kept = edges.attend(states, scored, (ptr, sender, number))
        return out, feature_sum, kept, kept.new_empty(0, query.size(1))
    alpha = edges.softmax(_scores(edges, states, scored, ptr, sender, number), ptr)
    dropped = alpha
    if scored.seed is not None:
        dropped = edges.drop(alpha.clone(), scored.seed, scored.dropout, ptr, sender, number)
    feature_sum = query.new_empty(*query.shape[:2], 0)
    if states.feature_query is not None and states.feature is not None:
        feature_sum = edges.sums(dropped, states.feature.unsqueeze(1), ptr, number, None)
    out = edges.sums(dropped, states.value, ptr, sender, None)
    return out, feature_sum, alpha, alpha.new_empty(0, query.size(1)) if scored.seed is None else dropped


def _scores(edges: Any, states: States, scored: Scored, ptr: Tensor, sender: Tensor, number: Tensor) -> Tensor:
    """The scores of all edges, ``[E, H]``."""
    bias = states.bias
    if scored.score != PRODUCT:
        score = edges.scores(states, scored, ptr, sender, number)
    else:
        score = edges.products(states.query, states.key, ptr, sender)
        if states.feature_query is not None and states.feature is not None:
            edges.products(states.feature_query, states.feature.unsqueeze(1), ptr, number, score)
    return score if bias is None or scored.score == SPLIT else score.add_(bias.index_select(0, number))


def _scores_backward(edges: Any, grad: Tensor, states: States, scored: Scored, order: Order) -> Grads:
    """Gradients through the scores from theirs, ``grad [E, H]``; of GAT's it becomes that within the leaky ReLU."""
    if scored.score != PRODUCT:
        return edges.scores_backward(grad, states, scored, order)
    ptr, sender, number, sender_ptr, receiver, place = order
    of_query = edges.sums(grad, states.key, ptr, sender, None)
    of_key = edges.sums(grad, states.query, sender_ptr, receiver, place)
    if states.feature_query is None or states.feature is None:
        return Grads(grad, of_query, of_key)
    of_feature_query = edges.sums(grad, states.feature.unsqueeze(1), ptr, number, None)
    of_feature = edges.feature_sums(grad, states.feature_query, ptr, number)
    return Grads(grad, of_query, of_key, of_feature_query, None, of_feature)


def _shapes(*given: Any) -> tuple[Tensor, ...]:
    states, seed, (kernels, _, sender, _) = States(*given[:9]), given[12], given[13:]
    (rows, heads, _), edges, fused = states.query.shape, sender.size(0), kernels == "triton"
    deep = 0 if states.feature_query is None else states.feature_query.size(2)
    dropped = 0 if fused or seed is None else edges
    dtype = torch.float64 if states.query.dtype == torch.float64 else torch.float32
    shapes = (
        (rows, heads, states.value.size(2)),
        (rows, heads, deep),
        (rows if fused else edges, heads),
        (dropped, heads),
    )
    return tuple(states.query.new_empty(shape, dtype=dtype) for shape in shapes)


attend = operator(
    f"edge_attention({_GIVEN}, Tensor ptr, Tensor sender, Tensor number) -> (Tensor, Tensor, Tensor, Tensor)",
    _attend,
    _shapes,
    over_heads_unless_featured(7, 4),
)
"""Sums of values and of features, and what gradients need: attention weights ``[E, H]``, and these after dropout.

Fused kernels keep the log-sum-exp of each receiver's scores ``[N_i, H]`` instead, and nothing for dropout.
"""


def _attend_backward(
    grad: Tensor, feature_sum_grad: Tensor, out: Tensor, feature_sum: Tensor, kept: Tensor, dropped: Tensor, *given: Any
) -> tuple[Tensor, ...]:
    states, scored, kernels, order = States(*given[:9]), Scored(*given[9:13]), given[13], Order(*given[14:])
    edges, (ptr, sender, number, sender_ptr, receiver, place) = language(kernels, "edges"), order
    if kernels == "triton":
        results, grads = (out, feature_sum, kept), (grad, feature_sum_grad)
        found, value_grad = edges.attend_backward(states, scored, order, results, grads)
    else:
        score_grad = edges.products(grad, states.value, ptr, sender)
        if states.feature_query is not None and states.feature is not None:
            edges.products(feature_sum_grad, states.feature.unsqueeze(1), ptr, number, score_grad)
        if scored.seed is not None:
            edges.drop(score_grad, scored.seed, scored.dropout, ptr, sender, number)
        dropped = kept if scored.seed is None else dropped
        score_grad = edges.softmax_backward(kept, score_grad, ptr)
        found = _scores_backward(edges, score_grad, states, scored, order)
        value_grad = edges.sums(dropped, grad, sender_ptr, receiver, place)
        if states.feature_query is not None:
            edges.feature_sums(dropped, feature_sum_grad, ptr, number, found.feature)
    terms = zip((found.feature_query, found.table, found.feature), _terms(states), strict=True)
    return found.query, found.key, value_grad, *(room if of is None else of for of, room in terms), found.score


def _gradient_shapes(*given: Any) -> tuple[Tensor, ...]:
    kept, states, sender = given[4], States(*given[6:15]), given[21]
    return *alike(*states[:3], *_terms(states)), kept.new_empty(sender.size(0), states.query.size(1))


def _terms(states: States) -> tuple[Tensor, ...]:
    """Feature query, table and features; empty where there are none."""
    query, (rows, heads, channels) = states.query, states.query.shape
    return (
        query.new_empty(rows, heads, 0) if states.feature_query is None else states.feature_query,
        query.new_empty(0, heads, channels) if states.table is None else states.table,
        query.new_empty(0, 0) if states.feature is None else states.feature,
    )


attend_backward = operator(
    "edge_attention_backward(Tensor grad, Tensor feature_sum_grad, Tensor out, Tensor feature_sum, Tensor kept, Tensor dropped, "
    f"{_GIVEN}, {ORDER}) -> ({', '.join(['Tensor'] * 7)})",
    _attend_backward,
    _gradient_shapes,
    over_heads_unless_featured(13, 6),
)
"""Gradients of query, key, value, feature query, table and features, and of the scores ``[E, H]`` in the receivers' order.

Those of GATv2's query, key and table lack the factor ``weight``; of GAT's scores they are those within the activation.
"""


def _gradients(
    given: Sequence[Any], results: Sequence[Any], grads: Sequence[Tensor], _: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    states, order = States(*given[:9]), Order(*given[14:])
    query, key, value, feature_query, table, feature, score = attend_backward(*grads, *results, *given)
    weight, bias = states.weight, None
    if states.bias is not None:
        bias = torch.zeros_like(score).index_copy(0, order.number.long(), score)
    if weight is None:
        return query, key, value, feature_query, bias, None, table, feature
    parts = [(states.query, query), (states.key, key), *([] if states.table is None else [(states.table, table)])]
    of_weight = torch.stack([(state * of).sum(0, keepdim=True) for state, of in parts]).sum(0)
    if is_broken(of_weight):
        # Nodes without edges, too, were multiplied by their gradient, zero: infinity times that is no number.
        alone = zip(parts, (order.ptr, order.sender_ptr), strict=False)
        heard = [(state.masked_fill((ptr.diff() == 0)[:, None, None], 0), of) for (state, of), ptr in alone]
        of_weight = torch.stack([(state * of).sum(0, keepdim=True) for state, of in (*heard, *parts[2:])]).sum(0)
    # In place: nobody else holds them, and each is as large as all states of the nodes.
    return query.mul_(weight), key.mul_(weight), value, feature_query, bias, of_weight, table.mul_(weight), feature


def reference(*given: Any) -> tuple[Tensor, Tensor]:
    """What :func:`edge_attention` computes, edge by edge in torch's own operators."""
    states, scored, order = States(*given[:9]), Scored(*given[9:13]), Order(*given[14:])
    receiver, sender, number = order.ends()
    query, key, feature = states.query[receiver], states.key[sender], states.feature
    bias = None if states.bias is None else states.bias[number]
    if states.table is not None:
        added = states.table[states.kind] if feature is None else torch.einsum("et,thc->ehc", feature, states.table)
        key = key + added[number]
    if scored.score == PRODUCT:
        score = (query * key).sum(-1)
    else:
        inside = query + key if bias is None or scored.score == ADDITIVE else query + key + bias.unsqueeze(-1)
        leaky = leaky_relu(inside, scored.slope)
        score = (leaky if states.weight is None else leaky * states.weight).sum(-1)
    if states.feature_query is not None and feature is not None:
        score = score + (states.feature_query[receiver] * feature[number, None]).sum(-1)
    if bias is not None and scored.score != SPLIT:
        score = score + bias
    rows = states.query.size(0)
    alpha = SoftmaxSum().weigh(score, Groups(receiver, None, rows, None))
    if scored.seed is not None:
        alpha = alpha * dropout_scale(scored.seed, receiver, sender, number, score.size(1), scored.dropout, score.dtype)
    message = states.value[sender] * alpha.unsqueeze(-1)
    out = message.new_zeros(rows, *message.shape[1:]).index_add(0, receiver, message)
    if states.feature_query is None or feature is None:
        return out, out.new_zeros(rows, out.size(1), 0)
    of_features = alpha.unsqueeze(-1) * feature[number, None]
    return out, out.new_zeros(rows, *of_features.shape[1:]).index_add(0, receiver, of_features)


_attention = differentiable(lambda *given: attend(*given[:17]), _gradients, reference, states=8, results=2)
