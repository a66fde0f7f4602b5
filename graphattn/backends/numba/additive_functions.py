"""Differentiable attention over the edges of a graph, with scores in which a leaky ReLU looks at both ends."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from graphattn.backends.numba import additive_ops as ops
from graphattn.backends.numba.functions import EVERYTHING, Dropped, Order, differentiated, in_input_order, pulled
from graphattn.edge_terms import OfFeatures, OfKinds
from graphattn.topology import Edges


def additive_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor,
    slope: float,
    graph: Edges,
    bias: Tensor | None = None,
    dropped: Dropped = EVERYTHING,
    said: OfFeatures | OfKinds | None = None,
) -> Tensor:
    r"""Attention with the score of GATv2, without a tensor of edges times channels.

    .. math:: o_i = \sum_{j \in N(i)} f_{ji}\, \text{softmax}_j(w \cdot \text{LeakyReLU}(q_i + k_j + u_{ji}) + b_{ji})\, v_j

    with the dropout factors ``f`` of :func:`graphattn.dropout.loudness`, and what edges say ``u`` in two factors.

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]``, ``weight [1, H, C]``, ``bias [E, H]``,
    ``said.feature [E, F]`` or ``said.kind [E]``, ``said.table [F, H, C]`` -> ``[N_i, H, D]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> q, k, v = torch.randn(3, 3, 2, 4)
    >>> additive_attention(q, k, v, torch.ones(1, 2, 4), 0.2, graph).shape
    torch.Size([3, 2, 4])
    """
    edges = (None, None, None)
    if said is not None:
        edges = (said.table, *((None, said.kind) if isinstance(said, OfKinds) else (said.feature, None)))
    states, grouped = (query, key, value, weight, bias, *edges), graph.by_receiver()
    if not differentiated(*states):
        return ops.attend(*states, slope, *dropped, *grouped)[0]
    return _Additive.apply(*states, slope, *dropped, *grouped, *graph.by_sender())[0]


def split_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    slope: float,
    graph: Edges,
    inside: Tensor | None = None,
    dropped: Dropped = EVERYTHING,
) -> Tensor:
    r"""Attention with the score of GAT, a number of each node and perhaps of each edge.

    .. math:: o_i = \sum_{j \in N(i)} f_{ji}\, \text{softmax}_j(\text{LeakyReLU}(q_i + k_j + e_{ji}))\, v_j

    Shapes: ``query [N_i, H]``, ``key [N_j, H]``, ``value [N_j, H, D]``, ``inside [E, H]`` -> ``[N_i, H, D]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> split_attention(torch.ones(3, 2), torch.ones(3, 2), torch.ones(3, 2, 4), 0.2, graph).sum((1, 2))
    tensor([8., 8., 0.])
    """
    states, grouped = (query, key, value, inside), graph.by_receiver()
    if not differentiated(*states):
        return ops.split_attend(*states, slope, *dropped, *grouped)[0]
    return _Split.apply(*states, slope, *dropped, *grouped, *graph.by_sender())[0]


@final
class _Additive(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.attend(*inputs[:14])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        *states, ctx.slope, seed, ctx.dropout = inputs[:11]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, *states, seed, *inputs[11:])

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        out, lse, *states, seed, ptr, sender, number, sender_ptr, receiver, place = ctx.saved_tensors
        order, dropped = Order(ptr, sender, number, sender_ptr, receiver, place), Dropped(seed, ctx.dropout)
        query, key, _, weight, bias, table, feature, _ = states
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: in torch's own operators
            found = _additive_edgewise(grad, states, ctx.slope, dropped, order)
        else:
            found = ops.attend_backward(grad, out, lse, *states, ctx.slope, *dropped, *order)
        of_query, of_key, value_grad, of_table, pull, feature_grad = found
        weight_grad = (query * of_query).sum(0) + (key * of_key).sum(0)
        if table is not None:
            weight_grad = weight_grad + (table * of_table).sum(0)
        bias_grad = None if bias is None else in_input_order(pull, order)
        grads = (weight * of_query, weight * of_key, value_grad, weight_grad.unsqueeze(0), bias_grad)
        of_edges = (
            None if table is None else weight * of_table,
            None if feature is None else feature_grad,
        )
        return *grads, *of_edges, *([None] * 10)


@final
class _Split(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.split_attend(*inputs[:10])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        *states, ctx.slope, seed, ctx.dropout = inputs[:7]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, *states, seed, *inputs[7:])

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        out, lse, query, key, value, inside, seed, *order = ctx.saved_tensors
        order, states = Order(*order), (query, key, value, inside, ctx.slope)
        if torch.is_grad_enabled():
            found = _split_edgewise(grad, *states, Dropped(seed, ctx.dropout), order)
        else:
            found = ops.split_attend_backward(grad, out, lse, *states, seed, ctx.dropout, *order)
        *grads, pull = found
        inside_grad = None if inside is None else in_input_order(pull, order)
        return *grads, inside_grad, *([None] * 9)


def _additive_edgewise(
    grad: Tensor, states: Sequence[Any], slope: float, dropped: Dropped, order: Order
) -> tuple[Any, ...]:
    query, key, value, weight, bias, table, feature, kind = states
    receiver, sender, number = order.receivers(), order.sender.long(), order.number.long()
    both = query[receiver] + key[sender]
    if table is not None:
        both = both + (table[kind] if feature is None else torch.einsum("ef,fhc->ehc", feature, table))[number]
    steep = torch.where(both > 0, both.new_ones(()), slope)
    score = (both * steep * weight).sum(-1)
    want = (grad[receiver] * value[sender]).sum(-1)
    heard, pull = pulled(score if bias is None else score + bias[number], want, query.size(0), dropped, order)
    said = pull.unsqueeze(-1) * steep
    value_grad = torch.zeros_like(value).index_add(0, sender, heard.unsqueeze(-1) * grad[receiver])
    of_query, of_key = (torch.zeros_like(x).index_add(0, ends, said) for x, ends in ((query, receiver), (key, sender)))
    if table is None:
        return of_query, of_key, value_grad, None, pull, None
    of_edge = torch.zeros_like(said).index_copy(0, number, said)
    if feature is None:
        return of_query, of_key, value_grad, torch.zeros_like(table).index_add(0, kind, of_edge), pull, None
    of_table = torch.einsum("ef,ehc->fhc", feature, of_edge)
    return of_query, of_key, value_grad, of_table, pull, torch.einsum("ehc,fhc->ef", of_edge * weight, table)


def _split_edgewise(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    inside: Tensor | None,
    slope: float,
    dropped: Dropped,
    order: Order,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    receiver, sender, number = order.receivers(), order.sender.long(), order.number.long()
    both = query[receiver] + key[sender]
    both = both if inside is None else both + inside[number]
    steep = torch.where(both > 0, both.new_ones(()), slope)
    want = (grad[receiver] * value[sender]).sum(-1)
    heard, pull = pulled(both * steep, want, query.size(0), dropped, order)
    pull = pull * steep
    value_grad = torch.zeros_like(value).index_add(0, sender, heard.unsqueeze(-1) * grad[receiver])
    query_grad, key_grad = (
        torch.zeros_like(x).index_add(0, ends, pull) for x, ends in ((query, receiver), (key, sender))
    )
    return query_grad, key_grad, value_grad, pull
