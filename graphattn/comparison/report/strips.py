"""Rows of dots and intervals on one shared axis: every score, every difference."""

from __future__ import annotations

from collections.abc import Sequence

from graphattn.comparison import wording
from graphattn.comparison.report.axes import Axis, written
from graphattn.comparison.report.figures import ends, signed
from graphattn.comparison.report.markup import Attributes, Markup, element
from graphattn.comparison.statistics import Difference, Interval

HEIGHT = 26


def scores(name: str, values: Sequence[float], score: Interval, axis: Axis, kind: str) -> Markup:
    """A dot for each fit, a band for the interval and a line for the mean; `kind` is the class of the colour."""
    parts = [*_grid(axis)]
    if score.mean < axis.low:
        parts.append(_further_left(wording.number(score.mean)))
    else:
        parts += _interval("band", score, axis)
        parts += [_dot(axis.at(value), 3.2, f"dot {kind}") for value in values]
        parts.append(_upright(axis.at(score.mean), "mean", 4))
    said = f"{name}: mean {wording.number(score.mean)}, interval {ends(score)}, {wording.count(len(values), 'fit')}"
    return _strip(said, parts)


def difference(name: str, found: Difference, axis: Axis, rope: float, kind: str) -> Markup:
    """The mean difference with its interval, the rope as a band and a line at 0; `kind` is the class of what was found."""
    low, high = axis.at(-rope), axis.at(rope)
    parts = [
        element(
            "rect", {"class": "rope", "x": f"{low}%", "y": 0, "width": f"{round(high - low, 3)}%", "height": HEIGHT}
        )
    ]
    parts += [*_grid(axis), _upright(axis.at(0.0), "zero", 0)]
    if found.mean < axis.low:
        parts.append(_further_left(signed(found.mean)))
    else:
        parts += [*_interval(f"whisker {kind}", found.interval, axis), _dot(axis.at(found.mean), 4.2, f"found {kind}")]
    return _strip(f"{name}: {signed(found.mean)}, interval {ends(found.interval, plus=True)}", parts)


def chances(found: Difference) -> Markup:
    """Probabilities that it is worse, equal, better, as shares of a bar."""
    shares = {"worse": found.worse, "equal": found.equal, "better": found.better}
    start, parts = 0.0, []
    for kind, share in shares.items():
        # NaN where one resampling tells nothing.
        if share > 0:
            at = {"x": f"{round(100 * start, 3)}%", "width": f"{round(100 * share, 3)}%"}
            parts.append(element("rect", {"class": f"chance {kind}", "y": 0, "height": 12, **at}))
            start += share
    said = ", ".join(f"{kind} {wording.probability(share)}" for kind, share in shares.items())
    return _drawing("chances", f"probabilities: {said}", 12, parts)


def scale(axis: Axis, plus: bool = False) -> Markup:
    """The axis in words: its ticks, for the head of a column of strips."""
    ticks = axis.ticks()
    texts = []
    for tick, text in zip(ticks, written(ticks), strict=True):
        at = axis.at(tick)
        anchor = "start" if at < 4 else "end" if at > 96 else "middle"
        shown = f"+{text}" if plus and tick > 1e-12 else text
        texts.append(element("text", {"x": f"{at}%", "y": 12, "text-anchor": anchor}, shown))
    return element("svg", {"class": "scale", "height": 16, "aria-hidden": "true"}, *texts)


def _strip(said: str, parts: Sequence[Markup]) -> Markup:
    return _drawing("strip", said, HEIGHT, parts)


def _drawing(kind: str, said: str, height: int, parts: Sequence[Markup]) -> Markup:
    return element("svg", {"class": kind, "height": height, "role": "img", "aria-label": said}, *parts)


def _further_left(value: str) -> Markup:
    return element("text", {"x": 0, "y": HEIGHT / 2 + 4}, f"◂ {value}")


def _grid(axis: Axis) -> list[Markup]:
    return [_upright(axis.at(tick), "grid", 0) for tick in axis.ticks()]


def _upright(at: float, kind: str, inset: int) -> Markup:
    ends: Attributes = {"x1": f"{at}%", "x2": f"{at}%", "y1": inset, "y2": HEIGHT - inset}
    return element("line", {"class": kind, **ends})


def _interval(kind: str, found: Interval, axis: Axis) -> list[Markup]:
    if found.low != found.low:
        return []
    y = HEIGHT / 2
    return [
        element(
            "line", {"class": kind, "x1": f"{axis.at(found.low)}%", "x2": f"{axis.at(found.high)}%", "y1": y, "y2": y}
        )
    ]


def _dot(at: float, radius: float, kind: str) -> Markup:
    return element("circle", {"class": kind, "cx": f"{at}%", "cy": HEIGHT / 2, "r": radius})
