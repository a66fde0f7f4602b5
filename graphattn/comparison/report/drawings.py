"""Axes, curves and selections of the drawings; ``drawings.html`` sets them as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from graphattn.comparison.verdict import titles
from graphattn.comparison.verdict.summary import ConfigurationScores
from graphattn.reports.axes import PlotAxis, around, decades, lowest_shown, together
from graphattn.training.statistics import FEWEST, Finding, PairedDifference

FIGURES = {
    "entropy": ("Entropy of attention", "share of its maximum: 1 attends to all alike, 0 to one"),
    "distance": ("Distance of attention", "hops on the given edges, weighted by attention"),
    "dirichlet": ("Dirichlet energy of states", "0 where neighbours have become alike: over-smoothing"),
    "true_edges": ("Attention on the edges that decide", "AUROC; 0.5 is chance"),
    "reach": ("Receptive field", "hops, weighted by how much a node's output depends on another"),
}
_SHAPES = {
    "edges": "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z",
    "full": "M-4.1,-4.1H4.1V4.1H-4.1Z",
    "edges+hub": "M0,-5.8L5.8,0L0,5.8L-5.8,0Z",
    "none": "M0,-5.2L5.2,4.2H-5.2Z",
    "shuffled": "M0,5.2L5.2,-4.2H-5.2Z",
}
_OTHER = "M-5,-1.7H-1.7V-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5Z"


def colour(layer: str) -> str:
    """Class of a layer's colour, the same in every drawing; baselines and unknown layers share one.

    >>> colour("gcn"), colour("random forest")
    ('gcn', 'other')
    """
    return layer if layer in titles.LAYERS else "other"


def shape(topology: str) -> str:
    """Outline of a topology's mark, the same in every drawing."""
    return _SHAPES.get(topology, _OTHER)


class DifferenceLine(NamedTuple):
    """A line of a drawing of differences: a configuration or the name of an effect, what was found of it, and why if open."""

    name: ConfigurationScores | str
    difference: PairedDifference
    finding: Finding
    why: str


def scores_axis(configurations: Sequence[ConfigurationScores]) -> PlotAxis:
    """Scores of those that stand together, and their intervals as far as they are of use: of two splits they are very wide."""
    floor = lowest_shown([row.score.mean for row in configurations])
    near = [row for row in configurations if row.score.mean >= floor]
    values = [score for row in near for score in row.scores]
    return around([*values, *_useful(near)], margin=0.03)


def differences_axis(lines: Sequence[DifferenceLine], rope: float) -> PlotAxis:
    """0, the rope, and the differences that stand together with their intervals."""
    floor = lowest_shown([0.0, *(line.difference.mean for line in lines)])
    near = [line.difference for line in lines if line.difference.mean >= floor]
    ends = [end for each in near for end in (each.interval if each.resamplings >= FEWEST else (each.mean,))]
    return around([0.0, -rope, rope, *ends])


def _useful(configurations: Sequence[ConfigurationScores]) -> list[float]:
    """Ends of intervals, cut where they reach further than twice the usual one, or than all scores: few fits, or one outlier."""
    known = [row for row in configurations if math.isfinite(row.score.low)]
    scores = [score for row in configurations for score in row.scores]
    reach = 2 * float(np.median([row.score.high - row.score.low for row in known])) if known else 0.0
    low, high = 2 * min(scores) - max(scores), 2 * max(scores) - min(scores)
    lower = [max(row.score.low, row.score.mean - reach, low) for row in known]
    return lower + [min(row.score.high, row.score.mean + reach, high) for row in known]


@final
@dataclass(frozen=True)
class CostPlot:
    """Score against cost, both axes around what stands together; what is outside is named below the drawing.

    Args:
        measure, title: of the axes.
        shown: a cost as text.
        across, up: cost, logarithmic, and score.
        points: networks with their costs, also those beyond the sides, which stand on the edge.
        front: those of all networks that no other beats at the same cost or less, from cheap to dear.
        baselines: with a score inside the frame.
        below, above: networks and baselines with a score below the frame, baselines with one above it.
    """

    measure: str
    title: str
    shown: Callable[[float], str]
    across: PlotAxis
    up: PlotAxis
    points: list[tuple[ConfigurationScores, float]]
    front: list[ConfigurationScores]
    baselines: list[ConfigurationScores]
    below: list[ConfigurationScores]
    above: list[ConfigurationScores]

    @property
    def beside(self) -> list[tuple[ConfigurationScores, float]]:
        """Points left or right of the frame."""
        return [(row, cost) for row, cost in self.points if not self.across.low <= cost <= self.across.high]

    def steps(self, cost: str) -> list[tuple[float, float, float, float | None]]:
        """The front as a stair: from and to on the cost axis in per cent, score, and the next score where there is one."""
        places = [(self.across.at(row.median(cost)), row.score.mean) for row in self.front]
        after = [*places[1:], (100.0, None)]
        return [(x, to, score, up) for (x, score), (to, up) in zip(places, after, strict=True)]


def front(configurations: Sequence[ConfigurationScores], cost: str) -> list[ConfigurationScores]:
    """Those that no other beats at the same cost or less, from cheap to dear; of unknown cost none.

    >>> front([], "flops")
    []
    """
    found: list[ConfigurationScores] = []
    for row in sorted(configurations, key=lambda row: (row.median(cost), -row.score.mean)):
        if row.median(cost) > 0 and (not found or row.score.mean > found[-1].score.mean):
            found.append(row)
    return found


def cost_plot(
    networks: Sequence[ConfigurationScores],
    baselines: Sequence[ConfigurationScores],
    cost: str,
    title: str,
    shown: Callable[[float], str],
) -> CostPlot | None:
    """Networks by median cost and mean score, baselines by score; nothing where no cost is known.

    Args:
        networks, baselines: those with a score.
        cost: the figure of :class:`~graphattn.comparison.record.FitRecord` that is the cost.
        title: of the cost's axis.
        shown: a cost as text.
    """
    networks = [row for row in networks if row.median(cost) > 0]
    if not networks:
        return None
    rows = [*networks, *baselines]
    # The best network is always inside, however far baselines leave all networks below, or stand above.
    high = max(row.score.mean for row in networks)
    low = min(lowest_shown([row.score.mean for row in rows]), high)
    spread = high - min(row.score.mean for row in rows if low <= row.score.mean <= high)
    high = max(row.score.mean for row in rows if row.score.mean <= high + spread)
    while True:
        near = [row for row in rows if low <= row.score.mean <= high]
        up = around([*(row.score.mean for row in near), *_useful(near)])
        outside = [row for row in rows if row not in near]
        if not any(up.low <= row.score.mean <= up.high for row in outside):
            break
        low, high = up.low, up.high  # The frame reaches further: whatever it holds is drawn.
    across = decades(together([row.median(cost) for row in networks]))
    points = [(row, row.median(cost)) for row in near if row in networks]
    best = front([row for row, _ in points], cost)
    inside = [row for row in baselines if row in near]
    below = [row for row in outside if row.score.mean < up.low]
    above = [row for row in outside if row.score.mean > up.high]
    return CostPlot(networks[0].fits[0].measure, title, shown, across, up, points, best, inside, below, above)


@final
@dataclass(frozen=True)
class DepthPlot:
    """A figure of the layers by depth: title, meaning, numbers of the layers, axes, and values by configuration."""

    title: str
    meaning: str
    places: list[int]
    across: PlotAxis
    up: PlotAxis
    lines: list[tuple[ConfigurationScores, list[float]]]


def average(row: ConfigurationScores, figure: str) -> list[float]:
    """Mean of a figure over fits: one number, or one for each layer; empty where no fit has it.

    >>> from graphattn.comparison.record import Fit, FitRecord
    >>> from graphattn.training.statistics import Interval
    >>> def fit(seed):
    ...     return FitRecord(Fit("p", "gcn", "edges", 0, seed), "ok", "R2", score=0.5, learned={"dirichlet": [seed, 0.0]})
    >>> fits = (fit(1), fit(3))
    >>> average(ConfigurationScores("gcn on edges", "gcn", "edges", "model", Interval(0.5, 0.4, 0.6), {}, fits, ()), "dirichlet")
    [2.0, 0.0]
    """
    found = [np.atleast_1d(np.asarray(each.learned[figure], float)) for each in row.fits if figure in each.learned]
    alike = [each for each in found if len(each) == len(found[-1])]
    return [_mean([each[place] for each in alike]) for place in range(len(alike[0]))] if alike else []


def depth_plot(configurations: Sequence[ConfigurationScores], figure: str) -> DepthPlot | None:
    """A figure from the first layer to the last; nothing if no configuration has a number for each of several layers."""
    lines = [(row, values) for row in configurations if len(values := average(row, figure)) > 1]
    if not lines:
        return None
    # Figures of states have a value before the first layer.
    first = 0 if figure == "dirichlet" else 1
    last = first + max(len(values) for _, values in lines) - 1
    room = 0.14 * (last - first)
    up = around(value for _, values in lines for value in values)
    places = list(range(first, last + 1))
    return DepthPlot(*FIGURES[figure], places, PlotAxis(first - room, last + room / 2), up, lines)


def steps(values: Sequence[float]) -> str:
    """Numbers from the first layer to the last.

    >>> steps([0.91, 0.5])
    '0.91 → 0.50'
    """
    return " → ".join(f"{value:.2f}" if math.isfinite(value) else "–" for value in values) or "–"


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
