"""The kernels as operators that torch can trace, differentiate and map.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels of query and key, ``D`` of the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Tuple  # noqa: UP035  torch reads these spellings

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.cpu.threads import ranges, run

_LIBRARY = "graphattn"


def _lanes(*channels: int) -> np.ndarray:
    """What tells the compiler, by its type, how many channels one instruction handles: a power of two that divides them."""
    common = math.gcd(*channels) or 1
    return np.empty(0, f"S{min(common & -common, 64)}")


def _flat(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().view(-1).numpy() for tensor in tensors]


def _drop(seed: Tensor | None, dropout: float, dtype: torch.dtype) -> tuple[np.uint32, np.uint64, np.generic]:
    real = np.float32 if dtype == torch.float32 else np.float64
    if seed is None:
        return np.uint32(0), np.uint64(0), real(1)
    return np.uint32(int(seed)), np.uint64(round(dropout * 2**32)), real(1 / (1 - dropout))


@torch.library.custom_op(f"{_LIBRARY}::attend", mutates_args=(), device_types="cpu")
def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
) -> Tuple[Tensor, Tensor]:  # noqa: UP006
    """What every receiver hears ``[N_i, H, D]``, and the logarithm of the sum of its exponentials ``[N_i, H]``."""
    from graphattn.backends.cpu import kernels

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    out = query.new_empty(query.size(0), heads, wide)
    lse = query.new_empty(query.size(0), heads)
    term = query.new_empty(0, heads) if bias is None else bias.detach().contiguous()
    run(
        kernels.attention, ranges(ptr, heads * (channels + wide)), _lanes(channels, wide), *_flat(ptr, sender, number),
        *_flat(query, key, value), term.numpy(), *_drop(seed, dropout, query.dtype), out.view(-1).numpy(), lse.numpy(),
    )  # fmt: skip
    return out, lse


@attend.register_fake
def _(query, key, value, bias, seed, dropout, ptr, sender, number):  # noqa: ANN001, ANN202
    rows, heads = query.size(0), query.size(1)
    return query.new_empty(rows, heads, value.size(2)), query.new_empty(rows, heads)


@torch.library.custom_op(f"{_LIBRARY}::attend_backward", mutates_args=(), device_types="cpu")
def attend_backward(
    grad: Tensor,
    out: Tensor,
    lse: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    seed: Tensor | None,
    dropout: float,
    ptr: Tensor,
    sender: Tensor,
    number: Tensor,
    sender_ptr: Tensor,
    receiver: Tensor,
    place: Tensor,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006
    """Gradients of query, key and value, and that of the scores ``[E, H]`` in the receivers' order."""
    from graphattn.backends.cpu import kernels

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    lanes = _lanes(channels, wide)
    heard, pull = (query.new_empty(number.numel(), heads) for _ in range(2))
    query_grad, key_grad, value_grad = (
        torch.empty_like(x, memory_format=torch.contiguous_format) for x in (query, key, value)
    )
    term = query.new_empty(0, heads) if bias is None else bias.detach().contiguous()
    run(
        kernels.attention_to_receivers, ranges(ptr, 2 * heads * (channels + wide)), lanes, *_flat(ptr, sender, number),
        *_flat(query, key, value), term.numpy(), *_drop(seed, dropout, query.dtype), *_flat(out), lse.numpy(), *_flat(grad),
        heard.numpy(), pull.numpy(), query_grad.view(-1).numpy(),
    )  # fmt: skip
    transposed = _flat(sender_ptr, receiver, place)
    for weight, x, result in ((pull, query, key_grad), (heard, grad, value_grad)):
        bounds = ranges(sender_ptr, heads * x.size(2))
        run(kernels.weighted_sum, bounds, lanes, *transposed, weight.numpy(), *_flat(x), result.view(-1).numpy())
    return query_grad, key_grad, value_grad, pull


@attend_backward.register_fake
def _(grad, out, lse, query, key, value, bias, seed, dropout, ptr, sender, number, sender_ptr, receiver, place):  # noqa: ANN001, ANN202
    return (*(torch.empty_like(x) for x in (query, key, value)), query.new_empty(number.size(0), query.size(1)))


@torch.library.custom_op(f"{_LIBRARY}::weighted_sum", mutates_args=(), device_types="cpu")
def weighted_sum(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``weight [E, H]``, ``x [N, H, C] -> [rows, H, C]``."""
    from graphattn.backends.cpu import kernels

    out = x.new_empty(ptr.size(0) - 1, *x.shape[1:])
    bounds = ranges(ptr, x.size(1) * x.size(2))
    weights = weight.detach().contiguous().numpy()
    run(
        kernels.weighted_sum,
        bounds,
        _lanes(x.size(2)),
        *_flat(ptr, other, place),
        weights,
        *_flat(x),
        out.view(-1).numpy(),
    )
    return out


@weighted_sum.register_fake
def _(weight, x, ptr, other, place):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


@torch.library.custom_op(f"{_LIBRARY}::edge_products", mutates_args=(), device_types="cpu")
def edge_products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """Inner products along edges, ``[E, H]`` by ``place``: ``left [rows, H, C]``, ``right [N, H, C]``."""
    from graphattn.backends.cpu import kernels

    out = left.new_empty(place.size(0), left.size(1))
    bounds = ranges(ptr, left.size(1) * left.size(2))
    run(
        kernels.edge_products, bounds, _lanes(left.size(2)), *_flat(ptr, other, place), *_flat(left, right), out.numpy()
    )
    return out


@edge_products.register_fake
def _(left, right, ptr, other, place):  # noqa: ANN001, ANN202
    return left.new_empty(place.size(0), left.size(1))


def _over_heads(operator: Callable[..., Any], nodes: int, outputs: int) -> Callable[..., tuple[object, object]]:
    """The rule of ``vmap``: what is mapped becomes further heads of the first ``nodes`` arguments, ``[rows, H, ...]``."""

    def rule(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
        size = info.batch_size
        wide = [
            None
            if x is None
            else (x.unsqueeze(1).expand(-1, size, *x.shape[1:]) if at is None else x.movedim(at, 1)).flatten(1, 2)
            for x, at in zip(arguments[:nodes], in_dims[:nodes], strict=True)
        ]
        if any(at is not None for at in in_dims[nodes:]):
            raise ValueError("expected vmap over node states and edge biases only, got one over a graph or a seed")
        results = operator(*wide, *arguments[nodes:])
        listed = results if isinstance(results, tuple) else (results,)
        split = tuple(result.unflatten(1, (size, -1)) for result in listed)
        return (split, (1,) * outputs) if isinstance(results, tuple) else (split[0], 1)

    return rule


torch.library.register_vmap(attend, _over_heads(attend, 4, 2))
torch.library.register_vmap(attend_backward, _over_heads(attend_backward, 7, 4))
torch.library.register_vmap(weighted_sum, _over_heads(weighted_sum, 2, 1))
torch.library.register_vmap(edge_products, _over_heads(edge_products, 2, 1))
