"""``python -m benchmarks.pretraining corpus``: see README.md."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.pretraining import corpus as reading
from benchmarks.pretraining import starts as comparing
from benchmarks.pretraining.shipping import NOTES, change
from graphattn.training.molecules.start import shipped
from graphattn.training.pretraining.saved import load

SHIPPED = shipped()
RECORDS = Path(__file__).parent / "records.jsonl"
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def pretraining() -> None:
    """The corpus that molecule networks are pretrained on."""


@app.command()
def corpus(
    molsets: Annotated[Path, typer.Option(help="Wheel: pip download --no-deps molsets==0.3.1")],
    chemicals: Annotated[Path, typer.Option(help="Wheel: pip download --no-deps chemicals==1.5.2")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("corpus.csv.gz"),
    most: Annotated[int, typer.Option(help="Drug-like molecules, drawn at random.")] = 2_000_000,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Write SMILES of two wheels into one file."""
    for name, number in reading.write(molsets, chemicals, out, most, seed).items():
        typer.echo(f"{name}: {number:,}")


@app.command()
def ship(
    stage: Annotated[Path, typer.Argument(help="Folder that graphattn pretrain wrote.")],
    out: Annotated[Path, typer.Option(help="Folder in the package.")] = SHIPPED,
) -> None:
    """Write a pretrained network into the package, as half precision, and say what that changes."""
    made = load(stage)
    made = replace(made, record={**made.record, "notes": NOTES})
    made.save(out, torch.float16)
    size = sum(path.stat().st_size for path in out.iterdir()) / 2**20
    typer.echo(
        f"{out}: {size:.1f} MB; descriptors' scores of 512 molecules of bbb differ by {change(made, load(out)):.1e}"
    )


@app.command()
def starts(
    data: Annotated[list[str], typer.Argument(help="Tables with one target each, or embedded sets.")],
    seeds: Annotated[int, typer.Option(help="Number of splits, from seed 100.")] = 3,
    records: Annotated[Path, typer.Option(help="File of results; what it has is not computed again.")] = RECORDS,
) -> None:
    """Train from nothing and from the shipped network, and judge both on validation parts."""
    for name in data:
        comparing.run(comparing.Table(name), range(100, 100 + seeds), records)
    typer.echo(comparing.report(records))


if __name__ == "__main__":
    app()
