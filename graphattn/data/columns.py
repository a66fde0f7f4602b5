"""Which column of a table is what: found by name, or guessed when it is obvious."""

import difflib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from graphattn.data.labels import MISSING, flaw_of, is_number
from graphattn.data.molecules.languages import INSTALL, is_selfies, reads_selfies
from graphattn.data.molecules.smiles import rdkit_molecule
from graphattn.data.split_columns import are_folds
from graphattn.data.splits import PART_WORDS
from graphattn.data.wording import listed

Columns = Mapping[str, Sequence[str]]

_SMILES_NAMES = ("smiles", "canonical_smiles", "canonicalsmiles", "isomeric_smiles", "isomericsmiles", "smi")
_TARGET_NAMES = ("label", "labels", "target", "y", "class", "activity", "active", "outcome", "response")
_IDENTIFIERS = ("id", "name", "index", "idx", "num", "number", "no", "no.", "nr", "cid", "cas", "inchi", "title")
_SPLIT_NAMES = ("split", "set", "subset", "partition", "fold")
_LOOKED_AT = 100
_SHARE = 0.8
_MOST_CLASSES = 30


def pick(columns: Columns, wanted: str, path: object) -> str:
    """The column called ``wanted``, in any case if only one is.

    Raises:
        ValueError: otherwise; lists the columns.
    """
    alike = [name for name in columns if name.lower() == wanted.strip().lower()]
    if wanted in columns or len(alike) == 1:
        return wanted if wanted in columns else alike[0]
    near = difflib.get_close_matches(wanted, columns, n=1, cutoff=0.5)
    hint = f". Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{path} has no column {wanted!r}; it has {listed(columns)}{hint}")


def guess_smiles(columns: Columns, path: object) -> str:
    """The column of SMILES: by its name, else the only one whose cells RDKit reads.

    Raises:
        ValueError: there is none or more than one, or when the first line holds data instead of names.
    """
    known = [name for wanted in _SMILES_NAMES for name in columns if name.lower() == wanted]
    if known:
        return known[0]
    found = [name for name in columns if "smiles" in name.lower()]
    found = found or [name for name, cells in columns.items() if smiles_share(cells) >= _SHARE]
    found = found or [name for name, cells in columns.items() if _share(cells, lambda cell: cell.startswith("InChI="))]
    if selfies := [name for name in found or columns if _share(columns[name], is_selfies)]:
        if not reads_selfies():
            raise ValueError(
                f"{path}: column {selfies[0]!r} holds SELFIES, not SMILES, and selfies, which converts them, is not installed: "
                f"{INSTALL}"
            )
        found = selfies
    if not found:
        raise ValueError(f"{path} has no column of SMILES; name the one to read: {listed(columns, 'or')}")
    if len(found) > 1:
        raise ValueError(f"{path} has several columns that may hold SMILES: {listed(found)}; name one")
    if _atoms(found[0]):
        raise ValueError(
            f"{path} begins with data ({found[0]!r}) instead of column names; add a first line such as 'smiles,label'"
        )
    return found[0]


def guess_targets(columns: Columns, taken: Container[str], path: object) -> tuple[str, ...]:
    """The target, or targets, among the columns that are not ``taken``.

    By its name (label, target, y, class, activity ...); or the only column left; or the only one that is no
    identifier and holds numbers or few different words; or all of these if they hold nothing but 0 and 1.

    Raises:
        ValueError: otherwise; lists the columns.
    """
    left = [name for name in columns if name not in taken]
    named = [name for name in left if name.lower() in _TARGET_NAMES]
    likely = [name for name in left if _may_be_target(name, columns[name])]
    for choice in (named, left, likely):
        if len(choice) == 1 and (choice is not left or not _counts_rows(left[0], columns[left[0]])):
            return (choice[0],)
    if likely and not named and all(_is_flag(columns[name]) for name in likely):
        return tuple(likely)
    if len(left) == 1:
        raise ValueError(
            f"{path} has no column of targets: {left[0]!r} names the rows, each by another label; name a target"
        )
    if not left:
        raise ValueError(f"{path} has no column of targets; it has {listed(columns)}")
    raise ValueError(f"{path}: the target may be {listed(named or likely or left, 'or')}; name it")


def guess_split(columns: Columns, lines: Sequence[int], path: object) -> str | None:
    """The column called split, set, subset, partition or fold, which says train, validation or test, or numbers folds.

    Raises:
        ValueError: a word that is neither, which is named.
    """
    for name, cells in columns.items():
        if name.lower() not in _SPLIT_NAMES:
            continue
        words = [cell.strip().lower() for cell in cells]
        if set(words) <= set(PART_WORDS) or are_folds(words):
            return name
        row = next(row for row, word in enumerate(words) if word not in PART_WORDS)
        raise ValueError(
            f"{path}: column {name!r} should say which part each row is for, but says {cells[row]!r} in line {lines[row]}; "
            "expected train, validation or test. Mend it, or name a rule or another column with --split"
        )
    return None


def _labels(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells if cell.strip().lower() not in MISSING]


def _is_flag(cells: Iterable[str]) -> bool:
    return {label.removesuffix(".0") for label in _labels(cells)} == {"0", "1"}


def _counts_rows(name: str, cells: Sequence[str]) -> bool:
    """Whether a column names rows: by its own name, and with another label in each."""
    labels = _labels(cells)
    named = name.lower() in _IDENTIFIERS or name.lower().endswith(("_id", " id"))
    return named and 0 < len(labels) == len(set(labels))


def _may_be_target(name: str, cells: Iterable[str]) -> bool:
    labels = _labels(cells)
    different = len(set(labels))
    if different < 2 or name.lower() in _IDENTIFIERS or name.lower().endswith(("_id", " id")):
        return False
    numbers = [float(label) for label in labels if is_number(label)]
    if len(numbers) + sum(bool(flaw_of(label)) for label in labels) < 0.9 * len(labels):
        return different <= _MOST_CLASSES and len(labels) >= 2 * different
    counts_rows = different == len(labels) > 20 and all(number.is_integer() for number in numbers)
    return not counts_rows


def _share(cells: Sequence[str], test: Callable[[str], bool]) -> bool:
    """Whether most of the first cells are what is tested for."""
    filled = [cell.strip() for cell in cells[:_LOOKED_AT] if cell.strip()]
    return bool(filled) and sum(map(test, filled)) >= _SHARE * len(filled)


def smiles_share(cells: Sequence[str], least: int = 2) -> float:
    """Share of the first cells that RDKit reads; 0 if all are single atoms, as letters that name classes are, too.

    >>> smiles_share(["CCO", "x", "C"]), smiles_share(["C", "N"])
    (0.6666666666666666, 0.0)

    Args:
        cells: as they were written.
        least: number of atoms that one of them must have.
    """
    atoms = [_atoms(cell) for cell in cells[:_LOOKED_AT] if cell.strip()]
    return sum(count > 0 for count in atoms) / len(atoms) if max(atoms, default=0) >= least else 0.0


def _atoms(text: str) -> int:
    molecule = rdkit_molecule(text)
    return molecule.GetNumAtoms() if molecule is not None else 0
