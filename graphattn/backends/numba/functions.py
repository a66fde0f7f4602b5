"""Differentiable attention and weighted sums over the edges of a graph."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.numba import ops
from graphattn.dropout import loudness
from graphattn.slots import Groups
from graphattn.topology import Edges


class Said(NamedTuple):
    """What edges add to scores: a ``bias [E, H]``, and ``feature [E, F]`` of which receivers ask with ``asked [N_i, H, F]``."""

    bias: Tensor | None = None
    asked: Tensor | None = None
    feature: Tensor | None = None


class Dropped(NamedTuple):
    """Which messages are not heard: the call's seed, None if all are, and the share."""

    seed: Tensor | None = None
    share: float = 0.0


NOTHING = Said()
EVERYTHING = Dropped()


def attention(
    query: Tensor, key: Tensor, value: Tensor, graph: Edges, said: Said = NOTHING, dropped: Dropped = EVERYTHING
) -> tuple[Tensor, Tensor]:
    r"""Attention over the edges of a graph without a tensor of edges times channels.

    .. math::
        \alpha_{ij} = f_{ji}\, \text{softmax}_j(q_i \cdot k_j + a_i \cdot e_{ji} + b_{ji}) \qquad
        o_i = \sum_{j \in N(i)} \alpha_{ij} v_j \qquad u_i = \sum_{j \in N(i)} \alpha_{ij} e_{ji}

    with the dropout factors ``f`` of :func:`graphattn.dropout.loudness`.

    Shapes: ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]`` -> ``o [N_i, H, D]``, ``u [N_i, H, F]`` with
    features ``[E, F]``, or with no channels where there are none.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> q, k, v = torch.randn(3, 3, 2, 4)
    >>> attention(q, k, v, graph)[0].shape
    torch.Size([3, 2, 4])
    """
    grouped = graph.by_receiver()
    states = (query, key, value, said.asked, said.bias, said.feature)
    if not differentiated(*states):
        return ops.attend(*states, *dropped, *grouped)[:2]
    out, felt, *_ = _Attention.apply(*states, *dropped, *grouped, *graph.by_sender())
    return out, felt


def weighted_sum(weight: Tensor, x: Tensor, graph: Edges) -> Tensor:
    r"""Every receiver's weighted sum of its senders, :math:`\sum_j w_{ji} x_j`.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``x [N_j, H, C]`` -> ``[N_i, H, C]``.

    >>> graph = Edges(torch.tensor([[0, 1, 2], [1, 1, 0]]))
    >>> weighted_sum(torch.ones(3, 1), torch.arange(3.0).view(3, 1, 1), graph).flatten()
    tensor([2., 1., 0.])
    """
    grouped = graph.by_receiver()
    if not differentiated(weight, x):
        return ops.weighted_sum(weight, x, grouped.ptr, grouped.other, None)
    return _WeightedSum.apply(weight, x, *grouped, *graph.by_sender())


def differentiated(*tensors: Tensor | None) -> bool:
    """Whether gradients are wanted of one of these."""
    # Without gradients no grouping by senders is needed, and torch.compile stumbles over a Function that wants none.
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


class Order(NamedTuple):
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
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.attend(*inputs[:11])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        *states, seed, ctx.dropout = inputs[:8]
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(*output, *states, seed, *inputs[8:])

    @staticmethod
    def backward(ctx, grad, felt_grad, *_):  # noqa: ANN001, ANN002, ANN205
        out, felt, alpha, heard, *states, seed, ptr, sender, number, sender_ptr, receiver, place = ctx.saved_tensors
        order, dropped = Order(ptr, sender, number, sender_ptr, receiver, place), Dropped(seed, ctx.dropout)
        asked, bias, feature = states[3:]
        if torch.is_grad_enabled():  # the gradient will be differentiated in turn: in torch's own operators
            found = _backward_edgewise(grad, felt_grad, states, dropped, order)
        else:
            terms = (*states[:4], feature)
            found = ops.attend_backward(grad, felt_grad, out, felt, alpha, heard, *terms, *dropped, *order)
        *grads, pull, feature_grad = found
        bias_grad = None if bias is None else in_input_order(pull, order)
        if asked is None or feature is None:
            return *grads[:3], None, bias_grad, *([None] * 9)
        return *grads, bias_grad, feature_grad, *([None] * 8)


def _backward_edgewise(
    grad: Tensor,
    felt_grad: Tensor,
    states: Sequence[Any],
    dropped: Dropped,
    order: Order,
) -> tuple[Any, ...]:
    query, key, value, asked, bias, feature = states
    receiver, sender, number = order.receivers(), order.sender.long(), order.number.long()
    score, want = (query[receiver] * key[sender]).sum(-1), (grad[receiver] * value[sender]).sum(-1)
    if asked is not None and feature is not None:
        score = score + (asked[receiver] * feature[number, None]).sum(-1)
        want = want + (felt_grad[receiver] * feature[number, None]).sum(-1)
    heard, pull = pulled(score if bias is None else score + bias[number], want, query.size(0), dropped, order)
    query_grad = torch.zeros_like(query).index_add(0, receiver, pull.unsqueeze(-1) * key[sender])
    key_grad = torch.zeros_like(key).index_add(0, sender, pull.unsqueeze(-1) * query[receiver])
    value_grad = torch.zeros_like(value).index_add(0, sender, heard.unsqueeze(-1) * grad[receiver])
    if asked is None or feature is None:
        return query_grad, key_grad, value_grad, None, pull, None
    asked_grad = torch.zeros_like(asked).index_add(0, receiver, pull.unsqueeze(-1) * feature[number, None])
    said = (pull.unsqueeze(-1) * asked[receiver] + heard.unsqueeze(-1) * felt_grad[receiver]).sum(1)
    feature_grad = torch.zeros_like(feature).index_add(0, number, said)
    return query_grad, key_grad, value_grad, asked_grad, pull, feature_grad


def in_input_order(rows: Tensor, order: Order) -> Tensor:
    """Rows in the receivers' order ``[E, H]``, in the order of the topology."""
    return torch.zeros_like(rows).index_copy(0, order.number.long(), rows)


def pulled(score: Tensor, want: Tensor, rows: int, dropped: Dropped, order: Order) -> tuple[Tensor, Tensor]:
    """Weights behind dropout, and gradients of scores, from scores and what each weight would add to the loss, ``[E, H]``."""
    receiver, sender, number = order.receivers(), order.sender.long(), order.number.long()
    alpha = SoftmaxSum().weigh(score, Groups(receiver, None, rows, None))
    heard = alpha
    if dropped.seed is not None:
        heard = alpha * loudness(dropped.seed, receiver, sender, number, score.size(1), dropped.share, score.dtype)
    mean = want.new_zeros(rows, score.size(1)).index_add(0, receiver, heard * want)
    return heard, heard * want - alpha * mean[receiver]


@final
class _WeightedSum(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weight, x, *order):  # noqa: ANN001, ANN002, ANN205
        return ops.weighted_sum(weight, x, *order[:2], None)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        weight, x, *order = ctx.saved_tensors
        order = Order(*order)
        if torch.is_grad_enabled():
            receiver, sender = order.receivers(), order.sender.long()
            weight_grad = (grad[receiver] * x[sender]).sum(-1)
            x_grad = torch.zeros_like(x).index_add(0, sender, weight.unsqueeze(-1) * grad[receiver])
            return weight_grad, x_grad, *([None] * 6)
        weight_grad = None
        if ctx.needs_input_grad[0]:
            weight_grad = ops.edge_products(grad, x, order.ptr, order.sender)
        x_grad = ops.weighted_sum(weight, grad, order.sender_ptr, order.receiver, order.place)
        return weight_grad, x_grad, *([None] * 6)
