"""Probabilities that mean frequencies: bias-corrected temperature scaling, fitted on molecules not trained on.

Letters: N molecules, K classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

LEAST = 5
"""Molecules of each class below which nothing is fitted."""
_TINY = 1e-6
_SLOPES = (0.01, 100.0)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    r"""Calibrated probabilities from given ones, :math:`p_k` (Alexandari, Kundaje & Shrikumar 2020).

    .. math:: \text{softmax}_k (a \log p_k + b_k)

    With two classes this is the method of Platt (1999) on log-odds. One slope for all classes cannot overfit as isotonic
    regression does on the hundred molecules of a usual validation part, and leaves the rank of molecules as it is where there
    are two classes. The offsets undo class weights of the training, which a temperature alone cannot.

    Args:
        slope: :math:`a > 0`; below 1 the given probabilities were too certain.
        offsets: :math:`b_k`, the first of them 0.

    >>> Calibration(1.0, (0.0, 0.0))(np.array([[0.25, 0.75]])).tolist()
    [[0.25, 0.75]]
    """

    slope: float
    offsets: tuple[float, ...]

    def __call__(self, probability: Floats) -> Floats:
        """``probability`` [N, K] -> calibrated probabilities [N, K]."""
        return softmax(self.slope * _logs(probability) + np.array(self.offsets), axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"slope": self.slope, "offsets": list(self.offsets)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], classes: int) -> "Calibration":
        """The inverse of ``to_dict``.

        Raises:
            ValueError: numbers that are not finite, no slope above 0 or another number of offsets than ``classes``.
        """
        found = cls(float(stored["slope"]), tuple(map(float, stored["offsets"])))
        finite = np.isfinite([found.slope, *found.offsets]).all()
        if not finite or found.slope <= 0 or len(found.offsets) != classes:
            raise ValueError(
                f"expected a slope above 0 and {classes} finite offsets of a calibration, got {dict(stored)}"
            )
        return found


def calibrate(probability: Floats, label: NDArray[np.int64]) -> Calibration | None:
    """The calibration with the lowest log loss for ``probability`` [N, K] and the class ``label`` [N] of each molecule.

    Labels are softened as Platt did, to (n + 1) / (n + 2) for a class of n molecules, so that classes that are told apart without
    an error do not get an endless slope. None where a class has fewer than ``LEAST`` molecules.

    >>> label = np.repeat([0, 1], 20)
    >>> certain = np.where(np.arange(40)[:, None] % 4 == 0, 0.99, 0.01)  # right in one of two: no better than chance
    >>> calibrate(np.hstack([1 - certain, certain]), label)(np.array([[0.01, 0.99]])).round(2).tolist()
    [[0.5, 0.5]]
    """
    count = np.bincount(label, minlength=probability.shape[1])
    classes = len(count)
    if count.min() < LEAST:
        return None
    own = (count[label] + 1) / (count[label] + 2)
    target = np.repeat((1 - own)[:, None] / (classes - 1), classes, axis=1)
    target[np.arange(len(label)), label] = own
    logs = _logs(probability)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scores = log_softmax(parameters[0] * logs + np.append(0.0, parameters[1:]), axis=1)
        wrong = (np.exp(scores) - target) / len(label)
        return -float((target * scores).sum()) / len(label), np.append((wrong * logs).sum(), wrong.sum(0)[1:])

    bounds = [_SLOPES, *[(None, None)] * (classes - 1)]
    start = np.append(1.0, np.zeros(classes - 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-9}).x
    # Six digits, as more differ from machine to machine.
    slope, *offsets = (float(f"{value:.6g}") for value in found)
    return Calibration(slope, (0.0, *offsets))


class ReliabilityBin(NamedTuple):
    """Molecules of similar predicted probability: their number, mean prediction and share of the class."""

    molecules: int
    predicted: float
    observed: float


def reliability(probability: Floats, positive: NDArray[np.bool_], bins: int = 10) -> list[ReliabilityBin]:
    """Bins of equally many molecules by ``probability`` [N], for a class that the molecules are of (``positive`` [N]) or not.

    >>> reliability(np.array([0.1, 0.3, 0.9, 0.7]), np.array([False, False, True, True]), bins=2)
    [ReliabilityBin(molecules=2, predicted=0.2, observed=0.0), ReliabilityBin(molecules=2, predicted=0.8, observed=1.0)]
    """
    parts = np.array_split(np.argsort(probability, kind="stable"), bins)
    return [
        ReliabilityBin(len(part), float(probability[part].mean()), float(positive[part].mean()))
        for part in parts
        if len(part)
    ]


def calibration_error(probability: Floats, positive: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error: mean over molecules of the difference of prediction and share in their bin.

    >>> calibration_error(np.full(4, 0.5), np.array([True, False, True, True]), bins=1)
    0.25
    """
    found = reliability(probability, positive, bins)
    return sum(each.molecules * abs(each.predicted - each.observed) for each in found) / max(1, len(probability))


def log_loss(probability: Floats, label: NDArray[np.int64]) -> float:
    """Mean of the negative logs of the probabilities [N, K] of the true classes [N].

    >>> round(log_loss(np.array([[0.5, 0.5]]), np.array([1])), 3)
    0.693
    """
    return float(-_logs(probability)[np.arange(len(label)), label].mean())


def _logs(probability: Floats) -> Floats:
    return np.log(np.clip(probability, _TINY, 1.0))
