"""Which molecules are for training, validation and testing: by a rule, by a column of the table, or by files of their own."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from graphattn.data.groups import together
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import Molecules
from graphattn.data.molecules.several import with_files
from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.split_columns import are_folds, are_times, has_part_words, split_by_column
from graphattn.data.splits import PARTS, SPLITS, Split, folds, from_column, random, scaffold_key
from graphattn.data.wording import listed
from graphattn.training.molecules.judging import labels_of
from graphattn.training.telling import Say

DEFAULT_RULE = "scaffold_balanced"
COLUMN = "column"
"""What is called the rule of a table that has a column of parts."""
_TENTH = (0.9, 0.1, 0.0)
_INNER, _INNER_SHARES = 3, (0.8, 0.1, 0.1)
_FEW, _LARGE = 50, 5_000


def open_divided(
    data: str,
    smiles: str | None,
    targets: Sequence[str] | None,
    split: str | None,
    weight: str | None = None,
    *,
    descriptors: Sequence[str] | None = None,
    validation: str | None = None,
    test: str | None = None,
) -> tuple[MoleculeTable, str]:
    """The table that ``data`` names, below it the rows of files for validation and testing, and the rule that divides it.

    ``split`` is one of ``SPLITS`` or a column; None means the table's own column if it has one, else the default rule.
    Raises as ``open_table`` and ``with_files`` do.
    """
    parts, own = () if split in SPLITS else split, descriptors or ()
    table = open_table(data, smiles=smiles, targets=targets or None, split=parts, weight=weight, descriptors=own)
    table = with_files(table, data, validation, test)
    if split in SPLITS:
        return table, str(split)
    return table, COLUMN if table.split_column else DEFAULT_RULE


def divide(molecules: Molecules, table: MoleculeTable, rule: str, seed: int) -> tuple[Split, str]:
    """The parts, and how they came about: by files, by the column of the table or by a rule of ``SPLITS``.

    A part that has no file is taken from the file of training by the rule. Where a column names no validation part, a tenth of
    the training part becomes it. Raises as the rules do, and ``ValueError`` for a rule there is not, or a file without a row that
    can be used.
    """
    y = labels_of(molecules)
    if rule != COLUMN and rule not in SPLITS:
        raise ValueError(f"there is no split {rule!r}: expected a column of the data or {', '.join(SPLITS)}")
    if table.files:
        return _divide_files(molecules, table, rule, seed)
    if rule != COLUMN:
        return SPLITS[rule](molecules.keys, y, seed=seed), rule
    split, how = split_by_column(_cells(molecules, table), table.line[molecules.row].tolist(), molecules.keys, seed)
    said = f"column {table.split_column!r}" + (f" ({how})" if how != "as it says" else "")
    if len(split.validation):
        return split, said
    train, validation = _at_random(molecules, split.train, seed)
    return Split(train, validation, split.test), f"{said}, validation at random"


def _divide_files(molecules: Molecules, table: MoleculeTable, rule: str, seed: int) -> tuple[Split, str]:
    """Parts as the files say; that without a file is cut off the training part."""
    assert table.file is not None
    of = table.file[molecules.row]
    parts = [np.flatnonzero(of == part) for part in range(len(PARTS))]
    for part, name in enumerate(table.files):
        if name and not len(parts[part]):
            raise ValueError(f"none of the rows of {name}, which is for the {PARTS[part]} part, can be used")
    said = [f"{word} {name}" for word, name in zip(("validation", "test"), table.files[1:], strict=True) if name]
    if rule == COLUMN:  # it may say which rows are for the part without a file
        own = from_column(np.array(_cells(molecules, table))[parts[0]])
        named = zip(parts[1:], own[1:], strict=True)
        parts = [parts[0][own.train], *(given if len(given) else parts[0][rows] for given, rows in named)]
        said.append(f"column {table.split_column!r}")
    if lacking := next((part for part in (1, 2) if not len(parts[part])), None):
        how = _at_random if rule == COLUMN else partial(_by_rule, rule=rule)
        parts[0], parts[lacking] = how(molecules, parts[0], seed=seed)
        said.append(f"{PARTS[lacking]} {'at random' if rule == COLUMN else rule}")
    return Split(*parts), ", ".join(said)


def _cells(molecules: Molecules, table: MoleculeTable) -> list[str]:
    return [str(cell) for cell in table.frame[table.split_column].iloc[molecules.row]]


def _at_random(molecules: Molecules, rows: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Nine tenths of rows and a tenth, with the classes alike where there is one target of them."""
    single = molecules.task is not None and molecules.task.kind in ("binary", "multiclass")
    return _by_rule(molecules, rows, "stratified" if single else "random", seed)


def _by_rule(
    molecules: Molecules, rows: NDArray[np.int64], rule: str, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    keys, y = [molecules.keys[row] for row in rows], labels_of(molecules)[rows]
    inner = SPLITS[rule](keys, y, fractions=_TENTH, seed=seed)
    return rows[inner.train], rows[inner.validation]


def inner_splits(
    molecules: Molecules, table: MoleculeTable, rows: NDArray[np.int64], rule: str, seed: int
) -> list[Split]:
    """Splits of the training part ``rows`` by the rule that made it: three, or of a large part one; positions in ``rows``.

    Where a column made it, its groups, folds or years stay together. None where the molecules are too few for three parts.
    """
    keys, y = [molecules.keys[row] for row in rows], labels_of(molecules)[rows]
    inner = SPLITS.get(rule, random)
    if rule == COLUMN and not has_part_words(cells := _cells(molecules, table)):
        keys = together(keys, [cells[row] for row in rows])
    seeds = np.random.SeedSequence((seed, 1)).generate_state(_INNER if len(rows) <= _LARGE else 1)
    try:
        return [inner(keys, y, fractions=_INNER_SHARES, seed=int(each)) for each in seeds] if len(rows) >= _FEW else []
    except ValueError:
        return []


def divide_folds(
    molecules: Molecules, table: MoleculeTable, rule: str, number: int, seed: int
) -> tuple[list[Split], str]:
    """Parts of each of ``number`` folds, tested once each, and how they came about; a tenth of the rest is for validation.

    What a rule keeps in one part stays in one fold: molecules, scaffolds, the groups of a column. A column that numbers folds is
    taken as it is. Only molecules of the file of training are divided.

    Raises:
        ValueError: a column of parts or of years; another number of folds than a column has, or more than there are groups.
    """
    own = np.arange(len(molecules.keys)) if table.file is None else np.flatnonzero(table.file[molecules.row] == 0)
    groups, classes, said = _groups(molecules, table, rule, number, own)
    tests = [own[test] for test in folds(groups, number, None if rule == "scaffold" else seed, classes)]
    group, splits = dict(zip(own.tolist(), groups, strict=True)), []
    for test in tests:
        rest = np.setdiff1d(own, test)
        if rule == COLUMN:
            inner = SPLITS["random"]([group[row] for row in rest.tolist()], fractions=_TENTH, seed=seed)
            train, validation = rest[inner.train], rest[inner.validation]
        else:
            train, validation = _by_rule(molecules, rest, rule, seed)
        splits.append(Split(train, validation, test))
    return splits, said


def _groups(
    molecules: Molecules, table: MoleculeTable, rule: str, number: int, rows: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64] | None, str]:
    """What stays together, the classes whose shares are to be alike, and a name."""
    keys, y = [molecules.keys[row] for row in rows], labels_of(molecules)[rows]
    if rule == "stratified":
        if y.shape[1] > 1 or molecules.task is None or molecules.task.kind == "regression":
            kind = molecules.task.kind if molecules.task else "unlabelled"
            raise ValueError(f"expected one target of classes for stratified folds, got {y.shape[1]} {kind}")
        return keys, y[:, 0].astype(np.int64), rule
    if rule in SPLITS:
        return ([scaffold_key(key) for key in keys] if rule.startswith("scaffold") else keys), None, rule
    cells, name = [_cells(molecules, table)[row].strip() for row in rows], f"column {table.split_column!r}"
    if has_part_words(cells) or are_times(cells):
        raise ValueError(f"{name} names parts or times, not folds or groups: name a rule for --folds with --split")
    if are_folds(cells):
        if number != len(set(cells)):
            raise ValueError(
                f"{name} numbers {len(set(cells))} folds: expected --folds {len(set(cells))}, got {number}"
            )
        return cells, None, name
    return together(keys, cells), None, name


def check_classes(molecules: Molecules, split: Split) -> None:
    """Check that the training part has several classes.

    Raises:
        ValueError: it has molecules of one class only.
    """
    task, y = molecules.task, labels_of(molecules)[split.train]
    if task is None or task.kind == "regression":
        return
    for column, name in enumerate(task.names):
        found = np.unique(y[~np.isnan(y[:, column]), column]).astype(int)
        if len(found) < 2:
            only = f"one class only, {task.classes[found[0]]!r}" if len(found) else "no labels"
            raise ValueError(f"target {name!r}: the training part ({len(y)} molecules) has {only}; try another --split")


def tell_lacking(molecules: Molecules, split: Split, say: Say) -> None:
    """Says which classes the validation and test parts lack: ROC-AUC is then undefined, or of the other classes alone."""
    task, y = molecules.task, labels_of(molecules)
    if task is None or task.kind == "regression":
        return
    for part, rows in zip(PARTS[1:], split[1:], strict=True):
        for column, name in enumerate(task.names if len(rows) else ()):
            found = set(y[rows, column].tolist())
            lacking = [label for number, label in enumerate(task.classes) if number not in found]
            if lacking:
                say(
                    f"warning: the {part} part has no {listed(lacking, 'or')} of target {name!r}: ROC-AUC is "
                    f"{'undefined' if len(lacking) > len(task.classes) - 2 else 'that of the other classes'} there; "
                    "--split stratified has all classes in all parts"
                )


def tell_shared(molecules: Molecules, split: Split, say: Say) -> None:
    """Says how many molecules of the validation and the test part are in the training part as well, if any are."""
    keys = np.array(molecules.keys, dtype=object)
    trained = set(keys[split.train])
    for part, rows in zip(PARTS[1:], split[1:], strict=True):
        if shared := sum(key in trained for key in keys[rows]):
            say(
                f"warning: {shared:,} of {len(rows):,} rows of the {part} part are of molecules of the training part: "
                "figures on them are not figures for new molecules"
            )
