"""Differentiable attention and weighted sums over the edges of a graph."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.cpu import ops
from graphattn.dropout import loudness
from graphattn.slots import Groups
from graphattn.topology import Edges


def attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, graph: Edges, seed: Tensor | None, dropout: float
) -> Tensor:
    r"""Attention over the edges of a graph without a tensor of edges times channels.

    .. math:: o_i = \sum_{j \in N(i)} f_{ji}\, \text{softmax}_j(q_i \cdot k_j + b_{ji})\, v_j

    with the dropout factors ``f`` of :func:`graphattn.dropout.loudness`.

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]``, ``bias [E, H]`` -> ``[N_i, H, D]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> q, k, v = torch.randn(3, 3, 2, 4)
    >>> attention(q, k, v, None, graph, None, 0.0).shape
    torch.Size([3, 2, 4])
    """
    grouped = graph.by_receiver()
    if not _differentiated(query, key, value, bias):
        return ops.attend(query, key, value, bias, seed, dropout, *grouped)[0]
    return _Attention.apply(query, key, value, bias, seed, dropout, *grouped, *graph.by_sender())[0]


def weighted_sum(weight: Tensor, x: Tensor, graph: Edges) -> Tensor:
    r"""Every receiver's weighted sum of its senders, :math:`\sum_j w_{ji} x_j`.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``x [N_j, H, C]`` -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> weighted_sum(torch.ones(3, 1), torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    grouped = graph.by_receiver()
    if not _differentiated(weight, x):
        return ops.weighted_sum(weight, x, grouped.ptr, grouped.other, _in_order(grouped.number))
    return _WeightedSum.apply(weight, x, *grouped, *graph.by_sender())


def _differentiated(*tensors: Tensor | None) -> bool:
    # Without gradients no grouping by senders is needed, and torch.compile stumbles over a Function that wants none.
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _in_order(number: Tensor) -> Tensor:
    return torch.arange(number.size(0), dtype=number.dtype)


class _Order(NamedTuple):
    """A graph, grouped by receiver and by sender."""

    ptr: Tensor
    sender: Tensor
    number: Tensor
    sender_ptr: Tensor
    receiver: Tensor
    place: Tensor

    def receivers(self) -> Tensor:
        rows = torch.arange(self.ptr.size(0) - 1, device=self.ptr.device)
        return rows.repeat_interleave(self.ptr.diff().long(), output_size=self.sender.size(0))


@final
class _Attention(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(query, key, value, bias, seed, dropout, *order):  # noqa: ANN001, ANN002, ANN205
        return ops.attend(query, key, value, bias, seed, dropout, *order[:3])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        query, key, value, bias, seed, ctx.dropout, *order = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, query, key, value, bias, seed, *order)

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        out, lse, query, key, value, bias, seed, *order = ctx.saved_tensors
        order = _Order(*order)
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: in torch's own operators
            query_grad, key_grad, value_grad, pull = _backward_edgewise(
                grad, query, key, value, bias, seed, ctx.dropout, order
            )
        else:
            query_grad, key_grad, value_grad, pull = ops.attend_backward(
                grad, out, lse, query, key, value, bias, seed, ctx.dropout, *order
            )
        bias_grad = None if bias is None else torch.zeros_like(bias).index_copy(0, order.number.long(), pull)
        return query_grad, key_grad, value_grad, bias_grad, *([None] * 8)


def _backward_edgewise(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    seed: Tensor | None,
    dropout: float,
    order: _Order,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    receiver, sender, number = order.receivers(), order.sender.long(), order.number.long()
    score = (query[receiver] * key[sender]).sum(-1)
    score = score if bias is None else score + bias[number]
    alpha = SoftmaxSum().weigh(score, Groups(receiver, None, query.size(0), None))
    want = (grad[receiver] * value[sender]).sum(-1)
    heads, dtype = query.size(1), query.dtype
    factor = 1 if seed is None else loudness(seed, receiver, sender, number, heads, dropout, dtype)
    mean = want.new_zeros(query.shape[:2]).index_add(0, receiver, alpha * factor * want)
    pull = alpha * (factor * want - mean[receiver])
    query_grad = torch.zeros_like(query).index_add(0, receiver, pull.unsqueeze(-1) * key[sender])
    key_grad = torch.zeros_like(key).index_add(0, sender, pull.unsqueeze(-1) * query[receiver])
    value_grad = torch.zeros_like(value).index_add(0, sender, (alpha * factor).unsqueeze(-1) * grad[receiver])
    return query_grad, key_grad, value_grad, pull


@final
class _WeightedSum(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weight, x, *order):  # noqa: ANN001, ANN002, ANN205
        ptr, sender, number = order[:3]
        return ops.weighted_sum(weight, x, ptr, sender, _in_order(number))

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        weight, x, *order = ctx.saved_tensors
        order = _Order(*order)
        if torch.is_grad_enabled():
            receiver, sender = order.receivers(), order.sender.long()
            weight_grad = (grad[receiver] * x[sender]).sum(-1)
            x_grad = torch.zeros_like(x).index_add(0, sender, weight.unsqueeze(-1) * grad[receiver])
            return weight_grad, x_grad, *([None] * 6)
        weight_grad = None
        if ctx.needs_input_grad[0]:
            weight_grad = ops.edge_products(grad, x, order.ptr, order.sender, _in_order(order.number))
        x_grad = ops.weighted_sum(weight, grad, order.sender_ptr, order.receiver, order.place)
        return weight_grad, x_grad, *([None] * 6)
