"""The test molecules that a model is most wrong about, worst first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tasks import Task
from graphattn.reports.molecules.structures import structure
from graphattn.training.molecules.judging import Trained, labels_of
from graphattn.training.molecules.reliability.assessment import class_probabilities
from graphattn.training.molecules.reliability.domain import Neighbours

MOST = 12
Floats = NDArray[np.float64]


class WorstMolecule(NamedTuple):
    """A test molecule, what is true and predicted of it, and its nearest training molecule with what is true of that."""

    drawing: str
    smiles: str
    truth: str
    found: str
    near_drawing: str
    near_smiles: str
    near_truth: str
    similarity: float


def worst(trained: Trained, near: Neighbours, most: int = MOST) -> list[WorstMolecule]:
    """At most so many test molecules, by the error of their worst target."""
    task, split, molecules = trained.model.task, trained.split, trained.molecules
    errors = error_of(task, trained.own, trained.truth)
    largest = np.nan_to_num(errors, nan=-1.0)
    order = np.argsort(-largest.max(1), kind="stable")[:most]
    chosen = [int(split.test[i]) for i in order]
    places, similarity = near.nearest([molecules.mols[i] for i in chosen])
    labels = labels_of(molecules).astype(float)
    first = {molecules.smiles[int(i)]: int(i) for i in reversed(split.train)}
    rows = []
    for row, i, place, alike in zip(order, chosen, places, similarity, strict=True):
        target = int(largest[row].argmax())
        other = first[near.smiles[int(place)]]
        words = _truth(task, trained.truth[row], target), _found(task, trained.own[row], target)
        neighbour = structure(molecules.mols[other]), molecules.smiles[other], _truth(task, labels[other], target)
        rows.append(WorstMolecule(structure(molecules.mols[i]), molecules.smiles[i], *words, *neighbour, float(alike)))
    return rows


def error_of(task: Task, found: Floats, truth: Floats) -> Floats:
    """Errors [N, T]: 1 minus the probability of what is true; or absolute, in deviations of the true values. NaN if missing.

    >>> error_of(Task("binary", ("y",), ("no", "yes")), np.array([[0.75], [0.75]]), np.array([[1.0], [0.0]])).tolist()
    [[0.25], [0.75]]
    """
    if task.kind == "regression":
        deviation = np.nanstd(truth, axis=0)
        return np.abs(found - truth) / np.where(deviation > 0, deviation, 1.0)
    columns = []
    for probability, column in zip(class_probabilities(task, found), truth.T, strict=True):
        label = np.nan_to_num(column).astype(int)
        columns.append(np.where(np.isnan(column), np.nan, 1 - probability[np.arange(len(label)), label]))
    return np.column_stack(columns)


def _truth(task: Task, row: Floats, target: int) -> str:
    of = f"{task.names[target]} " if len(task.names) > 1 else ""
    if np.isnan(row[target]):
        return f"{of}unknown"
    return of + (f"{row[target]:.3g}" if task.kind == "regression" else task.classes[int(row[target])])


def _found(task: Task, row: Floats, target: int) -> str:
    if task.kind == "regression":
        return f"{row[target]:.3g}"
    probability = class_probabilities(task, row[None])[target][0]
    best = int(probability.argmax())
    return f"{task.classes[best]} ({probability[best]:.2f})"
