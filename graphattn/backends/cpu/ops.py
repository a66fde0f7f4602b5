"""The kernels as operators that torch can trace, differentiate and map.

Letters: ``N_i`` receivers, ``N_j`` senders, ``E`` edges, ``H`` heads, ``C`` channels of query and key, ``D`` of the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Tuple  # noqa: UP035  torch reads these spellings

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.cpu.threads import ranges, run

LIBRARY = "graphattn"


def flat(*tensors: Tensor) -> list[np.ndarray]:
    """Tensors as arrays without dimensions, their memory where they are contiguous."""
    return [tensor.detach().contiguous().view(-1).numpy() for tensor in tensors]


def alike(*tensors: Tensor) -> list[Tensor]:
    """Room for a gradient of each."""
    return [torch.empty_like(x, memory_format=torch.contiguous_format) for x in tensors]


def term(query: Tensor, bias: Tensor | None) -> np.ndarray:
    """A number per edge and head, ``[E, H]``; empty if there is none."""
    return (query.new_empty(0, query.size(1)) if bias is None else bias.detach().contiguous()).numpy()


def real(number: float, dtype: torch.dtype) -> np.generic:
    """A number as kernels of that dtype take it."""
    return np.float32(number) if dtype == torch.float32 else np.float64(number)


def drop(seed: Tensor | None, dropout: float, dtype: torch.dtype) -> tuple[np.uint32, np.uint64, np.generic]:
    """Dropout as kernels take it: the seed, from which word on a message is heard, and how loud."""
    if seed is None:
        return np.uint32(0), np.uint64(0), real(1, dtype)
    return np.uint32(int(seed)), np.uint64(round(dropout * 2**32)), real(1 / (1 - dropout), dtype)


@torch.library.custom_op(f"{LIBRARY}::attend", mutates_args=(), device_types="cpu")
def attend(
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
    """What every receiver hears ``[N_i, H, D]``, of edge features ``[N_i, H, F]``, and the log-sum-exp of its scores."""
    from graphattn.backends.cpu import kernels
    from graphattn.backends.cpu.lanes import lanes

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    asked, feature, deep = _features(query, asked, feature)
    out, felt = (query.new_empty(query.size(0), heads, size) for size in (wide, deep))
    lse = query.new_empty(query.size(0), heads)
    run(
        kernels.attention, ranges(ptr, heads * (channels + wide + deep)), lanes(channels, wide), lanes(deep),
        *flat(ptr, sender, number, query, key, value, asked, feature), term(query, bias),
        *drop(seed, dropout, query.dtype), *flat(out, felt), lse.numpy(),
    )  # fmt: skip
    return out, felt, lse


@attend.register_fake
def _(query, key, value, asked, bias, feature, seed, dropout, ptr, sender, number):  # noqa: ANN001, ANN202
    rows, heads, deep = query.size(0), query.size(1), 0 if asked is None else asked.size(2)
    return query.new_empty(rows, heads, value.size(2)), query.new_empty(rows, heads, deep), query.new_empty(rows, heads)


@torch.library.custom_op(f"{LIBRARY}::attend_backward", mutates_args=(), device_types="cpu")
def attend_backward(
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
    """Gradients of query, key, value, asked, of the scores ``[E, H]`` in the receivers' order, and of the features."""
    from graphattn.backends.cpu import kernels
    from graphattn.backends.cpu.lanes import lanes

    heads, channels, wide = query.size(1), query.size(2), value.size(2)
    asked, feature, deep = _features(query, asked, feature)
    heard, pull = (query.new_empty(number.numel(), heads) for _ in range(2))
    together, work = lanes(channels, wide), 2 * heads * (channels + wide + deep)
    query_grad, key_grad, value_grad, asked_grad, feature_grad = alike(query, key, value, asked, feature)
    run(
        kernels.attention_to_receivers, ranges(ptr, work), together, lanes(deep),
        *flat(ptr, sender, number, query, key, value, asked, feature), term(query, bias),
        *drop(seed, dropout, query.dtype), *flat(out, felt), lse.numpy(), *flat(grad, felt_grad),
        heard.numpy(), pull.numpy(), *flat(query_grad, asked_grad, feature_grad),
    )  # fmt: skip
    transposed, bounds = flat(sender_ptr, receiver, place), ranges(sender_ptr, work // 4)
    for weight, x, result in ((pull, query, key_grad), (heard, grad, value_grad)):
        run(kernels.weighted_sum, bounds, together, *transposed, weight.numpy(), *flat(x, result))
    return query_grad, key_grad, value_grad, asked_grad, pull, feature_grad


@attend_backward.register_fake
def _(grad, felt_grad, out, felt, lse, query, key, value, asked, bias, feature, seed, dropout, ptr, sender, number, *_):  # noqa: ANN001, ANN202, ANN002
    asked, feature, _ = _features(query, asked, feature)
    pull = query.new_empty(number.size(0), query.size(1))
    return (*(torch.empty_like(x) for x in (query, key, value, asked)), pull, torch.empty_like(feature))


def _features(query: Tensor, asked: Tensor | None, feature: Tensor | None) -> tuple[Tensor, Tensor, int]:
    """What is asked of the features of edges, they, and their number of channels; empty where there are none."""
    if asked is None or feature is None:
        return query.new_empty(*query.shape[:2], 0), query.new_empty(0, 0), 0
    return asked, feature, feature.size(1)


@torch.library.custom_op(f"{LIBRARY}::weighted_sum", mutates_args=(), device_types="cpu")
def weighted_sum(weight: Tensor, x: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """Sums over each row's edges, ``sum_e weight[place_e] x[other_e]``: ``weight [E, H]``, ``x [N, H, C] -> [rows, H, C]``."""
    from graphattn.backends.cpu import kernels
    from graphattn.backends.cpu.lanes import lanes

    out = x.new_empty(ptr.size(0) - 1, *x.shape[1:])
    bounds = ranges(ptr, x.size(1) * x.size(2))
    weights = weight.detach().contiguous().numpy()
    run(kernels.weighted_sum, bounds, lanes(x.size(2)), *flat(ptr, other, place), weights, *flat(x, out))
    return out


@weighted_sum.register_fake
def _(weight, x, ptr, other, place):  # noqa: ANN001, ANN202
    return x.new_empty(ptr.size(0) - 1, *x.shape[1:])


@torch.library.custom_op(f"{LIBRARY}::edge_products", mutates_args=(), device_types="cpu")
def edge_products(left: Tensor, right: Tensor, ptr: Tensor, other: Tensor, place: Tensor) -> Tensor:
    """Inner products along edges, ``[E, H]`` by ``place``: ``left [rows, H, C]``, ``right [N, H, C]``."""
    from graphattn.backends.cpu import kernels
    from graphattn.backends.cpu.lanes import lanes

    out = left.new_empty(place.size(0), left.size(1))
    bounds = ranges(ptr, left.size(1) * left.size(2))
    run(kernels.edge_products, bounds, lanes(left.size(2)), *flat(ptr, other, place, left, right), out.numpy())
    return out


@edge_products.register_fake
def _(left, right, ptr, other, place):  # noqa: ANN001, ANN202
    return left.new_empty(place.size(0), left.size(1))


def over_heads(operator: Callable[..., Any], nodes: int, outputs: int) -> Callable[..., tuple[object, object]]:
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
            raise ValueError("expected vmap over node states and edge terms only, got one over a graph or a seed")
        results = operator(*wide, *arguments[nodes:])
        if not isinstance(results, tuple):
            return results.unflatten(1, (size, -1)), 1
        split = tuple(result.unflatten(1, (size, -1)) for result in results[:outputs])
        return (*split, *results[outputs:]), (*(1,) * outputs, *(None,) * (len(results) - outputs))

    return rule


def _unless_featured(operator: Callable[..., Any], nodes: int, outputs: int) -> Callable[..., tuple[object, object]]:
    # Features of edges, the argument behind those of nodes, have no heads: with them, one call follows the other.
    rule = over_heads(operator, nodes, outputs)

    def choose(info, in_dims, *arguments):  # noqa: ANN001, ANN002, ANN202
        if arguments[nodes] is None:
            return rule(info, in_dims, *arguments)
        calls = [
            operator(*(x if at is None else x.select(at, k) for x, at in zip(arguments, in_dims, strict=True)))
            for k in range(info.batch_size)
        ]
        return tuple(torch.stack(each) for each in zip(*calls, strict=True)), (0,) * len(calls[0])

    return choose


torch.library.register_vmap(attend, _unless_featured(attend, 5, 3))
torch.library.register_vmap(attend_backward, _unless_featured(attend_backward, 10, 5))
torch.library.register_vmap(weighted_sum, over_heads(weighted_sum, 2, 1))
torch.library.register_vmap(edge_products, over_heads(edge_products, 2, 1))
