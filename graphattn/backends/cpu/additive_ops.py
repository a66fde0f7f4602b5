"""The kernels of additive scores as operators that torch can trace, differentiate and map; letters as in :mod:`.ops`."""

from __future__ import annotations

from typing import Tuple  # noqa: UP035  torch reads this spelling

import torch
from torch import Tensor

from graphattn.backends.cpu.ops import LIBRARY, alike, drop, flat, over_heads, real, term
from graphattn.backends.cpu.threads import ranges, run


@torch.library.custom_op(f"{LIBRARY}::additive_attend", mutates_args=(), device_types="cpu")
def attend(
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
    """What every receiver hears ``[N_i, H, D]``, and the log-sum-exp of its scores; ``weight [1, H, C]``."""
    from graphattn.backends.cpu import additive
    from graphattn.backends.cpu.lanes import lanes

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    out, lse = query.new_empty(query.size(0), heads, wide), query.new_empty(query.size(0), heads)
    run(
        additive.attention, ranges(ptr, heads * (2 * channels + wide)), lanes(channels), lanes(wide),
        *flat(ptr, sender, number, query, key, value, weight), real(slope, query.dtype), term(query, bias),
        *drop(seed, dropout, query.dtype), *flat(out), lse.numpy(),
    )  # fmt: skip
    return out, lse


@attend.register_fake
def _(query, key, value, *_):  # noqa: ANN001, ANN002, ANN202
    return query.new_empty(*query.shape[:2], value.size(2)), query.new_empty(query.shape[:2])


@torch.library.custom_op(f"{LIBRARY}::additive_attend_backward", mutates_args=(), device_types="cpu")
def attend_backward(
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
    """The gradients of query and key without the factor ``weight``, of value, and of scores ``[E, H]`` in receivers' order."""
    from graphattn.backends.cpu import additive, kernels
    from graphattn.backends.cpu.lanes import lanes

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    heard, pull = (query.new_empty(number.numel(), heads) for _ in range(2))
    of_query, of_key, value_grad = alike(query, key, value)
    factor = real(slope, query.dtype)
    run(
        additive.attention_to_receivers, ranges(ptr, 2 * heads * (2 * channels + wide)), lanes(channels), lanes(wide),
        *flat(ptr, sender, number, query, key, value, weight), factor, term(query, bias),
        *drop(seed, dropout, query.dtype), *flat(out), lse.numpy(), *flat(grad), heard.numpy(), pull.numpy(), *flat(of_query),
    )  # fmt: skip
    transposed = flat(sender_ptr, receiver, place)
    bounds = ranges(sender_ptr, 2 * heads * channels)
    run(additive.slopes, bounds, lanes(channels), *transposed, pull.numpy(), *flat(key, query), factor, *flat(of_key))
    bounds = ranges(sender_ptr, heads * wide)
    run(kernels.weighted_sum, bounds, lanes(wide), *transposed, heard.numpy(), *flat(grad, value_grad))
    return of_query, of_key, value_grad, pull


@attend_backward.register_fake
def _(grad, out, lse, query, key, value, weight, bias, slope, seed, dropout, ptr, sender, number, *_):  # noqa: ANN001, ANN002, ANN202
    return (*(torch.empty_like(x) for x in (query, key, value)), query.new_empty(number.size(0), query.size(1)))


@torch.library.custom_op(f"{LIBRARY}::split_attend", mutates_args=(), device_types="cpu")
def split_attend(
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
    """What every receiver hears ``[N_i, H, D]``, and the log-sum-exp of its scores; ``query [N_i, H]``, ``key [N_j, H]``."""
    from graphattn.backends.cpu import additive
    from graphattn.backends.cpu.lanes import lanes

    heads, wide = value.size(1), value.size(2)
    out, lse = value.new_empty(query.size(0), heads, wide), value.new_empty(query.size(0), heads)
    run(
        additive.split_attention, ranges(ptr, heads * wide), lanes(wide), *flat(ptr, sender, number),
        term(value, query), term(value, key), *flat(value), real(slope, value.dtype), term(value, inside),
        *drop(seed, dropout, value.dtype), *flat(out), lse.numpy(),
    )  # fmt: skip
    return out, lse


@split_attend.register_fake
def _(query, key, value, *_):  # noqa: ANN001, ANN002, ANN202
    return value.new_empty(query.size(0), *value.shape[1:]), value.new_empty(query.size(0), value.size(1))


@torch.library.custom_op(f"{LIBRARY}::split_attend_backward", mutates_args=(), device_types="cpu")
def split_attend_backward(
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
    """Gradients of query, key and value, and of what edges add ``[E, H]`` in the receivers' order."""
    from graphattn.backends.cpu import additive, kernels
    from graphattn.backends.cpu.lanes import lanes

    heads, wide = value.size(1), value.size(2)
    heard, pull = (value.new_empty(number.numel(), heads) for _ in range(2))
    query_grad, key_grad, value_grad = alike(query, key, value)
    run(
        additive.split_attention_to_receivers, ranges(ptr, 2 * heads * wide), lanes(wide), *flat(ptr, sender, number),
        term(value, query), term(value, key), *flat(value), real(slope, value.dtype), term(value, inside),
        *drop(seed, dropout, value.dtype), *flat(out), lse.numpy(), *flat(grad), heard.numpy(), pull.numpy(),
        query_grad.numpy(),
    )  # fmt: skip
    transposed = flat(sender_ptr, receiver, place)
    bounds = ranges(sender_ptr, heads * wide)
    run(kernels.weighted_sum, bounds, lanes(wide), *transposed, heard.numpy(), *flat(grad, value_grad))
    run(additive.sums, bounds, transposed[0], transposed[2], pull.numpy(), key_grad.numpy())
    return query_grad, key_grad, value_grad, pull


@split_attend_backward.register_fake
def _(grad, out, lse, query, key, value, inside, slope, seed, dropout, ptr, sender, number, *_):  # noqa: ANN001, ANN002, ANN202
    return (*(torch.empty_like(x) for x in (query, key, value)), value.new_empty(number.size(0), value.size(1)))


torch.library.register_vmap(attend, over_heads(attend, 5, 2))
torch.library.register_vmap(attend_backward, over_heads(attend_backward, 8, 4))
torch.library.register_vmap(split_attend, over_heads(split_attend, 4, 2))
torch.library.register_vmap(split_attend_backward, over_heads(split_attend_backward, 7, 4))
