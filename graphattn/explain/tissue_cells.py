"""The class that a model gives each cell of a tissue graph, drawn on the tissue and written for viewers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from torch_geometric.data import Data

from graphattn.data.tissue.writing import write_csv, write_geojson, write_tiaviz
from graphattn.explain.tissue import draw_cells
from graphattn.explain.tissue_folder import file_name
from graphattn.explain.tissue_scores import check_explained, image_of, save_figure
from graphattn.training.telling import Say
from graphattn.training.tissue.cell_prediction import NamedCells, name_cells, with_classes
from graphattn.training.tissue.prediction import ReadImages, TissueModelFolder, score_names


def draw_classes(
    model: TissueModelFolder,
    graphs: Sequence[Data],
    read: ReadImages,
    folder: Path,
    *,
    images: Path | None = None,
    target: str | None = None,
    say: Say,
) -> Iterator[tuple[Data, NamedCells]]:
    """Draw and write the classes of the cells of all images that can be used: ``.png``, ``.svg``, ``.csv``, ``.geojson``,
    TIAViz's ``.json``.

    Beside the classes stands the probability of them, or of the class that is asked for. In QuPath cells have the classes of the
    model, and the probabilities as measurements.

    Args:
        model: of :func:`~graphattn.training.tissue.prediction.open_model`, of cells.
        graphs: all graphs, as they were saved.
        read: those that the model can use.
        folder: new or empty.
        images: folder of the images that pictures are drawn on.
        target: the class whose probability is drawn.
        say: receives sentences.

    Raises:
        ValueError: a folder that is not empty, another class than the model's.
    """
    check_explained(folder, images)
    output = None if target is None else score_names(model, target)[0]
    folder.mkdir(parents=True, exist_ok=True)
    for graph, position in zip(read.graphs, read.positions, strict=True):
        named, saved = name_cells(model, graph), graphs[position]
        path = folder / file_name(position, str(saved["image"]))
        made, scores = with_classes(model, saved, named)
        shown = named.certainty if output is None else named.probabilities[:, output]
        what = "probability of the class" if target is None else f"probability of {target}"
        _draw(saved, made, shown, what, None if images is None else image_of(saved, images, say), path)
        write_csv(made, path.with_name(f"{path.name}.csv"), scores)
        try:
            write_geojson(made, path.with_name(f"{path.name}.geojson"), scores)
            write_tiaviz(made, path.with_name(f"{path.name}.tiaviz.json"), {what: shown})
        except ValueError as error:
            say(f"no GeoJSON: {error}")
        yield saved, named


def table_of_classes(model: TissueModelFolder, found: Sequence[tuple[Data, NamedCells]]) -> Table:
    """Images and how many of their cells are called what."""
    table = Table("image", "cells", *model.task.classes)
    for graph, named in found:
        counts = Counter(named.classes)
        table.add_row(
            str(graph["image"]), f"{len(named.classes):,}", *(f"{counts[name]:,}" for name in model.task.classes)
        )
    return table


def _draw(
    saved: Data, made: Data, shown: NDArray[np.float64], what: str, image: NDArray[Any] | None, path: Path
) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 6), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2)
    draw_cells(left, made, image=image)
    left.set_title(f"{saved['image']}: classes of {len(shown):,} cells", fontsize=11)
    draw_cells(right, made, shown, image=image, name=what)
    right.set_title(what, fontsize=11)
    save_figure(figure, path)
