"""Tissue: ``graph``."""

from pathlib import Path
from typing import Annotated

import typer

from graphattn.cli.application import say
from graphattn.cli.options import Debug


def graph(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Files of cells, or folders of them.")],
    out: Annotated[Path, typer.Option(help="New folder for graphs and pictures.")] = Path("tissue"),
    builder: Annotated[
        str, typer.Option(help="knn:8, radius:30, radius:5-30, delaunay:60, contact or grid.")
    ] = "knn:8",
    mpp: Annotated[float | None, typer.Option(help="Micrometres per pixel of the coordinates.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the coordinates, um or px, if files do not say it.")] = None,
    image: Annotated[str | None, typer.Option(help="Column of images; inferred if not given.")] = None,
    cell_type: Annotated[str | None, typer.Option(help="Column of cell types; inferred if not given.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the label of an image.")] = None,
    patient: Annotated[str | None, typer.Option(help="Column of patients; inferred if not given.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Table of images, patients and labels.")] = None,
    pictures: Annotated[bool, typer.Option(help="Draw each image.")] = True,
    debug: Debug = False,
) -> None:
    """Join neighbouring cells of images to graphs.

    Writes the graphs, a picture of each image, and a table of what was set aside.
    """
    from rich.progress import track

    from graphattn.data.tissue import builder as built_by
    from graphattn.data.tissue import survey
    from graphattn.explain.tissue_folder import REJECTED, summary, write_tissue

    build = built_by(builder)
    found = survey(
        files, mpp=mpp, unit=unit, image=image, cell_type=cell_type, label=label, patient=patient, labels=labels
    )
    for note in found.notes:
        say(note)
    written = write_tissue(found, build, out, pictures=pictures)
    graphs = list(track(written, "images", len(found.graphs), disable=not pictures, transient=True))
    say(summary(graphs))
    for each in found.set_aside[:5]:
        say(f"set aside: {each}")
    if found.set_aside:
        say(f"{len(found.set_aside):,} set aside, all in {out / REJECTED}")
    say(f"{len(graphs):,} graphs in {out / 'graphs'}: graphattn.data.load_graphs({str(out / 'graphs')!r})")
