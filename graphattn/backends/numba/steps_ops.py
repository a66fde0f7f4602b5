"""The kernels of attention in steps as operators that torch can trace and map; letters as in :mod:`.ops`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.numba.additive_ops import added, coarse
from graphattn.backends.numba.ops import flat
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.operators.rules import LIBRARY, alike, over_heads


@torch.library.custom_op(f"{LIBRARY}::edge_sums", mutates_args=(), device_types="cpu")
def edge_sums(
    form: str, at: int, size: int, x: Tensor, y: Tensor,
    ptr: Tensor, other: Tensor, other_ptr: Tensor, receiver: Tensor, place: Tensor,
) -> Tensor:  # fmt: skip
    """The derivative of ``sum_e w_e (l_i . r_e)`` after its factor ``at`` of ``(w, l, r)``, from the other two factors.

    Args:
        form: whether ``r`` are rows of "nodes", grouped by ``other_ptr``, of a "table", or "features" of the edges.
        size: the number of these rows.
    """
    from graphattn.backends.numba import steps
    from graphattn.backends.numba.lanes import lanes

    out = x.new_empty(_shape(form, at, size, x, y, ptr, other))
    if not out.numel() or not y.numel():
        return out.zero_()
    grouped, width, heads = flat(ptr, other), lanes(y.size(-1)), 1 if form == "features" else y.size(1)
    bounds = ranges(ptr, x.size(1) * y.size(-1))
    if at == 0:
        run(steps.products, bounds, width, heads, *grouped, *flat(x, y), _rows(out))
    elif at == 1:
        each = np.arange(other.numel(), dtype=grouped[0].dtype)
        run(steps.sums, bounds, width, heads, *grouped, each, _rows(x), *flat(y, out))
    elif form == "nodes":
        bounds = ranges(other_ptr, x.size(1) * y.size(-1))
        run(steps.sums, bounds, width, heads, *flat(other_ptr, receiver, place), _rows(x), *flat(y, out))
    elif form == "features":
        run(steps.feature_sums, bounds, width, *grouped, _rows(x), *flat(y, out))
    else:
        bounds = coarse(bounds, other.numel(), size)
        parts = np.zeros((len(bounds) - 1, out.numel()), flat(out)[0].dtype)
        run(steps.table_sums, bounds, width, np.array(bounds), *grouped, _rows(x), *flat(y), parts)
        out.copy_(added(parts, out))
    return out


@edge_sums.register_fake
def _(form, at, size, x, y, ptr, other, *_):  # noqa: ANN001, ANN002, ANN202
    return x.new_empty(_shape(form, at, size, x, y, ptr, other))


def _shape(form: str, at: int, size: int, x: Tensor, y: Tensor, ptr: Tensor, other: Tensor) -> list[int]:
    if at == 0:
        return [other.size(0), x.size(1)]
    if at == 1:
        return [ptr.size(0) - 1, x.size(1), y.size(-1)]
    return [size, y.size(-1)] if form == "features" else [size, x.size(1), y.size(-1)]


def _rows(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _mapped(info, in_dims, form, at, size, x, y, *order):  # noqa: ANN001, ANN002, ANN202
    if form != "features":
        rule = over_heads(lambda x, y, *order: edge_sums(form, at, size, x, y, *order), 2, 1)
        return rule(info, in_dims[3:], x, y, *order)
    # Features of edges have no heads: one call follows the other.
    pairs = [
        tuple(z if d is None else z.select(d, k) for z, d in zip((x, y), in_dims[3:5], strict=True))
        for k in range(info.batch_size)
    ]
    return torch.stack([edge_sums(form, at, size, *pair, *order) for pair in pairs]), 0


@torch.library.custom_op(f"{LIBRARY}::edge_softmax", mutates_args=(), device_types="cpu")
def edge_softmax(score: Tensor, ptr: Tensor) -> Tensor:
    """The softmax of scores ``[E, H]`` over the edges of each row."""
    from graphattn.backends.numba import steps

    out, lse = (
        torch.empty_like(score, memory_format=torch.contiguous_format),
        score.new_empty(ptr.size(0) - 1, score.size(1)),
    )
    run(steps.softmax, ranges(ptr, 4 * score.size(1)), *flat(ptr), _rows(score), lse.numpy(), out.numpy())
    return out


@torch.library.custom_op(f"{LIBRARY}::edge_softmax_backward", mutates_args=(), device_types="cpu")
def edge_softmax_backward(alpha: Tensor, grad: Tensor, ptr: Tensor) -> Tensor:
    """The gradient of the scores from that of their softmax, ``[E, H]``."""
    from graphattn.backends.numba import steps

    out = torch.empty_like(alpha, memory_format=torch.contiguous_format)
    run(steps.softmax_back, ranges(ptr, 4 * alpha.size(1)), *flat(ptr), _rows(alpha), _rows(grad), out.numpy())
    return out


edge_softmax.register_fake(lambda score, ptr: alike(score)[0])
edge_softmax_backward.register_fake(lambda alpha, grad, ptr: alike(alpha)[0])
torch.library.register_vmap(edge_sums, _mapped)
torch.library.register_vmap(edge_softmax, over_heads(edge_softmax, 1, 1))
torch.library.register_vmap(edge_softmax_backward, over_heads(edge_softmax_backward, 2, 1))
