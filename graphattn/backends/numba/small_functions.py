"""Differentiable attention on batches of small graphs, whose edges are never listed."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from graphattn.backends.numba import small_ops as ops
from graphattn.backends.numba.functions import EVERYTHING, Dropped, pulled
from graphattn.backends.operators.rules import Order, differentiated
from graphattn.topology import Causal, Cross, Full, Star
from graphattn.topology.sizes import from_ptr

Whole = Full | Cross | Star | Causal
"""Topologies in which a receiver hears all senders of its graph, or all up to itself."""


class Terms(NamedTuple):
    """What edges add to scores.

    ``bias [E, H]``; a row of ``table [T, H]`` for each edge by its ``kind [E]``; ``extra [K, H]`` for the edges ``listed [K]``
    by number.
    """

    bias: Tensor | None = None
    table: Tensor | None = None
    extra: Tensor | None = None
    kind: Tensor | None = None
    listed: Tensor | None = None


NO_TERMS = Terms()


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    graph: Whole,
    factor: float,
    terms: Terms = NO_TERMS,
    dropped: Dropped = EVERYTHING,
) -> tuple[Tensor, Tensor]:
    r"""Attention in a batch of small graphs, and the weights of the listed edges.

    .. math::
        \alpha_{ij} = f_{ji}\, \text{softmax}_j(c\, q_i \cdot k_j + b_{ji} + T_{\phi(j, i)} + x_{ji}) \qquad
        o_i = \sum_{j \in N(i)} \alpha_{ij} v_j

    with the number ``c`` called ``factor`` and the dropout factors ``f`` of :func:`graphattn.dropout.loudness`.

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]`` -> ``o [N_i, H, D]``, ``alpha [K, H]``.

    >>> q, k, v = torch.randn(3, 3, 2, 4)
    >>> out, alpha = attention(q, k, v, Full([2, 1]), 0.5, Terms(listed=torch.tensor([4])))
    >>> out.shape, alpha
    (torch.Size([3, 2, 4]), tensor([[1., 1.]]))
    """
    bias, table, extra, kind, listed = terms
    # The compiler wants every tensor once.
    key = key.view_as(key) if key is query else key
    value = value.view_as(value) if value is key or value is query else value
    states = (query, key, value, bias, table, extra)
    senders = None if graph.senders.ptr is graph.receivers.ptr else graph.senders.ptr
    batch = (graph.receivers.ptr, senders, isinstance(graph, Causal))
    arguments = (*states, factor, kind, listed, *dropped, *batch)
    out, alpha, *_ = _Attention.apply(*arguments) if differentiated(*states) else ops.attend_small(*arguments)
    return out, alpha


@final
class _Attention(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.attend_small(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        *states, ctx.factor, kind, listed, seed, ctx.dropout, receivers, senders, ctx.causal = inputs
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(*output[2:], *states, kind, listed, seed, receivers, senders)

    @staticmethod
    def backward(ctx, grad, alpha_grad, *_):  # noqa: ANN001, ANN002, ANN205
        best, share, *states, kind, listed, seed, receivers, senders = ctx.saved_tensors
        terms, dropped = Terms(states[3], states[4], states[5], kind, listed), Dropped(seed, ctx.dropout)
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: in torch's own operators
            order = _in_a_list(receivers, senders, ctx.causal)
            found = _backward_edgewise(grad, alpha_grad, states[:3], terms, ctx.factor, dropped, order)
        else:
            rest = (ctx.factor, kind, listed, *dropped, receivers, senders, ctx.causal, ctx.needs_input_grad[3])
            found = ops.attend_small_backward(grad, alpha_grad, best, share, *states, *rest)
        wanted = [None if state is None else each for state, each in zip(states, found, strict=True)]
        if not ctx.needs_input_grad[3]:
            wanted[3] = None
        return *wanted, *([None] * 8)


def _in_a_list(receiver_ptr: Tensor, sender_ptr: Tensor | None, causal: bool) -> Order:
    listening = from_ptr(receiver_ptr)
    speaking = listening if sender_ptr is None else from_ptr(sender_ptr)
    graph = Causal(listening) if causal else Cross(speaking, listening)
    degrees = graph.degrees()
    sender, number = graph.edge_index()[0], torch.arange(graph.num_edges)
    ptr = torch.cat([degrees.new_zeros(1), degrees.cumsum(0)])
    return Order(ptr, sender, number, ptr, number, number)


def _backward_edgewise(
    grad: Tensor,
    alpha_grad: Tensor,
    states: Sequence[Any],
    terms: Terms,
    factor: float,
    dropped: Dropped,
    order: Order,
) -> tuple[Any, ...]:
    query, key, value = states
    bias, table, extra, kind, listed = terms
    receiver, sender = order.receivers(), order.sender
    score = (query[receiver] * key[sender]).sum(-1) * factor
    score = score if bias is None else score + bias
    score = score if table is None else score + table[kind]
    score = score if extra is None or listed is None else score.index_add(0, listed, extra)
    want = (grad[receiver] * value[sender]).sum(-1)
    want = want if listed is None else want.index_add(0, listed, alpha_grad)
    heard, pull = pulled(score, want, query.size(0), dropped, order)
    asked = pull.unsqueeze(-1) * factor
    return (
        torch.zeros_like(query).index_add(0, receiver, asked * key[sender]),
        torch.zeros_like(key).index_add(0, sender, asked * query[receiver]),
        torch.zeros_like(value).index_add(0, sender, heard.unsqueeze(-1) * grad[receiver]),
        pull,
        None if table is None or kind is None else torch.zeros_like(table).index_add(0, kind, pull),
        None if extra is None else pull[listed],
    )
