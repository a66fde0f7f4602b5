"""A saved model of cells at work on saved graphs: the class of each cell, as a table or as graphs that writers take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.tissue.writing import positions, type_colors
from graphattn.data.writing import write_csv
from graphattn.training.tissue.answering import cell_predictions
from graphattn.training.tissue.prediction import ReadImages, TissueModelFolder
from graphattn.training.tissue.problems.labelled_cells import texts_of

Floats = NDArray[np.float64]


class NamedCells(NamedTuple):
    """What a model says of the cells of an image: the class of each, ``""`` where it says no finite number, and the
    probabilities ``[n, K]``.
    """

    classes: list[str]
    probabilities: Floats

    @property
    def certainty(self) -> Floats:
        """Probability of the class that each cell is called, ``[n]``."""
        return self.probabilities.max(axis=1)


def name_cells(model: TissueModelFolder, graph: Data) -> NamedCells:
    """The classes of the cells of a graph, as the model reads it."""
    found = cell_predictions(model.network, graph)
    probabilities = np.hstack([1 - found, found]) if model.task.kind == "binary" else found
    known = np.isfinite(probabilities.sum(axis=1))
    best = np.where(known, np.nan_to_num(probabilities).argmax(axis=1), -1)
    return NamedCells([model.task.classes[at] if at >= 0 else "" for at in best.tolist()], probabilities)


def with_classes(model: TissueModelFolder, graph: Data, named: NamedCells) -> tuple[Data, dict[str, Floats]]:
    """A graph whose cells have the classes of the model as their type, and the probabilities by name, for the writers.

    Colours of classes are those that the graph has for types of the same name.
    """
    made, classes = graph.clone(), list(model.task.classes)
    made.cell_type = torch.tensor([classes.index(name) if name else -1 for name in named.classes])
    made.cell_type_names = classes
    made.cell_type_colors = {name: color for name, color in type_colors(graph).items() if name in classes}
    return made, {f"probability {name}": named.probabilities[:, k] for k, name in enumerate(classes)}


def write_cells(
    model: TissueModelFolder, graphs: Sequence[Data], read: ReadImages, out: Path, escape: bool = False
) -> None:
    """Write a row for each cell of the images that can be used: image, patient, id, x, y and their unit, what is known, the
    class and the probabilities. Images that cannot be used have one row with the reason in ``rejected``.
    """
    name, classes = model.task.names[0], model.task.classes
    known = any(texts_of(graph, name) is not None for graph in graphs)
    head = ["image", "patient", "cell_id", "x", "y", "unit", *([name] if known else []), f"predicted_{name}"]
    write_csv(
        [*head, *(f"probability_{each}" for each in classes), "rejected"],
        _rows(model, graphs, read, known),
        out,
        escape,
    )


def _rows(model: TissueModelFolder, graphs: Sequence[Data], read: ReadImages, known: bool) -> Iterator[list[object]]:
    places, name = {position: at for at, position in enumerate(read.positions)}, model.task.names[0]
    for position, graph in enumerate(graphs):
        of_image = [str(graph["image"]), str(graph.get("patient") or "")]
        if position not in places:
            empty = [""] * (4 + known + 1 + len(model.task.classes))
            yield [*of_image, *empty, read.refused[position].reason]
            continue
        named = name_cells(model, read.graphs[places[position]])
        there = texts_of(graph, name) or [""] * len(named.classes)
        idents = graph.get("node_id") or list(map(str, range(len(there))))
        for row, (x, y) in enumerate(positions(graph).tolist()):
            numbers = [
                float(f"{each:.6g}") if math.isfinite(each) else "" for each in named.probabilities[row].tolist()
            ]
            truth = [there[row]] if known else []
            where = [idents[row], x, y, graph.get("unit") or ""]
            yield [*of_image, *where, *truth, named.classes[row], *numbers, ""]
