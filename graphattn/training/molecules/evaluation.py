"""A saved model against a table of labels: figures, and how far its predictions can be relied on."""

from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.labels import key_of, text_of, truth_of
from graphattn.data.molecules.prepare import Rejected, in_parts
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.tasks import Task
from graphattn.data.wording import listed
from graphattn.training.folder.reliability import reliability_sentences
from graphattn.training.folder.weights import plain
from graphattn.training.metrics import Figure, figures
from graphattn.training.molecules.judging import labels_of
from graphattn.training.molecules.prediction import Watch, chemistry_of, predict_each
from graphattn.training.molecules.reliability.measuring import measure
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.molecules.workflow import fingerprint
from graphattn.training.telling import Say


class Evaluation(NamedTuple):
    """Figures by the group of molecules they are for, the rows that were left out, and how far the predictions can be relied on.

    ``measured`` is what ``measure`` gives of the molecules called ``part``: those the model has not seen, or all if it has seen
    all; None where the model knows nothing of its reliability.
    """

    figures: dict[str, dict[str, Figure]]
    rejected: list[Rejected]
    measured: dict[str, Any] | None
    part: str


def tell_truths(task: Task, table: MoleculeTable, say: Say) -> None:
    """Says which words are read as the classes 1 and 0 that the model knows."""
    known, words = {key_of(name) for name in task.classes}, Counter[str]()
    if known == {"0", "1"}:
        cells = table.targets.to_numpy().ravel().tolist()
        words.update(text for cell in cells if truth_of(text := text_of(cell)) and key_of(text) not in known)
    if words:
        number = f"{words.total():,} cells say" if words.total() > 1 else "1 cell says"
        say(f"{number} {listed(words, most=5)}, read as {listed(sorted(set(map(truth_of, words))))}")


def evaluate_table(
    model: FittedModel, table: MoleculeTable, max_atoms: int | None = None, watch: Watch = lambda rows, rejected: None
) -> Evaluation:
    """How good ``model`` is on the molecules of a table.

    ``table.target_columns`` stand for the model's targets, in that order. The groups are all molecules and, if the model
    was trained on some of them, those it has not seen.

    Raises:
        ValueError: the table has another number of targets or no row can be used.
    """
    task, seen, rejected = model.task, set(model.record.get("seen", ())), list[Rejected]()
    near = model.reliability.neighbours if model.reliability else None
    rows, unseen = list[tuple[NDArray, NDArray, NDArray]](), list[bool]()
    for molecules in in_parts(_renamed(table, task.names), task, chemistry_of(model, max_atoms)):
        labels = labels_of(molecules).astype(float) if molecules.graphs else np.zeros((0, len(task.names)))
        similarity = near.nearest(molecules.mols)[1] if near else np.zeros(len(labels))
        rows.append((model.mean(predict_each(model, molecules)), labels, similarity))
        unseen += [fingerprint(smiles) not in seen for smiles in molecules.smiles]
        rejected += molecules.rejected
        watch(len(molecules.row) + len(molecules.rejected), molecules.rejected)
    found, truth, similarity = (np.concatenate(each) for each in zip(*rows, strict=True))
    new = np.array(unseen)
    groups = {f"all {len(new):,} molecules": figures(task, found, truth)}
    part = next(iter(groups))
    if new.any() and not new.all():
        part = f"{new.sum():,} molecules not trained on"
        groups[part] = figures(task, found[new], truth[new])
    elif not new.any():
        part = f"{len(new):,} molecules, ALL TRAINED ON"
        groups = {part: next(iter(groups.values()))}
    of = new if new.any() else ~new
    measured = None
    if model.reliability is not None:
        measured = measure(model.reliability, task, found[of], truth[of], similarity[of] if near else None)
    return Evaluation(groups, rejected, measured, part)


def tell_reliability(model: FittedModel, found: Evaluation, say: Say) -> None:
    """Says how calibration, sets or intervals, threshold and domain do on the molecules of an evaluation."""
    described = plain({**model.describe(), "measured": found.measured})
    for sentence in reliability_sentences(described, f"the {found.part.removeprefix('all ')}"):
        say(sentence)


def _renamed(table: MoleculeTable, names: tuple[str, ...]) -> MoleculeTable:
    """The table with its targets under the names that the model knows them by."""
    if len(table.target_columns) != len(names):
        wanted = ", ".join(map(repr, names))
        raise ValueError(
            f"the model predicts {len(names)} targets ({wanted}), the data name {len(table.target_columns)}"
        )
    renamed = {given: name for given, name in zip(table.target_columns, names, strict=True) if given != name}
    kept = table.frame.drop(columns=[name for name in renamed.values() if name in table.frame])
    return replace(table, frame=kept.rename(columns=renamed), target_columns=names)
