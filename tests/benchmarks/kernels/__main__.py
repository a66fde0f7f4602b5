"""Times kernels and layers against named peers in one run, interleaved, and prints the ratios (README.md in this folder)."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from torch.testing import assert_close

from tests.benchmarks.kernels.cases import CASES, Case
from tests.benchmarks.records import ROOT, Results, provenance

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
TUNED = "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184"
KEYS = ("allocator", "threads", "case", "who", "round")


@application.command()
def measure(
    case: Annotated[
        list[str] | None, typer.Option("--case", help=f"One of {', '.join(CASES)}; all by default.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Times that each step is timed.")] = 9,
    threads: Annotated[int, typer.Option(help="Threads of torch and of the kernels.")] = 2,
    allocator: Annotated[
        str, typer.Option(help="default, or tuned: memory is kept, so that PyG's cost has no page faults.")
    ] = "default",
    results: Annotated[Path, typer.Option("--results", help="Folder for kernels.csv and kernels.md.")] = Path(
        "runs/benchmarks"
    ),
) -> None:
    """Each case in a fresh process; a case that has been measured is not measured again."""
    if allocator not in ("default", "tuned"):
        raise typer.BadParameter(f"expected default or tuned, got {allocator!r}")
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    if allocator == "tuned":
        environment["GLIBC_TUNABLES"] = TUNED
    for name in case or CASES:
        words = [sys.executable, "-m", "tests.benchmarks.kernels", "one", name, str(rounds), str(threads), allocator]
        subprocess.run([*words, str(results.resolve())], env=environment, cwd=ROOT, check=True)
    text = table(rows_of(results).frame())
    (results / "kernels.md").write_text(text, encoding="utf-8")
    print(text)


@application.command(hidden=True)
def one(name: str, rounds: int, threads: int, allocator: str, folder: Path) -> None:
    """One case in this process."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    rows = rows_of(folder)
    for case in CASES[name]():
        if rows.has(allocator=allocator, threads=threads, case=case.name):
            continue
        for who, seconds in timed(case, rounds).items():
            for turn, value in enumerate(seconds):
                key = dict(zip(KEYS, (allocator, threads, case.name, who, turn), strict=True))
                rows.append(key | {"ms": 1000 * value} | provenance(f"torch {torch.__version__}"))


def timed(case: Case, rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round, the steps in turn; their results are compared first."""
    truth = case.steps["graphattn"]()
    for step in case.steps.values():
        assert_close(step(), truth, rtol=1e-2, atol=1e-3 * float(truth.abs().max()))
    seconds: dict[str, list[float]] = {who: [] for who in case.steps}
    for _ in range(rounds):
        for who, step in case.steps.items():
            start = time.perf_counter()
            step()
            seconds[who].append(time.perf_counter() - start)
    return seconds


def rows_of(folder: Path) -> Results:
    """The rows measured so far."""
    return Results(folder / "kernels.csv", KEYS, ("ms",))


def table(rows: pd.DataFrame) -> str:
    """Medians, and the ratio of medians to each peer with the least and the largest ratio of a round."""
    lines = [
        "| case | peer | allocator | threads | rounds | ours, ms | peer, ms | peer / ours | of a round |",
        "|---" * 9 + "|",
    ]
    for (allocator, threads, case), group in rows.groupby(["allocator", "threads", "case"], sort=False):
        by_who = {who: part.sort_values("round")["ms"].tolist() for who, part in group.groupby("who", sort=False)}
        ours = by_who.pop("graphattn")
        for peer, theirs in by_who.items():
            ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
            medians = statistics.median(ours), statistics.median(theirs)
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            cells = (case, peer, allocator, threads, len(ours), f"{medians[0]:.2f}", f"{medians[1]:.2f}")
            lines.append(f"| {' | '.join(map(str, cells))} | {medians[1] / medians[0]:.2f} | {spread} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    application()
