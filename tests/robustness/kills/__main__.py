"""A training or a comparison is killed before one of its file operations, or at a random time, and goes on: to the same bits.

::

    python -m tests.robustness.kills --runs 200 --seed 0
    python -m tests.robustness.kills --runs 200 --seed 0 --command compare
    python -m tests.robustness.kills --runs 200 --seed 0 --command tissue
    python -m tests.robustness.kills --runs 200 --seed 0 --command pretrain

Prints one line for each failure, then how many were tried and how many survived. Every run is a fork of one process, in which
everything is imported: it is killed by SIGKILL, and another goes on in its folder. ``train``, ``pretrain`` and ``tissue train``,
the latter with folds, do so with ``--resume``; where that says that there is nothing to resume, the plain command has to do.
``compare`` goes on by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.data import save_graphs
from graphattn.data.generated import mixed_cells
from graphattn.training.molecules import workflow
from graphattn.training.recipe import Architecture

Command = Callable[[Path, Path], tuple[int, str]]
RESULTS = "results.jsonl"
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
ROWS = [f"{'C' * n}{end},{int(end == 'O')}" for n in range(1, 11) for end in "ON"]
SMALL = ("--quick", "--jobs", "0", "--layers", "gcn,mlp", "--topologies", "edges", "--repeats", "1", "--epochs", "2")
SMALL += ("--split", "random", "--task", "regression")
WORDS = ("--epochs", "3", "--ensemble", "2", "--split", "random", "--no-baselines")


def train(table: Path, out: Path, *more: str) -> tuple[int, str]:
    """The command, with a small network: its exit status and what it says."""
    original = workflow.TrainingPlan.__init__

    def small(self: workflow.TrainingPlan, *given: object, **options: object) -> None:
        made: Any = original
        made(self, *given, **(options | {"architecture": Architecture(channels=8, heads=2, layers=1)}))

    workflow.TrainingPlan.__init__ = small
    found = CliRunner().invoke(app, ["train", str(table), "--out", str(out), *WORDS, *more])
    return found.exit_code, found.output


def compare(table: Path, out: Path) -> tuple[int, str]:
    """The command, with small networks on few molecules: its exit status and what it says."""
    found = CliRunner().invoke(app, ["compare", str(table), "--out", str(out), *SMALL])
    return found.exit_code, found.output


def tissue(table: Path, out: Path, *more: str) -> tuple[int, str]:
    """The command on graphs of tissue beside the table, in two folds: its exit status and what it says."""
    slides = str(table.with_name("slides"))
    words = ("--epochs", "2", "--split", "folds:2", "--no-baselines")
    found = CliRunner().invoke(app, ["tissue", "train", slides, "--out", str(out), *words, *more])
    return found.exit_code, found.output


def pretrain(table: Path, out: Path, *more: str) -> tuple[int, str]:
    """The command, with a small network: its exit status and what it says."""
    sizes = ("--channels", "8", "--heads", "2", "--layers", "1", "--totals", "4")
    found = CliRunner().invoke(app, ["pretrain", str(table), "--out", str(out), "--passes", "1", *sizes, *more])
    return found.exit_code, found.output


def slides(folder: Path) -> None:
    """Graphs of tissue of a few patients, one of which has no label."""
    graphs = mixed_cells(9, cells=8)
    for number, graph in enumerate(graphs):
        graph.image = graph.patient = f"P{number}"
    del graphs[8]["y"]
    save_graphs(graphs, folder)


def in_fork(work: Callable[[], int]) -> int:
    """The exit status of work in a fork; negative for that of a signal."""
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def operations(out: Path, work: Callable[[], None], last: int | None) -> int:
    """How many file operations in a folder work begins with; killed before the one of number ``last``, counted from 0."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event not in EVENTS or not str(arguments[0]).startswith(str(out)):
            return
        if event == "open" and not int(str(arguments[2])) & (os.O_WRONLY | os.O_RDWR):
            return
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    sys.addaudithook(hook)
    work()
    return count


def go_on(command: Command, table: Path, out: Path) -> tuple[int, str]:
    """The command in the folder of one that was killed."""
    if command is compare:
        return compare(table, out)
    resumed: Callable[..., tuple[int, str]] = command
    status, text = resumed(table, out, "--resume")
    if status and "nothing to resume" in text and not (out / "model.json").is_file():
        status, text = resumed(table, out)
    return (0 if "holds a finished model: nothing to resume" in text else status), text


def result(out: Path) -> dict[str, object]:
    """What must not depend on a kill: the weights, or the scores of every fit."""
    weights = {path.name: path.read_bytes() for path in out.glob("*.safetensors")}
    if not (out / RESULTS).is_file():
        return dict(weights)
    lines = [json.loads(line) for line in (out / RESULTS).read_text().splitlines()]
    return {json.dumps(line["fit"]): (line["score"], line["validation"]) for line in lines} | {
        "report": (out / "report.html").is_file()
    }


def failure(command: Command, table: Path, out: Path, point: int | float) -> str | None:
    """What is wrong after a kill at a file operation, or, of a fraction, after so many seconds; None if nothing is."""

    def killed() -> int:
        if isinstance(point, float):
            threading.Timer(point, os.kill, (os.getpid(), signal.SIGKILL)).start()
        operations(out, lambda: command(table, out) and None, point if isinstance(point, int) else None)
        return 0

    in_fork(killed)
    report = out.with_suffix(".txt")

    def resumed() -> int:
        status, text = go_on(command, table, out)
        report.write_text(text)
        return int(bool(status))

    if status := in_fork(resumed):
        return f"status {status}: {' '.join(report.read_text().split())[-300:]}"
    whole = result(out.parent / "whole")
    return None if whole and result(out) == whole else "the result is not that of a run that was not killed"


COMMANDS: dict[str, Command] = {"train": train, "compare": compare, "tissue": tissue, "pretrain": pretrain}


def main() -> int:
    """Kills at some file operations and at some times; 1 if one run did not survive."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=200, help="Number of kills.")
    asked.add_argument("--seed", type=int, default=0, help="Random seed.")
    asked.add_argument("--command", choices=tuple(COMMANDS), default="train", help="What is killed.")
    given = asked.parse_args()
    command = COMMANDS[given.command]
    drawn, survived = random.Random(given.seed), 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table, whole = folder / "table.csv", folder / "whole"
        table.write_text("smiles,label\n" + "\n".join(ROWS) + "\nC1CC,1\n")
        slides(folder / "slides")
        counted = folder / "count"
        start = time.monotonic()
        in_fork(lambda: counted.write_text(str(operations(whole, lambda: command(table, whole) and None, None))) and 0)
        seconds, many = time.monotonic() - start, int(counted.read_text())
        for run in range(given.runs):
            point = drawn.randrange(many) if run % 4 else drawn.uniform(0, seconds)
            wrong = failure(command, table, folder / f"run{run}", point)
            survived += wrong is None
            if wrong is not None:
                print(f"run {run}, killed at {point}: {wrong}", flush=True)
    print(f"{given.runs} tried, {survived} survived, {many} file operations, seed {given.seed}")
    return int(survived < given.runs)


if __name__ == "__main__":
    sys.exit(main())
