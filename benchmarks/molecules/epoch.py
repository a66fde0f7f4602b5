"""An epoch of the molecule model on bbb, at a commit of before and as it is now, in turn."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import numpy as np
import pandas as pd

from benchmarks.molecules import report
from benchmarks.records import ROOT
from graphattn.bench import records
from graphattn.bench.comparison import OURS
from graphattn.bench.records import Record

CASE, STEP = "molecule model, bbb", "training epoch"
REACH, STRETCH = 2.0, 4.0
WARM = 2
_SIDE = Path(__file__).with_name("epoch_side.py")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Plan:
    """What is measured: `rounds` epochs of each side; CPU seconds of one thread, or seconds on the clock of several.

    `molecules` takes so many of bbb, all if None; `program` is what each side runs.
    """

    label: str = ""
    rounds: int = 9
    threads: int = 1
    molecules: int | None = None
    program: Path = _SIDE

    @property
    def clock(self) -> str:
        """Name of the seconds that are compared."""
        return "cpu" if self.threads == 1 else "wall"


def full(commit: str) -> str:
    """The short name of a commit. Raises `ValueError` if this repository has none of that name."""
    words = ["git", "rev-parse", "--verify", "--quiet", "--short", f"{commit}^{{commit}}"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        raise ValueError(f"expected a commit of this repository, got {commit!r}")
    return found.stdout.strip()


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, which is gone afterwards."""
    with TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "tree"
        add = ["git", "worktree", "add", "--quiet", "--detach", str(tree), commit]
        subprocess.run(add, cwd=ROOT, check=True, capture_output=True)
        try:
            yield tree
        finally:
            remove = ["git", "worktree", "remove", "--force", str(tree)]
            subprocess.run(remove, cwd=ROOT, check=False, capture_output=True)


class Side:
    """A process that trains an epoch with the graphattn of `tree` each time that it is asked."""

    def __init__(self, name: str, process: subprocess.Popen[str], said: IO[str]) -> None:
        self.name, self.process, self.said = name, process, said

    def hear(self) -> dict[str, Any]:
        """The next answer. Raises `ValueError` with the last words of a process that ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.said.seek(0)
            words = self.said.read().strip().splitlines() or ["nothing"]
            raise ValueError(f"expected an epoch of {self.name}, but it cannot be trained; its last words: {words[-1]}")
        return json.loads(line)

    def epoch(self) -> dict[str, Any]:
        """Trains one epoch: seconds on both clocks, and the number of steps."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # what it said last tells why
            os.write(self.process.stdin.fileno(), b"\n")
        return self.hear()


@contextmanager
def started(name: str, tree: Path, plan: Plan) -> Iterator[tuple[Side, dict[str, Any]]]:
    """A side that has its data ready, and what it says of them. Raises `ValueError` if it took another graphattn."""
    words = [sys.executable, "-P", str(plan.program), str(WARM + plan.rounds), str(plan.threads)]
    words += [] if plan.molecules is None else ["--molecules", str(plan.molecules)]
    environment = os.environ | dict.fromkeys(_THREADS, str(plan.threads)) | {"PYTHONPATH": str(tree)}
    with TemporaryFile("w+", encoding="utf-8") as said:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        with subprocess.Popen(words, env=environment, cwd=tree, text=True, **pipes) as process:
            try:
                side = Side(name, process, said)
                about = side.hear()
                if not Path(about["file"]).resolve().is_relative_to(tree.resolve()):
                    raise ValueError(f"expected the graphattn of {tree}, got {about['file']}")
                yield side, about
            finally:
                process.kill()


def measure(before: str, plan: Plan) -> list[Record]:
    """A record of each side, that of before first. Raises `ValueError` for a commit that cannot be trained."""
    commit, date, around = full(before), records.now(), records.surroundings()
    with ExitStack() as stack:
        trees = {commit: stack.enter_context(checked_out(commit)), OURS: ROOT}
        sides, about, first = {}, {}, {}
        for name, tree in trees.items():
            sides[name], about[name] = stack.enter_context(started(name, tree, plan))
            first[name] = [sides[name].epoch() for _ in range(WARM)]
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for name in _turns(list(sides), plan.rounds):
            answers[name].append(sides[name].epoch())
    commits = {commit: commit, OURS: around["commit"]}
    found = []
    for name, given in answers.items():
        sizes = f"{about[name]['molecules']:,} molecules, {given[0]['steps']} steps, {plan.clock} seconds"
        origin = around | {"commit": commits[name]}
        ms = [1000 * each[plan.clock] for each in given]
        line = (
            plan.label,
            date,
            CASE,
            STEP,
            sizes,
            name,
            "default",
            plan.threads,
            ms,
            1000 * first[name][0][plan.clock],
        )
        found.append(Record(*line, **origin))  # pyright: ignore[reportArgumentType] - surroundings are what they are
    return found


def _turns(sides: Sequence[str], rounds: int) -> Iterator[str]:
    """Each side once a round; which begins is drawn, so that nothing periodic meets one side more often."""
    drawn = random.Random(0)
    for _ in range(rounds):
        yield from drawn.sample(list(sides), len(sides))


def table(found: Sequence[Record]) -> str:
    """Markdown: one line for each attempt, in the order of time; empty when there is none."""
    lines = []
    for (date, _), group in _attempts(found):
        ours = next(each for each in group if each.side == OURS)
        before = next(each for each in group if each.side != OURS)
        ratio = float(np.median(before.ms) / np.median(ours.ms))
        each = np.divide(before.ms, ours.ms)
        lines.append({
            "date": date[:10],
            "attempt": ours.label,
            "commit": ours.commit,
            "threads": ours.threads,
            "before": f"{before.side}: {_spread(before.ms)}",
            "after": _spread(ours.ms),
            "before / after": f"{ratio:.2f}",
            "of a round": f"{each.min():.2f} to {each.max():.2f}",
            "reached": "stretch" if ratio >= STRETCH else "yes" if ratio >= REACH else "no",
            "load": f"{ours.load:.1f}" if ours.load is not None else "",
        })  # fmt: skip
    return report.markdown(pd.DataFrame(lines)) if lines else ""


def where(found: Sequence[Record]) -> str:
    """A line on what was measured where."""
    last = max(found, key=lambda record: record.date)
    versions = ", ".join(f"{name} {version}" for name, version in last.versions.items())
    rounds = min(len(record.ms) for record in found)
    return f"{last.sizes} an epoch; medians of {rounds} rounds or more, least to most; {last.machine}; {versions}."


def _attempts(found: Sequence[Record]) -> list[tuple[tuple[str, str], list[Record]]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in sorted((each for each in found if each.step == STEP), key=lambda each: each.date):
        groups.setdefault((record.date, record.label), []).append(record)
    return list(groups.items())


def _spread(ms: Sequence[float]) -> str:
    return f"{np.median(ms) / 1000:.3g} s ({min(ms) / 1000:.3g} to {max(ms) / 1000:.3g})"
