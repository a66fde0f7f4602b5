"""Functions run one by one, each in a process of its own with little memory and time, so that a crash is told and not shared."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY = 2 << 30
"""Bytes that a function may take beyond what the process holds."""
SECONDS = 60


def outcome(function: Callable[[], str]) -> str:
    """What a function returns, ``ErrorName: text`` where it raises, or how its process ended."""
    sys.stdout.flush()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _limit()
        os.write(write, json.dumps(_told(function)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return json.loads(text) if text else f"ended with {os.WEXITSTATUS(status)}"


def _limit() -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    # What a crash says of itself is not wanted.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _told(function: Callable[[], str]) -> str:
    try:
        return function()
    except BaseException as error:
        # No longer than a pipe holds.
        return f"{type(error).__name__}: {error}"[:8000]
