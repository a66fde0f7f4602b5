"""Runs the comparisons of docs/compare.md, one after the other, and prints what came of them; README.md here tells how.

    python -m benchmarks.comparison run [NAME ...] [--out DIR] [--jobs 2]
    python -m benchmarks.comparison report [NAME ...] [--out DIR]
    python -m benchmarks.comparison picture [NAME ...] [--out DIR] [--path FILE]

What is finished is kept: a run that was stopped goes on with the same command.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from benchmarks.comparison.figure import draw
from benchmarks.comparison.report import section
from graphattn.comparison.experiment import RESULTS, ComparisonResult, compare
from graphattn.comparison.problems import problem
from graphattn.comparison.settings import Settings
from graphattn.comparison.store import Store
from graphattn.comparison.verdict.summary import summary

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Of those in RUNS; all if not given.")]
Out = Annotated[Path, typer.Option(help="Folder of a folder for each.")]


class Run(NamedTuple):
    """Layers on topologies, and what is equal for all of them."""

    layers: tuple[str, ...]
    topologies: tuple[str, ...]
    settings: Settings


_SMALL = Settings(epochs=40, patience=10, batch_size=32, learning_rate=3e-3, width=32, hidden=64, depth=2)
_THREE = ("edges", "full", "edges+hub")

RUNS = {
    "motif": Run(("attention", "gcn", "gin", "mlp"), _THREE, _SMALL),
    "distant": Run(("attention", "gcn", "gin", "mlp"), _THREE, _SMALL),
    "shuffled_edges": Run(("attention", "gcn", "gin", "mlp"), _THREE, _SMALL),
    "sparse_and": Run(("attention", "gcn", "gin", "mlp"), _THREE, _SMALL),
    "digits": Run(
        ("attention", "gcn", "edgeconv", "mlp"), _THREE, Settings(epochs=40, patience=8, width=32, hidden=64)
    ),
    "bbb": Run(
        ("attention", "edge_attention", "gcn", "gin", "mlp"),
        _THREE,
        Settings(epochs=30, patience=6, width=32, hidden=64, depth=2),
    ),
}
"""Four layers on three graphs, ten resamplings, and no graph at all beside them. Synthetic data first: they take minutes."""


def compared(name: str, out: Path, jobs: int = 0) -> ComparisonResult:
    """One of them; what is finished is not run again."""
    if name not in RUNS:
        raise typer.BadParameter(f"expected names among {', '.join(RUNS)}, got {name}")
    run = RUNS[name]
    command = f"python -m benchmarks.comparison run {name}"
    return compare(
        problem(name), run.layers, run.topologies, settings=run.settings, out=out / name, jobs=jobs, command=command
    )


@application.command()
def run(
    names: Names = None,
    out: Out = Path("runs/compare"),
    jobs: Annotated[int, typer.Option(help="Fits at a time.")] = 2,
) -> None:
    """Fits, a report for each, and the sections of docs/compare.md."""
    for name in names or RUNS:
        found = compared(name, out, jobs)
        typer.echo(section(name, found.records, found.settings.rope))


@application.command()
def report(names: Names = None, out: Out = Path("runs/compare")) -> None:
    """The sections again, of what has finished; nothing is fitted."""
    for name in names or RUNS:
        if (out / name / RESULTS).exists():
            typer.echo(section(name, Store(out / name / RESULTS).records, RUNS[name].settings.rope))


@application.command()
def picture(
    names: Names = None, out: Out = Path("runs/compare"), path: Annotated[Path, typer.Option()] = Path("compare.png")
) -> None:
    """All scores of what has finished in one picture, as in docs/compare.md."""
    files = {name: out / name / RESULTS for name in names or RUNS}
    draw(
        {name: summary(Store(file).records, RUNS[name].settings.rope) for name, file in files.items() if file.exists()},
        path,
    )


if __name__ == "__main__":
    application()
