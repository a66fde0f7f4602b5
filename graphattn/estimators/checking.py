"""What callers give to estimators, checked: parameters, labels and values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from graphattn.data.labels import is_number, mixes_truths, text_of

ClassWeight = Mapping[Any, float] | str | None

MOST_FLOATS = 20
"""More different floats than these are values, not classes."""


def whole(name: str, value: object, least: int = 1, multiple: int = 1) -> int:
    """A parameter that is an integer, as an ``int``.

    Raises:
        TypeError: no integer.
        ValueError: less than ``least``, or no multiple of ``multiple``.

    >>> whole("channels", 6, multiple=4)
    Traceback (most recent call last):
    ValueError: expected channels to be a multiple of 4, got 6
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"expected an integer as {name}, got {value!r}")
    if value < least:
        raise ValueError(f"expected {name} of {least} or more, got {value}")
    if value % multiple:
        raise ValueError(f"expected {name} to be a multiple of {multiple}, got {value}")
    return int(value)


def real(name: str, value: object) -> float:
    """A parameter that is a number, as a ``float``.

    Raises:
        TypeError: no number.

    >>> real("learning_rate", "0.1")
    Traceback (most recent call last):
    TypeError: expected a number as learning_rate, got '0.1'
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"expected a number as {name}, got {value!r}")
    return float(value)


def positive(name: str, value: object) -> float:
    """A parameter that is a finite number above 0.

    >>> positive("learning_rate", 0.0)
    Traceback (most recent call last):
    ValueError: expected learning_rate above 0, got 0.0
    """
    if not 0 < (number := real(name, value)) < np.inf:
        raise ValueError(f"expected {name} above 0, got {value}")
    return number


def share(name: str, value: object) -> float:
    """A parameter that is a share below 1.

    >>> share("dropout", 1.0)
    Traceback (most recent call last):
    ValueError: expected dropout of at least 0 and below 1, got 1.0
    """
    if not 0 <= (number := real(name, value)) < 1:
        raise ValueError(f"expected {name} of at least 0 and below 1, got {value}")
    return number


def checked_weight(weight: Any) -> ClassWeight:
    """``class_weight`` as it is.

    Raises:
        ValueError: another text than ``balanced``, no mapping, or a weight that is negative or not finite.

    >>> checked_weight("equal")
    Traceback (most recent call last):
    ValueError: expected 'balanced', weights by label, each 0 or more, or None as class_weight, got 'equal'
    """
    fits = weight is None or (isinstance(weight, str) and weight == "balanced")
    if isinstance(weight, Mapping):
        fits = all(isinstance(each, Real) and 0 <= float(each) < np.inf for each in weight.values())
    if not fits:
        raise ValueError(
            f"expected 'balanced', weights by label, each 0 or more, or None as class_weight, got {weight!r}"
        )
    return weight


def stored_weight(stored: Any, classes: list[Any], folder: str | Path) -> ClassWeight:
    """``class_weight`` of a model folder, where weights by label are a list in the order of the classes.

    Raises:
        ValueError: it does not fit.

    >>> stored_weight([2.0, 1.0], ["no", "yes"], "model")
    {'no': 2.0, 'yes': 1.0}
    """
    whole = isinstance(stored, list) and len(stored) == len(classes)
    try:
        return checked_weight(dict(zip(classes, stored, strict=True)) if whole else stored)
    except ValueError as error:
        raise ValueError(f"{folder} is damaged: {error}") from error


def column(values: ArrayLike, each: str) -> NDArray:
    """One label or text for each sample, as an array of objects ``[N]``; ``each`` is what a message expects.

    Raises:
        ValueError: a table of several columns.
    """
    array = np.asarray(values, dtype=object)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1:
        raise ValueError(f"expected {each}, got an array of shape {array.shape}")
    return array


def missing(label: object) -> bool:
    """Whether a label is none: None, NaN or pandas' NA.

    >>> missing(None), missing(float("nan")), missing(pd.NA), missing("")
    (True, True, True, False)
    """
    return label is None or label is pd.NA or label != label


def numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Values as numbers, those that are missing as NaN; texts that are plain numbers count.

    Raises:
        ValueError: a value is no number, such as a date or a word.

    >>> numbers([1, None, pd.NA]).tolist()
    [1.0, nan, nan]
    >>> numbers(["1.5", "high"])
    Traceback (most recent call last):
    ValueError: expected numbers as values, got 'high' (str) at position 1
    """
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    found = np.full(array.size, np.nan)
    for position, value in enumerate(array.ravel()):
        text = text_of(value) if isinstance(value, str) else ""
        # NumPy calls a time span an integer.
        plain = isinstance(value, Real | np.bool_ | Decimal | Tensor) and not isinstance(value, np.timedelta64)
        if plain or is_number(text):
            found[position] = float(value)
        elif text or not (isinstance(value, str) or missing(value)):
            row = position * len(array) // array.size if array.ndim else 0
            kind = "str" if isinstance(value, str) else type(value).__name__
            why = "Complex data not supported: " if isinstance(value, complex | np.complexfloating) else ""
            raise ValueError(f"{why}expected numbers as values, got {str(value)!r} ({kind}) at position {row}")
    return found.reshape(array.shape)


def classes_of(labels: NDArray, regressor: str) -> tuple[NDArray, NDArray[np.int64]]:
    """The different labels, sorted, and the number of each sample's.

    Args:
        labels: objects ``[N]``, none missing.
        regressor: the estimator that takes values, named where labels are values.

    Raises:
        ValueError: no labels, labels of several types or neither numbers nor texts, texts that say yes or no in two ways,
            more than 20 different floats, one class only.

    >>> classes, numbers = classes_of(np.array(["b", "a", "b"], dtype=object), "GraphRegressor")
    >>> classes.tolist(), numbers.tolist()
    (['a', 'b'], [1, 0, 1])
    """
    if not len(labels):
        raise ValueError("expected a label, got none")
    kinds = dict[str, object]()
    for label in labels:
        kinds.setdefault(_kind(label), label)
    if odd := next((kind for kind in kinds if kind not in ("number", "str")), None):
        raise ValueError(f"expected labels that are numbers or texts, got {kinds[odd]!r} ({odd})")
    if len(kinds) > 1:
        found = " and ".join(f"{label!r} ({kind})" for kind, label in kinds.items())
        raise ValueError(f"expected labels of one type, got {found}")
    texts = dict.fromkeys(label for label in labels if isinstance(label, str))
    if texts and mixes_truths(texts):
        raise ValueError(f"expected labels written in one way, got {', '.join(map(repr, texts))}")
    classes, numbers = np.unique(np.asarray(labels.tolist()), return_inverse=True)
    if classes.dtype.kind == "f" and len(classes) > MOST_FLOATS:
        raise ValueError(
            f"expected classes, got {len(classes)} different floats in y, such as {classes[0]:g} and {classes[1]:g}: "
            f"{regressor} learns values; classes are integers or texts, not continuous"
        )
    if len(classes) < 2:
        raise ValueError(f"a classifier needs two classes or more, got one class: {classes.tolist()[0]!r}")
    return classes, numbers.astype(np.int64)


def _kind(label: object) -> str:
    if isinstance(label, Real | np.bool_):
        return "number"
    return "str" if isinstance(label, str) else type(label).__name__
