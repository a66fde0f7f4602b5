"""Parts of images: patients apart, unless it is asked otherwise; by shares, by folds, or one patient left out after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold

from graphattn.data.split_columns import split_by_column
from graphattn.data.splits import PARTS, Split, hold_out, random, stratified
from graphattn.data.wording import listed

RULES = ("patients", "random", "stratified", "leave-one-patient-out")
"""Rules beside ``folds:5`` and columns."""


class Division(NamedTuple):
    """Parts of images, one or, of folds, several; the rule in words; whether each image is in one test part."""

    splits: list[Split]
    rule: str
    folds: bool = False


class Images(NamedTuple):
    """What is divided: the patient of each image, its class, if these are learned, and its cell in a column of splits."""

    patients: Sequence[str]
    classes: NDArray[np.int64] | None = None
    cells: Sequence[str] | None = None


def rule_of(text: str) -> tuple[str, str | None]:
    """The rule that a word names, and the column that it needs; a word that is no rule is a column.

    >>> rule_of("folds:5"), rule_of("folds:fold"), rule_of("stage")
    (('folds:5', None), ('column folds', 'fold'), ('column', 'stage'))
    """
    kind, _, rest = text.partition(":")
    if kind == "folds" and rest and not rest.lstrip("-").isdecimal():
        return "column folds", rest
    return (text, None) if text in RULES or kind == "folds" else ("column", text)


def divide(images: Images, rule: str, seed: int, divide_patients: bool = False) -> Division:
    """The parts that a rule makes.

    Args:
        images: what is divided.
        rule: one of :data:`RULES`, ``folds:`` and a number, ``column`` for parts that the cells of the images name, or
            ``column folds`` for a fold of each different cell.
        seed: of what is drawn.
        divide_patients: whether images of one patient may be in several parts.

    Raises:
        ValueError: too few patients; parts that divide a patient, which is named; an unknown rule.

    >>> images = Images(["p1", "p1", "p2", "p3", "p4", "p5"])
    >>> divide(images, "patients", seed=0).rule, len(divide(images, "leave-one-patient-out", seed=0).splits)
    ('patients apart', 5)
    """
    number = len(set(images.patients))
    if rule == "leave-one-patient-out":
        _check_patients(number, 2, "to leave one out")
        found = _folded(images, LeaveOneGroupOut(), images.patients, seed)
        return Division(found, "one patient left out after the other", folds=True)
    if rule.startswith("folds:"):
        return Division(_folds(images, rule, seed), f"{rule.partition(':')[2]} folds, patients apart", folds=True)
    if rule == "column folds":
        cells = list(images.cells or ())
        if len(set(cells)) < 2:
            raise ValueError(f"expected two folds or more in the column, got {listed(dict.fromkeys(cells))}")
        found = _folded(images, LeaveOneGroupOut(), cells, seed)
        division = Division(found, f"{len(found)} folds of the labels", folds=True)
    elif rule == "column":
        cells, rows = list(images.cells or ()), [str(row) for row in range(len(images.patients))]
        split, how = split_by_column(cells, range(1, len(cells) + 1), rows, seed)
        division = Division([_with_validation(split, images, seed)], how)
    elif rule == "patients":
        _check_patients(number, 3, "for three parts; or --split leave-one-patient-out")
        return Division([_drawn(images, images.patients, images.classes is not None, seed)], "patients apart")
    elif rule in RULES:
        rows = [str(row) for row in range(len(images.patients))]
        division = Division([_drawn(images, rows, rule == "stratified", seed)], rule)
    else:
        raise ValueError(f"there is no split {rule!r}: expected {', '.join(RULES)}, folds:5, or a column of the labels")
    if not divide_patients:
        _check_apart(images.patients, division)
    return division


def _check_patients(number: int, least: int, what: str) -> None:
    if number < least:
        raise ValueError(f"expected {least} patients or more {what}, got {number}")


def _check_apart(patients: Sequence[str], division: Division) -> None:
    """Check that no patient's images are in two parts.

    Raises:
        ValueError: one's are.
    """
    for split in division.splits:
        parts = defaultdict[str, set[str]](set)
        for name, rows in zip(PARTS, split, strict=True):
            if name == "validation" and np.array_equal(rows, split.train):  # few images all do both
                continue
            for row in rows.tolist():
                parts[patients[int(row)]].add(name)
        if divided := [patient for patient, names in parts.items() if len(names) > 1]:
            among = [name for name in PARTS if name in parts[divided[0]]]
            raise ValueError(
                f"the split ({division.rule}) puts images of {len(divided)} patients in several parts, such as those of "
                f"{divided[0]!r} in the {' and the '.join(among)} part: use --split patients, or allow it with --divide-patients"
            )


def _drawn(images: Images, keys: Sequence[str], alike: bool, seed: int) -> Split:
    """Keys at random, as many of each class in all parts where there are enough; rows of one key together."""
    names, first = np.unique(np.asarray(keys), return_index=True)
    try:
        if not alike or images.classes is None:
            raise ValueError
        found = stratified(names.tolist(), images.classes[first], seed=seed)
    except ValueError:
        try:
            found = random(names.tolist(), seed=seed)
        except ValueError:
            raise ValueError(f"expected 3 images or more for three parts, got {len(names)}") from None
    return Split(*(np.flatnonzero(np.isin(np.asarray(keys), names[part])) for part in found))


def _folds(images: Images, rule: str, seed: int) -> list[Split]:
    text, number = rule.partition(":")[2], len(set(images.patients))
    if not text.isdecimal() or int(text) < 2:
        raise ValueError(f"expected a number of folds from 2 behind folds:, got {text!r}")
    if number < int(text):
        raise ValueError(
            f"expected at least as many patients as folds, got {number} patients for {text} folds: use folds:{max(2, number)} "
            "or leave-one-patient-out"
        )
    if images.classes is None:
        return _folded(images, GroupKFold(int(text), shuffle=True, random_state=seed), images.patients, seed)
    return _folded(images, StratifiedGroupKFold(int(text), shuffle=True, random_state=seed), images.patients, seed)


def _folded(
    images: Images, folds: GroupKFold | StratifiedGroupKFold | LeaveOneGroupOut, groups: Sequence[str], seed: int
) -> list[Split]:
    count = len(images.patients)
    classes = np.zeros(count) if images.classes is None else images.classes
    found = []
    for train, test in folds.split(np.zeros((count, 1)), classes, groups):
        found.append(_with_validation(Split(train, np.empty(0, dtype=np.int64), test), images, seed))
    return found


def _with_validation(split: Split, images: Images, seed: int) -> Split:
    """A tenth of the patients of the training part chooses the epoch; of very few all do both."""
    if len(split.validation):
        return split
    patients = [images.patients[int(row)] for row in split.train]
    classes = None if images.classes is None else images.classes[split.train]
    train, validation = hold_out(patients, classes, seed, grouped=True)
    return Split(split.train[train], split.train[validation], split.test)


def parts_lacking(classes: NDArray[np.int64], names: Sequence[str], split: Split) -> list[str]:
    """Sentences about classes that the validation or the test part lacks.

    Raises:
        ValueError: the training part has one class only.
    """
    found = [set(classes[rows].tolist()) for rows in split]
    if len(found[0]) < 2:
        only = listed([name for k, name in enumerate(names) if k in found[0]])
        raise ValueError(
            f"the training part ({len(split.train)} images) has one class only, {only}; try another --split"
        )
    said = []
    for part, rows, there in zip(PARTS[1:], split[1:], found[1:], strict=True):
        if len(rows) and len(there) < len(names):
            lacking = listed([name for k, name in enumerate(names) if k not in there], "or")
            said.append(f"warning: the {part} part has no {lacking}")
    return said
