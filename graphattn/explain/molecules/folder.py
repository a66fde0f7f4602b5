"""A folder of explanations: a drawing of each molecule, grids of all, and the numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from graphattn.data.molecules.chemistry import Chemistry, parse
from graphattn.data.molecules.prepare import Rejected, in_parts, write_rejected
from graphattn.data.molecules.smiles import UnreadableError
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.wording import shortened
from graphattn.data.writing import write_csv
from graphattn.explain.molecules.drawing import Palette, draw, draw_grid
from graphattn.explain.molecules.explanation import Explanation, check_target, explain
from graphattn.explain.molecules.naming import file_names, name_column, names_of, written_name
from graphattn.explain.molecules.subject import with_molecule
from graphattn.training.molecules.prediction import watching
from graphattn.training.molecules.saved import FittedModel

CONTRIBUTIONS, REJECTED, GRID = "contributions.csv", "rejected.csv", "grid"
COLUMNS = (
    "molecule",
    "line",
    "smiles",
    "target",
    "prediction",
    "part",
    "name",
    "atoms",
    "contribution",
    "agreement",
    "uncalibrated",
)
_OF_ALL = re.compile(rf"{GRID}(-\d+)?\.(svg|png)|{CONTRIBUTIONS}|{REJECTED}")
PAGE, SHOWN = 24, 20
Say = Callable[[Any], None]


@dataclass(frozen=True)
class ExplanationPlan:
    """What is written: contributions to ``target`` (:func:`explain`), in colours of one scale for all molecules or of their own.

    ``names`` is the column that names molecules (inferred if None); with ``bonds`` these are coloured, too; ``max_atoms``
    overrides the limit of the model's training.
    """

    target: str | None = None
    names: str | None = None
    bonds: bool = False
    common_scale: bool = False
    max_atoms: int | None = None
    strict: bool = False
    escape_formulas: bool = False


class Explained(NamedTuple):
    """A molecule's name, that of its files, its line, its SMILES as written, and its explanation."""

    name: str
    file: str
    line: int
    text: str
    explanation: Explanation


def chemistry_of(model: FittedModel, max_atoms: int | None) -> Chemistry:
    """How a model reads SMILES, with another limit of atoms if one is given."""
    return model.chemistry if max_atoms is None else replace(model.chemistry, max_atoms=max_atoms)


def table_of(smiles: Sequence[str], chemistry: Chemistry, say: Say) -> MoleculeTable:
    """The SMILES that can be read as a table, their positions from 1 as lines; says which are left out.

    A name behind a blank is the column ``name``.

    Raises:
        ValueError: none can be read.

    >>> table_of(["CCO ethanol", "C1CC"], Chemistry(), print).frame["name"].tolist()
    left out: RDKit cannot read SMILES 'C1CC': ring 1 is not closed
    ['ethanol']
    """
    kept = []
    for position, text in enumerate(smiles, 1):
        try:
            parse(text, chemistry)
        except UnreadableError as error:
            say(f"left out: {error}")
        else:
            kept.append((text.strip(), written_name(text), position))
    if not kept:
        raise ValueError(f"none of the {len(smiles)} SMILES can be read")
    frame = pd.DataFrame([row[:2] for row in kept], columns=["smiles", "name"], dtype=str)
    return MoleculeTable(frame, np.array([row[2] for row in kept]), "smiles")


def write_explanations(
    model: FittedModel, table: MoleculeTable, folder: Path, say: Say, plan: ExplanationPlan | None = None
) -> list[Path]:
    """Explain all molecules of a table that can be read, and say which rows are set aside; returns the drawings (SVG).

    The folder gets ``<name>.svg`` and ``<name>.png`` of each molecule, ``grid.svg`` and ``.png`` of 24 each,
    ``contributions.csv`` with a line for each atom, bond and fragment, and ``rejected.csv`` where rows were set aside. Grids and
    tables that an earlier call left in the folder are removed; its drawings of molecules stay.

    Raises:
        ValueError: no row can be used; a target or column that is not there; if ``plan.strict``, a row that was set aside.
    """
    plan = plan or ExplanationPlan()
    check_target(model, plan.target)
    with watching(model, table, say, max_atoms=plan.max_atoms, strict=plan.strict) as watch:
        done, rejected = _explained(model, table, plan, watch)
    if not done:
        raise ValueError(
            f"none of the {len(table.frame):,} molecules can be explained; the first: {rejected[0].reason}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.iterdir():
        if _OF_ALL.fullmatch(former.name):
            former.unlink()
    if rejected:
        write_rejected(rejected, folder / REJECTED, plan.escape_formulas)
    palette = Palette(plan.bonds)
    palette = palette.of([each.explanation for each in done]) if plan.common_scale else palette
    drawings = [draw(each.explanation, folder / each.file, palette) for each in done]
    pages = _grids(done, folder, palette)
    write_csv(COLUMNS, (row for each in done for row in _rows(each)), folder / CONTRIBUTIONS, plan.escape_formulas)
    _tell(done, drawings, pages, folder, say)
    return drawings


def _explained(
    model: FittedModel, table: MoleculeTable, plan: ExplanationPlan, watch: Callable[[int, Sequence[Rejected]], None]
) -> tuple[list[Explained], list[Rejected]]:
    """Of all rows in order; whatever is raised while a molecule is explained is the reason why that one is set aside."""
    chemistry = chemistry_of(model, plan.max_atoms)
    names = names_of(table, name_column(table, plan.names))
    files, texts, lines = file_names(names), table.smiles, table.line.tolist()
    done, rejected = list[Explained](), list[Rejected]()
    for part in in_parts(table, chemistry=chemistry):
        watch(len(part.rejected), part.rejected)
        rejected += part.rejected
        for row, graph, molecule in zip(part.row.tolist(), part.graphs, part.mols, strict=True):
            aside = list[Rejected]()
            try:
                found = explain(model, with_molecule(graph, molecule), plan.target)
                done.append(Explained(names[row], files[row], lines[row], texts[row], found))
            except Exception as error:
                reason = f"cannot be explained: {type(error).__name__}: {error}"
                aside = [Rejected(lines[row], reason, texts[row], row)]
            rejected += aside
            watch(1, aside)
    return done, sorted(rejected, key=lambda one: one.row)


def _grids(done: Sequence[Explained], folder: Path, palette: Palette) -> list[Path]:
    """Pages of 24 molecules; none of one molecule alone."""
    pages = []
    for start in range(0, len(done) if len(done) > 1 else 0, PAGE):
        few = done[start : start + PAGE]
        name = GRID if start == 0 else f"{GRID}-{start // PAGE + 1}"
        pages.append(draw_grid([each.explanation for each in few], [each.name for each in few], folder / name, palette))
    return pages


def _rows(each: Explained) -> Iterator[tuple[object, ...]]:
    """A line for each part; atoms are counted from 0 in the order of the SMILES."""
    meaning, prediction = each.explanation.meaning, f"{each.explanation.prediction:.6g}"
    said = "" if each.explanation.uncalibrated is None else f"{each.explanation.uncalibrated:.6g}"
    for part in each.explanation.parts:
        numbers = " ".join(map(str, part.atoms)), f"{part.contribution:.6g}", f"{part.agreement:.3g}"
        yield (each.name, each.line, each.text, meaning, prediction, part.kind, part.name, *numbers, said)


def _tell(done: Sequence[Explained], drawings: Sequence[Path], pages: Sequence[Path], folder: Path, say: Say) -> None:
    table = Table(title="which atoms mattered", title_justify="left")
    for name in ("molecule", "prediction", "drawing (and .png)"):
        table.add_column(name, overflow="fold")
    for each, path in list(zip(done, drawings, strict=True))[:SHOWN]:
        found = each.explanation
        table.add_row(Text(shortened(each.name)), Text(f"{found.meaning}: {found.prediction:.3f}"), Text(str(path)))
    if len(done) > SHOWN:
        table.add_row(f"and {len(done) - SHOWN:,} more", "", "")
    say(table)
    for note in dict.fromkeys(note for each in done for note in each.explanation.notes):
        say(note)
    side_by_side = (
        f", side by side in {', '.join(path.name for path in pages[:3])}{' ...' * (len(pages) > 3)}" if pages else ""
    )
    say(f"{len(done):,} molecules drawn in {folder}{side_by_side}; the numbers are in {folder / CONTRIBUTIONS}")
