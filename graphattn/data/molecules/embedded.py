"""The data sets that come with graphattn; each has a card, ``datasets/<name>/README.md``."""

import os
from collections.abc import Sequence
from pathlib import Path

from graphattn.data.molecules.table import MoleculeTable, read_table
from graphattn.data.wording import STANDARD_STREAM

_SUFFIXES = {".csv", ".tsv", ".tab", ".smi", ".smiles", ".ism", ".sdf", ".sd", ".mol", ".gz", ".parquet", ".xlsx"}
_COLUMNS: dict[str, tuple[str, str | None]] = {"bbb": ("permeable", None), "solubility": ("solubility", "split")}


def names() -> tuple[str, ...]:
    """Names of the embedded data sets.

    >>> names()
    ('bbb', 'solubility')
    """
    return tuple(_COLUMNS)


def path(name: str) -> Path:
    """Where the file of an embedded data set lies, in the installed package or in the repository.

    Raises:
        ValueError: an unknown name.
        FileNotFoundError: the installation lacks the file.
    """
    if name not in _COLUMNS:
        raise ValueError(f"there is no embedded data set {name!r}; there are {', '.join(names())}")
    package = Path(__file__).parents[2]
    places = [folder / name / f"{name}.csv.gz" for folder in (package / "_datasets", package.parent / "datasets")]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"the data set {name!r} is neither at {places[0]} nor at {places[1]}; reinstall graphattn")


def load(name: str) -> MoleculeTable:
    """The table of an embedded data set. Raises as ``path`` does.

    >>> table = load("bbb")
    >>> len(table.frame), table.smiles_column, table.target_columns
    (3907, 'smiles', ('permeable',))
    """
    file = path(name)
    target, split = _COLUMNS[name]
    return read_table(file, smiles="smiles", targets=target, split=split)


def names_a_table(text: str) -> bool:
    """Whether a word names a file or an embedded data set, where it could also be SMILES: by its suffix if it is not there.

    >>> names_a_table("bbb"), names_a_table("new.csv.gz"), names_a_table("CCO"), names_a_table("-")
    (True, True, False, True)
    """
    known = text == STANDARD_STREAM or text in _COLUMNS or os.path.exists(text)  # noqa: PTH110  long SMILES are no error there
    return known or Path(text).suffix.lower() in _SUFFIXES


def open_table(
    data: str | Path,
    *,
    smiles: str | None = None,
    targets: str | Sequence[str] | None = None,
    split: str | Sequence[str] | None = None,
    trained: str | None = None,
    weight: str | None = None,
    descriptors: Sequence[str] = (),
) -> MoleculeTable:
    """The table that ``data`` names: a file (see ``read_table``), or an embedded data set if there is no such file.

    Raises as ``read_table`` does; the message for a missing file lists the embedded data sets.

    >>> open_table("solubility", targets="logS").target_columns
    ('logS',)
    """
    name = str(data)
    if Path(data).exists() or name not in _COLUMNS:
        try:
            return read_table(
                data,
                smiles=smiles,
                targets=targets,
                split=split,
                trained=trained,
                weight=weight,
                descriptors=descriptors,
            )
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{error} (embedded data sets: {', '.join(names())})") from None
    target, part = _COLUMNS[name]
    return read_table(
        path(name),
        smiles=smiles or "smiles",
        targets=target if targets is None else targets,
        split=(part or ()) if split is None else split,
        weight=weight,
        descriptors=descriptors,
    )
