"""What a model of tissue must be compared with: linear models and forests on what images consist of, on the same parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, mean_squared_error

from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.plain_models import STRENGTHS, forest, linear_model, outputs_of

Floats = NDArray[np.float64]

TREES = 500


def baselines(
    task: Task, tables: Mapping[str, Floats], y: NDArray[np.float32], split: Split, seed: int = 0, trees: int = TREES
) -> dict[str, Floats]:
    """Predictions for the test part, by name: probabilities ``[N, 1]`` or ``[N, K]``, or values ``[N, 1]``.

    Each table is learned by a linear model, whose regularisation the validation part chooses, and by a forest; both see the
    training part alone. Where all images both train and choose, the regularisation is 1.

    Args:
        task: what is learned.
        tables: features ``[images, columns]`` by name, of :func:`~graphattn.data.tissue.composition.summaries`.
        y: labels of all images, ``[images, 1]``.
        split: positions of the parts.
        seed: of forests.
        trees: in each.
    """
    values, labels = task.kind == "regression", y[:, 0] if task.kind == "regression" else y[:, 0].astype(int)
    linear = "ridge regression" if values else "logistic regression"
    found = {}
    for name, table in tables.items():
        chosen = _chosen(table, labels, split, task)
        grown = forest(values, trees, seed).fit(table[split.train], labels[split.train])
        for kind, model in ((linear, chosen), ("forest", grown)):
            found[f"{kind} on {name}"] = _answers(task, model, table[split.test])
    return found


def _chosen(table: Floats, labels: NDArray, split: Split, task: Task) -> object:
    """The linear model that the validation part likes best."""
    values = task.kind == "regression"
    apart = not np.intersect1d(split.train, split.validation).size
    models = [
        linear_model(values, strength).fit(table[split.train], labels[split.train])
        for strength in (STRENGTHS if apart and len(split.validation) else (1.0,))
    ]
    if len(models) == 1:
        return models[0]
    there, classes = labels[split.validation], len(task.classes)
    errors = []
    for model in models:
        said = outputs_of(model, table[split.validation], max(1, classes), values)
        errors.append(
            mean_squared_error(there, said[:, 0]) if values else log_loss(there, said, labels=np.arange(classes))
        )
    return models[int(np.argmin(errors))]


def _answers(task: Task, model: object, table: Floats) -> Floats:
    said = outputs_of(model, table, max(1, len(task.classes)), task.kind == "regression")
    return said[:, 1:] if task.kind == "binary" else said
