"""A saved model of tissue on images whose labels are known; those that it was trained on are scored apart."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from torch_geometric.data import Data

from graphattn.data.reading import read_records
from graphattn.data.tissue.cells import SetAside
from graphattn.training.metrics import Figure, figures
from graphattn.training.telling import Say
from graphattn.training.tissue.prediction import TissueModelFolder, answers, read_for
from graphattn.training.tissue.slides import Labels, label_frame, labelled, tell_set_aside

_DIGITS = 12


def fingerprints(graphs: Iterable[Data]) -> list[set[str]]:
    """Short hashes of the patient of each graph and of where its cells are, by which a model knows what it was trained on.

    >>> import torch
    >>> graph = Data(pos=torch.zeros(1, 2), image="a.svs", patient="P1")
    >>> first, second = fingerprints([graph, Data(pos=torch.ones(1, 2), image="b.svs", patient="P1")])
    >>> len(first), len(first & second)
    (2, 1)
    """
    return [
        {_hash(str(graph.get("patient") or graph["image"]).encode()), _hash(graph["pos"].numpy().tobytes())}
        for graph in graphs
    ]


def evaluate(
    model: TissueModelFolder, graphs: Sequence[Data], labels: Labels, source: str, say: Say, strict: bool = False
) -> dict[str, dict[str, Figure]]:
    """Figures of a model by the group of images they are for: all, and those of patients that it has not seen.

    Intervals come of patients drawn with replacement. Says what is inferred and what is set aside.

    Args:
        model: of :func:`~graphattn.training.tissue.prediction.open_model`.
        graphs: of :func:`~graphattn.training.tissue.slides.open_graphs`.
        labels: where the labels are; of a table the column that the model learned if it has that name, else inferred.
        source: what the graphs are called in messages.
        say: receives sentences.
        strict: whether unusable images are an error.

    Raises:
        ValueError: no image can be used, or has a label that the model knows; if ``strict``, one has not.
    """
    name = model.task.names[0]
    if labels.table is not None and labels.target is None and name in read_records(labels.table).columns:
        labels = dataclasses.replace(labels, target=name)
    found = labelled(graphs, labels, source, say)
    y, rejected = model.task.encode(label_frame(found.graphs, name))
    unknown = [SetAside(source, f"image {found.graphs[row]['image']!r}", why) for row, why in rejected]
    kept = [row for row in range(len(found.graphs)) if row not in dict(rejected)]
    if not kept:
        raise ValueError(f"no image has a label that the model knows: {'; '.join(map(str, unknown[:5]))}")
    known = [found.graphs[row] for row in kept]
    read, predicted = answers(model, read_for(model, known, source, say), source)
    tell_set_aside([*found.set_aside, *unknown, *read.refused.values()], say, strict)
    chosen = [known[position] for position in read.positions]
    truth = y[kept][read.positions].astype(float)
    patients = np.array([str(graph.get("patient") or graph["image"]) for graph in chosen])
    new = _unseen(model, chosen, say)
    groups = {f"all {_counted(patients)}": np.ones(len(new), dtype=bool), f"{_counted(patients[new])} not seen": new}
    if not new.any():
        groups = {f"{_counted(patients)}, ALL SEEN IN TRAINING": ~new}
    elif new.all():
        groups = {f"{_counted(patients)}": new}
    return {
        title: figures(model.task, predicted[rows], truth[rows], groups=patients[rows].tolist())
        for title, rows in groups.items()
    }


def _unseen(model: TissueModelFolder, graphs: Sequence[Data], say: Say) -> np.ndarray:
    """Whether the model was trained neither on the image nor on another of its patient."""
    if not isinstance(seen := model.described.get("seen"), list):
        say("the model does not say which patients it was trained on: images of these may be among those below")
        return np.ones(len(graphs), dtype=bool)
    return np.array([not each & set(map(str, seen)) for each in fingerprints(graphs)])


def _counted(patients: np.ndarray) -> str:
    return f"{len(patients):,} images of {len(set(patients.tolist())):,} patients"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
