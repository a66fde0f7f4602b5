"""``python -m benchmarks.pretraining corpus``: see README.md."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.pretraining import corpus as reading

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


if __name__ == "__main__":
    app()
