"""The data sets that come with graphattn; each has a card, `datasets/<name>/README.md`.

>>> names()
('bbb', 'solubility')
>>> table = load("bbb")
>>> len(table.frame), table.smiles_column, table.target_columns
(3907, 'smiles', ('permeable',))
"""

from pathlib import Path

import numpy as np
import pandas as pd

from graphattn.data.table import MoleculeTable

_COLUMNS: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "bbb": ("smiles", ("permeable",), None),
    "solubility": ("smiles", ("solubility",), "split"),
}


def names() -> tuple[str, ...]:
    """Names that `load` knows."""
    return tuple(_COLUMNS)


def path(name: str) -> Path:
    """Where the file of an embedded data set lies, in the installed package or in the repository.

    Raises `ValueError` for an unknown name and `FileNotFoundError` when the installation lacks the file.
    """
    if name not in _COLUMNS:
        raise ValueError(f"there is no embedded data set {name!r}; there are {', '.join(names())}")
    package = Path(__file__).parents[1]
    places = [folder / name / f"{name}.csv.gz" for folder in (package / "_datasets", package.parent / "datasets")]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"the data set {name!r} is neither at {places[0]} nor at {places[1]}; reinstall graphattn")


def load(name: str) -> MoleculeTable:
    """The table of an embedded data set. Raises as `path` does."""
    frame = pd.read_csv(path(name), dtype=str)
    smiles, targets, split = _COLUMNS[name]
    return MoleculeTable(frame, np.arange(len(frame)) + 2, smiles, targets, split, ())
