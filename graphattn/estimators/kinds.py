"""Estimators of classes and of values."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from graphattn.data.groups import group_keys
from graphattn.data.wording import list_problems
from graphattn.estimators.base import Estimator
from graphattn.estimators.checking import (
    ClassWeight,
    checked_weight,
    classes_of,
    column,
    missing,
    numbers,
    stored_weight,
)
from graphattn.estimators.targets import Targets

_COLUMN = "A column-vector y was passed when a 1d array was expected"
_LARGEST = float(np.finfo(np.float32).max)


class Classifier(ClassifierMixin, Estimator):
    """Learns classes."""

    classes_: NDArray
    class_weight: ClassWeight

    def fit(
        self,
        X: Any,
        y: Any = None,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learns the classes ``y [N]`` of as many samples; samples of one group are held out together.

        Args:
            X: samples.
            y: labels.
            groups: of each sample.
            sample_weight: how much each sample counts in the loss ``[N]``; multiplied by the ``class_weight`` of its class.

        Raises:
            ValueError: not as many labels, groups or weights as samples, a missing label, labels of several types, one class
                only, more than 20 different floats, no sample that can be used, parameters that do not fit.
            TypeError: parameters of another type; one sample in place of a list.
        """
        parameters, held, class_weight = self._parameters(), self._listed(X), checked_weight(self.class_weight)
        targets = self._targets(held, y).weighted(sample_weight, self.words.samples)
        usable, keys = self._usable(held), group_keys(groups, held, self.words.samples)
        targets = targets.of(usable.positions)
        labels = np.concatenate(targets.rows)
        known = np.array([not missing(label) for label in labels])
        classes, numbers = classes_of(labels[known], type(self).__name__.replace("Classifier", "Regressor"))
        own = self.balances and class_weight == "balanced"
        targets = targets.by_class(None if own else class_weight, classes[numbers], known)
        encoded = np.full(len(labels), -100, dtype=np.int64)
        encoded[known] = numbers
        rows = np.split(encoded, np.cumsum([len(row) for row in targets.rows])[:-1])
        # Both or none: a fit that fails leaves the one before as it was.
        names = tuple(map(str, classes.tolist()))
        model = self._taught(usable, targets._replace(rows=rows), names, keys, parameters, unbalanced=not own)
        self.model_, self.classes_ = model, classes
        return self

    def _targets(self, samples: list[Any], y: Any) -> Targets:
        y, of_nodes = self._labelled(samples, y, values=False)
        if of_nodes is not None:
            return of_nodes
        given = np.asarray(y, dtype=object)
        if given.ndim == 2 and given.shape[1] == 1:
            warnings.warn(
                f"{_COLUMN}: it is read as one label per {self.words.sample}", DataConversionWarning, stacklevel=3
            )
        labels = column(given, self.words.label)
        self._check_lengths(samples, labels)
        without = [position for position, label in enumerate(labels) if missing(label)]
        if without:
            total = f"position {without[0]} has none ({len(without)} in all)"
            raise ValueError(f"every {self.words.sample} needs a label; {total}")
        return Targets(list(labels[:, None]))

    def predict_proba(self, X: Any) -> Any:
        """Probability of each of ``classes_``, ``[N, K]``; NaN, and a warning, for samples that cannot be used.

        After a fit to labels of nodes a list, ``[n, K]`` for each graph.
        """
        check_is_fitted(self, "model_")
        held = self._listed(X)
        return self._split(self._applied(held), held)

    def predict(self, X: Any) -> Any:
        """The likeliest of ``classes_``, ``[N]``; after a fit to labels of nodes a list, ``[n]`` for each graph.

        Raises:
            ValueError: samples that cannot be used, by their positions.
        """
        check_is_fitted(self, "model_")
        held = self._listed(X)
        usable = self._read(held, self.model_)
        if usable.problems:
            why = list_problems(usable.problems)
            raise ValueError(f"no class for {self._unusable} (predict_proba gives NaN): {why}")
        likeliest = self.classes_[self._answers(self.model_, usable.samples).argmax(1)]
        return self._split(likeliest, held)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Share of samples, or of labelled nodes, whose class is the likeliest; samples that cannot be used are left out."""
        targets = self._targets(self._listed(X), y)
        if targets.level == "graph":
            held, weight, rows = self._scored(X, sample_weight)
            return float(super().score(held, np.concatenate(targets.of(rows).rows).tolist(), weight))
        labels, found = np.concatenate(targets.rows), np.concatenate(self.predict(X))
        known = np.array([not missing(label) for label in labels])
        return float(accuracy_score(labels[known].tolist(), found[known].tolist()))

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder that :meth:`load` reads. Nothing in it is pickled."""
        check_is_fitted(self, "model_")
        classes, weight = self.classes_.tolist(), self.class_weight
        by_class = [float(weight.get(label, 1.0)) for label in classes] if isinstance(weight, Mapping) else weight
        return self._write(folder, {"classes": classes, "class_weight": by_class})

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> Self:
        """The classifier in a folder made by :meth:`save`; with ``trust`` also when files were changed since.

        Raises:
            ValueError: another model; changed, damaged or missing files.
        """
        estimator, described = cls._stored(folder, trust, classes=True)
        estimator.classes_ = np.array(described["classes"])
        estimator.class_weight = stored_weight(described.get("class_weight"), described["classes"], folder)
        return estimator


class Regressor(RegressorMixin, Estimator):
    """Learns values."""

    one_dimensional_: bool

    def __sklearn_tags__(self) -> Tags:
        """One value of each sample or several."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self, X: Any, y: Any = None, groups: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learns the values ``y [N]`` or ``[N, T]`` of as many samples; samples of one group are held out together.

        ``sample_weight`` [N] says how much each sample counts in the loss.

        Raises:
            ValueError: not as many values, groups or weights as samples, a value that is infinite, a sample without a value,
                no sample that can be used, parameters that do not fit.
            TypeError: parameters of another type; one sample in place of a list.
        """
        parameters, held = self._parameters(), self._listed(X)
        targets, one = self._targets(held, y)
        usable, keys = self._usable(held), group_keys(groups, held, self.words.samples)
        targets = targets.weighted(sample_weight, self.words.samples).of(usable.positions)
        model = self._taught(usable, targets, (), keys, parameters)
        self.model_, self.one_dimensional_ = model, one
        return self

    def _targets(self, samples: list[Any], y: Any) -> tuple[Targets, bool]:
        """Values, and whether there is one of each sample."""
        y, of_nodes = self._labelled(samples, y, values=True)
        values = numbers(np.concatenate(of_nodes.rows) if of_nodes else y)
        if of_nodes is None:
            self._check_lengths(samples, values)
        if values.ndim > 2 or 0 in values.shape[1:]:
            sample = self.words.sample
            raise ValueError(
                f"expected one value per {sample}, or a row of values, got an array of shape {values.shape}"
            )
        table = values[:, None] if values.ndim == 1 else values
        infinite, gaps = (np.abs(table) > _LARGEST).any(1), np.isnan(table).all(1)
        bad = np.flatnonzero(infinite | (gaps if of_nodes is None or gaps.all() else False))
        if len(bad):
            what = self.words.sample if of_nodes is None else "node that has one"
            raise ValueError(f"every {what} needs a finite value, got {values[bad[0]].tolist()} at position {bad[0]}")
        counts = [1] * len(table) if of_nodes is None else [len(row) for row in of_nodes.rows]
        rows = np.split(table, np.cumsum(counts)[:-1]) if counts else []
        return (Targets(rows) if of_nodes is None else of_nodes._replace(rows=rows)), values.ndim == 1

    def predict(self, X: Any) -> Any:
        """Values ``[N]``, or ``[N, T]`` after a fit to several; NaN, and a warning, for samples that cannot be used.

        After a fit to values of nodes a list, ``[n]`` for each graph.
        """
        check_is_fitted(self, "model_")
        held = self._listed(X)
        values = self._applied(held)
        return self._split(values[:, 0] if self.one_dimensional_ else values, held)

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """R2 of the values of samples, or of nodes that have one; samples that cannot be used are left out."""
        targets, one = self._targets(self._listed(X), y)
        values = np.concatenate(targets.rows)
        if targets.level == "graph":
            held, weight, rows = self._scored(X, sample_weight)
            return float(super().score(held, values[rows, 0] if one else values[rows], weight))
        known = ~np.isnan(values[:, 0])
        return float(r2_score(values[known, 0], np.concatenate(self.predict(X))[known]))

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
        estimator, described = cls._stored(folder, trust, classes=False)
        estimator.one_dimensional_ = described["one_dimensional"]
        return estimator
