"""Split conformal prediction (Papadopoulos et al. 2002): sets and intervals with a stated coverage.

A set holds each class whose probability is not lower than that of most molecules of this class, so that every class is covered as
stated and not only the frequent ones (class-conditional, "Mondrian": Vovk, Gammerman & Shafer 2005). It may be empty, where no
class fits. Letters: N molecules, K classes.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """The ``ceil((n + 1) * coverage)``-th smallest of n scores; infinite where n is too small for that.

    A new score, exchangeable with these, is at most this with probability ``coverage`` or more, and below
    ``coverage + 1 / (n + 1)`` if there are no ties.

    >>> conformal_quantile(np.arange(1.0, 20.0), 0.9), conformal_quantile(np.arange(8.0), 0.9)
    (18.0, inf)
    """
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def class_quantiles(probability: Floats, label: NDArray[np.int64], coverage: float) -> tuple[float, ...]:
    """For each class the quantile of 1 - ``probability`` [N, K] of it, over the molecules whose ``label`` [N] it is."""
    classes = range(probability.shape[1])
    return tuple(conformal_quantile(1 - probability[label == k, k], coverage) for k in classes)


def prediction_sets(probability: Floats, quantiles: tuple[float, ...]) -> NDArray[np.bool_]:
    """Whether each class is in the set of each molecule, [N, K], by the quantiles of :func:`class_quantiles`.

    >>> prediction_sets(np.array([[0.9, 0.1], [0.5, 0.5]]), (0.6, 0.5)).tolist()
    [[True, False], [True, True]]
    """
    return 1 - probability <= np.array(quantiles)
