"""Measures models of tissue and prints the tables; README.md in this folder tells how."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.tissue import baselines, builders, glands, large, report
from graphattn.json_lines import JsonLines
from graphattn.models import TISSUE_MODELS

application = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
RECORDS = Path(__file__).parent / "records"
Cells = Annotated[int, typer.Option(help="Cells of the slide.")]
Model = Annotated[str, typer.Option(help="Of those in TISSUE_MODELS.")]


@application.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="gg_pt1.npz, which is not part of this repository.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Networks; all, and baselines, if not given.")] = None,
) -> None:
    """Accuracy on GG-pT1, four folds and three seeds; what is recorded is not fitted again, without data nothing is."""
    if context.invoked_subcommand is not None:
        return
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    records = RECORDS / "glands.jsonl"
    if data is not None:
        read = glands.read(data)
        if not model:
            baselines.run(read, records, typer.echo)
        glands.run(read, model or list(TISSUE_MODELS), records, typer.echo)
    typer.echo(report.table(records))


@application.command()
def whole(model: Model = "tissue_transformer", cells: Cells = 82_000, steps: int = 3) -> None:
    """Training steps of a node task on a whole slide: seconds, and the most memory of this process."""
    _kept(large.whole(model, cells, steps), RECORDS / "large.jsonl")


@application.command()
def tiles(model: Model = "gland_graph", cells: Cells = 1_000_000, tile: int = 20_000) -> None:
    """One training epoch of a node task by tiles with a halo: seconds, and the most memory of this process."""
    _kept(large.tiled(model, cells, tile), RECORDS / "large.jsonl")


@application.command(name="builders")
def build(
    cells: Annotated[list[int] | None, typer.Option(help="Cells of a slide; may be repeated.")] = None,
    squidpy: Annotated[Path | None, typer.Option(help="Python of an environment that has squidpy.")] = None,
) -> None:
    """Seconds and memory of builders, ours and those of others, each in a process of its own."""
    for many in cells or [100_000, 1_000_000]:
        for found in builders.measured(many, squidpy):
            _kept(found, RECORDS / "builders.jsonl")


def _kept(found: dict[str, object], path: Path) -> None:
    JsonLines(path, dict).append([found])
    typer.echo(json.dumps(found))


if __name__ == "__main__":
    application()
