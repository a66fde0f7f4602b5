"""Attention on batches of small graphs as operators that torch can trace, differentiate and map.

Letters: ``N_i`` receivers, ``N_j`` senders, ``B`` graphs, ``E`` edges, ``K`` listed edges, ``T`` kinds, ``H`` heads, ``C``
channels of query and key, ``D`` of the value.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple  # noqa: UP035  torch reads these spellings

import numpy as np
import torch
from torch import Tensor

from graphattn.backends.numba.arrays import dropout_of as drop
from graphattn.backends.numba.arrays import flat, real
from graphattn.backends.numba.threads import ranges, run
from graphattn.backends.operators.rules import LIBRARY, alike, over_heads

_REUSED = 16


@torch.library.custom_op(f"{LIBRARY}::attend_small", mutates_args=(), device_types="cpu")
def attend_small(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, table: Tensor | None, extra: Tensor | None, factor: float,
    kind: Tensor | None, listed: Tensor | None, seed: Tensor | None, dropout: float,
    receiver_ptr: Tensor, sender_ptr: Tensor | None, causal: bool,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """What receivers hear ``[N_i, H, D]``, weights of listed edges ``[K, H]``, largest scores and shares ``[N_i, H]``."""
    from graphattn.backends.numba import small
    from graphattn.backends.numba.tiles import stamp

    rows, heads = query.size(0), query.size(1)
    graphs = _batch(receiver_ptr, sender_ptr, causal)
    shown = _listed(listed, graphs.edges)
    _must_be_known(graphs, table, kind, shown)
    out, alpha = query.new_empty(rows, heads, value.size(2)), query.new_empty(shown.number.size, heads)
    best, share = (query.new_zeros(rows, heads) for _ in range(2))
    run(
        small.attention, _ranges(graphs, heads, query.size(2) + value.size(2)), stamp(), *graphs, int(causal),
        *flat(query, key, value), real(factor, query.dtype), *_terms(query, bias, table, kind, extra), *shown,
        *drop(seed, dropout, query.dtype), *flat(out, alpha), best.numpy(), share.numpy(),
    )  # fmt: skip
    return out, alpha, best, share


@attend_small.register_fake
def _(query, key, value, bias, table, extra, factor, kind, listed, *_):  # noqa: ANN001, ANN002, ANN202
    rows, heads = query.size(0), query.size(1)
    alpha = query.new_empty(0 if listed is None else listed.size(0), heads)
    return query.new_empty(rows, heads, value.size(2)), alpha, *(query.new_empty(rows, heads) for _ in range(2))


@torch.library.custom_op(f"{LIBRARY}::attend_small_backward", mutates_args=(), device_types="cpu")
def attend_small_backward(
    grad: Tensor, alpha_grad: Tensor, best: Tensor, share: Tensor, query: Tensor, key: Tensor, value: Tensor,
    bias: Tensor | None, table: Tensor | None, extra: Tensor | None, factor: float, kind: Tensor | None,
    listed: Tensor | None, seed: Tensor | None, dropout: float,
    receiver_ptr: Tensor, sender_ptr: Tensor | None, causal: bool, bias_wanted: bool,
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of query, key, value, bias, table and extra; those of terms that are not there are empty."""
    from graphattn.backends.numba import small
    from graphattn.backends.numba.tiles import stamp

    heads = query.size(1)
    graphs = _batch(receiver_ptr, sender_ptr, causal)
    shown = _listed(listed, graphs.edges)
    bounds = _ranges(graphs, heads, 3 * (query.size(2) + value.size(2)))
    query_grad, key_grad, value_grad = alike(query, key, value)
    bias_grad = query.new_empty(0, heads) if bias is None or not bias_wanted else query.new_empty(bias.shape)
    extra_grad = query.new_empty(0, heads) if extra is None else query.new_empty(extra.shape)
    parts = query.new_zeros(len(bounds) - 1, heads, 0 if table is None else table.size(0))
    run(
        small.attention_backward, bounds, stamp(), *graphs, int(causal),
        *flat(query, key, value), real(factor, query.dtype), *_terms(query, bias, table, kind, extra), *shown,
        *drop(seed, dropout, query.dtype), *flat(grad, alpha_grad), best.numpy(), share.numpy(), np.array(bounds),
        *flat(query_grad, key_grad, value_grad, bias_grad, parts, extra_grad),
    )  # fmt: skip
    return query_grad, key_grad, value_grad, bias_grad, parts.sum(0).t().contiguous(), extra_grad


@attend_small_backward.register_fake
def _(grad, alpha_grad, best, share, query, key, value, bias, table, extra, *rest):  # noqa: ANN001, ANN002, ANN202
    there = (bias if rest[-1] else None, table, extra)
    terms = [query.new_empty((0, query.size(1)) if x is None else x.shape) for x in there]
    return *alike(query, key, value), *terms


class _Graphs(NamedTuple):
    """A batch: where receivers, senders and edges of each graph start, ``[B + 1]``."""

    receivers: np.ndarray
    senders: np.ndarray
    edges: np.ndarray


class _Listed(NamedTuple):
    """Listed edges in order, where each stands in the list, and where those of each graph start, ``[B + 1]``."""

    number: np.ndarray
    spot: np.ndarray
    ptr: np.ndarray


def _batch(receiver_ptr: Tensor, sender_ptr: Tensor | None, causal: bool) -> _Graphs:
    """The boundaries of a batch's graphs; its senders are its receivers where no others are given."""
    receivers = receiver_ptr.detach().long().contiguous().numpy()
    senders = receivers if sender_ptr is None else sender_ptr.detach().long().contiguous().numpy()
    many, heard = np.diff(receivers), np.diff(senders)
    return _Graphs(receivers, senders, np.append(0, np.cumsum(many * (many + 1) // 2 if causal else many * heard)))


def _ranges(graphs: _Graphs, heads: int, work_per_edge: int) -> list[int]:
    """Boundaries of ranges of pairs of a graph and a head."""
    # A graph without edges has rows to be written, too. What is touched again and again in the cache counts less than what
    # ranges are made for, and to call a kernel costs as much as some graphs.
    cost = np.diff(graphs.edges + graphs.receivers + graphs.senders).repeat(heads)
    return ranges(torch.from_numpy(np.append(0, cost.cumsum())), max(1, work_per_edge // _REUSED))


def _listed(listed: Tensor | None, edges: np.ndarray) -> _Listed:
    if listed is None:
        return _Listed(np.empty(0, np.int64), np.empty(0, np.int64), np.zeros_like(edges))
    number = listed.detach().contiguous().numpy()
    spot = np.arange(number.size)
    if (number[1:] < number[:-1]).any():
        spot = number.argsort(kind="stable")
        number = number[spot]
    return _Listed(number, spot, np.searchsorted(number, edges))


def _terms(query: Tensor, bias: Tensor | None, table: Tensor | None, kind: Tensor | None, extra: Tensor | None):  # noqa: ANN202
    none = query.new_empty(0)
    turned = none if table is None else table.t()
    kinds = torch.empty(0, dtype=torch.long) if kind is None else kind
    return flat(none if bias is None else bias, turned, kinds, none if extra is None else extra)


def _must_be_known(graphs: _Graphs, table: Tensor | None, kind: Tensor | None, shown: _Listed) -> None:
    """Kernels do not look where they read: edges and kinds that do not exist are refused here."""
    edges = int(graphs.edges[-1])
    if table is not None and kind is not None:
        if kind.shape != (edges,):
            raise ValueError(f"expected the kinds of {edges} edges, got {list(kind.shape)}")
        # Negative numbers are large ones without their sign.
        if edges and kind.contiguous().numpy().view(np.uint64).max() >= table.size(0):
            raise IndexError(
                f"expected kinds from 0 to {table.size(0) - 1}, got {int(kind.min())} to {int(kind.max())}"
            )
    if shown.number.size and not 0 <= shown.number[0] <= shown.number[-1] < edges:
        span = f"{shown.number[0]} to {shown.number[-1]}"
        raise IndexError(f"expected numbers of edges from 0 to {edges - 1}, got {span}")


torch.library.register_vmap(attend_small, over_heads(attend_small, 6, 4))
torch.library.register_vmap(attend_small_backward, over_heads(attend_small_backward, 10, 6))
