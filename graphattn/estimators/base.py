"""What all estimators share: samples that can be used, samples held out, classes and values, saving and loading."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from graphattn.data import splits
from graphattn.data.wording import list_problems
from graphattn.estimators.checking import classes_of, column, missing

_LARGEST = float(np.finfo(np.float32).max)
_HELD_OUT = 0.1
_FEWEST_TO_HOLD_OUT = 20


class Words(NamedTuple):
    """What samples are called in messages."""

    sample: str
    samples: str
    unusable: str
    label: str


class Usable(NamedTuple):
    """Samples that can be used, as they are learned from, their positions, and why the others cannot be, by position."""

    samples: list[Any]
    positions: NDArray[np.int64]
    problems: dict[int, str]


class Lesson(NamedTuple):
    """What a model is trained on: samples, their classes ``[N]`` or values ``[N, T]``, and positions of those held out.

    ``classes`` are the names of the classes, none where values are learned.
    """

    samples: list[Any]
    y: NDArray
    classes: tuple[str, ...]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]


class Estimator(BaseEstimator, ABC):
    """Reads samples, holds a tenth of them out, trains, predicts, saves and loads; a kind of data says how each is done."""

    words: ClassVar[Words]
    model_: Any

    @abstractmethod
    def _parameters(self) -> dict[str, Any]:
        """The parameters as plain integers, numbers and texts; refuses those that do not fit, by name."""

    @abstractmethod
    def _listed(self, given: Any) -> list[Any]:
        """The samples as a list, as they were given."""

    @abstractmethod
    def _read(self, samples: Sequence[Any], model: Any = None) -> Usable:
        """The samples that can be used: by a fitted model, or to learn from."""

    @abstractmethod
    def _keys(self, samples: Sequence[Any]) -> list[str]:
        """Equal for samples that stay together when some are held out."""

    @abstractmethod
    def _learn(self, lesson: Lesson, parameters: dict[str, Any]) -> Any:
        """A fitted model."""

    @abstractmethod
    def _answers(self, model: Any, samples: list[Any]) -> NDArray[np.float64]:
        """Probabilities ``[N, K]`` or values ``[N, T]`` of samples that can be used."""

    @abstractmethod
    def _write(self, folder: str | Path, told: dict[str, Any]) -> Path:
        """Saves the model with what is told about labels or values."""

    @classmethod
    @abstractmethod
    def _stored(cls, folder: str | Path, trust: bool, classes: bool) -> tuple[Self, dict[str, Any]]:
        """The estimator in a folder, with its model and what was told; refuses one of values where classes are expected."""

    def _usable(self, samples: list[Any]) -> Usable:
        """Those to learn from; a warning names the others."""
        if not samples:
            raise ValueError(f"expected {self.words.samples} to learn from, got none")
        usable = self._read(samples)
        why = list_problems(usable.problems)
        if not usable.samples:
            raise ValueError(f"none of the {len(samples)} {self.words.samples} can be {self.words.unusable}: {why}")
        if usable.problems:
            warnings.warn(f"left out of training: {why}", stacklevel=3)
        return usable

    def _taught(self, usable: Usable, y: NDArray, classes: tuple[str, ...], parameters: dict[str, Any]) -> Any:
        """A fitted model, some of the samples held out."""
        train, validation = hold_out(self._keys(usable.samples), y if classes else None, parameters["seed"])
        return self._learn(Lesson(usable.samples, y, classes, train, validation), parameters)

    def _applied(self, samples: list[Any]) -> NDArray[np.float64]:
        """Probabilities or values of all samples; NaN, and a warning, for those that cannot be used."""
        usable = self._read(samples, self.model_)
        if usable.problems:
            warnings.warn(f"NaN for {self._unusable}: {list_problems(usable.problems)}", stacklevel=3)
        found = self._answers(self.model_, usable.samples)
        result = np.full((len(samples), found.shape[1]), np.nan)
        result[usable.positions] = found
        return result

    def _check_lengths(self, samples: Sequence[object], y: NDArray) -> None:
        if y.ndim == 0 or len(samples) != len(y):
            labels = f"{len(y) if y.ndim else 1} labels for {len(samples)} {self.words.samples}"
            raise ValueError(f"expected as many labels as {self.words.samples}, got {labels}")

    @property
    def _unusable(self) -> str:
        return f"{self.words.samples} that cannot be {self.words.unusable}"


class Classifier(ClassifierMixin, Estimator):
    """Learns classes."""

    classes_: NDArray

    def fit(self, samples: Any, y: ArrayLike) -> Self:
        """Learns the classes ``y [N]`` of as many samples.

        Raises:
            ValueError: not as many labels as samples, a missing label, labels of several types, one class only, more than 20
                different floats, no sample that can be used, parameters that do not fit.
            TypeError: parameters of another type; one sample in place of a list.
        """
        parameters, held = self._parameters(), self._listed(samples)
        labels = column(y, self.words.label)
        self._check_lengths(held, labels)
        without = [position for position, label in enumerate(labels) if missing(label)]
        if without:
            total = f"position {without[0]} has none ({len(without)} in all)"
            raise ValueError(f"every {self.words.sample} needs a label; {total}")
        usable = self._usable(held)
        classes, numbers = classes_of(labels[usable.positions], type(self).__name__.replace("Classifier", "Regressor"))
        # Both or none: a fit that fails leaves the one before as it was.
        model = self._taught(usable, numbers, tuple(map(str, classes.tolist())), parameters)
        self.model_, self.classes_ = model, classes
        return self

    def predict_proba(self, samples: Any) -> NDArray[np.float64]:
        """Probability of each of ``classes_``, ``[N, K]``; NaN, and a warning, for samples that cannot be used."""
        check_is_fitted(self, "model_")
        return self._applied(self._listed(samples))

    def predict(self, samples: Any) -> NDArray:
        """The likeliest of ``classes_``, ``[N]``.

        Raises:
            ValueError: samples that cannot be used, by their positions.
        """
        check_is_fitted(self, "model_")
        usable = self._read(self._listed(samples), self.model_)
        if usable.problems:
            why = list_problems(usable.problems)
            raise ValueError(f"no class for {self._unusable} (predict_proba gives NaN): {why}")
        return self.classes_[self._answers(self.model_, usable.samples).argmax(1)]

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that :meth:`load` reads. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        return self._write(folder, {"classes": self.classes_.tolist()})

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> Self:
        """The classifier in a folder made by :meth:`save`; with ``trust`` also when files were changed since.

        Raises:
            ValueError: another model; changed, damaged or missing files.
        """
        estimator, told = cls._stored(folder, trust, classes=True)
        estimator.classes_ = np.array(told["classes"])
        return estimator


class Regressor(RegressorMixin, Estimator):
    """Learns values."""

    several_with_gaps: ClassVar[bool]
    """Whether single ones of several values may be missing."""

    one_dimensional_: bool

    def fit(self, samples: Any, y: ArrayLike) -> Self:
        """Learns the values ``y [N]`` or ``[N, T]`` of as many samples.

        Raises:
            ValueError: not as many values as samples, a value that is infinite or missing, no sample that can be used,
                parameters that do not fit.
            TypeError: parameters of another type; one sample in place of a list.
        """
        parameters, held = self._parameters(), self._listed(samples)
        values = np.asarray(y, dtype=np.float64)
        self._check_lengths(held, values)
        if values.ndim > 2 or 0 in values.shape[1:]:
            sample = self.words.sample
            raise ValueError(
                f"expected one value per {sample}, or a row of values, got an array of shape {values.shape}"
            )
        table = values[:, None] if values.ndim == 1 else values
        infinite, gaps = np.abs(table) > _LARGEST, np.isnan(table)
        bad = np.flatnonzero(infinite.any(1) | (gaps.all(1) if self.several_with_gaps else gaps.any(1)))
        if len(bad):
            got = f"got {values[bad[0]].tolist()} at position {bad[0]}"
            raise ValueError(f"every {self.words.sample} needs a finite value, {got}")
        usable = self._usable(held)
        model = self._taught(usable, table[usable.positions], (), parameters)
        self.model_, self.one_dimensional_ = model, values.ndim == 1
        return self

    def predict(self, samples: Any) -> NDArray[np.float64]:
        """Values ``[N]``, or ``[N, T]`` after a fit to several; NaN, and a warning, for samples that cannot be used."""
        check_is_fitted(self, "model_")
        values = self._applied(self._listed(samples))
        return values[:, 0] if self.one_dimensional_ else values

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that :meth:`load` reads. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        return self._write(folder, {"one_dimensional": self.one_dimensional_})

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> Self:
        """The regressor in a folder made by :meth:`save`; with ``trust`` also when files were changed since.

        Raises:
            ValueError: another model; changed, damaged or missing files.
        """
        estimator, told = cls._stored(folder, trust, classes=False)
        estimator.one_dimensional_ = told["one_dimensional"]
        return estimator


def hold_out(
    keys: Sequence[str], classes: NDArray[np.int64] | None, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to train on and to validate on, a tenth; samples with equal keys stay together. Of very few all do both.

    >>> [len(part) for part in hold_out([str(number) for number in range(40)], None, seed=0)]
    [36, 4]
    """
    everything = np.arange(len(keys))
    if len(set(keys)) < _FEWEST_TO_HOLD_OUT:
        return everything, everything
    fractions = (1 - _HELD_OUT, _HELD_OUT, 0.0)
    # Classes of one or two samples each have none to spare.
    alike = classes is not None and max(Counter(dict(zip(keys, classes.tolist(), strict=True)).values()).values()) > 2
    rule = splits.stratified if alike else splits.random
    parts = rule(keys, classes, fractions=fractions, seed=seed)
    return parts.train, parts.validation
