"""Several threads over fixed ranges of rows.

Numba's own ``parallel=True`` kills forked children (OpenMP) or dies under several Python threads (workqueue): here kernels let go
of the interpreter's lock, and torch's own OpenMP threads call them, or a pool of ours where those cannot be had. A second set of
threads would compete with torch's, which wait for work by spinning. Ranges depend on sizes alone, so results do not depend on
threads.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
import torch

_GRAIN = 1 << 20
_MOST = 64
_LONGEST = 1 << 12
_WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_pools: dict[int, ThreadPoolExecutor] = {}
_lock = Lock()


def _forget_threads() -> None:
    # A forked child has the names of the parent's threads but none of them, and perhaps a lock that nobody will release.
    global _lock
    _pools.clear()
    _lock = Lock()
    openmp.cache_clear()
    _forked.append(True)


_forked: list[bool] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def pieces(ptr: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows with very many edges as several, so that threads can share them: each piece's row, and where its edges start.

    The first is empty where every row is one piece.

    >>> pieces(torch.tensor([0, 3, 10_003, 10_003]))[1].tolist()
    [0, 3, 4099, 8195, 10003, 10003]
    >>> pieces(torch.tensor([0, 3]))[0].tolist()
    []
    """
    degree = ptr.diff()
    if not degree.numel() or int(degree.max()) <= _LONGEST:
        return ptr[:0], ptr
    count = degree.sub(1).div(_LONGEST, rounding_mode="floor").add(1).clamp(min=1)
    row = torch.arange(degree.numel()).repeat_interleave(count.long())
    inside = torch.arange(row.numel()) - (count.cumsum(0) - count)[row]
    return row.to(ptr.dtype), torch.cat([(ptr[row] + inside * _LONGEST).to(ptr.dtype), ptr[-1:]])


def ranges(ptr: torch.Tensor | np.ndarray, work_per_edge: int) -> list[int]:
    """Boundaries of ranges of rows with about the same number of edges and rows in each, from sizes alone.

    Args:
        ptr: where each row's edges start, ``[N + 1]``.
        work_per_edge: numbers touched for an edge.

    >>> ranges(torch.tensor([0, 500_000, 500_000, 1_000_000]), work_per_edge=4)
    [0, 2, 3]
    """
    starts = np.asarray(ptr)
    rows = starts.size - 1
    if rows <= 1:
        return [0, rows] if rows else [0]
    work = int(starts[-1]) + rows
    count = min(_MOST, max(1, work * work_per_edge // _GRAIN), rows)
    if count == 1:
        return [0, rows]
    inner = np.searchsorted(starts + np.arange(rows + 1), np.arange(1, count) * work // count, side="right") - 1
    return sorted({0, rows, *inner.clip(min=0).tolist()})


@lru_cache(maxsize=1)
def openmp() -> Callable[..., None] | None:
    """What starts a team of the OpenMP threads that torch computes with; None where that is not known or not safe."""
    maps = Path("/proc/self/maps")
    if _forked or not maps.exists():  # a forked child would wait for the parent's threads
        return None
    torch_files = str(Path(torch.__file__).parent)
    found = {line.split()[-1] for line in maps.read_text().splitlines() if "omp" in line and torch_files in line}
    libraries = sorted(name for name in found if Path(name).name.startswith(("libgomp", "libomp", "libiomp")))
    if len(libraries) != 1:
        return None
    start = getattr(ctypes.CDLL(libraries[0], mode=os.RTLD_NOLOAD | os.RTLD_NOW), "GOMP_parallel", None)
    if start is not None:
        start.argtypes, start.restype = [_WORK, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return start


def run(kernel: Callable[..., None], bounds: Sequence[int], *arguments: object) -> None:
    """Call ``kernel(low, high, *arguments)`` for each range, on as many threads as torch uses."""
    waiting, failed = list(pairwise(bounds))[::-1], list[BaseException]()
    threads = min(torch.get_num_threads(), len(waiting))

    def work(_: object = None) -> None:
        while not failed:
            try:
                ends = waiting.pop()
            except IndexError:
                return
            try:
                kernel(*ends, *arguments)
            except BaseException as error:  # torch's threads would print it and go on
                failed.append(error)

    start = openmp() if threads > 1 else None
    if start is not None:
        start(_WORK(work), None, threads, 0)
    else:
        tasks = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for task in tasks:
            task.result()
    if failed:
        raise failed[0]


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        if threads not in _pools:
            _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="graphattn")
        return _pools[threads]
