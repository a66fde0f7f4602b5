"""The threshold from which on a probability says yes, chosen on molecules not trained on for a stated aim."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix_at_thresholds

DEFAULT = 0.5
AIMS = "mcc, sensitivity@specificity=0.9 or cost=FP:FN"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Aim:
    """What a threshold is chosen for.

    - ``mcc``: the largest correlation coefficient of Matthews;
    - ``sensitivity``: the largest sensitivity among thresholds with a specificity of ``specificity`` or more;
    - ``cost``: the lowest sum of ``false_positive`` for each false positive and ``false_negative`` for each false negative.
    """

    measure: Literal["mcc", "sensitivity", "cost"]
    specificity: float = 0.0
    false_positive: float = 1.0
    false_negative: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "Aim":
        """The aim that a text names.

        Raises:
            ValueError: another text, a specificity outside 0 to 1, or costs that are not above 0.

        >>> Aim.parse("sensitivity@specificity=0.9").specificity, Aim.parse("cost=1:5").false_negative
        (0.9, 5.0)
        """
        number = r"(\d+(?:\.\d+)?)"
        if text == "mcc":
            return cls("mcc")
        if (found := re.fullmatch(rf"sensitivity@specificity={number}", text)) and float(found[1]) <= 1:
            return cls("sensitivity", specificity=float(found[1]))
        costs = re.fullmatch(rf"cost={number}:{number}", text)
        if costs and min(map(float, costs.groups())) > 0:
            return cls("cost", false_positive=float(costs[1]), false_negative=float(costs[2]))
        raise ValueError(f"expected as aim of the threshold {AIMS}, got {text!r}")

    def worth(self, true: Floats, missed: Floats, false: Floats, rejected: Floats) -> Floats:
        """Larger is better; from the numbers of true positives, false negatives, false positives and true negatives."""
        if self.measure == "cost":
            return -(self.false_positive * false + self.false_negative * missed)
        if self.measure == "sensitivity":
            return np.where(rejected >= self.specificity * (rejected + false) - 1e-9, true, -1.0)
        spread = (true + false) * (true + missed) * (rejected + false) * (rejected + missed)
        covariance = true * rejected - false * missed
        return np.divide(covariance, np.sqrt(spread), out=np.zeros(len(true)), where=spread > 0)


def choose_threshold(aim: Aim, probability: Floats, positive: NDArray[np.bool_]) -> float:
    """The threshold above which molecules are called positive, for ``probability`` [N] and the truth ``positive`` [N].

    It stands halfway between two neighbouring probabilities; of several that are equally good, the one closest to 0.5 is taken.
    Without molecules of both classes it is 0.5.

    >>> choose_threshold(Aim("mcc"), np.array([0.1, 0.2, 0.4, 0.6]), np.array([False, False, True, True]))
    0.3
    """
    if positive.all() or not positive.any():
        return DEFAULT
    rejected, false, missed, true, scores = confusion_matrix_at_thresholds(positive, probability)
    # From the first k scores on; then from all, from none.
    lower = np.append(scores[1:], 0.0)
    cuts = np.append((scores + lower) / 2, 1.0)
    cuts[len(scores) - 1] = 0.0
    none = np.array([0.0, positive.sum(), 0.0, (~positive).sum()])
    counts = np.column_stack([np.array([true, missed, false, rejected], dtype=float), none])
    worth = aim.worth(*counts)
    best = np.flatnonzero(worth >= worth.max() - 1e-12)
    chosen = best[np.abs(cuts[best] - DEFAULT).argmin()]
    return float(f"{cuts[chosen]:.6g}")


def at_threshold(probability: Floats, positive: NDArray[np.bool_], threshold: float) -> dict[str, float]:
    """Sensitivity, specificity, precision and MCC of ``probability > threshold``; NaN where a class or a prediction lacks.

    >>> at_threshold(np.array([0.1, 0.6, 0.9]), np.array([False, False, True]), 0.5)["specificity"]
    0.5
    """
    called = probability > threshold
    cells = [(called & positive), (~called & positive), (called & ~positive), (~called & ~positive)]
    true, missed, false, rejected = (float(cell.sum()) for cell in cells)
    return {
        "sensitivity": true / (true + missed) if true + missed else float("nan"),
        "specificity": rejected / (rejected + false) if rejected + false else float("nan"),
        "precision": true / (true + false) if true + false else float("nan"),
        "MCC": float(Aim("mcc").worth(*(np.array([each]) for each in (true, missed, false, rejected)))[0]),
    }
