"""Fits one after the other, in this process or in several beside it; whatever happens to one, the others go on."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple, final

import torch

from graphattn.comparison.fits.baselines import reached
from graphattn.comparison.fits.fitting import FitOrder, fit, started, worded
from graphattn.comparison.fits.networks import prepared
from graphattn.comparison.fits.process import most_memory, one_thread
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.record import FitRecord
from graphattn.comparison.settings import Settings
from graphattn.comparison.splitting import relabelled
from graphattn.models.by_name.whole import Architecture


class FitEvent(NamedTuple):
    """A fit has begun, or, with a record, it has ended."""

    order: FitOrder
    record: FitRecord | None = None


@final
class FitRunner:
    """A problem and what is equal for all fits of it; graphs are prepared once for each configuration.

    Args:
        problem: what is learned.
        settings: what is equal for all.
        folder: of the journals of tuning.
    """

    def __init__(self, problem: Problem, settings: Settings, folder: Path | None = None) -> None:
        self.problem, self.settings, self.folder = problem, settings, folder
        self._prepared: dict[Architecture, Problem] = {}

    def work(self, order: FitOrder) -> FitRecord:
        """One fit. Raises nothing but ``KeyboardInterrupt``."""
        try:
            if order.configuration is None:
                return _baseline(self.problem, order, self.settings)
            return fit(self._problem(order, order.configuration), order, self.settings, self.folder)
        except Exception as error:
            return replace(started(self.problem, order, self.settings), reason=worded(error))

    def _problem(self, order: FitOrder, configuration: Architecture) -> Problem:
        if configuration not in self._prepared:
            self._prepared[configuration] = prepared(self.problem, [configuration])
        problem = self._prepared[configuration]
        return problem if order.fit.role != "permuted" else relabelled(problem, order.split, order.fit.seed)


def _baseline(problem: Problem, order: FitOrder, settings: Settings) -> FitRecord:
    record, before = started(problem, order, settings), time.perf_counter()
    found = []
    with one_thread():
        mib = most_memory(
            lambda: found.append(reached(problem, order.fit.layer, order.split, settings, order.fit.seed))
        )
    (result,) = found
    return replace(
        record,
        status="ok",
        score=result.score,
        validation=result.validation,
        chosen=result.chosen,
        epochs=1,
        kept=1,
        seconds_per_epoch=result.seconds,
        graphs_per_second=result.rows_per_second,
        peak_mib=mib,
        predictions=result.predictions,
        seconds=time.perf_counter() - before,
    )


def run(runner: FitRunner, orders: Sequence[FitOrder], jobs: int = 0) -> Iterator[FitEvent]:
    """What happens, as it happens. Results do not depend on the number of jobs.

    Args:
        runner: the problem and the settings.
        orders: fits, in their order.
        jobs: processes that take fits; 0 for this process. A fit whose process is killed, as Linux does where memory runs out,
            is begun anew with half the batch.

    Raises:
        ValueError: fewer jobs than none.
        ChildProcessError: processes cannot be begun.
    """
    if jobs < 0:
        raise ValueError(f"expected jobs of 0 or more, got {jobs}")
    if jobs == 0:
        for order in orders:
            yield FitEvent(order)
            yield FitEvent(order, runner.work(order))
    elif orders:
        with _Crew(runner, min(jobs, len(orders))) as crew:
            yield from crew.run(orders)


@final
class _Crew:
    """Processes that take fits; those that die are replaced."""

    def __init__(self, runner: FitRunner, size: int) -> None:
        self.runner, self.size = runner, size
        # Not by torch's way of sending tensors, which opens a file for each of them.
        self.packed = pickle.dumps(runner)
        self.hands = list[_Hand]()

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self.hands:
            hand.end()

    def run(self, orders: Sequence[FitOrder]) -> Iterator[FitEvent]:
        """As the function of this name."""
        waiting = deque(orders)
        while waiting or any(hand.order for hand in self.hands):
            while waiting and len(self.hands) < self.size:
                self.hands.append(_Hand(self.packed))
            for hand in self.hands:
                if hand.order is None and waiting:
                    hand.take(waiting.popleft())
                    yield FitEvent(hand.taken)
            ready = wait([hand.connection for hand in self.hands if hand.order])
            for hand in [each for each in self.hands if each.connection in ready]:
                yield from self._received(hand, waiting)

    def _received(self, hand: _Hand, waiting: deque[FitOrder]) -> Iterator[FitEvent]:
        order = hand.taken
        try:
            record = hand.connection.recv()
            hand.answered = True
        except (EOFError, OSError):
            self.hands.remove(hand)
            record = self._lost(hand, order, waiting)
        hand.order = None
        if record is not None:
            yield FitEvent(order, record)

    def _lost(self, hand: _Hand, order: FitOrder, waiting: deque[FitOrder]) -> FitRecord | None:
        """What is recorded of a fit whose process died; none if it is tried again."""
        hand.process.join()
        code = hand.process.exitcode
        record = started(self.runner.problem, order, self.runner.settings)
        if code == 1 and not hand.answered:
            raise ChildProcessError(
                f"a process for fits ended with status {code} before it answered; a script that compares with jobs "
                "must do so under if __name__ == '__main__'"
            )
        if code == -signal.SIGKILL and record.batch_size > 1:
            waiting.appendleft(replace(order, batch_size=record.batch_size // 2))
            return None
        return replace(record, reason=f"its process ended with status {code}, as it does where memory runs out")


@final
class _Hand:
    """A process that takes one fit after the other."""

    def __init__(self, packed: bytes) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.packed: bytes | None = packed
        self.order: FitOrder | None = None
        self.answered = False

    @property
    def taken(self) -> FitOrder:
        """The fit that it works on."""
        assert self.order is not None
        return self.order

    def take(self, order: FitOrder) -> None:
        self.order = order
        with contextlib.suppress(OSError):  # it died, which the reader of its results notices
            if self.packed is not None:
                self.connection.send_bytes(self.packed)
                self.packed = None
            self.connection.send(order)

    def end(self) -> None:
        """At once; what it works on is lost."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection) -> None:
    """The life of such a process. Ctrl-C is handled by its parent, without which it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    runner: FitRunner = connection.recv()
    # What is here stays: measuring memory need not look through it each time.
    gc.freeze()
    while True:
        connection.send(runner.work(connection.recv()))


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
