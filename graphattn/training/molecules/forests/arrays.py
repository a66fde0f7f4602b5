"""Trees that scikit-learn has fitted as the arrays of a :class:`~graphattn.models.forest.Forest`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from graphattn.data.tasks import Task
from graphattn.models.forest import Answers, Forest, forest_of

KINDS = {
    "extra trees": (ExtraTreesClassifier, ExtraTreesRegressor),
    "random forest": (RandomForestClassifier, RandomForestRegressor),
}
"""Forests of scikit-learn by name: of classes, and of values."""
Fitted = ExtraTreesClassifier | ExtraTreesRegressor | RandomForestClassifier | RandomForestRegressor


@dataclass(frozen=True)
class ForestPart:
    """What is known of the forest of a model.

    Args:
        name: one of :data:`KINDS`.
        inputs: number of columns that it reads.
        trees: for each target.
        leaf: least number of molecules in a leaf.
        share: of its predictions in those of the model; the rest is that of the networks.

    Raises:
        ValueError: another name, or numbers out of range.
    """

    name: str
    inputs: int
    trees: int
    leaf: int
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise ValueError(f"expected a forest of {' or '.join(KINDS)}, got {self.name!r}")
        for name in ("inputs", "trees", "leaf"):
            if type(getattr(self, name)) is not int or not 1 <= getattr(self, name) < 2**15:
                raise ValueError(
                    f"expected {name} of a forest as a whole number from 1 up, got {getattr(self, name)!r}"
                )
        if not isinstance(self.share, float) or not 0 < self.share <= 1:
            raise ValueError(f"expected a share of a forest above 0 and up to 1, got {self.share!r}")


def answers_of(task: Task) -> Answers:
    """What a forest predicts for a task.

    >>> answers_of(Task("multilabel", ("a", "b"), ("0", "1")))
    'probabilities'
    """
    if task.kind == "regression":
        return "values"
    return "classes" if task.kind == "multiclass" else "probabilities"


def as_forest(fitted: Sequence[Fitted], answers: Answers, outputs: int, inputs: int) -> Forest:
    """The forests of scikit-learn, one for each output, or for all classes together, as one module with the same predictions.

    Args:
        fitted: forests of numbers (``values``), of the classes 0 and 1 (``probabilities``), or a single one of ``classes``.
        answers: what is predicted.
        outputs: number of outputs.
        inputs: number of columns.
    """
    arrays = [tree.tree_ for forest in fitted for tree in forest.estimators_]
    sizes = [each.node_count for each in arrays]
    start = np.cumsum([0, *sizes[:-1]])
    children = np.concatenate([_children(each, first) for each, first in zip(arrays, start.tolist(), strict=True)])
    feature = np.maximum(np.concatenate([each.feature for each in arrays]), -1).astype(np.int16)
    threshold = np.where(feature < 0, 0.0, np.concatenate([each.threshold for each in arrays]))
    value = np.concatenate([_values(each, answers, outputs) for each in fitted])
    value = np.where(feature[:, None] < 0, value, 0.0)
    found = {
        "children_": children,
        "feature": feature,
        "threshold": rounded_down(threshold),
        "value": value,
        "start": start,
        "column": np.repeat(np.arange(len(fitted)), [len(forest.estimators_) for forest in fitted]),
    }
    return forest_of({name: torch.from_numpy(array) for name, array in found.items()}, inputs, answers)


def rounded_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 up to each threshold: a float32 is below one if and only if it is below the other.

    >>> float(rounded_down(np.array([0.1]))[0]) <= 0.1 < float(np.float32(0.1))
    True
    """
    found = threshold.astype(np.float32)
    return np.where(found > threshold, np.nextafter(found, np.float32(-np.inf)), found)


def _children(tree: object, first: int) -> NDArray[np.int32]:
    both = np.stack([tree.children_left, tree.children_right], axis=1)  # pyright: ignore[reportAttributeAccessIssue]
    return np.where(both < 0, -1, both + first).astype(np.int32)


def _values(forest: Fitted, answers: Answers, outputs: int) -> NDArray[np.float64]:
    """Numbers of the nodes of all trees ``[V, W]``; classes that a forest has not met have none."""
    found = np.concatenate([tree.tree_.value[:, 0, :] for tree in forest.estimators_])
    if answers == "values":
        return found
    full = np.zeros((len(found), outputs if answers == "classes" else 2))
    full[:, np.asarray(forest.classes_, dtype=np.int64)] = found
    return full if answers == "classes" else full[:, 1:]
