"""The command ``graphattn compare``: fits, table, verdict and paths of the files."""

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

from graphattn.comparison.experiment import LOG, REPORT, RESULTS, TABLE, VERDICT, ComparisonResult, compare
from graphattn.comparison.problems import problem
from graphattn.comparison.problems.base import Target
from graphattn.comparison.settings import Settings, quick
from graphattn.comparison.verdict.summary import ConfigurationScores
from graphattn.reports.numbers import large

QUICK = 600
SMALL = "A quick run: few graphs, small networks, few epochs and parts: too little to conclude from."


@final
@dataclass(frozen=True)
class ComparisonOptions:
    """Data, layers and topologies of ``graphattn compare``.

    Args:
        data: a name or a file.
        smiles, target, task: columns of a file and the kind of target; inferred if not given.
        group: column of a file; rows of one group stay in one part.
        count: maximum number of graphs.
        layers, topologies: names.
    """

    data: str
    smiles: str | None
    target: str | None
    task: str | None
    group: str | None
    count: int | None
    layers: Sequence[str]
    topologies: Sequence[str]


def names(text: str) -> list[str]:
    """Names between commas.

    >>> names("attention, gcn")
    ['attention', 'gcn']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def run(
    options: ComparisonOptions, settings: Settings, out: Path, jobs: int | None, fast: bool, show: Callable[[str], None]
) -> None:
    """Compares layers and prints table, verdict and files.

    Args:
        options: data, layers and topologies.
        settings: what is equal for all.
        out: folder of results.
        jobs: processes that take fits; if not given one, for the sake of steady timings, and two where it is to be fast.
        fast: whether a small version is enough: 600 graphs, small networks, few epochs.
        show: prints a text.
    """
    count = min(QUICK, options.count or QUICK) if fast else options.count
    posed = problem(
        options.data,
        target=options.target,
        smiles=options.smiles,
        task=cast(Target | None, options.task),
        groups=options.group,
        count=count,
    )
    if fast:
        posed = replace(posed, notes=(*posed.notes, SMALL))
    try:
        found = compare(
            posed,
            options.layers,
            options.topologies,
            settings=quick(settings) if fast else settings,
            out=out,
            jobs=(2 if fast else 1) if jobs is None else jobs,
            console=_console(sys.stderr),
            command=shlex.join(["graphattn", *sys.argv[1:]]),
        )
    except KeyboardInterrupt:
        show(f"Stopped. What is finished is in {out}; the same command goes on from there.")
        raise
    show_result(found, out, fast, show)


def show_result(found: ComparisonResult, out: Path, fast: bool, show: Callable[[str], None]) -> None:
    """Print the table, the verdict and the paths of the files."""
    if len(found.failed) < len(found.records):
        _console(sys.stdout).print(table(found))
        show(found.verdict())
    else:
        show("No fit has a score: there is no report.")
    reasons = dict.fromkeys(f"{record.fit.name}: {record.reason}" for record in found.failed)
    for reason in reasons:
        show(f"failed: {reason}")
    if fast:
        show(SMALL)
    files = {"Report": REPORT, "verdict": VERDICT, "table": TABLE, "results": RESULTS, "log": LOG}
    show("; ".join(f"{what}: {out / name}" for what, name in files.items() if (out / name).exists()))


def _console(file: TextIO) -> Console:
    """170 columns where no terminal gives a width."""
    return Console(file=file, width=None if file.isatty() or "COLUMNS" in os.environ else 170)


def table(found: ComparisonResult) -> Table:
    """A row for each layer on each topology, each baseline and each control, the best first; 80 columns hold it."""
    summed = found.summary()
    made = Table(
        title=f"{summed.problem}: {summed.measure}, mean over fits with its interval of 95 %",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    made.add_column("", overflow="fold", min_width=14)
    for name in ("fits", summed.measure, "95 %", "params", "FLOPs", "s per\nepoch", "graphs\nper s", "MiB"):
        made.add_column(name, justify="right", no_wrap=True)
    for row in (*summed.rows, *summed.controls):
        made.add_row(*_cells(row))
    return made


def _cells(row: ConfigurationScores) -> list[str]:
    tried = len(row.fits) + len(row.failed)
    fits = f"{len(row.fits)} of {tried}" if row.failed else f"{tried}"
    if not row.fits:
        return [row.name, fits, "failed"]
    mean, low, high = row.score
    within = "" if low != low else f"{low:.3f}–{high:.3f}" if low >= 0 else f"{low:.2f} to {high:.2f}"
    figures = ("parameters", "flops", "seconds_per_epoch", "graphs_per_second", "peak_mib")
    weights, flops, spent, rate, memory = (row.median(name) for name in figures)
    sizes = ["", ""] if row.role == "baseline" else [large(each).replace(" ", "") for each in (weights, flops)]
    return [
        row.name,
        fits,
        f"{mean:.3f}",
        within,
        *sizes,
        f"{spent:.2f}",
        large(rate).replace(" ", ""),
        f"{memory:.0f}",
    ]
