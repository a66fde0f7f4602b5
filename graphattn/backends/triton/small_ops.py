"""Attention in batches of small graphs as an operator that torch can trace, differentiate and map.

Letters: ``N_i`` receivers, ``N_j`` senders, ``B`` graphs, ``E`` edges, ``H`` heads, ``C`` channels of query and key, ``D`` of the
value.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Tuple  # noqa: UP035  torch reads this spelling

import torch
from torch import Tensor

from graphattn.backends.operators.rules import LIBRARY, alike, one_by_one
from graphattn.backends.triton.launch import wide
from graphattn.backends.triton.usable import interpreted
from graphattn.backends.whole.cuda_small import CLASSES


class Batch(NamedTuple):
    """Graphs of a batch: boundaries ``[B + 1]``, how many nodes the largest has, and whether receivers hear up to themselves.

    ``senders`` is None where they are the receivers: torch.compile refuses one tensor in two places.
    """

    receivers: Tensor
    senders: Tensor | None
    largest: int
    causal: bool


@torch.library.custom_op(f"{LIBRARY}::cuda_small", mutates_args=())
def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, seed: Tensor | None, dropout: float,
    receivers: Tensor, senders: Tensor | None, largest: int, causal: bool,
) -> Tensor:  # fmt: skip
    """What every receiver hears, ``[N_i, H, D]``; ``bias [E, H]`` in the order of the topology."""
    out = query.new_empty(query.size(0), query.size(1), value.size(2))
    batch = Batch(receivers, senders, largest, causal)
    _each("attend", (query, key, value, bias, scale, seed, dropout), batch, (out,))
    return out


@attend.register_fake
def _(query, key, value, *_):  # noqa: ANN001, ANN002, ANN202
    return query.new_empty(query.size(0), query.size(1), value.size(2))


@torch.library.custom_op(f"{LIBRARY}::cuda_small_backward", mutates_args=())
def attend_backward(
    grad: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, seed: Tensor | None,
    dropout: float,
    receivers: Tensor, senders: Tensor | None, largest: int, causal: bool,
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:  # noqa: UP006  # fmt: skip
    """Gradients of query, key, value, and of the bias; empty where there is none."""
    of_query, of_key, of_value, bias_grad = _room(query, key, value, bias)
    batch = Batch(receivers, senders, largest, causal)
    _each(
        "attend_backward",
        (query, key, value, bias, scale, seed, dropout),
        batch,
        (grad.contiguous(), of_query, of_key, of_value, bias_grad),
    )
    return of_query, of_key, of_value, bias_grad


@attend_backward.register_fake
def _(grad, query, key, value, bias, *_):  # noqa: ANN001, ANN002, ANN202
    return tuple(_room(query, key, value, bias))


def _room(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> list[Tensor]:
    return alike(query, key, value, query.new_empty(0) if bias is None else bias)


def _each(kernel: str, given: tuple[Any, ...], batch: Batch, results: tuple[Tensor, ...]) -> None:
    """A launch for each class of sizes up to that of the largest graph."""
    from graphattn.backends.triton import small
    from graphattn.backends.triton.launch import TYPES, dropout_of, kept, power, start

    query, key, value, bias, scale, seed, dropout = given
    heads, channels, size, graphs = query.size(1), query.size(2), value.size(2), batch.receivers.size(0) - 1
    if not graphs or not heads:
        return
    threshold, loud = dropout_of(seed, dropout, query.dtype)
    before = _edges_before(batch) if threshold or bias is not None else None
    senders = batch.receivers if batch.senders is None else batch.senders
    arguments = (
        batch.receivers,
        senders,
        before,
        *map(kept, (query, key, value, bias)),
        0 if seed is None else int(seed),
    )
    constants = {
        "HEADS": heads, "CHANNELS": channels, "WIDE": size, "C": max(power(channels), 16), "D": max(power(size), 16),
        "SCALE": scale, "CAUSAL": batch.causal, "THRESHOLD": threshold, "LOUD": loud, "ACC": TYPES[wide(query.dtype)],
        # Triton's interpreter multiplies the bits of bfloat16.
        "FACTOR": TYPES[wide(query.dtype) if interpreted() else query.dtype],
    }  # fmt: skip
    for least, most in zip((-1, *CLASSES), CLASSES, strict=False):
        if least < batch.largest:
            known = constants | {"LEAST": least, "N": most, "num_warps": most // 8}
            start(getattr(small, kernel), (graphs, heads), (*arguments, *results), known)


def _edges_before(batch: Batch) -> Tensor:
    """How many edges there are before those of each graph, ``[B]``."""
    listening = batch.receivers.diff()
    speaking = listening if batch.senders is None else batch.senders.diff()
    many = listening * (listening + 1) // 2 if batch.causal else listening * speaking
    return many.cumsum(0) - many


for _operator in (attend, attend_backward):
    torch.library.register_vmap(_operator, one_by_one(_operator))
