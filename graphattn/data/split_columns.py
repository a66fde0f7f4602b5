"""Parts from a column of the data: words of parts, numbers of folds, years and dates, or groups that stay together."""

import re
from collections.abc import Sequence

import numpy as np

from graphattn.data.groups import together
from graphattn.data.splits import PART_WORDS, Split, from_column, random

_MOST_FOLDS = 20
_YEAR = re.compile(r"(1[89]|20)\d\d(\.0)?")
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?([ T].*)?")
_CUTS = (0.8, 0.9)


def are_folds(cells: Sequence[str]) -> bool:
    """Whether cells are the numbers of two to twenty folds, all of them from 0 or 1 on.

    >>> are_folds(["0", "1", "2", "1"]), are_folds(["1", "3"])
    (True, False)
    """
    numbers = {cell.strip() for cell in cells}
    if not all(re.fullmatch(r"\d{1,2}", number) for number in numbers) or not 2 <= len(numbers) <= _MOST_FOLDS:
        return False
    folds = sorted(map(int, numbers))
    return folds[0] in (0, 1) and folds == list(range(folds[0], folds[-1] + 1))


def are_times(cells: Sequence[str]) -> bool:
    """Whether cells are years or ISO dates, all of them.

    >>> are_times(["2019", "2021"]), are_times(["2019", "late"])
    (True, False)
    """
    return all(map(_YEAR.fullmatch, cells)) or all(map(_DATE.fullmatch, cells))


def has_part_words(cells: Sequence[str]) -> bool:
    """Whether any cell says train, validation or test."""
    return any(cell.strip().lower() in PART_WORDS for cell in cells)


def split_by_column(cells: Sequence[str], lines: Sequence[int], smiles: Sequence[str], seed: int) -> tuple[Split, str]:
    """The parts, and how they come about.

    Words of parts are taken as they are. Of folds the last is for testing and the one before for validation, unless there
    are two. Of years or dates the oldest 80 % are for training and the newest 10 % for testing. All else are groups, in
    parts of 80, 10 and 10 %: rows of one group, or of one molecule, stay together.

    Args:
        cells: of the column, one for each molecule.
        lines: of the file.
        smiles: canonical SMILES.
        seed: of the order of groups.

    Raises:
        ValueError: an unknown word among those of parts, a row without a group, too few groups or years.

    >>> split_by_column(["0", "1", "2"], [2, 3, 4], ["C", "N", "O"], 0)[1]
    'fold 2 for testing, fold 1 for validation'
    """
    words = [cell.strip() for cell in cells]
    if has_part_words(words):
        return from_column(words), "as it says"
    if "" in words:
        raise ValueError(
            f"the split column is empty in line {lines[words.index('')]}; expected a part, fold, year or group"
        )
    if are_folds(words):
        return _folds(np.array([int(word) for word in words]))
    if are_times(words):
        return _by_time(words)
    return random(together(smiles, words), seed=seed), f"{len(set(words)):,} groups that stay together"


def _folds(folds: np.ndarray) -> tuple[Split, str]:
    numbers = np.unique(folds)
    test, inner = numbers[-1], numbers[-2] if len(numbers) > 2 else None
    parts = [
        np.flatnonzero((folds != test) & (folds != inner)),
        np.flatnonzero(folds == inner),
        np.flatnonzero(folds == test),
    ]
    said = f"fold {test} for testing" + (f", fold {inner} for validation" if inner is not None else "")
    return Split(*parts), said


def _by_time(words: Sequence[str]) -> tuple[Split, str]:
    times, counts = np.unique(words, return_counts=True)
    if len(times) < 3:
        raise ValueError(f"a split by time needs three times or more; got {', '.join(times)}")
    share = np.cumsum(counts) / counts.sum()
    first = int(np.clip(np.abs(share - _CUTS[0]).argmin(), 0, len(times) - 3))
    second = int(np.clip(np.abs(share - _CUTS[1]).argmin(), first + 1, len(times) - 2))
    place = np.searchsorted(times, words)
    parts = [place <= first, (place > first) & (place <= second), place > second]
    said = f"by time: up to {times[first]} for training, after {times[second]} for testing"
    return Split(*(np.flatnonzero(part) for part in parts)), said
