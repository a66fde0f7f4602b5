"""A saved model of tissue on images whose labels are known; those that it was trained on are scored apart."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.reading import read_records
from graphattn.data.tissue.cells import SetAside
from graphattn.data.wording import listed
from graphattn.training.comparing import Judge, judge_of
from graphattn.training.metrics import Figure, figure_of
from graphattn.training.telling import Say
from graphattn.training.tissue.answering import cell_predictions
from graphattn.training.tissue.prediction import TissueModelFolder, answers, read_for
from graphattn.training.tissue.problems.labelled_cells import class_of_texts, judge_of_cells, known_of, texts_of
from graphattn.training.tissue.problems.survival import concordance_of, read_survival
from graphattn.training.tissue.slides import Labels, label_frame, labelled, tell_set_aside, with_patients

Floats = NDArray[np.float64]

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
    if model.network.level == "node":
        return _of_cells(model, graphs, labels, source, say, strict)
    if isinstance(survival := model.described.get("survival"), list):
        return _of_survival(model, graphs, dataclasses.replace(labels, survival=tuple(survival)), source, say, strict)
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
    return _grouped(model, judge_of(model.task), predicted.mean(0), truth, patients, new)


def _of_survival(
    model: TissueModelFolder, graphs: Sequence[Data], labels: Labels, source: str, say: Say, strict: bool
) -> dict[str, dict[str, Figure]]:
    """Concordance on images with times and events."""
    found = read_survival(graphs, labels, source, say)
    by_name = {str(graph["image"]): graph for graph in graphs}
    chosen = [by_name[str(graph["image"])] for graph in found.graphs]
    read, predicted = answers(model, read_for(model, chosen, source, say), source)
    tell_set_aside([*found.set_aside, *read.refused.values()], say, strict)
    kept = [found.graphs[position] for position in read.positions]
    patients = np.array([found.patients[position] for position in read.positions])
    new = _unseen(model, kept, say)
    return _grouped(model, concordance_of, predicted.mean(0), found.y[read.positions], patients, new)


def _of_cells(
    model: TissueModelFolder, graphs: Sequence[Data], labels: Labels, source: str, say: Say, strict: bool
) -> dict[str, dict[str, Figure]]:
    """Figures on the cells of images whose graphs hold what is true of them."""
    name = model.task.names[0]
    if labels.table is not None or labels.target is not None:
        raise ValueError(
            f"the model names cells by {name!r}: expected what is true of them in {source}, got a table of images"
        )
    held, notes = with_patients(graphs, labels, source)
    for note in notes:
        say(note)
    texts = [texts_of(graph, name) for graph in held]
    if all(each is None for each in texts):
        raise ValueError(
            f"no cell has a {name!r} to compare with; cells have {listed(known_of(held[0]), most=10) or 'nothing'}"
        )
    without = [
        SetAside(source, f"image {graph['image']!r}", f"its cells have no {name!r}")
        for graph, each in zip(held, texts, strict=True)
        if each is None
    ]
    chosen = [at for at, each in enumerate(texts) if each is not None]
    read = read_for(model, [held[at] for at in chosen], source, say)
    tell_set_aside([*without, *read.refused.values()], say, strict)
    rows, truths, whose, new = list[Floats](), list[Floats](), list[str](), list[bool]()
    kept = [held[chosen[position]] for position in read.positions]
    for graph, original, unseen in zip(read.graphs, kept, _unseen(model, kept, say).tolist(), strict=True):
        y = class_of_texts(model.task, texts_of(original, name) or [])
        there = y >= 0
        rows.append(cell_predictions(model.network, graph)[there])
        truths.append(y[there].astype(np.float64)[:, None])
        whose += [str(original.get("patient") or original["image"])] * int(there.sum())
        new += [unseen] * int(there.sum())
    if not whose:
        raise ValueError(f"no cell has a class that the model knows: expected {listed(model.task.classes)}")
    judge = judge_of_cells(model.task)
    return _grouped(model, judge, np.concatenate(rows), np.concatenate(truths), np.array(whose), np.array(new))


def _grouped(
    model: TissueModelFolder, judge: Judge, predicted: Floats, truth: Floats, patients: np.ndarray, new: np.ndarray
) -> dict[str, dict[str, Figure]]:
    """Figures of all, and of those whose patients the model has not seen."""
    what = "images" if model.network.level == "graph" else "cells"
    counted = {key: _counted(patients[rows], what) for key, rows in (("all", slice(None)), ("new", new))}
    groups = {f"all {counted['all']}": np.ones(len(new), dtype=bool), f"{counted['new']} not seen": new}
    if not new.any():
        groups = {f"{counted['all']}, ALL SEEN IN TRAINING": ~new}
    elif new.all():
        groups = {counted["all"]: new}
    return {
        title: {
            name: figure_of(values)
            for name, values in judge(predicted[rows], truth[rows], patients[rows].tolist()).items()
        }
        for title, rows in groups.items()
    }


def _unseen(model: TissueModelFolder, graphs: Sequence[Data], say: Say) -> np.ndarray:
    """Whether the model was trained neither on the image nor on another of its patient."""
    if not isinstance(seen := model.described.get("seen"), list):
        say("the model does not say which patients it was trained on: images of these may be among those below")
        return np.ones(len(graphs), dtype=bool)
    return np.array([not each & set(map(str, seen)) for each in fingerprints(graphs)])


def _counted(patients: np.ndarray, what: str) -> str:
    return f"{len(patients):,} {what} of {len(set(patients.tolist())):,} patients"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
