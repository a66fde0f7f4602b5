"""A saved model at work on a table: predictions beside the input, or figures where the truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data.molecules.chemistry import Chemistry, attach, describe
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import Molecules, Rejected, collect
from graphattn.data.molecules.table import MoleculeTable
from graphattn.training.folder.weights import other_versions
from graphattn.training.metrics import Figure, figures
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.molecules.workflow import Say, fingerprint, labels_of


def open_for(
    described: Mapping[str, Any], data: str, smiles: str | None, targets: Sequence[str], say: Say
) -> MoleculeTable:
    """The table that a model is asked about, its SMILES in the column of training if that is there; says what is inferred.

    Args:
        described: what ``model.json`` holds.
        data, smiles, targets: as in ``open_table``.
        say: receives sentences.
    """
    tell_versions(described, say)
    known = described.get("data")
    trained = known.get("smiles") if isinstance(known, Mapping) else None
    table = open_table(
        data, smiles=smiles, targets=targets, split=(), trained=trained if isinstance(trained, str) else None
    )
    for note in table.notes:
        say(note)
    return table


def tell_versions(described: Mapping[str, Any], say: Say) -> None:
    """Says which packages are others than those that a model was made with."""
    for note in other_versions(described):
        say(note)


def predict_table(
    model: FittedModel, table: MoleculeTable, max_atoms: int | None = None
) -> tuple[pd.DataFrame, list[Rejected]]:
    """All rows and columns of ``table`` in their order, with the predictions in columns of their own behind.

    ``predicted_<target>`` holds the class or the value and ``probability_<class>`` (or, of several targets,
    ``probability_<target>``, of the positive class) the probabilities. A row that cannot be read, or for which the model
    gives no finite number, has them empty, and the reason in ``rejected``. No column of the input is overwritten: where it
    has such a name, ours ends in ``_2``. ``max_atoms`` overrides the limit that the model was trained with.

    Raises:
        ValueError: no row can be read.
    """
    molecules = collect(table, None, chemistry=_chemistry(model, max_atoms))
    found = _six_digits(_predict(model, molecules))
    known = np.isfinite(found).all(1)
    frame = table.frame.copy()
    for name, values in _columns(model, found[known]).items():
        full = np.full(len(frame), "", dtype=object)
        full[molecules.row[known]] = values
        frame[_free(name, frame)] = full
    rejected = molecules.rejected + _without_prediction(table, molecules.row[~known])
    reasons = np.full(len(frame), "", dtype=object)
    for row in rejected:
        reasons[row.row] = row.reason
    frame[_free("rejected", frame)] = reasons
    assert len(frame) == known.sum() + len(rejected), f"{len(frame)} rows: {known.sum()} + {len(rejected)}"
    return frame, sorted(rejected, key=lambda row: row.row)


def evaluate_table(
    model: FittedModel, table: MoleculeTable, max_atoms: int | None = None
) -> tuple[dict[str, dict[str, Figure]], list[Rejected]]:
    """Figures of ``model`` by the group of molecules they are for, and the rows that were left out.

    ``table.target_columns`` stand for the model's targets, in that order. The groups are all molecules and, if the model
    was trained on some of them, those it has not seen.

    Raises:
        ValueError: the table has another number of targets or no row can be used.
    """
    names = model.task.names
    if len(table.target_columns) != len(names):
        wanted = ", ".join(map(repr, names))
        raise ValueError(
            f"the model predicts {len(names)} targets ({wanted}), the data name {len(table.target_columns)}"
        )
    renamed = {given: name for given, name in zip(table.target_columns, names, strict=True) if given != name}
    kept = table.frame.drop(columns=[name for name in renamed.values() if name in table.frame])
    table = replace(table, frame=kept.rename(columns=renamed), target_columns=names)
    molecules = collect(table, model.task, chemistry=_chemistry(model, max_atoms), conflicts="keep")
    prediction, truth = _predict(model, molecules), labels_of(molecules).astype(float)
    seen = set(model.record.get("seen", ()))
    new = np.array([fingerprint(smiles) not in seen for smiles in molecules.smiles])
    groups = {f"all {len(new):,} molecules": figures(model.task, prediction, truth)}
    if new.any() and not new.all():
        groups[f"{new.sum():,} molecules not trained on"] = figures(model.task, prediction[new], truth[new])
    elif not new.any():
        groups = {f"{len(new):,} molecules, ALL TRAINED ON": next(iter(groups.values()))}
    return groups, molecules.rejected


def _chemistry(model: FittedModel, max_atoms: int | None) -> Chemistry:
    return model.chemistry if max_atoms is None else replace(model.chemistry, max_atoms=max_atoms)


def _without_prediction(table: MoleculeTable, rows: NDArray[np.int64]) -> list[Rejected]:
    reason = "no prediction: the output of the model is not a finite number"
    return [Rejected(int(table.line[row]), reason, table.smiles[row], int(row)) for row in rows.tolist()]


def _predict(model: FittedModel, molecules: Molecules) -> NDArray[np.float64]:
    if model.standardiser is not None:
        attach(molecules.graphs, describe(molecules.mols))
    return model.predict(molecules.graphs)


def _columns(model: FittedModel, found: NDArray[np.float64]) -> dict[str, NDArray]:
    """Names and values of the columns of predictions."""
    task = model.task
    if task.kind == "regression":
        return {f"predicted_{name}": found[:, t] for t, name in enumerate(task.names)}
    classes = np.array(task.classes, dtype=object)
    if task.kind == "multilabel":
        labels = {f"predicted_{name}": classes[(found[:, t] > 0.5).astype(int)] for t, name in enumerate(task.names)}
        return labels | {f"probability_{name}": found[:, t] for t, name in enumerate(task.names)}
    probability = np.hstack([_six_digits(1 - found), found]) if task.kind == "binary" else found
    columns = {f"predicted_{task.names[0]}": classes[probability.argmax(1)]}
    return columns | {f"probability_{name}": probability[:, k] for k, name in enumerate(task.classes)}


def _six_digits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """More digits are noise, and differ from machine to machine."""
    return np.array([[float(f"{value:.6g}") for value in row] for row in values]).reshape(values.shape)


def _free(name: str, frame: pd.DataFrame) -> str:
    """``name``, or the first of ``name_2``, ``name_3``, ... that the table does not have."""
    free, number = name, 2
    while free in frame.columns:
        free, number = f"{name}_{number}", number + 1
    return free
