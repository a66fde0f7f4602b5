"""Tables that sort by a click on the head of a column, and scroll inside their frame where a screen is too narrow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from graphattn.comparison import wording
from graphattn.comparison.report.axes import lowest_shown
from graphattn.comparison.report.figures import ends, large, odds, seconds, signed
from graphattn.comparison.report.marks import key
from graphattn.comparison.report.markup import Markup, element, joined
from graphattn.comparison.report.strips import chances
from graphattn.comparison.rows import Row
from graphattn.comparison.summary import Pair, Summary


class Shown(NamedTuple):
    """What a cell of a table shows, and the number or the text it is sorted by."""

    text: str
    order: float | str = ""


class Column(NamedTuple):
    """The head of a column; `numbers` are set to the right and sort from the largest."""

    title: str
    numbers: bool = True
    meaning: str = ""


def table(caption: str, columns: Sequence[Column], lines: Sequence[Sequence[Shown]]) -> Markup:
    """A table of which the first column names the line.

    >>> "<b>" in table("Two", [Column("name", numbers=False)], [[Shown("a")], [Shown("<b>")]])
    False
    """
    heads = [_head(column) for column in columns]
    body = [
        element(
            "tr", {}, *(_cell(shown, column, n) for n, (shown, column) in enumerate(zip(line, columns, strict=True)))
        )
        for line in lines
    ]
    whole = element(
        "table",
        {"class": "sortable"},
        element("caption", {"class": "hidden"}, caption),
        element("thead", {}, element("tr", {}, *heads)),
        element("tbody", {}, *body),
    )
    return framed(whole, caption)


def framed(whole: Markup, caption: str) -> Markup:
    """A table in a frame that scrolls and that a keyboard reaches."""
    shown = element("p", {"class": "caption", "aria-hidden": "true"}, caption)
    return joined(
        [shown, element("div", {"class": "scroll", "role": "region", "aria-label": caption, "tabindex": 0}, whole)]
    )


def _head(column: Column) -> Markup:
    kind = {"class": "number"} if column.numbers else {}
    title = {"title": column.meaning} if column.meaning else {}
    button = element("button", {"type": "button", **title}, column.title)
    return element("th", {"scope": "col", "aria-sort": "none", **kind}, button)


def _cell(shown: Shown, column: Column, place: int) -> Markup:
    kind = {"class": "number"} if column.numbers else {}
    name, scope = ("td", {}) if place else ("th", {"scope": "row"})
    return element(name, {**scope, **kind, "data-order": _order(shown)}, shown.text)


def _order(shown: Shown) -> str:
    """As JavaScript reads it; empty where a dash stands for a number that is not known."""
    if shown.text == "–":
        return ""
    if isinstance(shown.order, str):
        return shown.order or shown.text
    if math.isinf(shown.order):
        return "Infinity" if shown.order > 0 else "-Infinity"
    return "" if math.isnan(shown.order) else repr(float(shown.order))


def name(row: Row) -> Markup:
    """The mark of a row and its name."""
    return element("span", {"class": "name"}, key(row), wording.cell(row.layer, row.topology))


def by_factors(summary: Summary) -> Markup:
    """Layers down, topologies across; the better the score, the stronger the shade."""
    cells = {(row.layer, row.topology): row for row in summary.rows if row.role == "model"}
    layers = wording.in_order((layer for layer, _ in cells), wording.LAYERS)
    topologies = wording.in_order((topology for _, topology in cells), wording.TOPOLOGIES)
    means = [row.score.mean for row in cells.values() if row.fits]
    low, high = max(min(means, default=0.0), lowest_shown(means)), max(means, default=0.0)
    lines = [
        element(
            "tr",
            {},
            element("th", {"scope": "row"}, wording.layer(layer)),
            *(_shade(cells.get((layer, each)), low, high) for each in topologies),
        )
        for layer in layers
    ]
    heads = [element("th", {"scope": "col"}, wording.topology(each)) for each in topologies]
    caption = f"Mean {summary.measure} on the test parts, with its interval of 95 %; the better, the stronger the shade"
    whole = element(
        "table",
        {"class": "factors"},
        element("caption", {"class": "hidden"}, caption),
        element("thead", {}, element("tr", {}, element("td", {}), *heads)),
        element("tbody", {}, *lines),
    )
    return framed(whole, caption)


def _shade(row: Row | None, low: float, high: float) -> Markup:
    if row is None:
        return element("td", {"class": "none"}, "–")
    if not row.fits:
        return element("td", {"class": "none"}, f"failed ({len(row.failed)})")
    share = max(0.0, row.score.mean - low) / (high - low) if high > low else 0.5
    within = element("small", {}, ends(row.score).replace("–", "one resampling"))
    return element("td", {"style": f"--share:{share:.3f}"}, element("b", {}, wording.number(row.score.mean)), within)


def everything(summary: Summary) -> Markup:
    """All cells and baselines with their scores and costs."""
    columns = [
        Column("cell or baseline", numbers=False),
        Column(summary.measure.replace("-", "\N{NON-BREAKING HYPHEN}"), meaning="mean over splits, on test parts"),
        Column("95 % interval", numbers=False, meaning="corrected for the overlap of splits"),
        Column("validation", meaning="mean on validation parts"),
        Column("parameters", meaning="trained numbers"),
        Column("FLOPs", meaning="of one forward pass, for each graph"),
        Column("time per epoch", meaning="of training, median"),
        Column("graphs per second", meaning="without training, median"),
        Column("peak memory", meaning="tensors of one training step; of a baseline, growth of the process"),
        Column("epochs", meaning="until training stopped, median"),
        Column("fits", meaning="with a score; failed ones in brackets"),
    ]
    lines = [[Shown(name(row), wording.cell(row.layer, row.topology)), *_figures(row)] for row in summary.rows]
    return table("All cells of the design and all baselines, the best test score first", columns, lines)


def _figures(row: Row) -> list[Shown]:
    median = {
        name: row.median(name)
        for name in ("parameters", "flops", "seconds_per_epoch", "graphs_per_second", "peak_mib", "epochs")
    }
    memory, epochs = median["peak_mib"], median["epochs"]
    fits = f"{len(row.fits)}{f' ({len(row.failed)})' if row.failed else ''}"
    return [
        Shown(wording.number(row.score.mean), row.score.mean),
        Shown(ends(row.score), row.score.low),
        Shown(wording.number(row.validation), row.validation),
        Shown(large(median["parameters"]), median["parameters"]),
        Shown(large(median["flops"]), median["flops"]),
        Shown(seconds(median["seconds_per_epoch"]), median["seconds_per_epoch"]),
        Shown(large(median["graphs_per_second"]), median["graphs_per_second"]),
        Shown(f"{memory:,.1f} MiB" if memory > 0 else "–", memory),
        Shown(f"{epochs:.0f}" if epochs > 0 else "–", epochs),
        Shown(fits, len(row.fits)),
    ]


def all_pairs(summary: Summary) -> Markup:
    """Each two rows: difference, interval, test, probabilities; of too few resamplings the difference alone."""
    rope = f"{summary.rope:g}"
    columns = [
        Column("first − second", numbers=False),
        Column("difference", meaning=f"{summary.measure} of the first minus that of the second"),
        Column("95 % interval", numbers=False),
        Column("p", meaning="corrected resampled t-test, two sides"),
        Column("p, Holm", meaning="adjusted for all pairs of this table"),
        Column("effect size", meaning="mean difference in standard deviations of the differences"),
        Column("P(worse)", meaning=f"the first is worse by more than {rope}"),
        Column("P(equal)", meaning=f"the two differ by at most {rope}"),
        Column("P(better)", meaning=f"the first is better by more than {rope}"),
        Column("worse, equal, better", numbers=False, meaning="the three probabilities as shares of a bar"),
    ]
    missing = any(pair.left_out for pair in summary.pairs)
    if missing:
        columns.append(Column("left out", meaning="splits and seeds where one of the two has no score"))
    rows = {row.name: row for row in summary.rows}
    lines = [_line(pair, rows)[: len(columns)] for pair in summary.pairs]
    few = any(pair.difference.resamplings < wording.FEWEST for pair in summary.pairs)
    dashes = f"; a dash where fewer than {wording.FEWEST} {summary.unit}s decide nothing" if few else ""
    return table(
        f"All {wording.count(len(lines), 'pair')}, equal in practice up to {rope} {summary.measure}{dashes}",
        columns,
        lines,
    )


def _line(pair: Pair, rows: dict[str, Row]) -> list[Shown]:
    found = pair.difference
    names = (wording.cell(rows[each].layer, rows[each].topology) for each in (pair.first, pair.second))
    return [
        Shown(" − ".join(names)),
        Shown(signed(found.mean), found.mean),
        *(_tested(pair) if found.resamplings >= wording.FEWEST else [Shown("–")] * 8),
        Shown(str(pair.left_out), pair.left_out),
    ]


def _tested(pair: Pair) -> list[Shown]:
    found = pair.difference
    effect = "∞" if math.isinf(found.effect) else wording.number(found.effect, 2)
    return [
        Shown(ends(found.interval, plus=True), found.interval.low),
        Shown(wording.significance(found.p), found.p),
        Shown(wording.significance(pair.p_holm), pair.p_holm),
        Shown(effect.replace("-", "−"), found.effect),
        *(Shown(odds(each), each) for each in (found.worse, found.equal, found.better)),
        Shown(chances(found), found.better),
    ]


def strips(
    caption: str, scale: Markup, lines: Sequence[tuple[Markup, Markup, Markup]], heads: tuple[str, str, str]
) -> Markup:
    """Lines of a name, a drawing and numbers under one axis."""
    rows = [
        element(
            "tr",
            {},
            element("th", {"scope": "row"}, first),
            element("td", {"class": "drawn"}, drawn),
            element("td", {"class": "number"}, last),
        )
        for first, drawn, last in lines
    ]
    head = [
        element("th", {"scope": "col"}, heads[0]),
        element(
            "th", {"scope": "col", "class": "drawn"}, joined([element("span", {"class": "hidden"}, heads[1]), scale])
        ),
        element("th", {"scope": "col", "class": "number"}, heads[2]),
    ]
    return element(
        "table",
        {"class": "strips"},
        element("caption", {}, caption),
        element("thead", {}, element("tr", {}, *head)),
        element("tbody", {}, *rows),
    )
