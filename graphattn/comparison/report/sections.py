"""The parts of the page between the answer and the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from graphattn.comparison import wording
from graphattn.comparison.effects import Effect
from graphattn.comparison.phrases import best, named
from graphattn.comparison.report import depth, protocol, strips, tables
from graphattn.comparison.report.axes import Axis, around, lowest_shown
from graphattn.comparison.report.figures import ends, large, seconds, signed, typographic
from graphattn.comparison.report.marks import colour, legend
from graphattn.comparison.report.markup import Markup, element, joined
from graphattn.comparison.report.scatter import pareto
from graphattn.comparison.rows import Row
from graphattn.comparison.statistics import Difference, Interval, holm
from graphattn.comparison.summary import Summary
from graphattn.comparison.verdict import Verdict, changed

Line = tuple[Markup, Markup, Markup]
"""A line of strips: its label, its drawing, its numbers."""


def found(said: Verdict) -> Markup:
    """Effects, controls and cautions, a sentence each."""
    groups = {"Layer and topology": said.effects, "Controls": said.controls, "Bear in mind": said.cautions}
    return joined(_listed(title, group) for title, group in groups.items() if group)


def _listed(title: str, sentences: Sequence[str]) -> Markup:
    lines = [element("li", {}, typographic(each)) for each in sentences]
    return joined([element("h3", {}, title), element("ul", {}, *lines)])


def factors(summary: Summary) -> Markup:
    """The table of the design, and what each of its factors does alone."""
    if not summary.models:
        return Markup("")
    reach = [end for effect in summary.effects for end in _known(effect.difference).interval]
    axis = around([0.0, -summary.rope, summary.rope, *reach])
    lines = [_effect(effect, axis, summary.rope) for effect in summary.effects]
    both = "One factor alone, on average over the other; then both together"
    caption = f"{both}: {_of_differences(summary)}; words by p after Holm over each kind"
    effects = tables.strips(caption, strips.scale(axis, plus=True), lines, ("factor", "difference", "mean"))
    return joined([tables.by_factors(summary), effects if lines else ""])


def _effect(effect: Effect, axis: Axis, rope: float) -> Line:
    said = changed(effect)
    found = wording.finding(effect.difference, effect.p_holm)
    return _against(element("span", {}, said), said, _known(effect.difference), axis, rope, found)


def _known(difference: Difference) -> Difference:
    """Without an interval that few resamplings make as wide as it is useless."""
    if difference.resamplings >= wording.FEWEST:
        return difference
    return difference._replace(interval=Interval(difference.mean, float("nan"), float("nan")))


def _of_differences(summary: Summary) -> str:
    return f"{summary.measure}, interval of 95 %; the grey band is what makes no difference ({summary.rope:g})"


def _against(label: Markup, name: str, difference: Difference, axis: Axis, rope: float, kind: wording.Finding) -> Line:
    word = element("span", {"class": f"word {kind}"}, "not decided" if kind == "open" else kind)
    within = element("small", {}, ends(difference.interval, plus=True))
    numbers = joined([element("b", {}, signed(difference.mean)), within, word])
    return label, strips.difference(name, difference, axis, rope, kind), numbers


def scores(summary: Summary) -> Markup:
    """A dot for every fit."""
    rows = [row for row in (*summary.rows, *summary.controls) if row.fits]
    if not rows:
        return Markup("")
    floor = lowest_shown([row.score.mean for row in rows])
    near = [row for row in rows if row.score.mean >= floor]
    axis = _over_scores(near)
    lines = [_scored(row, axis) for row in rows]
    caption = f"{summary.measure} of every fit on its test part: a dot each, the mean as a line, its interval of 95 % as a band"
    return tables.strips(caption, strips.scale(axis), lines, ("cell or baseline", "scores", "mean"))


def _over_scores(rows: Sequence[Row]) -> Axis:
    """All scores, and intervals as far as they are of use: of two splits they may be many times as wide."""
    values = [each for row in rows for each in _of_fits(row)]
    low, high = min(values), max(values)
    ends_of_bands = [
        min(2 * high - low, max(2 * low - high, end)) for row in rows for end in row.score[1:] if end == end
    ]
    return around([*values, *ends_of_bands], margin=0.03)


def _scored(row: Row, axis: Axis) -> Line:
    numbers = joined([element("b", {}, wording.number(row.score.mean)), element("small", {}, ends(row.score))])
    return _label(row), strips.scores(row.name, _of_fits(row), row.score, axis, colour(row.layer)), numbers


def _label(row: Row) -> Markup:
    permuted = element("small", {}, " labels permuted") if row.role == "permuted" else Markup("")
    return joined([tables.name(row), permuted])


def _of_fits(row: Row) -> list[float]:
    return [float(record.score or 0.0) for record in row.fits]


def differences(summary: Summary) -> Markup:
    """Every row against the best network, then all pairs."""
    reference = best(summary.models)
    if reference is None or not summary.pairs:
        return Markup("")
    others = [row for row in summary.rows if row.fits and row is not reference]
    against = [(row, _known(summary.pair(row.name, reference.name).difference)) for row in others]
    adjusted = holm([each.p for _, each in against])
    floor = lowest_shown([0.0, *(each.mean for _, each in against)])
    reach = [end for _, each in against if each.mean >= floor for end in each.interval]
    axis = around([0.0, -summary.rope, summary.rope, *reach])
    lines = [
        _against(_label(row), row.name, each, axis, summary.rope, wording.finding(each, p))
        for (row, each), p in zip(against, adjusted, strict=True)
    ]
    named_best = f"{named(reference)}, the best network by validation score"
    caption = (
        f"Each minus {named_best}, on the same splits: {_of_differences(summary)}; words by p after Holm over these"
    )
    forest = tables.strips(caption, strips.scale(axis, plus=True), lines, ("cell or baseline", "difference", "mean"))
    title = element("summary", {}, f"All {wording.count(len(summary.pairs), 'pair')}")
    return joined([forest, element("details", {}, title, tables.all_pairs(summary))])


def cost(summary: Summary) -> Markup:
    """Score against time and against FLOPs."""
    axes = (("seconds_per_epoch", "time per epoch of training", seconds), ("flops", "FLOPs per graph", large))
    drawings = [pareto(summary.models, summary.baselines, *each) for each in axes]
    if not any(drawings):
        return Markup("")
    return joined([legend(summary.models), element("div", {"class": "drawings"}, *drawings)])


def learned(summary: Summary) -> Markup:
    """Curves by depth, and all numbers."""
    figures = [figure for figure in depth.FIGURES if any(depth.average(row, figure) for row in summary.models)]
    if not figures:
        return Markup("")
    titles = [depth.FIGURES[figure] for figure in figures]
    columns = [tables.Column("cell", numbers=False), *(tables.Column(title, meaning=said) for title, said in titles)]
    lines = [
        [tables.Shown(tables.name(row), named(row)), *(_steps(row, each) for each in figures)] for row in summary.models
    ]
    caption = """From the first layer of the network to the last, on average over fits; sorted by the last.
    The energy of states begins before the first layer."""
    drawings = element(
        "div", {"class": "drawings small"}, *(depth.curves(summary.models, figure) for figure in figures)
    )
    return joined([legend(summary.models), drawings, tables.table(caption, columns, lines)])


def _steps(row: Row, figure: str) -> tables.Shown:
    values = depth.average(row, figure)
    return tables.Shown(depth.steps(values), values[-1] if values else float("nan"))


def rules(summary: Summary, notes: Sequence[str]) -> Markup:
    """The protocol: what was told, what was the same for all networks, and what was not."""
    about, same, other = (element("h3", {}, title) for title in ("This comparison", "Equal for all", "Not equal"))
    first = [about, protocol.told(notes)] if notes else []
    return joined([*first, same, protocol.equal(summary), other, protocol.unequal(summary)])
