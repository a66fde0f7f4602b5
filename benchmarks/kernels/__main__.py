"""The kernel benchmark of the package with its records in one place (README.md in this folder)."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.kernels import first, limits, profiled, report
from graphattn.bench import command, plot, records
from graphattn.bench.cases import CASES
from graphattn.bench.suite import ALLOCATORS, Plan

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
Results = Annotated[Path, typer.Option("--results", help="Folder for kernels.jsonl, kernels.md and kernels.svg.")]
RUNS = Path("runs/benchmarks")


@application.command()
def measure(
    label: Annotated[str, typer.Option(help="Names this attempt; the same label goes on where it stopped.")] = "",
    case: Annotated[
        list[str] | None, typer.Option("--case", help=f"One of {'; '.join(CASES)}; all but the last if not given.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Times that each step is timed.")] = 9,
    threads: Annotated[int, typer.Option(help="Threads of torch and of the kernels.")] = 2,
    allocator: Annotated[list[str] | None, typer.Option(help="default or tuned; both if not given.")] = None,
    results: Results = RUNS,
) -> None:
    """Each case in a fresh process; what has been measured under this label is not measured again. Then `tables`."""
    plan = Plan(tuple(case or ()), tuple(allocator or ALLOCATORS), threads, rounds, label)
    try:
        command.bench(plan, results / "kernels.jsonl")
    finally:
        tables(results)


@application.command()
def tables(results: Results = RUNS) -> None:
    """Write kernels.md and kernels.svg from kernels.jsonl."""
    found = records.read(results / "kernels.jsonl")
    (results / "kernels.md").write_text(report.markdown(found), encoding="utf-8")
    if any(each.ms for each in found):
        plot.draw(found, results / "kernels.svg")


@application.command(name="report")
def report_(
    files: Annotated[list[Path], typer.Argument(help="Files of records, or the first benchmark's kernels.csv.")],
    case: Annotated[str | None, typer.Option(help="All attempts at this case alone.")] = None,
) -> None:
    """Print markdown: the last attempt of each comparison, and all attempts at the targets with their dates."""
    found = [each for file in files for each in (first.read(file) if file.suffix == ".csv" else records.read(file))]
    if case is None:
        print(report.markdown(found), end="")
        return
    for step in CASES[case].steps:
        print(f"### {case}, {step}\n\n{report.history(found, case, step)}\n")


@application.command(name="profile")
def profile_(
    case: Annotated[str, typer.Argument(help="The name of a case.")],
    step: Annotated[str | None, typer.Option(help="One of its steps; the last if not given.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch and of the kernels.")] = 1,
) -> None:
    """Print what the time of our side of a case goes into."""
    print(profiled.table(case, step, threads))


@application.command(name="limits")
def limits_(
    rounds: Annotated[int, typer.Option(help="Times that each step is timed.")] = 9,
    threads: Annotated[int, typer.Option(help="Threads of torch and of the kernels.")] = 2,
) -> None:
    """Print how long a call takes where there is next to nothing to compute, and attention where its rows are at hand."""
    torch.set_num_threads(threads)
    print(limits.table(rounds))


if __name__ == "__main__":
    application()
