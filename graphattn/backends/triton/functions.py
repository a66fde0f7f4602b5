"""Differentiable attention and weighted sums over the edges of a graph, by kernels in Triton."""

# pyright: reportIncompatibleMethodOverride=false
# (torch hands a Function its tensors one by one)

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from graphattn.aggregation import SoftmaxSum
from graphattn.backends.triton import ops
from graphattn.backends.triton.ops import ADDITIVE, PRODUCT, SPLIT
from graphattn.dropout import loudness
from graphattn.slots import Groups
from graphattn.topology import Edges


class Said(NamedTuple):
    """States ``query [N_i, H, C]``, ``key [N_j, H, C]``, ``value [N_j, H, D]``, and what edges add to them.

    ``feature [E, F]`` is asked by receivers with ``asked [N_i, H, F]``; ``bias [E, H]`` is added to scores, or within the leaky
    ReLU of GAT's; ``weight [1, H, C]`` is GATv2's.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    asked: Tensor | None = None
    feature: Tensor | None = None
    bias: Tensor | None = None
    weight: Tensor | None = None


class Scored(NamedTuple):
    """The kind of score and the slope of its leaky ReLU; the seed of the call's dropout, None for none, and its share."""

    kind: int = PRODUCT
    slope: float = 1.0
    seed: Tensor | None = None
    dropout: float = 0.0


class Order(NamedTuple):
    """A graph, grouped by receiver and by sender."""

    ptr: Tensor
    sender: Tensor
    number: Tensor
    sender_ptr: Tensor
    receiver: Tensor
    place: Tensor

    def ends(self) -> tuple[Tensor, Tensor, Tensor]:
        """The receiver of each edge in the receivers' order, its sender, and its number."""
        rows = torch.arange(self.ptr.size(0) - 1, device=self.ptr.device)
        receiver = rows.repeat_interleave(self.ptr.diff().long(), output_size=self.sender.size(0))
        return receiver, self.sender.long(), self.number.long()


def attention(said: Said, scored: Scored, graph: Edges) -> tuple[Tensor, Tensor]:
    r"""Attention over the edges of a graph without a tensor of edges times channels.

    .. math:: o_i = \sum_{j \in N(i)} \alpha_{ij} v_j \qquad u_i = \sum_{j \in N(i)} \alpha_{ij} e_{ji}

    Shapes: -> ``o [N_i, H, D]``, ``u [N_i, H, F]`` with features, or with no channels where there are none.
    """
    grouped, dtype = graph.by_receiver(), said.value.dtype
    if differentiated(*said):
        out, felt, _ = _Attention.apply(*said, *scored, *grouped, *graph.by_sender())
    else:
        out, felt, _ = ops.attend(*said, *scored, *grouped)
    return out.to(dtype), felt.to(dtype)


def weighted_sum(weight: Tensor, x: Tensor, graph: Edges) -> Tensor:
    r"""Every receiver's weighted sum of its senders, :math:`\sum_j w_{ji} x_j`.

    Shapes: ``weight [E, H]`` in the order of ``graph.by_receiver()``, ``x [N_j, H, C]`` -> ``[N_i, H, C]``.
    """
    grouped = graph.by_receiver()
    if not differentiated(weight, x):
        return ops.weighted_sum(weight, x, grouped.ptr, grouped.other, _in_order(grouped.number))
    return _WeightedSum.apply(weight, x, *grouped, *graph.by_sender())


def differentiated(*tensors: Tensor | None) -> bool:
    """Whether gradients are wanted of one of these."""
    # Without gradients no grouping by senders is needed, and torch.compile stumbles over a Function that wants none.
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def differentiated_again() -> bool:
    """Whether a gradient will be differentiated in turn, so that it is computed in torch's own operators."""
    return torch.is_grad_enabled() and not torch.compiler.is_compiling()


def _in_order(number: Tensor) -> Tensor:
    return torch.arange(number.size(0), dtype=number.dtype, device=number.device)


@final
class _Attention(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs):  # noqa: ANN002, ANN205
        return ops.attend(*inputs[:14])

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ANN001, ANN205
        ctx.kind, ctx.slope, seed, ctx.dropout = inputs[7:11]
        ctx.mark_non_differentiable(output[2])
        ctx.save_for_backward(*output, *inputs[:7], seed, *inputs[11:])

    @staticmethod
    def backward(ctx, grad, felt_grad, _):  # noqa: ANN001, ANN205
        out, felt, lse, *rest = ctx.saved_tensors
        said, order = Said(*rest[:7]), Order(*rest[8:])
        scored = Scored(ctx.kind, ctx.slope, rest[7], ctx.dropout)
        if differentiated_again():
            found = _backward_edgewise(grad, felt_grad, said, scored, order)
        else:
            *found, pull = ops.attend_backward(grad, felt_grad, out, felt, lse, *said, *scored, *order)
            found = [*found, _in_input_order(pull, order), None]
            if said.weight is not None:
                found[6] = ((said.query * found[0]).sum(0) + (said.key * found[1]).sum(0)).unsqueeze(0)
                found[:2] = [said.weight * of for of in found[:2]]
        grads = [None if x is None else slope for x, slope in zip(said, found, strict=True)]
        return *grads, *([None] * 10)


def _backward_edgewise(
    grad: Tensor, felt_grad: Tensor, said: Said, scored: Scored, order: Order
) -> Sequence[Tensor | None]:
    return backwards(lambda states: edgewise(Said(*states), scored, order), said, (grad, felt_grad))


def backwards(
    function: Callable[[Sequence[Any]], object], states: Sequence[Tensor | None], grads: object
) -> list[Tensor | None]:
    """The gradients of a function of some states, as something that can be differentiated again."""
    there = [k for k, x in enumerate(states) if x is not None]

    def of_those(*given: Tensor) -> object:
        known = dict(zip(there, given, strict=True))
        return function([known.get(k) for k in range(len(states))])

    back: Any = torch.func.vjp(of_those, *(x for x in states if x is not None))[1]
    found = dict(zip(there, back(grads), strict=True))
    return [found.get(k) for k in range(len(states))]


def edgewise(said: Said, scored: Scored, order: Order) -> tuple[Tensor, Tensor]:
    """What :func:`attention` computes, edge by edge."""
    receiver, sender, number = order.ends()
    query, key = said.query[receiver], said.key[sender]
    bias = None if said.bias is None else said.bias[number]
    feature = None if said.feature is None else said.feature[number, None]
    if scored.kind == PRODUCT:
        score = (query * key).sum(-1)
    else:
        inside = query + key if scored.kind == ADDITIVE or bias is None else query + key + bias.unsqueeze(-1)
        leaky = leaky_relu(inside, scored.slope)
        score = (leaky if said.weight is None else leaky * said.weight).sum(-1)
    if said.asked is not None and feature is not None:
        score = score + (said.asked[receiver] * feature).sum(-1)
    if bias is not None and scored.kind != SPLIT:
        score = score + bias
    rows = said.query.size(0)
    alpha = SoftmaxSum().weigh(score, Groups(receiver, None, rows, None))
    if scored.seed is not None:
        heads = score.size(1)
        alpha = alpha * loudness(scored.seed, receiver, sender, number, heads, scored.dropout, score.dtype)
    said_by = said.value[sender] * alpha.unsqueeze(-1)
    out = said_by.new_zeros(rows, *said_by.shape[1:]).index_add(0, receiver, said_by)
    felt = out.new_zeros(rows, out.size(1), 0) if feature is None else alpha.unsqueeze(-1) * feature
    return out, felt if feature is None else felt.new_zeros(rows, *felt.shape[1:]).index_add(0, receiver, felt)


def _in_input_order(rows: Tensor, order: Order) -> Tensor:
    """Rows in the receivers' order ``[E, H]``, in the order of the topology."""
    return torch.zeros_like(rows).index_copy(0, order.number.long(), rows)


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
        order: Any = Order(*order)
        if differentiated_again():
            receiver, sender, _ = order.ends()
            weight_grad = (grad[receiver] * x[sender]).sum(-1)
            x_grad = torch.zeros_like(x).index_add(0, sender, weight.unsqueeze(-1) * grad[receiver])
            return weight_grad, x_grad, *([None] * 6)
        weight_grad = None
        if ctx.needs_input_grad[0]:
            weight_grad = ops.edge_products(grad, x, order.ptr, order.sender, _in_order(order.number))
        x_grad = ops.weighted_sum(weight, grad, order.sender_ptr, order.receiver, order.place)
        return weight_grad, x_grad, *([None] * 6)
