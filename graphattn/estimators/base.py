"""What all estimators share: samples that can be used, samples held out, predictions of samples that cannot."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from graphattn.data.groups import together
from graphattn.data.splits import few, hold_out
from graphattn.data.wording import list_problems
from graphattn.estimators.targets import Targets, nodes_held_out
from graphattn.models.by_name.network import Level


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
    """What a model is trained on: samples, their classes ``[n]`` or values ``[n, T]``, and positions of those held out.

    ``n`` is 1, or the nodes of a graph; -100 and NaN are none. ``classes`` are their names, none where values are learned.
    ``weights`` [n] are how much they count, if not alike; ``unbalanced`` says that training does not balance classes by itself.
    """

    samples: list[Any]
    y: list[NDArray]
    classes: tuple[str, ...]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    level: Level
    weights: list[NDArray] | None = None
    unbalanced: bool = False


class Estimator(BaseEstimator, ABC):
    """Reads samples, holds a tenth of them out, trains, predicts, saves and loads; a kind of data says how each is done."""

    words: ClassVar[Words]
    balances: ClassVar[bool]
    """Whether training balances classes by itself where ``class_weight`` is ``balanced``."""
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
    def _labelled(self, samples: Sequence[Any], y: Any, values: bool) -> tuple[Any, Targets | None]:
        """``y``, or that of the samples themselves; and labels of nodes, where it is these."""

    @abstractmethod
    def _keys(self, samples: Sequence[Any]) -> list[str]:
        """Equal for samples that stay together when some are held out."""

    @abstractmethod
    def _learn(self, lesson: Lesson, parameters: dict[str, Any]) -> Any:
        """A fitted model."""

    @abstractmethod
    def _answers(self, model: Any, samples: list[Any]) -> NDArray[np.float64]:
        """Probabilities ``[N, K]`` or values ``[N, T]`` of samples that can be used, or of all their nodes."""

    @abstractmethod
    def _nodes(self, model: Any, samples: Sequence[Any]) -> list[int] | None:
        """How many nodes each sample has, where a model answers for each node."""

    @abstractmethod
    def _write(self, folder: str | Path, described: dict[str, Any]) -> Path:
        """Save the model with the description of labels or values."""

    @classmethod
    @abstractmethod
    def _stored(cls, folder: str | Path, trust: bool, classes: bool) -> tuple[Self, dict[str, Any]]:
        """The estimator in a folder, with its model and its description; refuses one of values where classes are expected."""

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

    def _taught(
        self,
        usable: Usable,
        y: Targets,
        classes: tuple[str, ...],
        groups: list[str] | None,
        parameters: dict[str, Any],
        unbalanced: bool = False,
    ) -> Any:
        """A fitted model, some of the samples, groups or nodes held out."""
        keys, grouped, seed = self._keys(usable.samples), groups is not None, parameters["seed"]
        if groups is not None:
            keys = together(keys, [groups[i] for i in usable.positions])
        if y.level == "node" and (y.choosing is not None or few(keys, grouped)):
            return self._learn(_of_nodes(usable.samples, y, classes, seed)._replace(unbalanced=unbalanced), parameters)
        strata = np.concatenate(y.rows) if classes and y.level == "graph" else None
        train, validation = hold_out(keys, strata, seed, grouped)
        lesson = Lesson(usable.samples, y.rows, classes, train, validation, y.level, y.weights, unbalanced)
        return self._learn(lesson, parameters)

    def _applied(self, samples: list[Any]) -> NDArray[np.float64]:
        """Probabilities or values of all samples, or of their nodes; NaN, and a warning, for those that cannot be used."""
        usable = self._read(samples, self.model_)
        if usable.problems:
            warnings.warn(f"NaN for {self._unusable}: {list_problems(usable.problems)}", stacklevel=3)
        found = self._answers(self.model_, usable.samples)
        counts = self._nodes(self.model_, samples) or [1] * len(samples)
        known = np.repeat([position not in usable.problems for position in range(len(samples))], counts)
        result = np.full((len(known), found.shape[1]), np.nan)
        result[known.astype(bool)] = found
        return result

    def _scored(self, given: Any, weight: ArrayLike | None) -> tuple[Any, NDArray | None, NDArray[np.int64]]:
        """The samples that have a prediction, their weights and positions; a warning names the others."""
        samples = self._listed(given)
        usable = self._read(samples, self.model_)
        rows = usable.positions
        if usable.problems:
            warnings.warn(f"left out of the score: {list_problems(usable.problems)}", stacklevel=3)
            given = [samples[row] for row in rows]
        return given, None if weight is None else np.asarray(weight)[rows], rows

    def _split(self, rows: NDArray, samples: Sequence[Any]) -> Any:
        """The rows of all samples; of nodes a list of those of each graph."""
        counts = self._nodes(self.model_, samples)
        return rows if counts is None else np.split(rows, np.cumsum(counts)[:-1]) if counts else []

    def _check_lengths(self, samples: Sequence[object], y: NDArray) -> None:
        if y.ndim == 0 or len(samples) != len(y):
            labels = f"{len(y) if y.ndim else 1} labels for {len(samples)} {self.words.samples}"
            raise ValueError(f"expected as many labels as {self.words.samples}, got {labels}")

    @property
    def _unusable(self) -> str:
        return f"{self.words.samples} that cannot be {self.words.unusable}"


def _of_nodes(samples: list[Any], y: Targets, classes: tuple[str, ...], seed: int) -> Lesson:
    """The same graphs twice: with the labels that are learned, and with those that choose the epoch."""
    known = [row != -100 if classes else ~np.isnan(row[:, 0]) for row in y.rows]
    none = -100 if classes else np.nan
    parts = nodes_held_out(known, y.choosing, seed)
    rows = [_hidden(row, kept, none) for part in parts for row, kept in zip(y.rows, part, strict=True)]
    first = np.arange(len(samples))
    return Lesson(samples * 2, rows, classes, first, first + len(samples), "node", y.weights and y.weights * 2)


def _hidden(row: NDArray, kept: NDArray[np.bool_], none: float) -> NDArray:
    """Labels or values of the nodes that are kept; the others have none."""
    hidden = np.full_like(row, none)
    hidden[kept] = row[kept]
    return hidden
