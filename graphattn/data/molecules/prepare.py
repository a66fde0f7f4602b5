"""From a table to graphs: what can be used, and a report of every row that cannot.

Set aside are broken rows, empty cells of SMILES, SMILES that RDKit cannot read, and molecules without atoms. With a
task, also rows without a label, rows whose label is none of the classes or no finite number, and all rows of one
molecule (equal canonical SMILES) that contradict each other about a class. Where the table says which part a row
belongs to, only rows of one part can contradict each other. Rows of one molecule that agree are all kept, and so are
measured values that differ: a regression averages them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem
from rich.table import Table
from rich.text import Text
from torch_geometric.data import Data

from graphattn.data.molecules.chemistry import AS_WRITTEN, Chemistry, Read, label, parse, read
from graphattn.data.molecules.smiles import UnreadableError, flat_smiles
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.split_columns import has_part_words
from graphattn.data.tasks import Task
from graphattn.data.wording import shortened
from graphattn.data.writing import write_csv

_MOST_SHOWN = 200
_MOST_ROWS = 1024
_MOST_PAIRS = 2**23
_LONGEST = 2000
Labels = NDArray[np.float32]


class Rejected(NamedTuple):
    """A row that cannot be used: its line in the file, why, its SMILES as written, its position in the table, the file if there
    are several.
    """

    line: int
    reason: str
    text: str
    row: int
    file: str = ""

    @property
    def where(self) -> str:
        """Line, and of which file where there are several."""
        return f"line {self.line}" + (f" of {self.file}" if self.file else "")


@dataclass(frozen=True)
class Molecules:
    """The molecules of a table that can be used, in its order, and the rows that cannot.

    Attributes:
        graphs: one graph per molecule (see ``to_data``), with its ``row``, ``line``, where the table has them ``weight`` [1] and
            ``own_descriptors`` [1, D] and, given a task, ``y`` float32 ``[1, targets]``.
        smiles: canonical SMILES of what was kept of each molecule.
        keys: equal for rows that are one molecule: canonical SMILES, or those without stereo.
        mols: RDKit's molecules.
        row: position of each molecule in the table.
        task: the task, if there is one.
        rejected: the other rows, in the order of the table.
        descriptor_columns: names of ``own_descriptors``.
    """

    graphs: list[Data]
    smiles: list[str]
    keys: list[str]
    mols: list[Chem.Mol]
    row: NDArray[np.int64]
    task: Task | None
    rejected: list[Rejected]
    descriptor_columns: tuple[str, ...] = ()


def collect(
    table: MoleculeTable,
    task: Task | None = None,
    *,
    chemistry: Chemistry = AS_WRITTEN,
    conflicts: Literal["reject", "keep"] = "reject",
    flat: bool = False,
) -> Molecules:
    """The graphs of a table. A row that cannot be used is set aside with its line and the reason; no label shifts.

    Without a ``task`` there is no ``y``, as for a prediction. ``conflicts="keep"`` keeps rows that contradict each other, as
    for an evaluation. With ``flat``, stereoisomers are one molecule.

    Raises:
        ValueError: no row can be used, or the table lacks a target of the task.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"smiles": ["CCO", "C1CC", "OCC"], "y": ["1", "0", "1"]})
    >>> molecules = collect(MoleculeTable(frame, np.arange(2, 5), "smiles"), Task("binary", ("y",), ("0", "1")))
    >>> molecules.smiles, molecules.rejected
    (['CCO', 'CCO'], [Rejected(line=3, reason='unreadable SMILES: ring 1 is not closed', text='C1CC', row=1, file='')])
    """
    molecules = _gathered(table, task, chemistry, conflicts, flat)
    if not molecules.graphs:
        raise ValueError(_nothing(molecules.rejected))
    return molecules


def in_parts(table: MoleculeTable, task: Task | None = None, chemistry: Chemistry = AS_WRITTEN) -> Iterator[Molecules]:
    """The graphs of a table, some thousand rows at a time, so that memory does not grow with the number of rows.

    Each part is what :func:`collect` makes of its rows with ``conflicts="keep"``, but for that it may be without molecules;
    ``row`` and ``rejected`` count in the whole table.

    Raises:
        ValueError: after the last part, if no row could be used.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"smiles": ["CCO", "C1CC"] * 3000})
    >>> parts = list(in_parts(MoleculeTable(frame, np.arange(2, 6002), "smiles")))
    >>> len(parts), parts[2].row[:3].tolist(), sum(len(part.rejected) for part in parts)
    (6, [2048, 2050, 2052], 3000)
    """
    used, rejected = 0, list[Rejected]()
    for rows in _parts(table.smiles):
        part = _gathered(table.part(rows), task, chemistry, "keep", flat=False)
        for graph in part.graphs:
            graph.row += rows.start
        aside = [one._replace(row=one.row + rows.start) for one in part.rejected]
        used += len(part.graphs)
        rejected += aside
        yield replace(part, row=part.row + rows.start, rejected=aside)
    if not used:
        raise ValueError(_nothing(rejected))


def _parts(texts: Sequence[str]) -> Iterator[range]:
    """Rows that are read together: graphs hold the distances of all pairs, and SMILES are about as long as molecules."""
    start, pairs = 0, 0
    for row, text in enumerate(texts):
        pairs += min(len(text), _LONGEST) ** 2
        if row > start and (row - start == _MOST_ROWS or pairs > _MOST_PAIRS):
            yield range(start, row)
            start, pairs = row, min(len(text), _LONGEST) ** 2
    yield range(start, len(texts))


def _gathered(
    table: MoleculeTable, task: Task | None, chemistry: Chemistry, conflicts: Literal["reject", "keep"], flat: bool
) -> Molecules:
    """What :func:`collect` gives, also where no row can be used."""
    labels, faulty = task.encode(table.frame) if task else (None, [])
    found, reasons = _read(table, dict(faulty), chemistry)
    rows = found.positions.tolist()
    graphs = dict(zip(rows, found.graphs, strict=True))
    named = (
        [flat_smiles(molecule) for molecule in found.molecules] if flat else [graph.smiles for graph in found.graphs]
    )
    keys = dict(zip(rows, named, strict=True))
    if task and labels is not None and conflicts == "reject":
        reasons |= _contradictions(table, task, keys, labels)
    kept = {row: graph for row, graph in graphs.items() if row not in reasons}
    lines, texts = table.line.tolist(), table.smiles
    rejected = [_rejected(table, texts, row, reason) for row, reason in sorted(reasons.items())]
    assert len(kept) + len(rejected) == len(table.frame), f"{len(table.frame)} rows: {len(kept)} + {len(rejected)}"
    weights, own = table.weights, table.descriptors
    for row, graph in kept.items():
        graph.row, graph.line = row, lines[row]
        if weights is not None:
            graph.weight = torch.tensor([weights[row]])
        if own is not None:
            graph.own_descriptors = torch.from_numpy(own[row : row + 1])
    used = np.fromiter(kept, dtype=np.int64)
    if labels is not None:
        label(list(kept.values()), labels[used])
    smiles = [graph.smiles for graph in kept.values()]
    mols = [molecule for row, molecule in zip(rows, found.molecules, strict=True) if row in kept]
    named, columns = [keys[row] for row in kept], table.descriptor_columns
    return Molecules(list(kept.values()), smiles, named, mols, used, task, rejected, columns)


def checked(table: MoleculeTable, chemistry: Chemistry = AS_WRITTEN) -> MoleculeTable:
    """The table with the rows whose SMILES cannot be read among its faults, so that they have no say in what the classes are.

    Raises:
        ValueError: no row can be read.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"smiles": ["CCO", "C1CC"], "y": ["1", "y"]})
    >>> checked(MoleculeTable(frame, np.arange(2, 4), "smiles", ("y",))).targets["y"].tolist()
    ['1']
    """
    texts, faults = table.smiles, dict(table.faults)
    for row in range(len(texts)):
        if row not in faults:
            try:
                parse(texts[row], chemistry)
            except UnreadableError as error:
                faults[row] = error.reason
    if len(faults) == len(texts):
        raise ValueError(_nothing([_rejected(table, texts, row, faults[row]) for row in sorted(faults)]))
    return replace(table, faults=faults)


def summary(rejected: Sequence[Rejected]) -> str:
    """How many rows were set aside for what.

    >>> summary([Rejected(2, "unreadable SMILES: not SMILES syntax", "x", 0), Rejected(5, "no label", "C", 3)])
    '1 unreadable SMILES, 1 no label'
    """
    counts = Counter(one.reason.partition(":")[0] for one in rejected)
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def report(rejected: Sequence[Rejected], *, most: int = 30) -> Table:
    """A table for the terminal of the rows that were set aside: line, reason and SMILES of the first ``most``."""
    table = Table(
        title=f"{len(rejected):,} row{'s' * (len(rejected) != 1)} set aside: {summary(rejected)}", title_justify="left"
    )
    several = any(one.file for one in rejected)
    if several:
        table.add_column("file", overflow="fold")
    table.add_column("line", justify="right")
    table.add_column("reason", overflow="fold")
    table.add_column("SMILES", overflow="fold")
    # As Text: square brackets of SMILES are no markup.
    for one in rejected[:most]:
        place = [one.file, f"{one.line:,}"] if several else [f"{one.line:,}"]
        table.add_row(*place, Text(one.reason), Text(shortened(one.text, _MOST_SHOWN)))
    if len(rejected) > most:
        table.add_row("...", *[""] * several, f"and {len(rejected) - most:,} more", "")
    return table


def write_rejected(rejected: Sequence[Rejected], path: str | Path, escape: bool = False) -> None:
    """Write line, reason and SMILES of every row that was set aside as a CSV file, see ``write_csv``; of several files the name,
    too.
    """
    rows = [(one.line, one.reason, one.text, one.file) for one in rejected]
    several = any(one.file for one in rejected)
    names = ("line", "reason", "smiles", "file")
    write_csv(names if several else names[:3], rows if several else [row[:3] for row in rows], path, escape)


def _rejected(table: MoleculeTable, texts: Sequence[str], row: int, reason: str) -> Rejected:
    return Rejected(int(table.line[row]), reason, texts[row], row, table.named(row))


def _read(table: MoleculeTable, faulty: Mapping[int, str], chemistry: Chemistry) -> tuple[Read, dict[int, str]]:
    """What can be used, by row, and why the other rows cannot. Only rows without a fault become graphs."""
    texts, reasons = table.smiles, dict(table.faults)
    for row in faulty.keys() - reasons.keys():
        try:
            parse(texts[row], chemistry)
            reasons[row] = faulty[row]
        except UnreadableError as error:
            reasons[row] = error.reason
    rows = np.array([row for row in range(len(texts)) if row not in reasons], dtype=np.int64)
    found = read([texts[row] for row in rows], chemistry)
    reasons |= {int(rows[position]): error.reason for position, error in found.problems.items()}
    return found._replace(positions=rows[found.positions]), reasons


def _contradictions(table: MoleculeTable, task: Task, keys: Mapping[int, str], labels: Labels) -> dict[int, str]:
    """Rows of one molecule, and one part or file, that are in different classes."""
    if not task.classes:
        return {}
    part = table.frame[table.split_column].tolist() if table.split_column else []
    part = part if has_part_words(part) else [""] * len(table.frame)
    groups: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row, key in keys.items():
        groups[key, part[row], table.named(row)].append(row)
    reasons: dict[int, str] = {}
    for rows in groups.values():
        for column, name in enumerate(task.names):
            first = {label: row for row in reversed(rows) if not np.isnan(label := labels[row, column])}
            if len(first) > 1:
                claims = [
                    f"{task.classes[int(label)]} on line {table.line[row]}" for label, row in sorted(first.items())
                ]
                reasons |= dict.fromkeys(rows, f"contradictory labels: {name} is {' and '.join(claims)}")
    return reasons


def _nothing(rejected: Sequence[Rejected]) -> str:
    first = rejected[0]
    return (
        f"none of the {len(rejected):,} rows can be used: {summary(rejected)}; "
        f"the first is {shortened(first.text)!r} on {first.where} ({first.reason})"
    )
