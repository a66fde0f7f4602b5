"""A file of molecules as a table: rows of text, their line numbers, and which column is what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data.columns import guess_smiles, guess_split, guess_targets, pick
from graphattn.data.labels import number_of, text_of
from graphattn.data.reading import named, read_records


@dataclass(frozen=True)
class MoleculeTable:
    """Rows as read from a file, all columns as text.

    Attributes:
        frame: all columns and all rows in the order of the file, cells as strings ("" where empty).
        line: line of the file on which each row starts, as an editor counts: the header is line 1, line breaks in
            quoted cells count. For an SDF the first line of the record.
        smiles_column: name of the column of SMILES.
        target_columns: names of the targets, none for a table to predict.
        split_column: name of the column that says train, validation or test, if there is one.
        notes: what was guessed or mended, in sentences.
        faults: rows that are broken, with the reason: too many cells, an unreadable mol block, no weight.
        weight_column: name of the column that says how much each row counts in training, if there is one.
        descriptor_columns: names of the columns of numbers that a model reads beside the graph.
        files: where the rows come from several files, what these are called: that of training, of validation, of test rows;
            "" where there is none.
        file: which of ``files`` each row is from, 0 to 2.
    """

    frame: pd.DataFrame
    line: NDArray[np.int64]
    smiles_column: str
    target_columns: tuple[str, ...] = ()
    split_column: str | None = None
    notes: tuple[str, ...] = ()
    faults: Mapping[int, str] = field(default_factory=dict)
    weight_column: str | None = None
    files: tuple[str, ...] = ()
    file: NDArray[np.int64] | None = None
    descriptor_columns: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """Line of a row, and of which file where there are several."""
        return f"line {self.line[row]}" + (f" of {name}" if (name := self.named(row)) else "")

    def named(self, row: int) -> str:
        """The file of a row where there are several, else ""."""
        return "" if self.file is None else self.files[self.file[row]]

    @property
    def weights(self) -> list[float] | None:
        """How much each row counts, 0 for those at fault; None where all count alike."""
        if self.weight_column is None:
            return None
        cells = self.frame[self.weight_column].tolist()
        return [0.0 if row in self.faults else float(cell) for row, cell in enumerate(cells)]

    @property
    def descriptors(self) -> NDArray[np.float32] | None:
        """The numbers of ``descriptor_columns`` [N, D], NaN where a cell is empty or a row is at fault; None without columns."""
        if not self.descriptor_columns:
            return None
        columns = [list(map(text_of, self.frame[name].tolist())) for name in self.descriptor_columns]
        rows = [
            [float(text) if text and row not in self.faults else np.nan for row, text in enumerate(c)] for c in columns
        ]
        return np.array(rows, dtype=np.float32).T

    @property
    def smiles(self) -> list[str]:
        """The SMILES of each row, as written."""
        return self.frame[self.smiles_column].tolist()

    @property
    def targets(self) -> pd.DataFrame:
        """The columns of targets, of the rows without a fault: other rows have no say in what the classes are."""
        sound = [row for row in range(len(self.frame)) if row not in self.faults]
        return self.frame.loc[:, list(self.target_columns)].iloc[sound]

    def part(self, rows: range) -> "MoleculeTable":
        """Some of the rows, which count from 0 there."""
        faults = {position: self.faults[row] for position, row in enumerate(rows) if row in self.faults}
        span = slice(rows.start, rows.stop)
        frame, file = self.frame.iloc[span].reset_index(drop=True), None if self.file is None else self.file[span]
        return replace(self, frame=frame, line=self.line[span], faults=faults, file=file)


def read_table(
    path: str | Path,
    *,
    smiles: str | None = None,
    targets: str | Sequence[str] | None = None,
    split: str | Sequence[str] | None = None,
    trained: str | None = None,
    weight: str | None = None,
    descriptors: Sequence[str] = (),
) -> MoleculeTable:
    """The table in a CSV, TSV, SDF, Parquet or Excel file, which may be gzipped.

    Separators (comma, tab, semicolon, bar), encodings (UTF-8, UTF-16, Latin-1) and line ends are recognised.

    Args:
        path: the file, or ``-`` for standard input; its suffix matters only for an SDF (.sdf, .sd, .mol).
        smiles: column of SMILES; guessed if not given. An SDF has its SMILES, made from the mol blocks, in "smiles".
        targets: column or columns of targets; guessed if not given, ``()`` for none.
        split: column that names the parts; guessed if not given, ``()`` for none.
        trained: column of SMILES that a model was trained on, which is taken where it is there.
        weight: column of weights, numbers of 0 or more.
        descriptors: columns of numbers that a model reads beside the graph; cells may be empty.

    Raises:
        FileNotFoundError: no such file.
        ImportError: what reads Parquet or Excel is not installed.
        ValueError: the file is no table or lacks a column (those it has are listed), or a column that has to be inferred is
            not obvious; no weight is above 0; a column of descriptors is that of SMILES, weights, parts or a target.
    """
    records, path = read_records(Path(path)), named(Path(path))
    columns = dict(zip(records.columns, zip(*records.cells, strict=True), strict=True))
    sound = [row for row in range(len(records.cells)) if row not in records.faults] or range(len(records.cells))
    told = {name: [cells[row] for row in sound] for name, cells in columns.items()}
    notes, faults = list(records.notes), dict(records.faults)
    weight_column = pick(columns, weight, path) if weight else None
    if weight_column:
        faults = _weight_faults(weight_column, columns[weight_column], path) | faults
    own = tuple(dict.fromkeys(pick(columns, name, path) for name in descriptors))
    faults = _descriptor_faults({name: columns[name] for name in own}) | faults
    smiles_column, how = _smiles_column(told, smiles, trained, path)
    split_column = _split_column(told, split, [records.lines[row] for row in sound], path)
    if targets is None:
        target_columns = guess_targets(told, {smiles_column, split_column, weight_column, *own}, path)
        notes.append(f"the target is {', '.join(map(repr, target_columns))}")
    else:
        wanted = (targets,) if isinstance(targets, str) else targets
        target_columns = tuple(pick(columns, name, path) for name in wanted)
    if how:
        notes.insert(len(records.notes), how)
    if split_column and split is None:
        notes.append(f"column {split_column!r} says which rows are for training and for testing")
    _check_descriptors(own, (smiles_column, split_column, weight_column, *target_columns), path)
    line, frame = np.array(records.lines, dtype=np.int64), pd.DataFrame(columns, dtype=str)
    table = MoleculeTable(frame, line, smiles_column, target_columns, split_column, tuple(notes), faults, weight_column)
    return replace(table, descriptor_columns=own)


def _check_descriptors(own: Sequence[str], taken: Sequence[str | None], path: Path) -> None:
    if both := [name for name in own if name in taken]:
        raise ValueError(
            f"{path}: expected columns of numbers of their own as descriptors, got {both[0]!r}, which is read as the "
            "SMILES, a target, the weights or the parts"
        )


def _descriptor_faults(columns: Mapping[str, Sequence[str]]) -> dict[int, str]:
    """Rows with a cell that is neither a number nor empty."""
    faults = dict[int, str]()
    for name, cells in columns.items():
        for row, cell in enumerate(cells):
            try:
                if text := text_of(cell):
                    number_of(text)
            except ValueError as error:
                faults.setdefault(row, f"unusable descriptor: {cell!r} of {name} {error}")
    return faults


def _weight_faults(name: str, cells: Sequence[str], path: Path) -> dict[int, str]:
    """Rows whose weight cannot be used."""
    faults, largest = dict[int, str](), 0.0
    for row, cell in enumerate(cells):
        try:
            value = number_of(cell.strip())
            largest = max(largest, value)
            why = "is below 0" if value < 0 else ""
        except ValueError as error:
            why = str(error)
        if why:
            faults[row] = f"unusable weight: {cell!r} of {name} {why}"
    if not largest:
        raise ValueError(f"{path}: expected weights above 0 in column {name!r}, got none")
    return faults


def _smiles_column(
    columns: Mapping[str, Sequence[str]], smiles: str | None, trained: str | None, path: Path
) -> tuple[str, str]:
    """The column of SMILES, and a sentence about it where it was not told."""
    if smiles:
        return pick(columns, smiles, path), ""
    if trained is not None and any(name.lower() == trained.lower() for name in columns):
        found = pick(columns, trained, path)
        return found, f"SMILES are in column {found!r}, as in training"
    found = guess_smiles(columns, path)
    other = f", though the model was trained on column {trained!r}, which is not there" if trained is not None else ""
    return found, f"SMILES are in column {found!r}{other}"


def _split_column(
    columns: Mapping[str, Sequence[str]], split: str | Sequence[str] | None, lines: Sequence[int], path: Path
) -> str | None:
    if split is None:
        return guess_split(columns, lines, path)
    return pick(columns, split, path) if isinstance(split, str) else None
