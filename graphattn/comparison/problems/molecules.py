"""A problem from a file of molecules, or from an embedded data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem, Target
from graphattn.comparison.problems.graphs import completed
from graphattn.data.columns import pick
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import Molecules, Rejected, checked, collect, summary
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.split_columns import split_by_column
from graphattn.data.splits import Split
from graphattn.data.tasks import guess_task

_MOST_LINES = 20


def problem_of_molecules(
    data: str | Path,
    target: str | None = None,
    smiles: str | None = None,
    task: Target | None = None,
    group: str | None = None,
) -> Problem:
    """The problem that a CSV, TSV or SDF file of molecules poses, or an embedded data set, for one target.

    Rows that cannot be used are named in the notes with their lines. A column of parts (train,
    validation, test) gives the split.

    Args:
        data: a file, ``"bbb"`` or ``"solubility"``.
        target, smiles: columns; guessed if not given.
        task: guessed if not given, see :func:`~graphattn.data.tasks.guess_task`.
        group: column of groups, such as patients or batches, that stay in one part.

    Raises:
        FileNotFoundError: no such file.
        ValueError: several targets; a row without a group; and as reading, guessing and :class:`Problem` do.
    """
    table = open_table(data, smiles=smiles, targets=target)
    if len(table.target_columns) != 1:
        raise ValueError(f"expected one target to compare layers on, got {len(table.target_columns)}: name one of them")
    table = checked(table)
    posed, sentence = guess_task(table.targets, task)
    molecules = collect(table, posed)
    kind = cast(Target, posed.kind)
    graphs = [_plain(graph, kind) for graph in molecules.graphs]
    given, notes = _given(table, molecules)
    notes = (*table.notes, sentence, *_rejected(molecules.rejected, len(table.frame)), *notes)
    groups = None if group is None else _groups(table, group, molecules, data)
    name = Path(data).name.partition(".")[0]
    return Problem(name, graphs, kind, posed.classes, "graph", groups, molecules.smiles, given, notes)


def _groups(table: MoleculeTable, column: str, molecules: Molecules, data: str | Path) -> list[str]:
    cells = table.frame[pick({str(name): () for name in table.frame.columns}, column, Path(data))].iloc[molecules.row]
    for row, cell in zip(molecules.row.tolist(), cells, strict=True):
        if not str(cell).strip():
            raise ValueError(f"expected a group in column {column!r} of each row, got none in line {table.line[row]}")
    return [str(cell).strip() for cell in cells]


def _plain(graph: Data, kind: Target) -> Data:
    """Copy of a molecule with the attributes that layers read; distances are kept, since they are computed already."""
    held = Data.from_dict({name: graph[name] for name in ("x", "edge_index", "edge_attr", "distance")})
    held.y = graph["y"].view(1) if kind == "regression" else graph["y"].view(1).long()
    return held


def _rejected(rejected: Sequence[Rejected], rows: int) -> tuple[str, ...]:
    if not rejected:
        return ()
    named = [f"line {one.line}: {one.reason}" for one in rejected[:_MOST_LINES]]
    more = [f"and {len(rejected) - _MOST_LINES} more"] if len(rejected) > _MOST_LINES else []
    return (f"{len(rejected):,} of {rows:,} rows were set aside ({summary(rejected)}): {'; '.join(named + more)}",)


def _given(table: MoleculeTable, molecules: Molecules) -> tuple[tuple[Split, ...] | None, tuple[str, ...]]:
    """The parts that a column names, as numbers of molecules."""
    if table.split_column is None:
        return None, ()
    cells = [str(cell) for cell in table.frame[table.split_column].iloc[molecules.row]]
    lines = table.line[molecules.row].tolist()
    split, notes = completed(split_by_column(cells, lines, molecules.smiles, seed=0)[0], molecules.smiles)
    return (split,), notes
