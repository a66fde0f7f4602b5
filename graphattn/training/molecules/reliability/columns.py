"""Predictions and what is known of their reliability, as columns of a table.

Letters: N molecules, K classes, M members of an ensemble.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from graphattn.data.tasks import Task
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.threshold import DEFAULT

Floats = NDArray[np.float64]
Columns = dict[str, NDArray]


def prediction_columns(
    task: Task,
    known: Reliability | None,
    each: Floats,
    found: Floats,
    molecules: Sequence[Chem.Mol],
    threshold: float | None = None,
) -> Columns:
    """Names and values of the columns that predictions add to a table.

    - ``predicted_<target>``: the class, of two the one that ``threshold`` says, or the value;
    - ``probability_<class>``, or of several targets ``probability_<target>``: what the network says;
    - ``calibrated_...`` of the same names, where there is a calibration;
    - ``set_<target>``: the prediction set, as ``{no | yes}``; ``low_<target>`` and ``high_<target>``: the interval of a value;
    - ``spread_<target>``: standard deviation over the members of an ensemble, of the positive or likeliest class or the value;
    - ``nearest_smiles``, ``similarity``, ``domain``: the nearest training molecule, and ``in`` or ``out`` for near enough or not.

    Args:
        task: of the model.
        known: what is known of its reliability.
        each: predictions of the members, [M, N, outputs].
        found: their mean, [N, outputs].
        molecules: of RDKit, N.
        threshold: in place of the model's own.
    """
    columns = _predicted(task, found, thresholds_of(task, known, threshold))
    if known is not None:
        columns |= _calibrated(task, known, found) | _sets(task, known, found)
    if len(each) > 1:
        columns |= _spread(task, each, found)
    if known is not None and known.neighbours is not None:
        places, similarity = known.neighbours.nearest(molecules)
        smiles = np.array([known.neighbours.smiles[place] for place in places], dtype=object)
        domain = np.where(similarity >= (known.least_similarity or 0.0), "in", "out").astype(object)
        columns |= {"nearest_smiles": smiles, "similarity": np.round(similarity, 4), "domain": domain}
    return columns


def thresholds_of(task: Task, known: Reliability | None, threshold: float | None) -> tuple[float, ...]:
    """Of each target of two classes the threshold that is in use: the given one, the model's, or 0.5.

    Raises:
        ValueError: one is given, and it is not between 0 and 1 or there are more than two classes or none.
    """
    if threshold is None:
        return known.thresholds if known is not None else (DEFAULT,) * len(task.names)
    if task.kind not in ("binary", "multilabel"):
        raise ValueError(f"expected a model of two classes to use a threshold, got a {task.kind} model")
    if not 0 <= threshold <= 1:
        raise ValueError(f"expected a threshold between 0 and 1, got {threshold}")
    return (threshold,) * len(task.names)


def six_digits(values: Floats) -> Floats:
    """Rounded, for more digits are noise and differ from machine to machine."""
    return np.array([float(f"{value:.6g}") for value in values.ravel()]).reshape(values.shape)


def _predicted(task: Task, found: Floats, thresholds: Sequence[float]) -> Columns:
    found = six_digits(found)
    if task.kind == "regression":
        return {f"predicted_{name}": found[:, t] for t, name in enumerate(task.names)}
    classes = np.array(task.classes, dtype=object)
    if task.kind == "multiclass":
        return {f"predicted_{task.names[0]}": classes[found.argmax(1)]} | _named(task, "probability", found)
    labels = {
        f"predicted_{name}": classes[(found[:, t] > thresholds[t]).astype(int)] for t, name in enumerate(task.names)
    }
    return labels | _named(task, "probability", found)


def _named(task: Task, word: str, found: Floats) -> Columns:
    """A column for each class, or of several targets for each of these."""
    if task.kind == "multilabel":
        return {f"{word}_{name}": found[:, t] for t, name in enumerate(task.names)}
    probability = np.hstack([six_digits(1 - found), found]) if task.kind == "binary" else found
    return {f"{word}_{name}": probability[:, k] for k, name in enumerate(task.classes)}


def _calibrated(task: Task, known: Reliability, found: Floats) -> Columns:
    if not any(known.calibrations):
        return {}
    columns = _named(task, "calibrated", six_digits(known.calibrated(task, found)))
    missing = {f"calibrated_{name}" for name, each in zip(task.names, known.calibrations, strict=True) if each is None}
    return {name: values for name, values in columns.items() if name not in missing or task.kind != "multilabel"}


def _sets(task: Task, known: Reliability, found: Floats) -> Columns:
    if task.kind == "regression":
        low, high = map(six_digits, known.intervals(found))
        return {
            f"{word}_{name}": ends[:, t]
            for t, name in enumerate(task.names)
            for word, ends in (("low", low), ("high", high))
        }
    columns: Columns = {}
    for name, held in zip(task.names, known.sets(task, found), strict=True):
        words = [" | ".join(label for label, inside in zip(task.classes, row, strict=True) if inside) for row in held]
        columns[f"set_{name}"] = np.array([f"{{{text}}}" for text in words], dtype=object)
    return columns


def _spread(task: Task, each: Floats, found: Floats) -> Columns:
    """Standard deviation over members; with one of them it would be unknown."""
    if task.kind == "multiclass":
        likeliest = found.argmax(1)
        return {f"spread_{task.names[0]}": six_digits(each[:, np.arange(each.shape[1]), likeliest].std(0, ddof=1))}
    deviation = six_digits(each.std(0, ddof=1))
    return {f"spread_{name}": deviation[:, t] for t, name in enumerate(task.names)}
