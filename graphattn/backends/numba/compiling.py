"""All kernels, and a word to the person who waits while one is compiled."""

from __future__ import annotations

import logging
from typing import Any, final

from numba.core import event

KERNELS: list[Any] = []
"""Numba's dispatchers of the kernels whose files have been imported; their ``stats`` tell what was compiled and what loaded."""


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
