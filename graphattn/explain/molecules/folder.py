"""A folder of explanations: a drawing of each molecule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rdkit import Chem
from rich.table import Table
from rich.text import Text

from graphattn.data.molecules.chemistry import read
from graphattn.explain.molecules.drawing import draw
from graphattn.explain.molecules.explanation import explain
from graphattn.training.molecules.saved import FittedModel


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
