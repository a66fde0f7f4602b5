"""Training, validation and test rows that come from files of their own, as one table."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.split_columns import has_part_words
from graphattn.data.splits import PART_WORDS, PARTS
from graphattn.data.wording import STANDARD_STREAM


def with_files(table: MoleculeTable, data: str, validation: str | None, test: str | None) -> MoleculeTable:
    """The rows of ``table``, which was read from ``data``, and below them those of files for validation and for testing.

    The files have the columns of ``data`` that are read: SMILES, targets, weights and descriptors. Others are left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that lacks a column; a file that is named twice; a column of parts in ``table`` that says otherwise.
    """
    files = (data, validation or "", test or "")
    given = [name for name in files if name]
    if len(set(given)) < len(given):
        raise ValueError(f"expected different files for training, validation and testing, got {', '.join(given)}")
    if not any(files[1:]):
        return table
    _check_parts(table, files)
    others = [(part, _alike(table, name)) for part, name in enumerate(files) if part and name]
    tables = [table, *(other for _, other in others)]
    notes = [f"{files[part]}: {note}" for part, other in others for note in other.notes]
    sizes = [len(each.frame) for each in tables]
    faults = dict[int, str]()
    for start, each in zip(np.cumsum([0, *sizes]).tolist(), tables, strict=False):
        faults |= {start + row: reason for row, reason in each.faults.items()}
    return replace(
        table,
        frame=pd.concat([each.frame for each in tables], ignore_index=True),
        line=np.concatenate([each.line for each in tables]),
        notes=(*table.notes, *notes),
        faults=faults,
        files=tuple("standard input" if name == STANDARD_STREAM else name for name in files),
        file=np.repeat([0, *(part for part, _ in others)], sizes),
    )


def _alike(table: MoleculeTable, name: str) -> MoleculeTable:
    """A file with the columns of ``table``, under the names that they have there."""
    read = open_table(
        name,
        smiles=table.smiles_column,
        targets=table.target_columns,
        split=(),
        weight=table.weight_column,
        descriptors=table.descriptor_columns,
    )
    theirs, ours = _read_of(read), _read_of(table)
    columns = {there: read.frame[here] for here, there in zip(theirs, ours, strict=True)}
    return replace(read, frame=pd.DataFrame(columns).reindex(columns=table.frame.columns, fill_value=""))


def _read_of(table: MoleculeTable) -> Sequence[str]:
    weights = () if table.weight_column is None else (table.weight_column,)
    return (table.smiles_column, *table.target_columns, *weights, *table.descriptor_columns)


def _check_parts(table: MoleculeTable, files: Sequence[str]) -> None:
    """Check that a column of parts in the training file does not say what the other files say."""
    if not (column := table.split_column):
        return
    cells = [cell.strip().lower() for cell in table.frame[column]]
    rule = "name a rule with --split to leave the column out"
    if not has_part_words(cells):
        raise ValueError(f"column {column!r} of {files[0]} divides all its rows, and other files are given: {rule}")
    for part, name in enumerate(files):
        count = sum(PART_WORDS.get(cell) == part for cell in cells)
        if part and name and count:
            raise ValueError(
                f"column {column!r} of {files[0]} has {count:,} {PARTS[part]} rows, and {name} is given for them: {rule}"
            )
