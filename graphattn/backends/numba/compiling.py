"""How kernels are compiled, and a word to the person who waits while one is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, final

import numba
from numba.core import event

# Not "fast" as a whole: that would delete the guards around minus infinity.
MATH = ("contract", "reassoc", "arcp", "nsz")
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(MATH)}
KERNELS: list[Any] = []
"""Numba's dispatchers of the kernels whose files have been imported; their ``stats`` tell what was compiled and what loaded."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel, compiled when it is first called and kept on disk where that is possible."""
    try:
        kernel = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder where the compiled code could be kept
        kernel = numba.njit(**_OPTIONS)(function)
    KERNELS.append(kernel)
    return kernel


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of kernels, compiled with each."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


@final
class Announcement(event.Listener):
    """One message for a process: at the first kernel that is compiled, none where all are found on disk."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: event.Event) -> None:
        dispatcher = (event.data or {}).get("dispatcher")
        if dispatcher is None or self.said or not any(dispatcher is kernel for kernel in KERNELS):
            return
        self.said = True
        kept = dispatcher.stats.cache_path is not None
        logging.getLogger("graphattn").warning(
            "graphattn compiles kernels for this machine, which takes some seconds each and happens %s",
            "once; `graphattn warmup` does it ahead"
            if kept
            else "in every process, as there is no folder to keep them in: NUMBA_CACHE_DIR may name one",
        )

    def on_end(self, event: event.Event) -> None:
        del event


ANNOUNCEMENT = Announcement()
event.register("numba:compile", ANNOUNCEMENT)
