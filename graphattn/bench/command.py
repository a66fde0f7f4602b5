"""The command ``graphattn bench``: measure, print, plot."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from graphattn.bench import records, table
from graphattn.bench.suite import BenchPlan, Outcome, quick, run


def bench(plan: BenchPlan, file: Path | None = None, picture: Path | None = None, fast: bool = False) -> None:
    """Measure what ``file`` has not yet, then print all of it, also when it is stopped.

    Args:
        plan: what is measured; a label of the version stands in if it has none.
        file: JSON, a record a line; added to.
        picture: the file of a picture.
        fast: whether few cases and rounds are enough.

    Raises:
        ChildProcessError: cases that failed; all others have been measured and printed.
    """
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 170)
    outcome = Outcome([] if file is None else records.read(file))
    try:
        run(quick(plan) if fast else plan, outcome, file, console)
    finally:
        show(outcome, console, "A quick run: few cases, few rounds, one allocator." if fast else "")
    if picture is not None:
        from graphattn.bench.plot import draw

        draw(outcome.found, picture)
        console.print(f"Drawn in {picture}", highlight=False)
    if outcome.failed:
        raise ChildProcessError("; ".join(f"{where}: {why}" for where, why in outcome.failed.items()))


def show(outcome: Outcome, console: Console, caption: str = "") -> None:
    """Tables of what has been measured."""
    if not outcome.found:
        return
    console.print(table.measured(outcome.found, caption))
    for line in table.whole(outcome.found):
        console.print(line, markup=False, highlight=False)
    for reason in table.left_out(outcome.found):
        console.print(f"left out: {reason}", markup=False, highlight=False)
