"""All cases one after the other, a process for each case and allocator; what has been measured is not measured again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from graphattn.bench import records
from graphattn.bench.cases import CASES, LARGE, QUICK
from graphattn.bench.comparison import COMPILED, OURS
from graphattn.bench.records import Record
from graphattn.bench.worker import MARK, CaseOrder

TUNED = "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184"
ALLOCATORS = ("default", "tuned")


@dataclass(frozen=True)
class BenchPlan:
    """What is measured, and how.

    Args:
        cases: names of cases; all but the large one if not given.
        allocators: ``default`` is the system's; ``tuned`` is glibc's, set to keep memory.
        threads: of torch and of the kernels.
        rounds: how many times each side is timed.
        label: names this attempt: what has been measured under a label is not measured again.
        without: sides that are left out, with the reason.
        shrink: what sizes are divided by; more than 1 is for trying out.

    Raises:
        ValueError: a case or an allocator that there is not; no round or no thread.
    """

    cases: tuple[str, ...] = ()
    allocators: tuple[str, ...] = ALLOCATORS
    threads: int = 2
    rounds: int = 9
    label: str = ""
    without: dict[str, str] = field(default_factory=dict)
    shrink: int = 1

    def __post_init__(self) -> None:
        for name in self.cases:
            if name not in CASES:
                raise ValueError(f"expected a case among {', '.join(CASES)}, got {name!r}")
        for name in self.allocators:
            if name not in ALLOCATORS:
                raise ValueError(f"expected an allocator among {', '.join(ALLOCATORS)}, got {name!r}")
        if self.rounds < 1 or self.threads < 1:
            raise ValueError(f"expected a round and a thread or more, got {self.rounds} and {self.threads}")

    @property
    def chosen(self) -> tuple[str, ...]:
        return self.cases or tuple(name for name in CASES if name not in LARGE)


def quick(plan: BenchPlan) -> BenchPlan:
    """Fewer cases, five rounds, one allocator, nothing compiled by torch: under two minutes on two cores."""
    reason = "left out of a quick run"
    short = {"rounds": min(plan.rounds, 5), "allocators": plan.allocators[:1], "without": {COMPILED: reason}}
    return replace(plan, cases=plan.cases or QUICK, **short)  # pyright: ignore[reportArgumentType]


@dataclass
class Outcome:
    """Records of this run and of earlier ones in the same file, and cases that failed, with the reason."""

    found: list[Record]
    failed: dict[str, str] = field(default_factory=dict)


def run(plan: BenchPlan, outcome: Outcome, file: Path | None, console: Console) -> None:
    """Measure what ``outcome`` has not yet; adds to it and to ``file``. It may be stopped at any time."""
    orders = [order for order in _orders(plan) if order.allocator == "default" or _glibc()]
    if len(orders) < len(list(_orders(plan))):
        console.print("The tuned allocator is glibc's, which this system has not: left out.")
    with _progress(console) as progress:
        task = progress.add_task("", total=len(orders), case="")
        for order in orders:
            where = f"{order.case}, {order.allocator} allocator"
            progress.update(task, case=where, description="")
            done = _done(outcome.found, order)
            try:
                for event in _events(replace(order, done=done)) if set(done) < set(CASES[order.case].steps) else ():
                    progress.update(task, description=event.get("at", ""))
                    _keep(outcome, [Record(**each) for each in event.get("records", ())], file)
            except ChildProcessError as error:
                outcome.failed[where] = str(error)
            progress.advance(task)


def _keep(outcome: Outcome, found: Sequence[Record], file: Path | None) -> None:
    outcome.found.extend(found)
    if file is not None and found:
        records.append(file, found)


def _orders(plan: BenchPlan) -> Iterator[CaseOrder]:
    for case in plan.chosen:
        for allocator in plan.allocators:
            yield CaseOrder(
                case, plan.label, allocator, plan.threads, plan.rounds, without=plan.without, shrink=plan.shrink
            )


def _done(found: Sequence[Record], order: CaseOrder) -> tuple[str, ...]:
    """Steps of the case that have been measured."""
    same = (order.label, order.case, order.allocator, order.threads)
    return tuple(
        step
        for step in CASES[order.case].steps
        if any(
            (each.label, each.case, each.allocator, each.threads) == same and each.step == step and each.side == OURS
            for each in found
        )
    )


def _events(order: CaseOrder) -> Iterator[dict[str, Any]]:
    """Events that a worker reports.

    Raises:
        ChildProcessError: it failed, with the last line of its errors.
    """
    words = [sys.executable, "-m", "graphattn.bench.worker", json.dumps(asdict(order))]
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment(order), encoding="utf-8"
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith(MARK):
                    yield json.loads(line.removeprefix(MARK))
        finally:
            process.kill()
            process.stdout.close()
            status = process.wait()
        if status:
            complaints.seek(0)
            errors = complaints.read().strip().splitlines()
            raise ChildProcessError(errors[-1] if errors else f"the process ended with status {status}")


def environment(order: CaseOrder) -> dict[str, str]:
    """The worker's environment: threads and allocator as ordered, and torch's threads wait as torch lets them."""
    kept = {name: value for name, value in os.environ.items() if name not in ("GLIBC_TUNABLES", "OMP_WAIT_POLICY")}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(order.threads))
    return kept | threads | ({"GLIBC_TUNABLES": TUNED} if order.allocator == "tuned" else {})


def _glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed} of {task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[case]}  {task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress
