"""Figures of a model on molecules it has not seen, with bootstrap intervals.

Every measure takes a weight per molecule for each of B resamples at once: a bootstrap sample is a row of counts, and
all ones is the figure itself. Letters: N molecules, B resamples, K classes, T targets.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tasks import Task

Floats = NDArray[np.float64]


class Figure(NamedTuple):
    """A value, the 95 % interval of it, and what chance would give, where that depends on the data."""

    value: float
    low: float
    high: float
    base: float | None = None

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "undefined"
        base = f" (base rate {self.base:.3f})" if self.base is not None else ""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]{base}"


def figures(
    task: Task,
    prediction: Floats,
    y: Floats,
    resamples: int = 1000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> dict[str, Figure]:
    """Figures by name: ROC-AUC, PR-AUC, accuracy, MCC, or RMSE, MAE, R2; of several targets their mean.

    ``prediction`` is what ``FittedModel.predict`` returns, ``y`` [N, T] the truth with NaN for missing. The interval holds
    the middle 95 % of ``resamples`` samples of the molecules with replacement, or of ``groups`` (patients), whose rows go
    together. A measure that needs two classes (or two values) is NaN where there is one.

    >>> task = Task("regression", ("y",), ())
    >>> truth = np.arange(20.0)[:, None]
    >>> print(figures(task, truth + 0.5, truth)["RMSE"])
    0.500 [0.500, 0.500]
    """
    bases = base_rates(task, y)
    return {
        name: figure_of(values, bases.get(name))
        for name, values in resampled(task, prediction, y, resamples, seed, groups).items()
    }


def differences(
    task: Task,
    first: Floats,
    second: Floats,
    y: Floats,
    resamples: int = 1000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> dict[str, Figure]:
    """Figures of ``first`` minus those of ``second``, paired: both are measured on the same resamples of the molecules, or of
    ``groups``.

    >>> truth = np.arange(20.0)[:, None]
    >>> print(differences(Task("regression", ("y",)), truth + 0.5, truth + 1.0, truth)["MAE"])
    -0.500 [-0.500, -0.500]
    """
    sampled = [resampled(task, prediction, y, resamples, seed, groups) for prediction in (first, second)]
    return {name: figure_of(values - sampled[1][name], None) for name, values in sampled[0].items()}


def resampled(
    task: Task,
    prediction: Floats,
    y: Floats,
    resamples: int = 1000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> dict[str, Floats]:
    """Every measure [1 + resamples]: of the samples themselves, then of those drawn with replacement."""
    group = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    weight = draws(int(group.max(initial=-1)) + 1, resamples, seed)[:, group]
    if task.kind == "multiclass":
        return _classes(prediction, y[:, 0].astype(int), weight)
    measures = _values if task.kind == "regression" else _binary
    known = [~np.isnan(y[:, t]) for t in range(y.shape[1])]
    each = [measures(prediction[k, t], y[k, t], weight[:, k]) for t, k in enumerate(known) if k.any()]
    return {name: _mean(np.array([target[name] for target in each])) for name in each[0]} if each else {}


def draws(number: int, resamples: int, seed: int = 0) -> Floats:
    """How often each of so many samples or groups counts, [1 + resamples, number]: once, then as drawn with replacement.

    >>> draws(3, 2).sum(1).tolist()
    [3.0, 3.0, 3.0]
    """
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(number, np.full(number, 1 / max(1, number)), size=resamples).astype(float)
    return np.vstack([np.ones(number), drawn])


def base_rates(task: Task, y: Floats) -> dict[str, float]:
    """The PR-AUC of chance: the mean share of the positive class over the classes or targets that have a PR-AUC."""
    if task.kind == "regression":
        return {}
    if task.kind == "multiclass":
        shares = np.array([np.mean(y[:, 0] == k) for k in range(task.outputs)])
    else:
        known = ~np.isnan(y)
        shares = np.array([y[known[:, t], t].mean() if known[:, t].any() else 0 for t in range(y.shape[1])])
    return {"PR-AUC": float(shares[shares > 0].mean())} if (shares > 0).any() else {}


def roc_auc(score: Floats, positive: NDArray, weight: Floats) -> Floats:
    """Area under the ROC curve [B] of ``score`` [N], ``positive`` [N] and ``weight`` [B, N]; ties count half."""
    true, false = _curve(score, positive, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sum(np.diff(false) * (true[:, 1:] + true[:, :-1]) / 2, axis=1) / (true[:, -1] * false[:, -1])


def pr_auc(score: Floats, positive: NDArray, weight: Floats) -> Floats:
    """Average precision [B]: the mean of the precision over the steps of the recall."""
    true, false = _curve(score, positive, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(true[:, 1:] / (true[:, 1:] + false[:, 1:]))
        return np.sum(np.diff(true) * precision, axis=1) / true[:, -1]


def mcc(predicted: NDArray, truth: NDArray, weight: Floats, classes: int) -> Floats:
    """Matthews' correlation coefficient [B] of class numbers; 0 where all molecules are predicted alike."""
    table = np.zeros((len(weight), classes, classes))
    for a in range(classes):
        for b in range(classes):
            table[:, a, b] = weight[:, (truth == a) & (predicted == b)].sum(1)
    return mcc_of(table)


def mcc_of(table: Floats) -> Floats:
    """Matthews' correlation coefficient [B] of tables [B, true classes, predicted classes].

    >>> mcc_of(np.array([[[3.0, 0.0], [0.0, 2.0]]])).tolist()
    [1.0]
    """
    total, right = table.sum((1, 2)), np.trace(table, axis1=1, axis2=2)
    true, found = table.sum(2), table.sum(1)
    covariance = right * total - (true * found).sum(1)
    spread = (total**2 - (true**2).sum(1)) * (total**2 - (found**2).sum(1))
    return np.divide(covariance, np.sqrt(spread), out=np.zeros_like(covariance), where=spread > 0)


def _binary(probability: Floats, y: Floats, weight: Floats) -> dict[str, Floats]:
    predicted, truth = (probability > 0.5).astype(int), y.astype(int)
    return {
        "ROC-AUC": roc_auc(probability, truth, weight),
        "PR-AUC": pr_auc(probability, truth, weight),
        "accuracy": _average(predicted == truth, weight),
        "MCC": mcc(predicted, truth, weight, 2),
    }


def _classes(probability: Floats, truth: NDArray, weight: Floats) -> dict[str, Floats]:
    classes, predicted = probability.shape[1], probability.argmax(1)
    one_against_rest = [(probability[:, k], truth == k, weight) for k in range(classes)]
    return {
        "ROC-AUC": _mean(np.array([roc_auc(*case) for case in one_against_rest])),
        "PR-AUC": _mean(np.array([pr_auc(*case) for case in one_against_rest])),
        "accuracy": _average(predicted == truth, weight),
        "MCC": mcc(predicted, truth, weight, classes),
    }


def _values(prediction: Floats, y: Floats, weight: Floats) -> dict[str, Floats]:
    error = prediction - y
    square = _average(error**2, weight)
    mean = _average(y, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = _average(y**2, weight) - mean**2
        explained = np.where(spread > 1e-12 * (1 + mean**2), 1 - square / spread, np.nan)
    return {"RMSE": np.sqrt(square), "MAE": _average(np.abs(error), weight), "R2": explained}


def _curve(score: Floats, positive: NDArray, weight: Floats) -> tuple[Floats, Floats]:
    """Weight of true and of false positives [B, thresholds + 1], from no molecule to all."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True) if len(order) else np.zeros(0, bool)
    sides = []
    for side in (positive[order] == 1, positive[order] != 1):
        total = np.cumsum(weight[:, order] * side, axis=1)[:, last]
        sides.append(np.hstack([np.zeros((len(weight), 1)), total]))
    return sides[0], sides[1]


def _average(values: NDArray, weight: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return weight @ values.astype(float) / weight.sum(1)


def _mean(values: Floats) -> Floats:
    """Mean over the first axis of what is defined."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(0) / known.sum(0)


def figure_of(values: Floats, base: float | None = None) -> Figure:
    """A figure of its value and the resamples behind it, [1 + B]; those that are not defined are left out."""
    value, samples = values[0], values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(samples, [0.025, 0.975]) if len(samples) and not np.isnan(value) else (np.nan, np.nan)
    return Figure(float(value), float(low), float(high), base)
