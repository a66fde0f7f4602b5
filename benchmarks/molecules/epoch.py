"""An epoch of the molecule model on bbb, at a commit of before and as it is now, in turn."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import sides
from benchmarks.molecules import report
from benchmarks.records import ROOT
from graphattn import environment
from graphattn.bench.comparison import OURS
from graphattn.bench.records import Record

CASE, STEP = "molecule model, bbb", "training epoch"
REACH, STRETCH = 2.0, 4.0
WARM = 2
_SIDE = Path(__file__).with_name("epoch_side.py")


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

    @property
    def words(self) -> list[str]:
        """What `program` is told."""
        few = [] if self.molecules is None else ["--molecules", str(self.molecules)]
        return [str(WARM + self.rounds), str(self.threads), *few]


def measure(before: str, plan: Plan) -> list[Record]:
    """A record of each side, that of before first. Raises `ValueError` for a commit that cannot be trained."""
    commit, date, around = sides.full(before), environment.now(), environment.surroundings()
    with ExitStack() as stack:
        trees = {commit: sides.files_of(commit), OURS: ROOT}
        running, about, first = {}, {}, {}
        for name, tree in trees.items():
            there = sides.started(name, plan.program, plan.words, tree, sides.on_threads(plan.threads))
            running[name], about[name] = stack.enter_context(there)
            first[name] = [running[name].ask() for _ in range(WARM)]
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in running}
        for name in sides.turns(list(running), plan.rounds):
            answers[name].append(running[name].ask())
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
