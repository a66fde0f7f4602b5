"""Resources of the process that runs a fit: threads, time, memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from graphattn.memory import peak


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch and of the kernels, so that every fit is timed alike, and several at once do not wait for each other.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds() -> float:
    """A clock for work on one thread: of the time that this process computes, so that others on the machine do not count.

    Where an accelerator works beside the processor, of all time.
    """
    return time.perf_counter() if torch.accelerator.is_available() else time.process_time()


def most_memory(step: Callable[[], Any]) -> float:
    """MiB by which this process grows at most during a call, all libraries counted; 0 if unknown."""
    called: list[Any] = []
    found = peak(lambda: called.append(step()))
    if not called:
        step()
    return 0.0 if found is None else found.extra


def out_of_memory(error: BaseException) -> bool:
    """Whether this is the error by which Python, NumPy or torch report that no memory is left.

    >>> out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"))
    True
    """
    words = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError) and any(each in str(error).lower() for each in words)
    )


def free() -> None:
    """Gives back what nobody holds."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
