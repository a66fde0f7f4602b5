"""Saved tissue graphs and a table of labels to what a model learns: graphs of one form, labels, patients, what is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.reading import read_records
from graphattn.data.splits import Split
from graphattn.data.stored import GRAPHS, load_graphs
from graphattn.data.tasks import Kind, Task, guess_task, is_told_by_words
from graphattn.data.tissue.cells import SetAside, Tissue
from graphattn.data.tissue.composition import summaries
from graphattn.data.tissue.labels import label_images, of_mixed_patients, stem
from graphattn.data.wording import listed
from graphattn.models.by_name.network import Level
from graphattn.training.comparing import Judge, judge_of
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.metrics import base_rates
from graphattn.training.telling import Say
from graphattn.training.tissue.answering import predictions
from graphattn.training.tissue.baselines import baselines
from graphattn.training.tissue.dividing import parts_lacking
from graphattn.training.tissue.inputs import TissueForm

Floats = NDArray[np.float64]

_MOST_SAID = 5


@final
@dataclass(frozen=True)
class Labels:
    """Where labels of images come from, and what they are.

    Args:
        table: of images, patients and labels; if not given, graphs hold their ``y``.
        target: its column of labels; inferred if not given.
        group: its column of patients, or the name of an attribute of graphs; inferred if not given.
        split: its column of parts, folds or groups, if that is what divides images.
        kind: of task: ``binary``, ``multiclass`` or ``regression``; inferred if not given.
        positive: label of the positive class.
        mixed_patients: whether a patient's images may have different labels.
        cells: what is learned of each cell and not of images: ``cell_type``, a measurement, or a column that was kept.
        survival: columns of the table: the time, and whether the event was seen then.
    """

    table: Path | None = None
    target: str | None = None
    group: str | None = None
    split: str | None = None
    kind: Kind | str | None = None
    positive: str | None = None
    mixed_patients: bool = False
    cells: str | None = None
    survival: tuple[str, str] | None = None


@final
@dataclass(frozen=True)
class Slides:
    """Images to learn from.

    Attributes:
        graphs: as a model reads them.
        y: classes or values, ``[N, 1]``.
        task: what is learned.
        patients: of each image.
        cells: of each image in the column of splits, if there is one.
        form: of the graphs, by name.
        set_aside: what cannot be used.
    """

    graphs: list[Data]
    y: NDArray[np.float32]
    task: Task
    patients: list[str]
    cells: list[str] | None
    form: TissueForm
    set_aside: list[SetAside]

    @property
    def level(self) -> Level:
        """Each image has an answer."""
        return "graph"

    @property
    def judge(self) -> Judge:
        """By the measures of the task."""
        return judge_of(self.task)

    @property
    def classes(self) -> NDArray[np.int64] | None:
        """Of each image, where classes are learned."""
        return None if self.task.kind == "regression" else self.y[:, 0].astype(np.int64)

    def lesson(self, row: int, hops: int) -> list[tuple[Data, torch.Tensor]]:
        """The graph of an image with its class or value."""
        return [(self.graphs[row], tensors(self.y[[row]], self.task)[0])]

    def lacking(self, split: Split) -> list[str]:
        """Sentences about classes that a part lacks.

        Raises:
            ValueError: the training part has one class only.
        """
        return [] if self.classes is None else parts_lacking(self.classes, self.task.classes, split)

    def truth(self, rows: NDArray[np.int64]) -> tuple[Floats, list[str]]:
        """Classes or values ``[N, 1]`` of some images, and their patients."""
        return self.y[rows].astype(np.float64), [self.patients[row] for row in rows]

    def answers(self, model: FittedNetwork, rows: NDArray[np.int64]) -> Floats:
        """What a model says of some images, ``[N, outputs]``."""
        return predictions(model, [self.graphs[row] for row in rows])

    def baselines(self, split: Split, seed: int) -> dict[str, Floats]:
        """What linear models and forests on what images consist of say of the test part."""
        return baselines(self.task, self.tables, self.y, split, seed)

    @cached_property
    def tables(self) -> dict[str, Floats]:
        """What images consist of, by the name of the summary."""
        return summaries(self.graphs)

    def bases(self, truth: Floats) -> dict[str, float]:
        """What chance gives, by measure."""
        return base_rates(self.task, truth)


def open_graphs(folder: str | Path, trust: bool = False) -> list[Data]:
    """The graphs in a folder that ``graphattn tissue graph`` or ``save_graphs`` wrote.

    Raises:
        ValueError: it holds none; as :func:`~graphattn.data.stored.load_graphs`.
    """
    folder = Path(folder)
    inside = folder / "graphs"
    graphs = load_graphs(inside if not (folder / GRAPHS).is_file() and inside.is_dir() else folder, trust=trust)
    if not graphs:
        raise ValueError(f"{folder} holds no graph")
    for at, graph in enumerate(graphs):
        if not isinstance(graph.get("image"), str):
            graph.image = f"graph {at}"
    return graphs


def of_images(graphs: Sequence[Data], names: Sequence[str]) -> list[Data]:
    """The graphs of some images: by their exact name, else by it without case, folder and suffix.

    Raises:
        ValueError: no image, or several, of a name.

    >>> [graph.image for graph in of_images([Data(image="P1.svs"), Data(image="P2.svs")], ["p2"])]
    ['P2.svs']
    """
    found = []
    for name in names:
        exact = [graph for graph in graphs if graph["image"] == name]
        alike = exact or [graph for graph in graphs if stem(graph["image"]) == stem(name)]
        if len(alike) != 1:
            has = listed([str(graph["image"]) for graph in alike or graphs], most=5)
            raise ValueError(f"expected one image of the name {name!r}, got {len(alike)}: {has}")
        found += alike
    return found


def read_slides(graphs: Sequence[Data], labels: Labels, source: str, say: Say) -> Slides:
    """The labelled images that can be used; says what is inferred and what is set aside.

    Args:
        graphs: of :func:`open_graphs`.
        labels: where their labels come from.
        source: what the graphs are called in messages.
        say: receives sentences.

    Raises:
        ValueError: no labels; labels that cannot be learned; no image that can be used.
    """
    found = labelled(graphs, labels, source, say)
    form, set_aside = TissueForm.of(found.graphs), list(found.set_aside)
    usable = usable_graphs(found.graphs, form, source, set_aside)
    name = labels.target or "y"
    frame = label_frame(usable, name)
    try:
        task, sentence = guess_task(frame, cast(Kind | None, labels.kind), labels.positive)
    except ValueError as error:
        aside = f"; set aside: {'; '.join(map(str, set_aside[:_MOST_SAID]))}" if set_aside else ""
        raise ValueError(f"{error}{aside}") from None
    say(sentence)
    if task.kind == "binary" and not labels.positive and not is_told_by_words(task.classes):
        last = f"{task.classes[1]!r} is positive only because it comes last in the alphabet"
        say(f"{last}; --positive names the positive class")
    y, rejected = task.encode(frame)
    set_aside += [SetAside(source, f"image {usable[row]['image']!r}", why) for row, why in rejected]
    rows = [row for row in range(len(usable)) if row not in dict(rejected)]
    kept = [usable[row] for row in rows]
    cells = None if labels.split is None else [str(graph["label_columns"][labels.split]) for graph in kept]
    patients = [str(graph.get("patient") or graph["image"]) for graph in kept]
    return Slides([form.applied(graph) for graph in kept], y[rows], task, patients, cells, form, set_aside)


def tell_set_aside(set_aside: Sequence[SetAside], say: Say, strict: bool = False) -> None:
    """Says what was set aside, the first few by name.

    Raises:
        ValueError: something was, and ``strict`` allows none.
    """
    if strict and set_aside:
        raise ValueError(f"set aside: {len(set_aside):,}, and strict allows none; the first: {set_aside[0]}")
    for each in set_aside[:_MOST_SAID]:
        say(f"set aside: {each}")
    if len(set_aside) > _MOST_SAID:
        say(f"set aside: {len(set_aside) - _MOST_SAID:,} more")


def labelled(graphs: Sequence[Data], labels: Labels, source: str, say: Say) -> Tissue:
    """Graphs with ``y`` and ``patient``; says what is inferred.

    Raises:
        ValueError: no labels; no image that has one.
    """
    found = _labelled(graphs, labels, source)
    for note in found.notes:
        say(note)
    if not found.graphs:
        raise ValueError(f"no image has a label: {'; '.join(map(str, found.set_aside[:_MOST_SAID]))}")
    return found


def usable_graphs(graphs: Sequence[Data], form: TissueForm, source: str, set_aside: list[SetAside]) -> list[Data]:
    """The graphs of a form; the others are set aside.

    Raises:
        ValueError: none is left, or none has edges.
    """
    usable = list[Data]()
    for graph in graphs:
        if why := form.misfit(graph):
            set_aside.append(SetAside(source, f"image {graph['image']!r}", why))
        else:
            usable.append(graph)
    if not usable:
        raise ValueError(f"no image can be used: {'; '.join(map(str, set_aside[:_MOST_SAID]))}")
    if all(graph.edge_index is None for graph in usable):
        raise ValueError(
            f"the graphs in {source} have no edges: join neighbours with graphattn tissue graph --builder knn:8"
        )
    return usable


def label_frame(graphs: Sequence[Data], name: str) -> pd.DataFrame:
    """Labels of graphs as they were written, in a column of this name."""
    return pd.DataFrame({name: [_text(graph) for graph in graphs]}, dtype=object)


def _labelled(graphs: Sequence[Data], labels: Labels, source: str) -> Tissue:
    if labels.table is None:
        return _of_graphs(graphs, labels, source)
    columns = read_records(labels.table).columns
    group = None if labels.group == "patient" else labels.group
    if group is not None and group not in columns:
        graphs, group = _grouped(graphs, group, f"{labels.table} and {source} have"), None
    keep = dict.fromkeys(name for name in (labels.split, *(labels.survival or ())[1:]) if name is not None)
    return label_images(
        graphs,
        labels.table,
        label=labels.target,
        patient=group,
        mixed_patients=labels.mixed_patients,
        keep=tuple(keep),
    )


def _of_graphs(graphs: Sequence[Data], labels: Labels, source: str) -> Tissue:
    if labels.target is not None:
        raise ValueError(f"expected a table, --labels, with the column {labels.target!r}, got none")
    without = [str(graph["image"]) for graph in graphs if graph.y is None or graph["y"].numel() != 1]
    if len(without) == len(graphs):
        raise ValueError(f"the graphs in {source} have no labels: give --labels, a table of image, patient and label")
    held, notes = with_patients([graph for graph in graphs if graph["image"] not in without], labels, source)
    set_aside = [SetAside(source, f"image {name!r}", "it has no label") for name in without]
    if not labels.mixed_patients:
        names = [str(graph["image"]) for graph in held]
        patients = [str(graph.get("patient") or "") for graph in held]
        mixed, why = of_mixed_patients(names, patients, [_text(graph) for graph in held], source)
        held = [graph for at, graph in enumerate(held) if at not in set(mixed)]
        set_aside += why
    return Tissue(held, set_aside, notes)


def with_patients(graphs: Sequence[Data], labels: Labels, source: str) -> tuple[list[Data], list[str]]:
    """Graphs with their patients and their cells of the column of splits, from their attributes; a note if no patient is known.

    Raises:
        ValueError: a graph lacks the attribute of groups or of splits.
    """
    held = list(graphs)
    if labels.group is not None:
        held = _grouped(held, labels.group, f"{source} has")
    notes = []
    if not any(graph.get("patient") for graph in held):
        notes.append(
            f"no patients are known in {source}: each image is a patient of its own, so images of one patient may fall on both "
            "sides of a split"
        )
    if labels.split is not None:
        if lacking := [str(graph["image"]) for graph in held if labels.split not in graph]:
            raise ValueError(
                f"expected a column or an attribute {labels.split!r} to split by; image {lacking[0]!r} has none"
            )
        held = [
            cast(Data, graph.clone().update({"label_columns": {labels.split: str(graph[labels.split])}}))
            for graph in held
        ]
    return held, notes


def _grouped(graphs: Sequence[Data], group: str, where: str) -> list[Data]:
    lacking = [str(graph["image"]) for graph in graphs if graph.get(group) in (None, "")]
    if len(lacking) == len(graphs):
        raise ValueError(f"{where} no {group!r} to keep images together by: name a column of patients with --group")
    if lacking:
        raise ValueError(f"expected {group!r} of each image to keep images together by; {listed(lacking)} have none")
    return [cast(Data, graph.clone().update({"patient": str(graph[group])})) for graph in graphs]


def _text(graph: Data) -> str:
    """A label as it was written."""
    value = float(graph["y"].reshape(-1)[0])
    names = graph.get("class_names")
    if names and value.is_integer() and 0 <= value < len(names):
        return str(names[int(value)])
    return "" if np.isnan(value) else f"{value:.12g}"


def tensors(y: NDArray[np.float32], task: Task) -> list[torch.Tensor]:
    """Classes ``[1]`` or values ``[1, 1]`` of each image, as networks learn them.

    >>> tensors(np.array([[1.0]], dtype=np.float32), Task("binary", ("y",), ("no", "yes")))
    [tensor([1])]
    """
    held = torch.from_numpy(y)
    return list(held[:, None].unbind(0)) if task.kind == "regression" else list(held.long().unbind(0))
