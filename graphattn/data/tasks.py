"""What is to be learned: which targets, which classes, and numbers for the cells of a file."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data.labels import (
    UNCLEAR,
    count_labels,
    flaw_of,
    is_number,
    key_of,
    number_of,
    text_of,
    told_apart,
    truth_of,
)
from graphattn.data.wording import listed

Kind = Literal["binary", "multiclass", "multilabel", "regression"]

_MOST_NUMBERED_CLASSES = 10
_MOST_WORDED_CLASSES = 30
_NEGATIONS = ("non", "not", "no", "in", "im", "un")
_POSITIVE_WORDS = frozenset({"active", "case", "high", "hit"})
_NEGATIVE_WORDS = frozenset(
    {
        "decoy",
        "decoys",
        "nein",
        "no",
        "non",
        "not",
        "nicht",
        "nej",
        "nie",
        "n",
        "false",
        "f",
        "i",
        "inactive",
        "inactives",
    }
    | {
        "inaktiv",
        "inactif",
        "inactivo",
        "inattivo",
        "negative",
        "negativ",
        "neg",
        "antagonist",
        "control",
        "low",
        "miss",
    }
)
_CLEAN = 0.5
_NUMERIC = 0.9


@dataclass(frozen=True)
class Task:
    """A learning task: its kind, the names of its targets, and its classes.

    ============  =============================  =================  ======================
    kind          ``classes``                    ``outputs``        encoded label
    ============  =============================  =================  ======================
    binary        (negative, positive)           1                  0 or 1
    multiclass    two or more                    number of classes  position in ``classes``
    multilabel    (negative, positive), for all  number of targets  0 or 1, per target
    regression    none                           number of targets  the number
    ============  =============================  =================  ======================

    Raises:
        ValueError: another kind, or names or classes whose number does not fit the kind.

    >>> task = Task("binary", ("active",), ("no", "yes"))
    >>> task.encode(pd.DataFrame({"active": ["Yes", "no"]}))[0].tolist()
    [[1.0], [0.0]]
    """

    kind: Kind
    names: tuple[str, ...]
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"a task is one of {', '.join(get_args(Kind))}; got {self.kind!r}")
        if not self.names or (self.kind in ("binary", "multiclass") and len(self.names) > 1):
            raise ValueError(f"a {self.kind} task has one target; got {len(self.names)}: {', '.join(self.names)}")
        expected = {"multiclass": "two or more", "regression": "no"}.get(self.kind, "two")
        fits = {"two or more": len(self.classes) >= 2, "no": not self.classes, "two": len(self.classes) == 2}
        if not fits[expected]:
            raise ValueError(f"a {self.kind} task has {expected} classes; got {self.classes}")

    @property
    def outputs(self) -> int:
        """Number of values that a model gives per molecule."""
        return len(self.classes) if self.kind == "multiclass" else len(self.names)

    def encode(self, frame: pd.DataFrame) -> tuple[NDArray[np.float32], list[tuple[int, str]]]:
        """Labels as float32 ``[rows, targets]``, NaN where missing, and (row, reason) of the rows that cannot be used.

        A row cannot be used when none of its targets has a label that is a class of the task or, in a regression, a
        finite number.

        Raises:
            ValueError: ``frame`` lacks a target.

        >>> Task("regression", ("logS",)).encode(pd.DataFrame({"logS": ["-1.5", "inf", ""]}))[1]
        [(1, "unusable label: 'inf' of logS is not a finite number"), (2, 'no label')]
        """
        labels = np.full((len(frame), len(self.names)), np.nan, dtype=np.float32)
        reasons: dict[int, str] = {}
        value = number_of if self.kind == "regression" else self._position
        for column, name in enumerate(self.names):
            if name not in frame.columns:
                raise ValueError(f"the table has no target {name!r}; it has {listed(map(str, frame.columns))}")
            for row, cell in enumerate(frame[name].map(text_of)):
                try:
                    labels[row, column] = value(cell) if cell else math.nan
                except ValueError as error:
                    reasons.setdefault(row, f"unusable label: {cell!r} of {name} {error}")
        without = np.flatnonzero(np.isnan(labels).all(axis=1)).tolist()
        return labels, [(row, reasons.get(row, "no label")) for row in without]

    def gaps(self, frame: pd.DataFrame) -> list[str]:
        """Sentences about cells of one of several targets that cannot be used while another of the same row can.

        >>> Task("regression", ("a", "b")).gaps(pd.DataFrame({"a": ["1", "2"], "b": [">10", "3"]}))
        ["1 cell of 'b' is a gap, for it cannot be used: the first, '>10', is not a number (a qualifier)"]
        """
        sentences, lost = list[str](), {row for row, _ in self.encode(frame)[1]}
        for name in self.names if len(self.names) > 1 else ():
            alone = Task(self.kind, (name,), self.classes) if self.kind != "multilabel" else None
            alone = alone or Task("binary", (name,), self.classes)
            bad = [why for row, why in alone.encode(frame)[1] if row not in lost and why != "no label"]
            if bad:
                first = bad[0].removeprefix("unusable label: ").replace(f" of {name} ", ", ", 1)
                number = (
                    f"{len(bad):,} cell{'s' * (len(bad) > 1)} of {name!r} {'are gaps' if len(bad) > 1 else 'is a gap'}"
                )
                sentences.append(f"{number}, for {'they' if len(bad) > 1 else 'it'} cannot be used: the first, {first}")
        return sentences

    def to_dict(self) -> dict[str, Any]:
        """The task in plain values, for JSON."""
        return {**asdict(self), "names": list(self.names), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Task":
        """The inverse of ``to_dict``.

        Raises:
            ValueError: ``values`` are not kind, names and classes, or names and classes are no lists of texts.

        >>> Task.from_dict({"kind": "regression", "names": ["logS"], "classes": []})
        Task(kind='regression', names=('logS',), classes=())
        """
        if set(values) != {"kind", "names", "classes"}:
            raise ValueError(f"a task has kind, names and classes; got {', '.join(values) or 'nothing'}")
        for name in ("names", "classes"):
            if not isinstance(values[name], list) or not all(isinstance(each, str) for each in values[name]):
                raise ValueError(f"expected a list of texts as {name} of a task, got {values[name]!r}")
        return cls(values["kind"], tuple(values["names"]), tuple(values["classes"]))

    def _position(self, cell: str) -> int:
        if cell in self.classes:
            return self.classes.index(cell)
        if cell.lower() in UNCLEAR:
            return int(number_of(cell))
        alike = [position for position, name in enumerate(self.classes) if key_of(name) == key_of(cell)]
        if not alike and {*map(truth_of, self.classes)} == {"0", "1"} and truth_of(cell):
            alike = [position for position, name in enumerate(self.classes) if truth_of(name) == truth_of(cell)]
        if len(alike) != 1:
            raise ValueError(f"is none of the classes {', '.join(self.classes)}")
        return alike[0]


def guess_task(frame: pd.DataFrame, kind: Kind | None = None, positive: str | None = None) -> tuple[Task, str]:
    """The task that columns of labels pose, and a sentence that says so.

    Two different labels are binary; whole numbers of up to 10 and words of up to 30 different labels are classes;
    other numbers are a regression; several targets of the same two labels are multilabel. ``kind`` overrides this.
    Labels that differ in case, or in how a number is written (1 and 1.0), are one; but where few labels are told apart
    by their writing (01, or 1.1 beside 1.10) they are words. Beside 1 and 0 or each other, true and yes are 1, false and no
    are 0. Numbers that only few qualifiers, units or decimal commas keep from being numbers are a regression, and such cells
    are set aside.

    The positive class is the larger label: the larger number, or the last word of the alphabet (no < yes), except
    where words say otherwise (inactive < active, nontoxic < toxic, low < high, BBB- < BBB+). ``positive`` overrides this.

    Raises:
        ValueError: there are no labels, one class only, fewer than two rows per class, words that are too many for classes,
            labels that do not fit ``kind``, or ``positive`` is none of them; names the target and its labels.

    >>> guess_task(pd.DataFrame({"label": ["active", "inactive", "Active", "active"]}))[1]
    "target 'label' is binary: active (3, positive) and inactive (1)"
    """
    counted = {
        str(name): count_labels(column, _MOST_WORDED_CLASSES, kind == "regression") for name, column in frame.items()
    }
    counts, unclear = {name: each[0] for name, each in counted.items()}, Counter[str]()
    for _, cells in counted.values():
        unclear += cells
    kind = kind or _guess_kind(counts, frame)
    if kind == "regression":
        classes: tuple[str, ...] = ()
        _check_numbers(counts)
    else:
        classes = _classes(counts, kind, positive)
    task = Task(kind, tuple(counts), classes)
    return task, _sentence(task, counts, len(frame), unclear.total()) + _said_of(unclear) + _said_of_truths(
        frame, counts
    )


def _guess_kind(counts: Mapping[str, Counter[str]], frame: pd.DataFrame) -> Kind:
    if len(counts) == 1:
        ((name, labels),) = counts.items()
        return _guess_single(name, labels, frame.iloc[:, 0])
    if len({key_of(label) for labels in counts.values() for label in labels}) == 2:
        return "multilabel"
    if all(_mostly_numbers(name, labels) for name, labels in counts.items()):
        return "regression"
    worst = min(counts, key=lambda name: sum(map(is_number, counts[name])) / max(1, len(counts[name])))
    raise ValueError(
        f"several targets are either all numbers or all of the same two labels; {worst!r} has "
        f"{_shown(sorted(counts[worst], key=is_number))}. Name one target, or targets that are alike"
    )


def _mostly_numbers(name: str, labels: Counter[str]) -> bool:
    """Whether labels are numbers, flawed or not.

    Raises:
        ValueError: most of these are flawed; names a cell.
    """
    flawed = {label: flaw for label in labels if (flaw := flaw_of(label))}
    clean = sum(labels[label] for label in labels if is_number(label))
    bad = sum(labels[label] for label in flawed)
    if clean + bad < (_NUMERIC * labels.total() if flawed else labels.total()):
        return False
    if clean < _CLEAN * (clean + bad):
        first, flaw = next(iter(flawed.items()))
        raise ValueError(
            f"target {name!r} has numbers with {flaw}, such as {first!r}: {bad:,} of {labels.total():,} labels are no plain "
            "numbers; write numbers as 1.5, or say what kind of task it is to take them for words"
        )
    return True


def _guess_single(name: str, labels: Counter[str], column: pd.Series) -> Kind:
    rows = labels.total()
    if not rows:
        raise ValueError(f"target {name!r} has no labels")
    if len(labels) == 1:
        words = Counter(cell for cell in map(str.strip, column.map(str)) if cell and not text_of(cell))
        read = f"; {words.total():,} cells say {listed(words)}, which is read as missing" if words else ""
        raise ValueError(
            f"target {name!r} has one class only: {next(iter(labels))!r} in all {rows} labelled rows{read}"
        )
    if any(map(flaw_of, labels)) and _mostly_numbers(name, labels):
        return "regression"
    if len(labels) == 2:
        return "binary"
    numbers = [label for label in labels if is_number(label)]
    whole = all(float(label).is_integer() for label in numbers)
    words = told_apart(column.map(text_of), _MOST_WORDED_CLASSES)
    few = words or (whole and len(labels) <= _MOST_NUMBERED_CLASSES)
    if sum(labels[label] for label in numbers) >= _NUMERIC * rows and not few:
        return "regression"
    if len(labels) > _MOST_WORDED_CLASSES:
        raise ValueError(
            f"target {name!r} has {len(labels)} different labels in {rows} rows ({_shown(labels)}): too many for "
            "classes, and they are not numbers. Name another target, or say multiclass"
        )
    return "multiclass" if rows >= 2 * len(labels) or len(numbers) < len(labels) else "regression"


def _check_numbers(counts: Mapping[str, Counter[str]]) -> None:
    for name, labels in counts.items():
        if sum(map(is_number, labels)) < 2:
            raise ValueError(f"a regression needs different numbers; target {name!r} has {_shown(labels)}")


def _classes(counts: Mapping[str, Counter[str]], kind: Kind, positive: str | None) -> tuple[str, ...]:
    every = [label for labels in counts.values() for label in labels]
    merged = every if len(counts) == 1 else _merged(every)
    rows = sum(labels.total() for labels in counts.values())
    target = f"target {', '.join(map(repr, counts))} has"
    if len(merged) < 2 or (kind != "multiclass" and len(merged) > 2):
        expected = "two or more classes" if kind == "multiclass" else "two classes"
        raise ValueError(f"a {kind} task needs {expected}; {target} {_shown(merged)}")
    if rows < 2 * len(merged):
        raise ValueError(f"a class needs two rows or more; {target} {len(merged)} classes in {rows} labelled rows")
    classes = tuple(sorted(merged, key=_rank))
    if len(classes) == 2 and _outranks(*classes):
        classes = classes[::-1]
    if positive is None:
        return classes
    chosen = [label for label in classes if positive == label] or [
        label for label in classes if key_of(positive) == key_of(label)
    ]
    if len(classes) > 2 or len(chosen) != 1:
        raise ValueError(f"the positive class is one of two; got {positive!r}, and {target} {_shown(classes)}")
    return tuple(sorted(classes, key=lambda label: label == chosen[0]))


def _merged(labels: Iterable[str]) -> list[str]:
    """Labels of several targets, those once that are one label."""
    return list({key_of(label): label for label in labels}.values())


def is_told_by_words(classes: tuple[str, ...]) -> bool:
    """Whether the second of two classes is positive by what the labels say, not by the alphabet.

    >>> is_told_by_words(("decoy", "binder")), is_told_by_words(("0", "1")), is_told_by_words(("apple", "pear"))
    (True, True, False)
    """
    no, yes = classes
    return _outranks(yes, no) or all(map(is_number, classes)) or {yes.casefold(), no.casefold()} == {"yes", "no"}


def _rank(label: str) -> tuple[bool, float, str]:
    return not is_number(label), float(label) if is_number(label) else 0.0, label.casefold()


def _outranks(label: str, other: str) -> bool:
    """Whether ``label`` says yes and ``other`` says no."""
    yes, no = label.casefold(), other.casefold()
    if yes[:-1] == no[:-1] and yes[-1:] + no[-1:] == "+-":
        return True
    if no in {prefix + mark + yes for prefix in _NEGATIONS for mark in ("", " ", "-", "_")}:
        return True
    if yes in _POSITIVE_WORDS or no in _POSITIVE_WORDS:
        return yes in _POSITIVE_WORDS and no not in _POSITIVE_WORDS
    return no in _NEGATIVE_WORDS and yes not in _NEGATIVE_WORDS


def _shown(labels: Iterable[str]) -> str:
    return listed(labels, most=5) or "no labels"


def _said_of(unclear: Counter[str]) -> str:
    if not unclear:
        return ""
    cells, what = unclear.total(), listed(unclear, most=5)
    said = f"{cells:,} cells say {what}" if cells > 1 else f"1 cell says {what}"
    return f"; {said}, which looks like no label and cannot be used"


def _said_of_truths(frame: pd.DataFrame, counts: Mapping[str, Counter[str]]) -> str:
    joined = [column.map(text_of) for name, column in frame.items() if set(counts[str(name)]) <= {"0", "1"}]
    words = Counter(cell for cells in joined for cell in cells if truth_of(cell) and not is_number(cell))
    said = f"{words.total():,} cells say" if words.total() > 1 else "1 cell says"
    return f"; {said} {listed(words, most=5)}, read as {listed(sorted(set(map(truth_of, words))))}" if words else ""


def _sentence(task: Task, counts: Mapping[str, Counter[str]], rows: int, unclear: int) -> str:
    labelled = sum(labels.total() for labels in counts.values())
    missing = rows * len(counts) - labelled - unclear
    rest = f"; {missing:,} of {rows * len(counts):,} labels are missing" if missing else ""
    if len(counts) > 1:
        names = f"{len(counts)} targets ({', '.join(list(counts)[:3])}{', ...' if len(counts) > 3 else ''})"
        what = f"are binary, {task.classes[1]} is positive" if task.classes else "are numbers: regression"
        return f"{names} {what}{rest}"
    ((name, labels),) = counts.items()
    by_class = [f"{label} ({labels[label]:,})" for label in task.classes]
    if task.kind == "multiclass":
        return f"target {name!r} has {len(by_class)} classes: {', '.join(by_class)}{rest}"
    if task.kind == "regression":
        values = [float(label) for label in labels if is_number(label)]
        return f"target {name!r} is a number from {min(values):g} to {max(values):g}: regression{rest}"
    return f"target {name!r} is binary: {by_class[1][:-1]}, positive) and {by_class[0]}{rest}"
