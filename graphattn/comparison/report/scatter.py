"""Score against cost: every network as a mark, those that nothing cheaper beats joined by a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from graphattn.comparison import wording
from graphattn.comparison.report.axes import Axis, around, decades, lowest_shown, written
from graphattn.comparison.report.figures import ends
from graphattn.comparison.report.marks import mark
from graphattn.comparison.report.markup import Markup, element, joined
from graphattn.comparison.rows import Row

HEIGHT = 300


def front(rows: Sequence[Row], cost: str) -> list[Row]:
    """Rows that no other beats at the same cost or less, from cheap to dear; rows of unknown cost are left out.

    >>> front([], "flops")
    []
    """
    found: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.median(cost), -row.score.mean)):
        if row.median(cost) > 0 and (not found or row.score.mean > found[-1].score.mean):
            found.append(row)
    return found


def pareto(
    rows: Sequence[Row], baselines: Sequence[Row], cost: str, title: str, shown: Callable[[float], str]
) -> Markup:
    """Networks by median cost (logarithmic) and mean score, with intervals; baselines as lines where they fit.

    Args:
        rows: networks with a score.
        baselines: baselines with a score.
        cost: the figure of :class:`~graphattn.comparison.record.FitRecord` that is the cost.
        title: of the cost's axis.
        shown: how a cost is written.
    """
    known = [row for row in rows if row.median(cost) > 0]
    if not known:
        return Markup("")
    # The best network is always inside, also where baselines leave all networks far below.
    floor = min(lowest_shown([row.score.mean for row in (*known, *baselines)]), max(row.score.mean for row in known))
    outside = [row for row in (*known, *baselines) if row.score.mean < floor]
    known, inside = ([row for row in each if row.score.mean >= floor] for each in (known, baselines))
    across = decades(row.median(cost) for row in known)
    up = around(each for row in (*known, *inside) for each in row.score)
    best = front(known, cost)
    parts = [*_frame(across, up, shown), *_lines(inside, up), _front(best, across, up, cost)]
    parts += [_point(row, across, up, cost, shown) for row in known]
    parts += [_numbered(number, row, across, up, cost) for number, row in enumerate(best, 1)]
    said = f"Score against {title}; from cheap to dear, nothing beats " + ", then ".join(_named(row) for row in best)
    drawing = element("svg", {"class": "plot", "height": HEIGHT, "role": "img", "aria-label": said}, *parts)
    below = [f"{_named(row)} ({wording.number(row.score.mean)})" for row in outside]
    names = [
        element("li", {}, f"{_named(row)}: {wording.number(row.score.mean)} at {shown(row.median(cost))}")
        for row in best
    ]
    dashed = [f"{_named(row)} ({wording.number(row.score.mean)})" for row in inside]
    caption = [
        element("b", {}, f"{known[0].fits[0].measure} against {title}"),
        " (logarithmic). The best at their cost or less, in order:",
        element("ol", {}, *names),
        f"Dashed: {wording.listed(dashed)}. " if dashed else "",
        f"Below the frame: {wording.listed(below)}." if below else "",
    ]
    return element("figure", {}, drawing, element("figcaption", {}, *caption))


def _named(row: Row) -> str:
    return wording.cell(row.layer, row.topology)


def _frame(across: Axis, up: Axis, shown: Callable[[float], str]) -> list[Markup]:
    parts, levels, steps = [], up.ticks(), across.ticks(4)
    for level, text in zip(levels, written(levels), strict=True):
        y = _y(up, level)
        parts.append(element("line", {"class": "grid", "x1": "0%", "x2": "100%", "y1": y, "y2": y}))
        parts.append(element("text", {"class": "tick", "x": 0, "y": y - 4}, text))
    for step in steps:
        x = f"{across.at(step)}%"
        anchor = "start" if across.at(step) < 6 else "end" if across.at(step) > 94 else "middle"
        parts.append(element("line", {"class": "grid", "x1": x, "x2": x, "y1": 0, "y2": HEIGHT - 20}))
        parts.append(
            element("text", {"class": "tick", "x": x, "y": HEIGHT - 4, "text-anchor": anchor}, _bare(shown(step)))
        )
    return parts


def _bare(text: str) -> str:
    """Without digits that say nothing: 1 s for 1.00 s."""
    return re.sub(r"\.0+(?=\D|$)", "", text)


def _y(up: Axis, value: float) -> float:
    return round((HEIGHT - 20) * (1 - up.at(value) / 100), 2)


def _lines(baselines: Sequence[Row], up: Axis) -> list[Markup]:
    """Dashed; their names stand below the drawing, where they cannot cover each other."""
    parts = []
    for row in baselines:
        y = _y(up, row.score.mean)
        title = element("title", {}, f"{_named(row)}: {wording.number(row.score.mean)}")
        line = element("line", {"class": "baseline", "x1": "0%", "x2": "100%", "y1": y, "y2": y})
        parts.append(element("g", {}, title, line))
    return parts


def _front(rows: Sequence[Row], across: Axis, up: Axis, cost: str) -> Markup:
    """A stair: up to a row only at its cost."""
    parts = []
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        x, y = across.at(row.median(cost)), _y(up, row.score.mean)
        end = 100.0 if after is None else across.at(after.median(cost))
        parts.append(element("line", {"class": "front", "x1": f"{x}%", "x2": f"{end}%", "y1": y, "y2": y}))
        if after is not None:
            top = _y(up, after.score.mean)
            parts.append(element("line", {"class": "front", "x1": f"{end}%", "x2": f"{end}%", "y1": y, "y2": top}))
    return joined(parts)


def _point(row: Row, across: Axis, up: Axis, cost: str, shown: Callable[[float], str]) -> Markup:
    x, y = f"{across.at(row.median(cost))}%", _y(up, row.score.mean)
    parts = []
    if row.score.low == row.score.low:
        top, bottom = _y(up, row.score.high), _y(up, row.score.low)
        parts.append(element("line", {"class": "error", "x1": x, "x2": x, "y1": top, "y2": bottom}))
    said = f"{_named(row)}: {wording.number(row.score.mean)} {ends(row.score)} at {shown(row.median(cost))}"
    parts.append(element("svg", {"class": "at", "x": x, "y": y}, mark(row)))
    return element("g", {}, element("title", {}, said), *parts)


def _numbered(number: int, row: Row, across: Axis, up: Axis, cost: str) -> Markup:
    at = element("text", {"class": "number", "x": -8, "y": -8, "text-anchor": "end"}, str(number))
    return element("svg", {"class": "at", "x": f"{across.at(row.median(cost))}%", "y": _y(up, row.score.mean)}, at)
