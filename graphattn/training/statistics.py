"""Scores of resampled splits and their paired differences: intervals, tests and probabilities that know of the overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
ROPE = 0.01
LIKELY = 0.9
"""Probability from which two models are called equal in practice."""
FEWEST = 3
"""Fewer resamplings decide nothing: two differences are alike by chance too easily, and then seem certain."""

Finding = Literal["better", "worse", "equal", "open"]
VERBS: dict[Finding, str] = {
    "worse": "loses to",
    "equal": "equals",
    "open": "is not shown to differ from",
    "better": "beats",
}
"""What is said of the first of two models."""


class Interval(NamedTuple):
    """A mean and the ends of its interval of 95 %, which are NaN if there is one resampling only."""

    mean: float
    low: float
    high: float


class PairedDifference(NamedTuple):
    """Mean of paired differences of scores, with interval, test and probabilities; a positive mean favours the first.

    ``t`` and ``p`` (two sides) are those of the corrected t-test, ``effect`` is the mean in standard deviations of the
    differences; ``worse``, ``equal`` and ``better`` are the probabilities that the first is worse than the second by more than
    the rope, as good in practice, better by more than the rope. What one resampling leaves unknown is NaN.
    """

    interval: Interval
    t: float
    p: float
    effect: float
    worse: float
    equal: float
    better: float
    resamplings: int

    @property
    def mean(self) -> float:
        """The mean difference."""
        return self.interval.mean

    def reversed(self) -> PairedDifference:
        """The same with the second before the first.

        >>> found = paired([0.02, 0.01, 0.03], ratio=0.125)
        >>> found.reversed().mean, found.reversed().worse == found.better
        (-0.02, True)
        """
        mean, low, high = self.interval
        turned = Interval(-mean, -high, -low)
        return PairedDifference(
            turned, -self.t, self.p, -self.effect, self.better, self.equal, self.worse, self.resamplings
        )


def interval(scores: ArrayLike, ratio: float, level: float = LEVEL) -> Interval:
    r"""Mean of scores over resamplings, with an interval that is wide enough for parts that overlap.

    .. math:: \bar s \pm t_{J-1} \sqrt{\left(\tfrac{1}{J} + \tfrac{n_\mathrm{test}}{n_\mathrm{train}}\right) \hat\sigma^2}

    Training parts of different resamplings share rows, so that scores are not independent and :math:`\hat\sigma^2 / J` is too
    small a variance of their mean; the second term corrects it (Nadeau & Bengio, 2003).

    Args:
        scores: one of each resampling.
        ratio: rows of the test part for each row of the training part; 0 corrects nothing.
        level: of the interval.

    **Shapes**: scores ``[J]``

    >>> interval([0.80, 0.82, 0.84], ratio=0.125)
    Interval(mean=0.82, low=0.76..., high=0.87...)
    """
    values = np.asarray(scores, dtype=np.float64)
    mean, scale = _centre(values, ratio)
    if len(values) < 2:
        return Interval(mean, np.nan, np.nan)
    reach = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * scale
    return Interval(mean, mean - reach, mean + reach)


def paired(differences: ArrayLike, ratio: float, rope: float = ROPE) -> PairedDifference:
    r"""Interval, test and probabilities of differences of two scores on the same resamplings.

    .. math:: t = \frac{\bar d}{\sqrt{\left(\frac{1}{J} + \frac{n_\mathrm{test}}{n_\mathrm{train}}\right) \hat\sigma_d^2}}, \qquad
              \mu \mid d \sim \mathrm{St}\!\left(J - 1,\; \bar d,\;
              \left(\tfrac{1}{J} + \tfrac{\rho}{1 - \rho}\right) \hat\sigma_d^2\right)

    On the left the corrected resampled t-test (Nadeau & Bengio, 2003); on the right the Bayesian correlated t-test (Corani &
    Benavoli, 2015; Benavoli et al., 2017) with :math:`\rho = n_\mathrm{test} / (n_\mathrm{test} + n_\mathrm{train})`, from which
    the probabilities of a difference below, within and above the rope come. Both have the same scale.

    Args:
        differences: first minus second, one of each resampling.
        ratio: rows of the test part for each row of the training part.
        rope: differences up to this are no differences in practice (region of practical equivalence).

    **Shapes**: differences ``[J]``

    Raises:
        ValueError: a rope or a ratio below 0.

    >>> found = paired([0.02, 0.03, 0.01, 0.04], ratio=0.125, rope=0.01)
    >>> round(found.mean, 3), round(found.p, 3), round(found.better, 2)
    (0.025, 0.051, 0.92)
    """
    if rope < 0 or ratio < 0:
        raise ValueError(f"expected a rope and a ratio of 0 or more, got {rope} and {ratio}")
    values = np.asarray(differences, dtype=np.float64)
    mean, scale = _centre(values, ratio)
    size, unknown = len(values), float("nan")
    if size < 2:
        return PairedDifference(interval(values, ratio), unknown, unknown, unknown, unknown, unknown, unknown, size)
    worse, up_to = (_below(edge, mean, scale, size - 1) for edge in (-rope, rope))
    better = 1 - up_to
    if scale:
        t, effect = mean / scale, mean / _spread(values)
        p = 2 * float(stats.t.sf(abs(t), size - 1))
    else:
        # All differences are the same number: there is no doubt about their mean, be it 0 or not.
        t = effect = float(np.copysign(np.inf, mean)) if mean else 0.0
        p = 0.0 if mean else 1.0
    return PairedDifference(interval(values, ratio), t, p, effect, worse, max(0.0, 1 - worse - better), better, size)


def finding(difference: PairedDifference, adjusted: float | None = None) -> Finding:
    """Equal in practice if that is likely; else better or worse if the interval excludes 0; else open.

    Of one difference among several, p has to be below 0.05 after it was ``adjusted`` for them as well. Fewer than three
    resamplings leave it open.

    >>> found = paired([0.03, 0.04, 0.03, 0.04], ratio=0.125, rope=0.01)
    >>> finding(found), finding(found, adjusted=0.2)
    ('better', 'open')
    """
    if difference.resamplings < FEWEST:
        return "open"
    if difference.equal >= LIKELY:
        return "equal"
    if adjusted is not None and not adjusted < 1 - LEVEL:
        return "open"
    if difference.interval.low > 0:
        return "better"
    return "worse" if difference.interval.high < 0 else "open"


def holm(p: Sequence[float]) -> list[float]:
    """Probabilities adjusted so that the chance of one false finding among all is kept (Holm, 1979); NaN are left out.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted.tolist()


def _centre(values: NDArray[np.float64], ratio: float) -> tuple[float, float]:
    """Mean and the corrected standard error of the mean."""
    if not len(values):
        return float("nan"), float("nan")
    mean = float(values.mean())
    spread = _spread(values)
    # What rounding leaves of equal numbers is no spread.
    scale = spread * float(np.sqrt(1 / len(values) + ratio)) if spread > 1e-12 else 0.0
    return (0.0 if abs(mean) < 1e-12 else mean), scale


def _spread(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _below(edge: float, mean: float, scale: float, freedom: int) -> float:
    """Probability that the mean is at most ``edge``; a difference of exactly the rope is within the rope."""
    if scale:
        return float(stats.t.cdf((edge - mean) / scale, freedom))
    return float(mean < edge if edge < 0 else mean <= edge)
