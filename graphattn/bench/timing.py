"""Seconds of several steps, taken in turn, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_TURN = 0.01
_MOST = 100


def interleaved(
    sides: Mapping[str, Callable[[], Any]], rounds: int, tell: Callable[[int], None] | None = None
) -> dict[str, list[float]]:
    """Seconds of one call of each side, round by round, in an order that is drawn anew for each round, always the same draws.

    Were the order turned instead, each side would always follow the same other one, and pay for what that one does to caches
    and to memory. Steps of less than ten milliseconds are called several times in a turn, and the mean is kept; once more before,
    which is not counted. Each step is called once before the first round. A step on a device that works on its own must wait
    for it.

    Args:
        sides: the steps, by name.
        rounds: how many times each is timed.
        tell: called with the number of each round before it.

    >>> seconds = interleaved({"ours": lambda: sum(range(100)), "theirs": lambda: sum(range(200))}, rounds=3)
    >>> {side: len(values) for side, values in seconds.items()}
    {'ours': 3, 'theirs': 3}
    """
    calls = {side: _calls(step) for side, step in sides.items()}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    order, drawn = list(sides), random.Random(0)
    for turn in range(rounds):
        if tell is not None:
            tell(turn)
        drawn.shuffle(order)
        with undisturbed():
            for side in order:
                if calls[side] > 1:
                    sides[side]()
                seconds[side].append(mean_seconds(sides[side], calls[side]))
    return seconds


def mean_seconds(step: Callable[[], Any], calls: int = 1) -> float:
    """Seconds of a call, the mean of several."""
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - start) / calls


@contextmanager
def undisturbed() -> Iterator[None]:
    """No search for cycles of garbage inside; one before."""
    gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _calls(step: Callable[[], Any]) -> int:
    return min(_MOST, max(1, int(_TURN / max(mean_seconds(step), 1e-9))))
