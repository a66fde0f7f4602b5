import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from threading import Condition, get_ident
from typing import NamedTuple

import pytest
import torch

from graphattn.backends.numba import threads


class Run(NamedTuple):
    """One call of a kernel: its name, and how many ranges and threads it had."""

    kernel: str
    ranges: int
    threads: int


class Team:
    """Small ranges and two threads, each of which computes: a thread waits until all that were asked for have come.

    Without the wait one thread may be through with all ranges of a small graph before another starts.
    """

    def __init__(self) -> None:
        self.runs: list[tuple[str, int, set[int]]] = []

    def ranges(self, bounds: Sequence[int]) -> Iterator["Range"]:
        """In place of ``pairwise`` in ``threads.run``."""
        ends, kernel = list(pairwise(bounds)), sys._getframe(1).f_locals["kernel"]
        crew = Crew(min(torch.get_num_threads(), len(ends)))
        self.runs.append((f"{kernel.__module__.rpartition('.')[-1]}.{kernel.__name__}", len(ends), crew.present))
        return (Range(each, crew) for each in ends)

    def work(self) -> list[Run]:
        """What was computed since the last call."""
        done = [Run(kernel, ranges, len(present)) for kernel, ranges, present in self.runs]
        self.runs.clear()
        return done

    def shared(self, threads: int = 2) -> set[str]:
        """The kernels since the last call, each of which must have had several ranges and ``threads`` threads, every time."""
        done = self.work()
        assert done, "expected kernels on several threads, got no kernel"
        asleep = [run for run in done if run.ranges < 2 or run.threads != threads]
        assert not asleep, f"expected several ranges on {threads} threads, got {asleep}"
        return {run.kernel for run in done}


class Crew:
    """The threads of one run, which meet at their first range."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.present, self.changed = wanted, set[int](), Condition()

    def meet(self) -> None:
        with self.changed:
            self.present.add(get_ident())
            self.changed.notify_all()
            met = self.changed.wait_for(lambda: len(self.present) >= self.wanted, timeout=20)
        assert met, f"expected {self.wanted} threads, got {len(self.present)}"


class Range:
    """Two ends of a range; the thread that computes it is the one that unpacks them."""

    def __init__(self, ends: tuple[int, int], crew: Crew) -> None:
        self.ends, self.crew = ends, crew

    def __iter__(self) -> Iterator[int]:
        self.crew.meet()
        return iter(self.ends)


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """Kernels on two threads, over ranges as small as tests' graphs; tells who computed."""
    team, before = Team(), torch.get_num_threads()
    monkeypatch.setattr(threads, "_GRAIN", 1 << 10)
    monkeypatch.setattr(threads, "pairwise", team.ranges)
    torch.set_num_threads(2)
    yield team
    torch.set_num_threads(before)
