"""The kernel benchmark of the package with its records in one place (README.md in this folder)."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks import sides
from benchmarks.kernels import before_after, before_after_side, first, limits, profiled, report
from graphattn.bench import command, plot, records
from graphattn.bench.cases import CASES
from graphattn.bench.suite import ALLOCATORS, BenchPlan

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
Results = Annotated[Path, typer.Option("--results", help="Folder for kernels.jsonl, kernels.md and kernels.svg.")]
RUNS = Path("runs/benchmarks")
ATTEMPTS = Path(__file__).parent / "attempts" / "before_after.jsonl"
_HEAD = f"{before_after.row(before_after.COLUMNS)}\n{'|---' * len(before_after.COLUMNS)}|"


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
    plan = BenchPlan(tuple(case or ()), tuple(allocator or ALLOCATORS), threads, rounds, label)
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


@application.command()
def summary(files: Annotated[list[Path], typer.Argument(help="Files of records.")]) -> None:
    """Print the one table of docs/kernels.md."""
    print(report.summary([each for file in files for each in records.read(file)]), end="")


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


@application.command(name="before-after")
def before_after_(
    before: Annotated[str, typer.Option("--before", help="A commit of this repository, from 991ce95 on.")],
    case: Annotated[
        list[str] | None, typer.Option("--case", help="A word of the names of cases; all cases if not given.")
    ] = None,
    label: Annotated[str, typer.Option(help="Says what was tried.")] = "",
    rounds: Annotated[int, typer.Option(help="Turns of each side.")] = 9,
    threads: Annotated[int, typer.Option(help="With one, CPU time is compared; with more, time.")] = 1,
    allocator: Annotated[list[str] | None, typer.Option(help="default or tuned; both if not given.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny graphs, three rounds, one allocator: to try it out.")
    ] = False,
    attempts: Annotated[Path, typer.Option(help="File that the records are added to.")] = ATTEMPTS,
) -> None:
    """Kernels and layers at a commit and as they are now, in turn, each in a process of its own."""
    chosen = tuple(name for name in before_after_side.CASES if case is None or any(word in name for word in case))
    try:
        sides.full(before)
        plan = before_after.Plan(chosen, label, rounds, threads, tuple(allocator or ALLOCATORS))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    plan = replace(plan, rounds=3, allocators=plan.allocators[:1], shrink=50) if quick else plan
    print(_HEAD, flush=True)
    found = []
    with attempts.open("a", encoding="utf-8") as file:
        for each in before_after.measure(before, plan):
            found.append(each)
            print(before_after.row(each.cells()), flush=True)
            print(before_after.line(each), file=file, flush=True)
    print(f"\n{before_after.where(found)}")


@application.command(name="before-after-table")
def before_after_table(
    label: Annotated[str, typer.Argument(help="A word of the label that the records were given.")],
    attempts: Annotated[Path, typer.Option(help="File of the records.")] = ATTEMPTS,
) -> None:
    """The table of `before-after` once more, from its records."""
    found = [each for each in before_after.read(attempts) if label in each.label]
    if not found:
        raise typer.BadParameter(f"expected a word of a label in {attempts}, got {label!r}")
    print("\n".join([_HEAD, *(before_after.row(each.cells()) for each in found)]))
    print(f"\n{before_after.where(found)}")


if __name__ == "__main__":
    application()
