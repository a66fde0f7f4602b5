"""Which atoms of a molecule a prediction rests on.

The contribution of atom i is ``f(molecule) - f(molecule with atom i masked)``, with f the predicted probability (or the
value of a regression). A masked atom keeps its place and its bonds, and is "unknown" in every feature: the model has
met such atoms in training. Positive: the atom raises the prediction. Contributions need not add up to the prediction.

RDKit's descriptors, where the model reads them, are held fixed: what an atom does through them is not counted.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rich.table import Table
from rich.text import Text
from torch_geometric.data import Data

from graphattn.data.molecules.chemistry import attach, describe, read
from graphattn.explain.drawing import draw
from graphattn.training.molecules.saved import FittedModel

WEAK = {"ROC-AUC": 0.65, "R2": 0.2}
"""Validation scores below which explanations of different good seeds disagree, so that none can be trusted."""


class Explanation(NamedTuple):
    """Contributions [n] of the atoms of ``molecule``, in its order, to ``prediction``, which is ``meaning`` in words."""

    molecule: Chem.Mol
    contributions: NDArray[np.float64]
    prediction: float
    meaning: str
    notes: tuple[str, ...]


def atom_contributions(model: FittedModel, smiles: str, target: str | None = None) -> NDArray[np.float64]:
    """Change of the prediction that each atom of ``smiles`` [n] makes, in the order of the SMILES.

    ``target`` is as in ``explain``, which raises the same errors and returns more.
    """
    return explain(model, smiles, target).contributions


def explain(model: FittedModel, smiles: str, target: str | None = None) -> Explanation:
    """Contributions of the atoms of ``smiles`` to the probability of a class, or to a value.

    ``target`` names the class (the positive one, or of more than two the likeliest, if not given), or one of several
    targets (the first if not given).

    Raises:
        ValueError: SMILES that RDKit cannot read, or a target that the model has not.
    """
    molecules, graphs, _, problems = read([smiles], model.chemistry)
    if problems:
        raise problems[0]
    if model.standardiser is not None:
        attach(graphs, describe(molecules))
    (graph,) = graphs
    found = model.predict([graph, *masked(graph)], batch_size=16)
    values, meaning = _pick(model, found, target)
    return Explanation(molecules[0], values[0] - values[1:], float(values[0]), meaning, tuple(_notes(model)))


def masked(graph: Data) -> list[Data]:
    """A copy of the graph for each of its atoms, with all features of that atom set to index 0, "unknown"."""
    copies = []
    for atom in range(len(graph["x"])):
        copy = graph.clone()
        copy["x"][atom] = 0
        copies.append(copy)
    return copies


def explain_all(
    model: FittedModel, smiles: list[str], folder: Path, target: str | None, say: Callable[[Any], None]
) -> list[Path]:
    """Draws every molecule that can be read into ``folder`` and says which are left out; returns the SVG files.

    Raises:
        ValueError: no molecule can be read; as :func:`explain` for ``target``.
    """
    _, _, positions, problems = read(smiles, model.chemistry)
    for reason in problems.values():
        say(f"left out: {reason}")
    if not len(positions):
        raise ValueError(f"none of the {len(smiles)} SMILES can be read")
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(title="which atoms mattered", title_justify="left")
    for name in ("SMILES", "prediction", "drawing (and .png)"):
        table.add_column(name, overflow="fold")
    files, notes = [], []
    for position in positions:
        found = explain(model, smiles[position], target)
        path = draw(found, folder / f"molecule-{position + 1}")
        prediction = f"{found.meaning}: {found.prediction:.3f}"
        table.add_row(Text(Chem.MolToSmiles(found.molecule)), Text(prediction), Text(str(path)))
        files, notes = [*files, path], list(found.notes)
    say(table)
    for note in notes:
        say(note)
    return files


def _pick(model: FittedModel, found: NDArray, target: str | None) -> tuple[NDArray, str]:
    """The column that is explained, and its meaning in words."""
    task = model.task
    choices = task.classes if task.kind in ("binary", "multiclass") else task.names
    if target is not None and target not in choices:
        raise ValueError(f"expected one of {', '.join(map(repr, choices))} to explain, got {target!r}")
    if task.kind == "binary":
        chosen = target or task.classes[1]
        values = found[:, 0] if chosen == task.classes[1] else 1 - found[:, 0]
        return values, f"{task.names[0]}: probability of {chosen!r}"
    likeliest = int(found[0].argmax()) if task.kind == "multiclass" else 0
    column = likeliest if target is None else choices.index(target)
    if task.kind == "multiclass":
        return found[:, column], f"{task.names[0]}: probability of {choices[column]!r}"
    return found[:, column], f"probability of {choices[column]}" if task.kind == "multilabel" else choices[column]


def _notes(model: FittedModel) -> list[str]:
    notes = []
    if model.standardiser is not None:
        notes.append("RDKit descriptors were held fixed while atoms were masked.")
    known = model.record.get("validation") or {}
    value = known.get("value")
    if value is not None and not math.isnan(value) and value < WEAK[known["name"]]:
        score = f"validation {known['name']} {value:.2f}, below {WEAK[known['name']]}"
        notes.append(f"This model is weak ({score}): do not trust which atoms it names.")
    return notes
