"""SIGTERM, which Slurm, systemd and containers send, ends work as Ctrl-C does: what is known is saved, the exit status tells."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_received: list[int] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM inside raises ``KeyboardInterrupt``, as Ctrl-C does; :func:`received` tells which of the two it was."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        del frame
        _received.append(number)
        raise KeyboardInterrupt

    _received.clear()
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def received() -> signal.Signals:
    """The signal that has stopped this process: SIGTERM if there was one, else SIGINT, that of Ctrl-C."""
    return signal.Signals(_received[-1]) if _received else signal.SIGINT
