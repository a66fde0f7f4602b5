"""What is to be learned: which targets, which classes, and numbers for the cells of a file."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data.wording import listed

Kind = Literal["binary", "multiclass", "multilabel", "regression"]

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null"})
"""Cells, in any case, that hold no label."""

_MOST_NUMBERED_CLASSES = 10
_MOST_WORDED_CLASSES = 30
_LARGEST = float(np.finfo(np.float32).max)
_NEGATIONS = ("non-", "not ", "non", "not", "in", "im", "un", "no ")
_POSITIVE_WORDS = frozenset({"active", "case", "high", "hit"})


@dataclass(frozen=True)
class Task:
    """A learning task: its kind, the names of its targets, and its classes.

    ============  =============================  =================  ======================
    kind          ``classes``                    ``outputs``        encoded label
    ============  =============================  =================  ======================
    binary        (negative, positive)           1                  0 or 1
    multiclass    two or more                    number of classes  position in `classes`
    multilabel    (negative, positive), for all  number of targets  0 or 1, per target
    regression    none                           number of targets  the number
    ============  =============================  =================  ======================

    Raises `ValueError` for another kind, or names or classes whose number does not fit the kind.

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
        """Labels as float32 `[rows, targets]`, NaN where missing, and (row, reason) of the rows that cannot be used.

        A row cannot be used when none of its targets has a label, or one of them is no class of the task or, in a
        regression, no finite number. Raises `ValueError` when `frame` lacks a target.

        >>> Task("regression", ("logS",)).encode(pd.DataFrame({"logS": ["-1.5", "inf", ""]}))[1]
        [(1, "unusable label: 'inf' of logS is not a finite number"), (2, 'no label')]
        """
        labels = np.full((len(frame), len(self.names)), np.nan, dtype=np.float32)
        reasons: dict[int, str] = {}
        value = _number if self.kind == "regression" else self._position
        for column, name in enumerate(self.names):
            if name not in frame.columns:
                raise ValueError(f"the table has no target {name!r}; it has {listed(map(str, frame.columns))}")
            for row, cell in enumerate(frame[name].map(_text)):
                try:
                    labels[row, column] = value(cell) if cell else math.nan
                except ValueError as error:
                    reasons.setdefault(row, f"unusable label: {cell!r} of {name} {error}")
        for row in np.flatnonzero(np.isnan(labels).all(axis=1)).tolist():
            reasons.setdefault(row, "no label")
        return labels, sorted(reasons.items())

    def to_dict(self) -> dict[str, Any]:
        """The task in plain values, for JSON."""
        return {**asdict(self), "names": list(self.names), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Task":
        """The inverse of `to_dict`. Raises `ValueError` when `values` are not kind, names and classes.

        >>> Task.from_dict({"kind": "regression", "names": ["logS"], "classes": []})
        Task(kind='regression', names=('logS',), classes=())
        """
        if set(values) != {"kind", "names", "classes"}:
            raise ValueError(f"a task has kind, names and classes; got {', '.join(values) or 'nothing'}")
        return cls(values["kind"], tuple(values["names"]), tuple(values["classes"]))

    def _position(self, cell: str) -> int:
        keys = [_key(name) for name in self.classes]
        if _key(cell) not in keys:
            raise ValueError(f"is none of the classes {', '.join(self.classes)}")
        return keys.index(_key(cell))


def guess_task(frame: pd.DataFrame, kind: Kind | None = None, positive: str | None = None) -> tuple[Task, str]:
    """The task that columns of labels pose, and a sentence that says so.

    Two different labels are binary; whole numbers of up to 10 and words of up to 30 different labels are classes;
    other numbers are a regression; several targets of the same two labels are multilabel. `kind` overrides this.
    Labels that differ in case, or in how a number is written, are one.

    The positive class is the larger label: the larger number, or the last word of the alphabet (no < yes), except
    where words say otherwise (inactive < active, nontoxic < toxic, low < high, BBB- < BBB+). `positive` overrides this.

    Raises `ValueError`, naming the target and its labels, when there are no labels, one class only, fewer than two
    rows per class, words that are too many for classes, labels that do not fit `kind`, or `positive` is none of them.

    >>> guess_task(pd.DataFrame({"label": ["active", "inactive", "Active", "active"]}))[1]
    "target 'label' is binary: active (3, positive) and inactive (1)"
    """
    counts = {str(name): _count(column) for name, column in frame.items()}
    kind = kind or _guess_kind(counts)
    if kind == "regression":
        classes: tuple[str, ...] = ()
        _check_numbers(counts)
    else:
        classes = _classes(counts, kind, positive)
    task = Task(kind, tuple(counts), classes)
    return task, _sentence(task, counts, len(frame))


def _text(cell: object) -> str:
    text = str(cell).strip()
    return "" if cell is None or text.lower() in MISSING else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError("is not a number" + " (decimals take a point)" * ("," in cell)) from None
    if not abs(value) <= _LARGEST:
        raise ValueError("is not a finite number" if math.isinf(value) else "is too large a number")
    return value


def _key(label: str) -> str:
    """Labels with one key are one label: 1, 1.0 and 1.00; Yes and yes."""
    return f"{float(label):.12g}" if _is_number(label) else label.casefold()


def _count(column: pd.Series) -> Counter[str]:
    """How often each label occurs, numbers in their shortest form and words as first written."""
    spelling: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for label in filter(None, column.map(_text)):
        key = _key(label)
        counts[spelling.setdefault(key, key if _is_number(label) else label)] += 1
    return counts


def _guess_kind(counts: Mapping[str, Counter[str]]) -> Kind:
    if len(counts) == 1:
        ((name, labels),) = counts.items()
        return _guess_single(name, labels)
    if len({_key(label) for labels in counts.values() for label in labels}) == 2:
        return "multilabel"
    if all(_is_number(label) for labels in counts.values() for label in labels):
        return "regression"
    worst = max(counts, key=lambda name: len(counts[name]))
    raise ValueError(
        f"several targets are either all numbers or all of the same two labels; {worst!r} has "
        f"{_shown(counts[worst])}. Name one target, or targets that are alike"
    )


def _guess_single(name: str, labels: Counter[str]) -> Kind:
    rows = labels.total()
    if not rows:
        raise ValueError(f"target {name!r} has no labels")
    if len(labels) == 1:
        raise ValueError(f"target {name!r} has one class only: {next(iter(labels))!r} in all {rows} labelled rows")
    if len(labels) == 2:
        return "binary"
    numbers = [label for label in labels if _is_number(label)]
    whole = all(float(label).is_integer() for label in numbers)
    if sum(labels[label] for label in numbers) >= 0.9 * rows and not (whole and len(labels) <= _MOST_NUMBERED_CLASSES):
        return "regression"
    if len(labels) > _MOST_WORDED_CLASSES:
        raise ValueError(
            f"target {name!r} has {len(labels)} different labels in {rows} rows ({_shown(labels)}): too many for "
            "classes, and they are not numbers. Name another target, or say multiclass"
        )
    return "multiclass" if rows >= 2 * len(labels) or len(numbers) < len(labels) else "regression"


def _check_numbers(counts: Mapping[str, Counter[str]]) -> None:
    for name, labels in counts.items():
        if sum(map(_is_number, labels)) < 2:
            raise ValueError(f"a regression needs different numbers; target {name!r} has {_shown(labels)}")


def _classes(counts: Mapping[str, Counter[str]], kind: Kind, positive: str | None) -> tuple[str, ...]:
    merged = {_key(label): label for labels in counts.values() for label in labels}
    rows = sum(labels.total() for labels in counts.values())
    target = f"target {', '.join(map(repr, counts))} has"
    if len(merged) < 2 or (kind != "multiclass" and len(merged) > 2):
        expected = "two or more classes" if kind == "multiclass" else "two classes"
        raise ValueError(f"a {kind} task needs {expected}; {target} {_shown(merged.values())}")
    if rows < 2 * len(merged):
        raise ValueError(f"a class needs two rows or more; {target} {len(merged)} classes in {rows} labelled rows")
    classes = tuple(sorted(merged.values(), key=_rank))
    if len(classes) == 2 and _outranks(*classes):
        classes = classes[::-1]
    if positive is None:
        return classes
    if len(classes) > 2 or _key(positive) not in merged:
        raise ValueError(f"the positive class is one of two; got {positive!r}, and {target} {_shown(classes)}")
    return tuple(sorted(classes, key=lambda label: _key(label) == _key(positive)))


def _rank(label: str) -> tuple[bool, float, str]:
    return not _is_number(label), float(label) if _is_number(label) else 0.0, label.casefold()


def _outranks(label: str, other: str) -> bool:
    """Whether `label` says yes and `other`, later in the alphabet, says no."""
    yes, no = label.casefold(), other.casefold()
    if yes[:-1] == no[:-1] and yes[-1:] + no[-1:] == "+-":
        return True
    return no in {prefix + yes for prefix in _NEGATIONS} or (yes in _POSITIVE_WORDS and no not in _POSITIVE_WORDS)


def _shown(labels: Iterable[str]) -> str:
    return listed(labels, most=5) or "no labels"


def _sentence(task: Task, counts: Mapping[str, Counter[str]], rows: int) -> str:
    labelled = sum(labels.total() for labels in counts.values())
    missing = rows * len(counts) - labelled
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
        values = [float(label) for label in labels if _is_number(label)]
        return f"target {name!r} is a number from {min(values):g} to {max(values):g}: regression{rest}"
    return f"target {name!r} is binary: {by_class[1][:-1]}, positive) and {by_class[0]}{rest}"
