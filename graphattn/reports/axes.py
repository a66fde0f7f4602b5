"""Where a value is on an axis, in per cent of its width, so that drawings fit every screen and their letters keep their size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from matplotlib.ticker import MaxNLocator


@final
@dataclass(frozen=True)
class PlotAxis:
    """A stretch of numbers, linear or logarithmic.

    >>> PlotAxis(0.0, 2.0).at(0.5)
    25.0
    """

    low: float
    high: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Per cent of the way from ``low`` to ``high``; what is outside is put on the edge."""
        low, high, here = (math.log(each) if self.logarithmic else each for each in (self.low, self.high, value))
        return round(100 * min(1.0, max(0.0, (here - low) / (high - low))), 3)

    def down(self, value: float, height: float) -> float:
        """Distance from the upper edge of a frame in which the axis points up.

        >>> PlotAxis(0.0, 2.0).down(0.5, height=200.0)
        150.0
        """
        return round(height * (1 - self.at(value) / 100), 2)

    def ticks(self, most: int = 5) -> list[float]:
        """Round numbers on the axis.

        >>> PlotAxis(0.0, 1.0).ticks(), PlotAxis(0.3, 7.0, logarithmic=True).ticks()
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.5, 1.0, 2.0, 5.0])
        >>> PlotAxis(170.0, 290.0, logarithmic=True).ticks(4)
        [200.0, 250.0]
        """
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
            inside = [each for each in found if self.low <= each <= self.high]
            if len(inside) < 2:
                # So narrow that logarithms are nearly linear.
                return PlotAxis(self.low, self.high).ticks(most)
            return inside if len(inside) <= most + 1 else [each for each in inside if _is_decade(each)] or inside
        found = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        return [float(each) for each in found if self.low - 1e-9 <= each <= self.high + 1e-9]


def around(values: Iterable[float], margin: float = 0.06, least: float = 1e-3) -> PlotAxis:
    """A linear axis that holds all finite values, with some room on both sides.

    >>> around([0.0, 1.0], margin=0.1)
    PlotAxis(low=-0.1, high=1.1, logarithmic=False)
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    room = margin * max(high - low, least)
    return PlotAxis(low - room, high + room)


def lowest_shown(values: Sequence[float]) -> float:
    """The lowest value of those that stand together: what is far below would press the others into a corner.

    The upper half is shown, and below it each value that is no further from the next than all above are from each other; where
    several are equal, also the next.

    >>> lowest_shown([0.93, 0.90, 0.92, 0.91, 0.88, 0.5]), lowest_shown([1.0, 1.0, 1.0, 0.52, 0.48])
    (0.88, 0.48)
    """
    ranked = sorted((value for value in values if math.isfinite(value)), reverse=True)
    kept = (len(ranked) + 1) // 2
    while 0 < kept < len(ranked):
        spread = ranked[0] - ranked[kept - 1]
        if (spread > 0 or kept == 1) and ranked[kept - 1] - ranked[kept] > spread:
            break
        kept += 1
    return ranked[kept - 1] if ranked else -math.inf


def together(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest of the positive values that share a logarithmic axis: few far away would press the others together.

    At most a quarter, at one end, are left out, and only if the gap to them is wider than all the others together, and threefold.

    >>> together([1.0, 2.0, 3.0, 1.5, 500.0]), together([1.0, 1.1, 90.0, 100.0])
    ((1.0, 3.0), (1.0, 100.0))
    """
    ranked = sorted(value for value in values if math.isfinite(value) and value > 0)
    logs = [math.log(value) for value in ranked]
    for few in range(1, len(ranked) // 4 + 1):
        if logs[-few] - logs[-few - 1] > max(math.log(3), logs[-few - 1] - logs[0]):
            return ranked[0], ranked[-few - 1]
        if logs[few] - logs[few - 1] > max(math.log(3), logs[-1] - logs[few]):
            return ranked[few], ranked[-1]
    return (ranked[0], ranked[-1]) if ranked else (1.0, 1.0)


def polyline(across: PlotAxis, up: PlotAxis, x: Iterable[float], y: Iterable[float]) -> str:
    """Points of a line in a picture of 100 by 100; what is not finite is left out.

    >>> polyline(PlotAxis(0.0, 1.0), PlotAxis(0.0, 1.0), [0.0, 0.5, 1.0], [0.0, 1.0, math.nan])
    '0,100 50,0'
    """
    known = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    return " ".join(f"{across.at(a):.4g},{up.down(b, 100):.4g}" for a, b in known)


def decades(values: Iterable[float], margin: float = 0.08) -> PlotAxis:
    """A logarithmic axis that holds all positive values.

    >>> round(decades([1.0, 100.0], margin=0.0).at(10.0))
    50
    """
    positive = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = math.log(min(positive)), math.log(max(positive))
    room = max(margin * (high - low), 0.1)
    return PlotAxis(math.exp(low - room), math.exp(high + room), logarithmic=True)


def written(ticks: Sequence[float]) -> list[str]:
    """Ticks as text, all with as many digits as the finest needs.

    >>> written([0.0, 0.025, 0.05]), written([1000.0, 2000.0]), written([-0.1, 0.0])
    (['0.000', '0.025', '0.050'], ['1000', '2000'], ['−0.1', '0.0'])
    """
    digits = next((n for n in range(7) if np.allclose(np.round(ticks, n), ticks, rtol=0, atol=1e-9)), 6)
    return [f"{tick + 0.0:.{digits}f}".replace("-", "−") for tick in ticks]


def _is_decade(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9
