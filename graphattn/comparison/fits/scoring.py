"""Scores of predictions, the band of scores reached by chance, and predictions as they are recorded."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from graphattn.comparison.problems.base import Target

CHANCE = 0.9999
MOST_PREDICTIONS = 5000
"""Predictions of larger test parts are not recorded."""


def score(target: Target, labels: NDArray[np.float64], outputs: NDArray[np.float64]) -> float:
    """ROC-AUC of two classes, accuracy of more, R2 of values.

    Args:
        target: which.
        labels: class numbers or values.
        outputs: of the model, a column for each class, or one of values.

    **Shapes**: labels ``[n]``; outputs ``[n, classes]`` or ``[n, 1]``

    Raises:
        ValueError: labels that are all the same; an output that is no finite number.

    >>> score("binary", np.array([0.0, 1.0]), np.array([[0.5, 0.5], [0.25, 0.75]]))
    1.0
    """
    if len(np.unique(labels)) < 2:
        raise ValueError(f"expected labels that differ, got {len(labels)} that do not: their score has no meaning")
    wrong = ~np.isfinite(outputs)
    if wrong.any():
        raise ValueError(
            f"expected numbers from the model, got {outputs[wrong][0]} in {int(wrong.any(1).sum())} of {len(outputs)} rows"
        )
    if target == "binary":
        return float(roc_auc_score(labels, outputs[:, 1] - outputs[:, 0]))
    if target == "multiclass":
        return float(accuracy_score(labels, outputs.argmax(1)))
    return float(r2_score(labels, outputs[:, 0]))


def chance(target: Target, labels: ArrayLike, level: float = CHANCE) -> tuple[float, float]:
    r"""The band that holds the score of a model that knows nothing, ``level`` of the times, by the size of the test part alone.

    .. math::
        \text{ROC-AUC}\quad \tfrac{1}{2} \pm z \sqrt{\frac{n_0 + n_1 + 1}{12\, n_0 n_1}} \qquad
        \text{accuracy}\quad \left[p_{\min} - z \sqrt{\tfrac{p_{\min} (1 - p_{\min})}{n}},\;
        p_{\max} + z \sqrt{\tfrac{p_{\max} (1 - p_{\max})}{n}}\right]
        \qquad R^2 \le \frac{z^2}{n - 1}

    The first is the normal approximation of Mann & Whitney's statistic (1947), the second that of guessing one class always, the
    third the squared correlation of predictions with labels in random order. It holds for labels in random order in all parts.

    Args:
        target: what is scored.
        labels: of the test part.
        level: how often the score is inside, at least.

    **Shapes**: labels ``[n]``

    >>> low, high = chance("binary", [0] * 50 + [1] * 50)
    >>> round(low, 3), round(high, 3)
    (0.274, 0.726)
    """
    values = np.asarray(labels, dtype=np.float64)
    count, z = len(values), float(norm.ppf((1 + level) / 2))
    if target == "regression":
        return -np.inf, min(1.0, z**2 / max(1, count - 1))
    shares = np.unique(values, return_counts=True)[1] / count
    if target == "binary":
        reach = z * np.sqrt((count + 1) / (12 * count**2 * shares[0] * shares[-1]))
        return max(0.0, float(0.5 - reach)), min(1.0, float(0.5 + reach))
    low, high = shares.min(), shares.max()
    return max(0.0, low - z * np.sqrt(low * (1 - low) / count)), min(1.0, high + z * np.sqrt(high * (1 - high) / count))


def recorded(
    target: Target, rows: NDArray[np.int64], labels: NDArray[np.float64], outputs: NDArray[np.float64]
) -> dict[str, list[float]]:
    """Predictions as a :class:`~graphattn.comparison.record.FitRecord` holds them; empty for more than 5,000 rows.

    Args:
        target: what is scored.
        rows: numbers of graphs or nodes.
        labels: class numbers or values.
        outputs: of the model, a column for each class, or one of values.

    **Shapes**: rows, labels ``[n]``; outputs ``[n, classes]`` or ``[n, 1]``

    >>> recorded("binary", np.array([7]), np.array([1.0]), np.array([[-0.5, 1.0]]))
    {'row': [7], 'true': [1.0], 'predicted': [1.5]}
    """
    if len(rows) > MOST_PREDICTIONS:
        return {}
    binary, classes = target == "binary", target == "multiclass"
    predicted = outputs[:, 1] - outputs[:, 0] if binary else outputs.argmax(1) if classes else outputs[:, 0]
    return {"row": rows.tolist(), "true": brief(labels.tolist()), "predicted": brief(predicted.tolist())}


def brief(values: Iterable[float]) -> list[float]:
    """Numbers with six significant digits, which a file of results holds in half the space.

    >>> brief([0.123456789, 2.0])
    [0.123457, 2.0]
    """
    return [float(f"{value:.6g}") for value in values]
