"""The whole of ``graphattn compare``: fits, the table, the verdict, and where everything is."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, cast, final

from rich.console import Console
from rich.table import Table

from graphattn.comparison.compare import LOG, REPORT, RESULTS, TABLE, VERDICT, Comparison, compare
from graphattn.comparison.problem import Target
from graphattn.comparison.problems import problem
from graphattn.comparison.rows import Row
from graphattn.comparison.settings import Settings, quick

QUICK = 600
SMALL = "A quick run: few graphs, small networks, few epochs and parts: too little to conclude from."


@final
@dataclass(frozen=True)
class Asked:
    """What layers are compared on, as options say it.

    Args:
        data: a name or a file.
        smiles, target, task: columns of a file and what they are; guessed if not given.
        count: at most so many graphs.
        layers, topologies: names.
    """

    data: str
    smiles: str | None
    target: str | None
    task: str | None
    count: int | None
    layers: Sequence[str]
    topologies: Sequence[str]


def names(text: str) -> list[str]:
    """Names between commas.

    >>> names("attention, gcn")
    ['attention', 'gcn']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def run(asked: Asked, settings: Settings, out: Path, jobs: int | None, fast: bool, say: Callable[[str], None]) -> None:
    """Compares, and tells what was found.

    Args:
        asked: data, layers and topologies.
        settings: what is equal for all.
        out: folder of results.
        jobs: processes that take fits; if not given one, for the sake of steady timings, and two where it is to be fast.
        fast: whether a small version is enough: 600 graphs, small networks, few epochs.
        say: prints a text.
    """
    count = min(QUICK, asked.count or QUICK) if fast else asked.count
    posed = problem(
        asked.data, target=asked.target, smiles=asked.smiles, task=cast(Target | None, asked.task), count=count
    )
    if fast:
        posed = replace(posed, notes=(*posed.notes, SMALL))
    try:
        found = compare(
            posed,
            asked.layers,
            asked.topologies,
            settings=quick(settings) if fast else settings,
            out=out,
            jobs=(2 if fast else 1) if jobs is None else jobs,
            console=_console(sys.stderr),
            command=shlex.join(["graphattn", *sys.argv[1:]]),
        )
    except KeyboardInterrupt:
        say(f"Stopped. What is finished is in {out}; the same command goes on from there.")
        raise
    tell(found, out, fast, say)


def tell(found: Comparison, out: Path, fast: bool, say: Callable[[str], None]) -> None:
    """The table and the verdict, and where the files are."""
    if len(found.failed) < len(found.records):
        _console(sys.stdout).print(table(found))
        say(found.verdict())
    else:
        say("No fit has a score: there is no report.")
    reasons = dict.fromkeys(f"{record.fit.name}: {record.reason}" for record in found.failed)
    for reason in reasons:
        say(f"failed: {reason}")
    if fast:
        say(SMALL)
    files = {"Report": REPORT, "verdict": VERDICT, "table": TABLE, "results": RESULTS, "log": LOG}
    say("; ".join(f"{what}: {out / name}" for what, name in files.items() if (out / name).exists()))


def _console(file: TextIO) -> Console:
    """As wide as the table where there is no terminal that says how wide it is."""
    return Console(file=file, width=None if file.isatty() or "COLUMNS" in os.environ else 170)


def table(found: Comparison) -> Table:
    """A row for each layer on each topology, each baseline and each control, the best first."""
    summed = found.summary()
    made = Table(
        title=f"{summed.problem}: {summed.measure}, mean over fits with its interval of 95 %", title_justify="left"
    )
    for name in ("", "fits", summed.measure, "95 %", "parameters", "MFLOP", "s per epoch", "graphs/s", "MiB"):
        made.add_column(name, justify="left" if not name else "right")
    for row in (*summed.rows, *summed.controls):
        made.add_row(*_cells(row))
    return made


def _cells(row: Row) -> list[str]:
    fits = f"{len(row.fits)}" + (f" ({len(row.failed)} failed)" if row.failed else "")
    if not row.fits:
        return [row.name, fits, "failed"]
    mean, low, high = row.score
    within = "" if low != low else f"{low:.3f} to {high:.3f}"
    costs = [row.median(name) for name in ("parameters", "flops", "seconds_per_epoch", "graphs_per_second", "peak_mib")]
    words = (f"{costs[0]:,.0f}", f"{costs[1] / 1e6:.2f}", f"{costs[2]:.2f}", f"{costs[3]:,.0f}", f"{costs[4]:.0f}")
    network = row.role != "baseline"
    return [row.name, fits, f"{mean:.3f}", within, *((words[0], words[1]) if network else ("", "")), *words[2:]]
