"""A saved model of tissue at work on saved graphs: a row for each image, predicted or refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.tasks import Task
from graphattn.data.tissue.cells import SetAside
from graphattn.data.writing import write_csv
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.folder.weights import other_versions
from graphattn.training.molecules.reliability.columns import prediction_columns
from graphattn.training.telling import Say
from graphattn.training.tissue.answering import member_predictions
from graphattn.training.tissue.inputs import TissueForm

Floats = NDArray[np.float64]


class TissueModelFolder(NamedTuple):
    """A saved model of tissue: the network, what it predicts, what its graphs consist of, and all that its folder says."""

    network: FittedNetwork
    task: Task
    form: TissueForm
    described: dict[str, Any]


class ReadImages(NamedTuple):
    """Graphs that a model can use, as it reads them, their positions among those given, and why the others cannot."""

    graphs: list[Data]
    positions: list[int]
    refused: dict[int, SetAside]


def open_model(folder: str | Path, trust: bool, say: Say) -> TissueModelFolder:
    """The model in a folder that ``graphattn tissue train`` wrote; says which packages are others than those it was made with.

    Raises:
        ValueError: another model; changed, damaged or missing files.
    """
    network, described = FittedNetwork.load(folder, trust)
    if "tissue" not in described or "task" not in described:
        raise ValueError(f"{folder} holds no model of tissue: expected a folder made by 'graphattn tissue train'")
    for note in other_versions(described):
        say(note)
    try:
        task, form = Task.from_dict(described["task"]), TissueForm.from_dict(described["tissue"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{Path(folder) / 'model.json'} is damaged: {type(error).__name__} {error}") from error
    expected = max(1, len(task.classes))
    if network.columns != expected:
        raise ValueError(
            f"{Path(folder) / 'model.json'} is damaged: expected {expected} outputs for {task}, got {network.columns}"
        )
    return TissueModelFolder(network, task, form, described)


def read_for(model: TissueModelFolder, graphs: Sequence[Data], source: str, say: Say) -> ReadImages:
    """The graphs that a model can use; says what is different in them.

    Raises:
        ValueError: none can be used, with the reasons.
    """
    read, notes = ReadImages([], [], {}), dict[str, list[str]]()
    for at, graph in enumerate(graphs):
        if why := model.form.misfit(graph):
            read.refused[at] = SetAside(source, f"image {graph['image']!r}", why)
            continue
        for note in model.form.notes(graph):
            notes.setdefault(note, []).append(str(graph["image"]))
        read.graphs.append(model.form.applied(graph))
        read.positions.append(at)
    for note, images in notes.items():
        say(f"{note} (image {images[0]!r}{f' and {len(images) - 1:,} more' if len(images) > 1 else ''})")
    if not read.graphs:
        raise ValueError(f"no image can be predicted: {'; '.join(map(str, list(read.refused.values())[:5]))}")
    return read


def answers(model: TissueModelFolder, read: ReadImages, source: str) -> tuple[ReadImages, Floats]:
    """What the members of a model say of images, ``[members, N, outputs]``; images of which they say no finite number are
    refused as well.

    Raises:
        ValueError: it says none of any image.
    """
    if model.network.level != "graph":
        raise ValueError("the model names cells and no images: expected one of images")
    found = member_predictions(model.network, read.graphs)
    known = np.isfinite(found.sum((0, 2)))
    why = "no prediction: the output of the model is not a finite number"
    without = {
        position: SetAside(source, f"image {graph['image']!r}", why)
        for position, graph, finite in zip(read.positions, read.graphs, known.tolist(), strict=True)
        if not finite
    }
    if not known.any():
        raise ValueError(f"no image can be predicted: {'; '.join(map(str, list(without.values())[:5]))}")
    rows = np.flatnonzero(known).tolist()
    refused = dict(sorted((read.refused | without).items()))
    return ReadImages([read.graphs[row] for row in rows], [read.positions[row] for row in rows], refused), found[
        :, known
    ]


def write_predictions(
    model: TissueModelFolder, graphs: Sequence[Data], read: ReadImages, found: Floats, out: Path, escape: bool = False
) -> None:
    """Write a row for each image, in the order of the graphs: image, patient, cells, prediction, probabilities, rejected.

    ``predicted_<label>`` is the class or value, ``probability_<class>`` the probabilities; they are empty for images that were
    refused, whose reason stands in ``rejected``. ``read`` and ``found`` are those of :func:`answers`.
    """
    columns = prediction_columns(model.task, None, found, found.mean(0), ())
    places = {position: at for at, position in enumerate(read.positions)}
    rows = []
    for position, graph in enumerate(graphs):
        at = places.get(position)
        values = [""] * len(columns) if at is None else [values[at] for values in columns.values()]
        reason = read.refused[position].reason if at is None else ""
        rows.append([str(graph["image"]), str(graph.get("patient") or ""), graph.num_nodes, *values, reason])
    write_csv(["image", "patient", "cells", *columns, "rejected"], rows, out, escape)


def score_names(model: TissueModelFolder, target: str | None) -> tuple[int, str]:
    """Which output is explained, and what it is called: a class by name, else the positive one or that of a value.

    Raises:
        ValueError: no class of the model.
    """
    classes: Sequence[Any] = model.task.classes
    if not classes:
        if target is not None:
            raise ValueError(
                f"the model predicts a value, {model.task.names[0]!r}, and no classes; got the target {target!r}"
            )
        return 0, model.task.names[0]
    if target is not None and target not in classes:
        raise ValueError(f"expected one of {', '.join(map(repr, classes))} to explain, got {target!r}")
    chosen = classes[1] if target is None else target
    return classes.index(chosen), str(chosen)
