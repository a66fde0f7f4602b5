"""Differentiable attention in batches of small graphs, by kernels in Triton."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from graphattn.backends.operators.edge_attention import Scored, States, reference
from graphattn.backends.operators.rules import Order, backwards, differentiated, differentiated_again
from graphattn.backends.triton import small_ops as ops
from graphattn.slots import Sizes
from graphattn.topology import Causal, Cross, Full, Star
from graphattn.topology.sizes import made

Whole = Full | Cross | Star | Causal
"""Topologies in which a receiver hears all senders of its graph, or all up to itself."""


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scored: Scored, graph: Whole) -> Tensor:
    r"""Attention in a batch of graphs of at most 128 nodes each, whose edges are never listed.

    .. math:: o_i = \sum_{j \in N(i)} f_{ji}\, \text{softmax}_j(c\, q_i \cdot k_j + b_{ji})\, v_j

    with the number ``c`` of ``scored`` and its dropout factors ``f``.

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]``, ``bias [E, H]`` -> ``[N_i, H, D]``.
    """
    senders = None if graph.senders is graph.receivers else graph.senders.ptr
    largest = max(graph.receivers.max, graph.senders.max)
    batch = ops.Batch(graph.receivers.ptr, senders, largest, isinstance(graph, Causal))
    arguments = (query, key, value, bias, scored.slope, scored.seed, scored.dropout, *batch)
    return _Attention.apply(*arguments) if differentiated(query, key, value, bias) else ops.attend(*arguments)


@final
class _Attention(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.attend(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        *states, ctx.scale, seed, ctx.dropout, receivers, senders, ctx.largest, ctx.causal = inputs
        ctx.save_for_backward(*states, seed, receivers, senders)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        *states, seed, receivers, senders = ctx.saved_tensors
        batch = ops.Batch(receivers, senders, ctx.largest, ctx.causal)
        if differentiated_again():
            found = _backward_edgewise(grad, states, Scored(slope=ctx.scale, seed=seed, dropout=ctx.dropout), batch)
        else:
            found = ops.attend_backward(grad, *states, ctx.scale, seed, ctx.dropout, *batch)
        grads = [None if x is None else each for x, each in zip(states, found, strict=True)]
        return *grads, *([None] * 7)


def _backward_edgewise(grad: Tensor, states: list[Any], scored: Scored, batch: ops.Batch) -> list[Tensor | None]:
    order, scale = _order(batch), scored.slope

    def heard(given: Sequence[Any]) -> Tensor:
        query, key, value, bias = given
        return reference(States(query * scale, key, value, bias=bias), scored._replace(slope=1.0), order)[0]

    return backwards(heard, states, grad)


def _order(batch: ops.Batch) -> Order:
    listening = made(Sizes(batch.receivers, batch.largest, False))
    speaking = listening if batch.senders is None else made(Sizes(batch.senders, batch.largest, False))
    graph = Causal(listening) if batch.causal else Cross(speaking, listening)
    degrees, sender = graph.degrees(), graph.edge_index()[0]
    number = torch.arange(sender.size(0), device=sender.device)
    ptr = torch.cat([degrees.new_zeros(1), degrees.cumsum(0)])
    return Order(ptr, sender, number, ptr, number, number)
