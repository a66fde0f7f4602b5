"""A saved model at work on a table: predictions beside the input."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from graphattn.data.molecules.chemistry import Chemistry, attach, attach_fingerprints, describe
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import Molecules, Rejected, in_parts
from graphattn.data.molecules.rdkit2d import own_columns
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.wording import STANDARD_STREAM
from graphattn.data.writing import write_csv
from graphattn.training.folder.weights import other_versions
from graphattn.training.molecules.reliability.columns import prediction_columns, thresholds_of
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.molecules.workflow import check_strict, tell_large, tell_rejected
from graphattn.training.telling import Say

Watch = Callable[[int, Sequence[Rejected]], None]
"""Called after each part of a table with the number of its rows and those of them that were set aside."""


class Predicted(NamedTuple):
    """Some rows of a table with their predictions, those of them that have none, and how many are out of the domain."""

    frame: pd.DataFrame
    rejected: list[Rejected]
    outside: int


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
    read = described.get("descriptors")
    table = open_table(
        data,
        smiles=smiles,
        targets=targets,
        split=(),
        trained=trained if isinstance(trained, str) else None,
        descriptors=own_columns(read["names"]) if isinstance(read, Mapping) else (),
    )
    for note in table.notes:
        say(note)
    return table


def tell_versions(described: Mapping[str, Any], say: Say) -> None:
    """Says which packages are others than those that a model was made with."""
    for note in other_versions(described):
        say(note)


def write_predictions(
    model: FittedModel,
    table: MoleculeTable,
    out: Path,
    say: Say,
    *,
    threshold: float | None = None,
    max_atoms: int | None = None,
    strict: bool = False,
    escape: bool = False,
) -> None:
    """Write what :func:`predict_parts` gives as a CSV file, part by part; it is there when its last row is.

    Says which rows have no prediction, how many have one, and how many rows a second took; what the model does not know of its
    reliability, and how many molecules are out of its domain.

    Raises:
        ValueError: no row can be read; if ``strict``, one cannot.
    """
    rows, lacking, outside = len(table.frame), list[Rejected](), 0
    tell_unknown(model, say)
    with watching(model, table, say, max_atoms=max_atoms, strict=strict) as watch:

        def watched() -> Iterator[pd.DataFrame]:
            nonlocal outside
            for part in predict_parts(model, table, max_atoms, threshold):
                lacking.extend(part.rejected)
                outside += part.outside
                watch(len(part.frame), part.rejected)
                yield part.frame

        frames = watched()
        first = next(frames)
        cells = (row for frame in itertools.chain([first], frames) for row in frame.itertuples(index=False, name=None))
        write_csv(list(first.columns), cells, out, escape)
    where = "standard output" if str(out) == STANDARD_STREAM else out
    say(f"{rows - len(lacking):,} of {rows:,} rows predicted, written to {where}")
    if outside:
        least = model.reliability.least_similarity if model.reliability else None
        say(
            f"{outside:,} molecules are out of the domain: their nearest training molecule has a similarity below {least:.3f}"
        )


def tell_unknown(model: FittedModel, say: Say) -> None:
    """Says what the model lacks to tell how far to rely on it: all of it in folders of earlier versions."""
    known = model.reliability
    if known is None:
        say("the model was saved without calibration, prediction sets and domain: its probabilities are not calibrated")
    elif lacking := [name for name, each in zip(model.task.names, known.calibrations, strict=False) if each is None]:
        say(
            f"probabilities of {', '.join(map(repr, lacking))} are not calibrated: too few validation molecules of a class"
        )


@contextmanager
def watching(
    model: FittedModel, table: MoleculeTable, say: Say, *, max_atoms: int | None = None, strict: bool = False
) -> Iterator[Watch]:
    """Shows on a terminal how many rows are done; says at the end which were set aside, and the rows per second.

    Says before which molecules will take long.

    Raises:
        ValueError: a row was set aside although ``strict`` allows none; at the end of the part that it is in.
    """
    began, console, aside, rows = time.perf_counter(), Console(stderr=True), list[Rejected](), len(table.frame)
    tell_large(table, chemistry_of(model, max_atoms).max_atoms, say)
    columns = (TextColumn("rows"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=rows)

        def watch(count: int, rejected: Sequence[Rejected]) -> None:
            progress.advance(bar, count)
            aside.extend(rejected)
            if strict and aside:
                progress.stop()
                tell_rejected(aside, say)
                done = int(progress.tasks[bar].completed)
                check_strict(aside, strict, done if done < rows else None)

        yield watch
    tell_rejected(aside, say)
    seconds = time.perf_counter() - began
    rate = rows / seconds
    say(f"{rows:,} rows in {seconds:.1f} s, {rate:,.{0 if rate >= 10 else 1}f} per second")


def predict_table(
    model: FittedModel, table: MoleculeTable, max_atoms: int | None = None, threshold: float | None = None
) -> tuple[pd.DataFrame, list[Rejected]]:
    """All parts of :func:`predict_parts` together.

    Raises:
        ValueError: as there.
    """
    frames, rejected, _ = zip(*predict_parts(model, table, max_atoms, threshold), strict=True)
    return pd.concat(frames, ignore_index=True), list(itertools.chain(*rejected))


def predict_parts(
    model: FittedModel, table: MoleculeTable, max_atoms: int | None = None, threshold: float | None = None
) -> Iterator[Predicted]:
    """All rows and columns of ``table`` in their order, with the predictions in columns of their own behind, part by part.

    The columns are those of :func:`~graphattn.training.molecules.reliability.columns.prediction_columns`. A row that cannot
    be read, or for which the model gives no finite number, has them empty, and the reason in ``rejected``. No column of the
    input is overwritten: where it has such a name, ours ends in ``_2``. ``max_atoms`` and ``threshold`` override the model's.

    Raises:
        ValueError: a threshold that the model cannot use; after the last part, if no row could be read.
    """
    thresholds_of(model.task, model.reliability, threshold)
    start = 0
    for molecules in in_parts(table, chemistry=chemistry_of(model, max_atoms)):
        rows = range(start, start + len(molecules.row) + len(molecules.rejected))
        yield _predicted(model, molecules, table.part(rows), start, threshold)
        start = rows.stop
    assert start == len(table.frame), f"{len(table.frame)} rows: {start} have a prediction or a reason"


def _predicted(
    model: FittedModel, molecules: Molecules, table: MoleculeTable, start: int, threshold: float | None
) -> Predicted:
    """The rows of one part, which begins at row ``start``."""
    found = predict_each(model, molecules)
    known, places = np.isfinite(found.sum((0, 2))), molecules.row - start
    mols = [molecule for molecule, finite in zip(molecules.mols, known.tolist(), strict=True) if finite]
    frame = table.frame.copy()
    each = found[:, known]
    columns = prediction_columns(model.task, model.reliability, each, model.mean(each), mols, threshold)
    for name, values in columns.items():
        full = np.full(len(frame), "", dtype=object)
        full[places[known]] = values
        frame[free_name(name, frame)] = full
    rejected = [*molecules.rejected, *_without_prediction(table, places[~known], start)]
    reasons = np.full(len(frame), "", dtype=object)
    for one in rejected:
        reasons[one.row - start] = one.reason
    frame[free_name("rejected", frame)] = reasons
    assert len(frame) == known.sum() + len(rejected), f"{len(frame)} rows: {known.sum()} + {len(rejected)}"
    outside = int((columns["domain"] == "out").sum()) if "domain" in columns else 0
    return Predicted(frame, sorted(rejected, key=lambda one: one.row), outside)


def chemistry_of(model: FittedModel, max_atoms: int | None) -> Chemistry:
    """How SMILES become atoms for a model, with a limit of one's own if it is given."""
    return model.chemistry if max_atoms is None else replace(model.chemistry, max_atoms=max_atoms)


def _without_prediction(table: MoleculeTable, rows: NDArray[np.int64], start: int) -> list[Rejected]:
    reason, texts = "no prediction: the output of the model is not a finite number", table.smiles
    return [Rejected(int(table.line[row]), reason, texts[row], row + start) for row in rows.tolist()]


def predict_each(model: FittedModel, molecules: Molecules) -> NDArray[np.float64]:
    """The predictions of each member for molecules, [M, N, outputs]."""
    with_columns(model, molecules)
    return model.predict_each(molecules.graphs)


def with_columns(model: FittedModel, molecules: Molecules) -> None:
    """Gives the graphs their descriptors and fingerprints where the model reads any."""
    if model.reads_descriptors and molecules.graphs:
        attach(molecules.graphs, describe(molecules.mols) if model.reads_rdkit else None)
    if model.reads_fingerprints:
        attach_fingerprints(molecules.graphs, molecules.mols)


def free_name(name: str, frame: pd.DataFrame) -> str:
    """``name``, or the first of ``name_2``, ``name_3``, ... that the table does not have."""
    free, number = name, 2
    while free in frame.columns:
        free, number = f"{name}_{number}", number + 1
    return free
