"""The operators of :mod:`graphattn.backends.cpu.ops` on CUDA: the same names, gradients and rules, other kernels."""

from __future__ import annotations

from typing import Tuple  # noqa: UP035  torch reads this spelling

from torch import Tensor

from graphattn.backends.cpu import additive_ops, ops
from graphattn.backends.cuda_kernels import rows
from graphattn.backends.cuda_kernels.launch import interpreted
from graphattn.backends.cuda_kernels.parts import ADDITIVE, PRODUCT, SPLIT
from graphattn.backends.cuda_kernels.rows import Grouped, Heard
from graphattn.backends.cuda_kernels.sums import NOTHING, STATE, STEEPNESS

DEVICES = ("cuda", "cpu") if interpreted() else ("cuda",)


@ops.attend.register_kernel(DEVICES)
def _(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    asked: Tensor | None,
    bias: Tensor | None,
    feature: Tensor | None,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
) -> Tuple[Tensor, Tensor, Tensor]:  # noqa: UP006
    said = Heard(query, key, value, asked, feature, bias, None, seed, dropout, PRODUCT.value)
    return rows.attend(said, Grouped(ptr, sender, number))


@ops.attend_backward.register_kernel(DEVICES)
def _(
    grad: Tensor,
    felt_grad: Tensor,
    out: Tensor,
    felt: Tensor,
    lse: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    asked: Tensor | None,
    bias: Tensor | None,
    feature: Tensor | None,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
    sender_ptr: Tensor,
    receiver: Tensor,
    place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006
    said = Heard(query, key, value, asked, feature, bias, None, seed, dropout, PRODUCT.value)
    heard, pull, query_grad, asked_grad, feature_grad = rows.to_receivers(
        said, Grouped(ptr, sender, number), (out, felt, lse), (grad, felt_grad)
    )
    transposed = Grouped(sender_ptr, receiver, place)
    key_grad, value_grad = rows.summed(pull, query, transposed), rows.summed(heard, grad, transposed)
    nothing = query.new_empty(*query.shape[:2], 0) if asked_grad is None else asked_grad
    of_features = query.new_empty(0, 0) if feature_grad is None else feature_grad
    return query_grad, key_grad, value_grad, nothing, pull.to(query.dtype), of_features


@ops.weighted_sum.register_kernel(DEVICES)
def _(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    return rows.summed(weight, x, Grouped(ptr, other, place))


@ops.edge_products.register_kernel(DEVICES)
def _(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    return rows.edge_products(left, right, Grouped(ptr, other, place))


@additive_ops.attend.register_kernel(DEVICES)
def _(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    slope: float,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    said = Heard(query, key, value, None, None, bias, weight, seed, dropout, ADDITIVE.value, slope)
    out, _, lse = rows.attend(said, Grouped(ptr, sender, number))
    return out, lse


@additive_ops.attend_backward.register_kernel(DEVICES)
def _(
    grad: Tensor,
    out: Tensor,
    lse: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    slope: float,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
    sender_ptr: Tensor,
    receiver: Tensor,
    place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006
    said = Heard(query, key, value, None, None, bias, weight, seed, dropout, ADDITIVE.value, slope)
    heard, pull, of_query, *_ = rows.to_receivers(said, Grouped(ptr, sender, number), (out, None, lse), (grad, None))
    transposed = Grouped(sender_ptr, receiver, place)
    of_key = rows.summed(pull, query, transposed, STEEPNESS.value, key, slope)
    return of_query, of_key, rows.summed(heard, grad, transposed), pull.to(query.dtype)


@additive_ops.split_attend.register_kernel(DEVICES)
def _(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    inside: Tensor | None,
    slope: float,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    said = _split(query, key, value, inside, seed, dropout, slope)
    out, _, lse = rows.attend(said, Grouped(ptr, sender, number))
    return out, lse


@additive_ops.split_attend_backward.register_kernel(DEVICES)
def _(
    grad: Tensor,
    out: Tensor,
    lse: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    inside: Tensor | None,
    slope: float,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
    sender_ptr: Tensor,
    receiver: Tensor,
    place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006
    said = _split(query, key, value, inside, seed, dropout, slope)
    heard, pull, query_grad, *_ = rows.to_receivers(said, Grouped(ptr, sender, number), (out, None, lse), (grad, None))
    transposed = Grouped(sender_ptr, receiver, place)
    key_grad = rows.summed(pull, said.key, transposed, NOTHING.value).to(key.dtype)
    value_grad = rows.summed(heard, grad, transposed, STATE.value)
    return query_grad.squeeze(-1), key_grad.squeeze(-1), value_grad, pull.to(value.dtype)


def _split(
    query: Tensor, key: Tensor, value: Tensor, inside: Tensor | None, seed: Tensor | None, dropout: float, slope: float
) -> Heard:
    """GAT's numbers of nodes as queries and keys of one channel."""
    # The scores' precision is the values'.
    query, key = query.unsqueeze(-1), key.unsqueeze(-1)
    return Heard(query, key, value, None, None, inside, None, seed, dropout, SPLIT.value, slope)
