"""Names of molecules, and of the files that are named after them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from graphattn.data.columns import pick
from graphattn.data.molecules.table import MoleculeTable

_COLUMNS = ("name", "title", "id", "compound", "cid", "cas")
_OWN = re.compile(r"grid(-\d+)?|contributions|rejected|con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)
_LONGEST = 60


def name_column(table: MoleculeTable, wanted: str | None = None) -> str | None:
    """The column that names molecules: the one that is wanted, or that is called name, title, id, compound, cid or cas.

    Raises:
        ValueError: a wanted column that is not there; lists those that are.
    """
    columns = {str(name): table.frame[name].tolist() for name in table.frame.columns}
    if wanted is not None:
        return pick(columns, wanted, "the table")
    columns.pop(table.smiles_column)
    return next((name for known in _COLUMNS for name in columns if name.strip().lower() == known), None)


def names_of(table: MoleculeTable, column: str | None) -> list[str]:
    """The name of each row; its SMILES where it has none.

    >>> import numpy as np, pandas as pd
    >>> frame = pd.DataFrame({"smiles": ["CO", "CC"], "name": ["methanol", " "]})
    >>> names_of(MoleculeTable(frame, np.arange(2, 4), "smiles"), "name")
    ['methanol', 'CC']
    """
    given = table.frame[column].tolist() if column is not None else [""] * len(table.frame)
    return [name.strip() or smiles.strip() for name, smiles in zip(given, table.smiles, strict=True)]


def file_names(names: Iterable[str]) -> list[str]:
    """A name of a file for each molecule, without suffix: letters, digits and ``+=@.-_``, and no two alike, whatever their case.

    >>> file_names(["aspirin", "Aspirin", "C/C=C/C", "CC(=O)O", "grid", ""])
    ['aspirin', 'Aspirin-2', 'C_C=C_C', 'CC_=O_O', 'molecule-grid', 'molecule']
    """
    taken, found = set[str](), list[str]()
    for name in names:
        stem = re.sub(r"[^\w+=@.-]+", "_", unicodedata.normalize("NFC", name)).strip("._")[:_LONGEST].rstrip("._")
        stem = f"molecule-{stem}" if _OWN.fullmatch(stem) else stem or "molecule"
        free, number = stem, 2
        while free.casefold() in taken:
            free, number = f"{stem}-{number}", number + 1
        taken.add(free.casefold())
        found.append(free)
    return found


def written_name(text: str) -> str:
    """The name behind the first blank of a text, as files of SMILES have it; a CXSMILES extension is none.

    >>> written_name("CCO ethanol"), written_name("CCO"), written_name("CCO |w:1.0|")
    ('ethanol', '', '')
    """
    behind = text.strip().partition(" ")[2].strip()
    return "" if behind.startswith("|") else behind
