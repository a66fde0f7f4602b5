"""Several threads over fixed ranges of rows.

Numba's own ``parallel=True`` kills forked children (OpenMP) or dies under several Python threads (workqueue): here kernels let go
of the interpreter's lock and a pool of ours drives them. Ranges depend on sizes alone, so results do not depend on threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock

import torch

_GRAIN = 1 << 16
_MOST = 64
_pools: dict[int, ThreadPoolExecutor] = {}
_lock = Lock()


def _forget_pools() -> None:
    # A forked child has the pools' names but none of their threads, and perhaps a lock that nobody will release.
    global _lock
    _pools.clear()
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pools)


def ranges(ptr: torch.Tensor, work_per_edge: int) -> list[int]:
    """Boundaries of ranges of rows with about the same number of edges and rows in each, from sizes alone.

    Args:
        ptr: where each row's edges start, ``[N + 1]``.
        work_per_edge: numbers touched for an edge.

    >>> ranges(torch.tensor([0, 50_000, 50_000, 100_000]), work_per_edge=4)
    [0, 2, 3]
    """
    rows = ptr.numel() - 1
    cost = ptr.long() + torch.arange(rows + 1)
    count = min(_MOST, max(1, int(cost[-1]) * work_per_edge // _GRAIN), max(rows, 1))
    wanted = torch.arange(1, count) * int(cost[-1]) // count
    inner = torch.searchsorted(cost, wanted, right=True).sub(1).clamp(min=0)
    return sorted({0, rows, *inner.tolist()}) if rows else [0]


def run(kernel: Callable[..., None], bounds: Sequence[int], *arguments: object) -> None:
    """Call ``kernel(low, high, *arguments)`` for each range, on as many threads as torch uses."""
    threads = torch.get_num_threads()
    if threads == 1 or len(bounds) <= 2:
        for low, high in pairwise(bounds):
            kernel(low, high, *arguments)
        return
    with _lock:
        pool = _pools.get(threads)
        if pool is None:
            pool = _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="graphattn")
    for _ in pool.map(lambda ends: kernel(*ends, *arguments), pairwise(bounds)):
        pass
