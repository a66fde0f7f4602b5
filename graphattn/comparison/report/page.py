"""The page: what was found in words, then tables, drawings, protocol and limits, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphattn.comparison import wording
from graphattn.comparison.record import Record
from graphattn.comparison.report import depth, protocol, strips, tables
from graphattn.comparison.report.axes import around
from graphattn.comparison.report.figures import ends, large, seconds, signed, typographic
from graphattn.comparison.report.marks import colour, legend
from graphattn.comparison.report.markup import Markup, element, joined
from graphattn.comparison.report.scatter import pareto
from graphattn.comparison.statistics import ROPE
from graphattn.comparison.summary import Row, Summary, summary
from graphattn.comparison.verdict import Verdict, best, named, sentences

_HERE = Path(__file__).parent


def write_report(
    records: Sequence[Record], path: Path | str, *, notes: Sequence[str] = (), command: str = "", rope: float = ROPE
) -> Path:
    """Writes what `records` amount to as one HTML file and returns its path.

    The file holds its styles, drawings and script, asks no network, and can be read on a phone and on paper.

    Args:
        records: all fits of one problem, failed ones as well.
        path: of the file; its folder is made.
        notes: what a reader has to know of the data.
        command: what was run, shown so that it can be run again.
        rope: differences up to this are none in practice.

    Raises:
        ValueError: what :func:`~graphattn.comparison.summary.summary` refuses.
    """
    path = Path(path)
    text = page(summary(records, rope), notes, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def page(found: Summary, notes: Sequence[str] = (), command: str = "") -> str:
    """The HTML of a summary."""
    said = sentences(found)
    sections = _sections(found, said, notes, command)
    links = [element("a", {"href": f"#{name}"}, title) for name, title, _ in sections]
    body = [
        element("header", {}, *_opening(found, said), element("nav", {"aria-label": "Parts of this page"}, *links)),
        element(
            "main",
            {},
            *(element("section", {"id": name}, element("h2", {}, title), whole) for name, title, whole in sections),
        ),
    ]
    title = f"{found.problem}: {said.headline}"
    head = [
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, title),
        element("style", {}, Markup(_read("style.css"))),
    ]
    script = element("script", {}, Markup(_read("script.js")))
    whole = element("html", {"lang": "en"}, element("head", {}, *head), element("body", {}, *body, script))
    return f"<!doctype html>\n{whole}\n"


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _opening(found: Summary, said: Verdict) -> list[Markup]:
    """The answer, what it rests on, and how much was done."""
    rows = [*found.rows, *found.controls]
    fits = sum(len(row.fits) + len(row.failed) for row in rows)
    repeats = max((len(row.by_split) for row in found.rows), default=0)
    facts = {
        "networks": str(len([row for row in found.rows if row.role == "model"])),
        "baselines": str(len(found.baselines)),
        f"{found.unit}s": str(repeats),
        "fits": f"{fits:,}",
        "score": found.measure,
    }
    shown = [element("div", {}, element("dt", {}, key), element("dd", {}, value)) for key, value in facts.items()]
    return [
        element("p", {"class": "kicker"}, f"{found.problem}: does attention help, or would a GCN do?"),
        element("h1", {}, said.headline),
        element("p", {"class": "lead"}, typographic(said.answer)),
        element("p", {}, typographic(said.baselines)) if said.baselines else Markup(""),
        element("dl", {"class": "facts"}, *shown),
    ]


def _sections(found: Summary, said: Verdict, notes: Sequence[str], command: str) -> list[tuple[str, str, Markup]]:
    sections = [
        ("found", "What was found", _found(said)),
        ("factors", "Layer by topology", tables.by_factors(found) if found.models else Markup("")),
        ("scores", "Every score", _scores(found)),
        ("cells", "All cells and baselines", tables.everything(found)),
        ("differences", "Differences", _differences(found)),
        ("cost", "Score against cost", _cost(found)),
        ("learned", "What the layers learned", _learned(found)),
        ("protocol", "Protocol", _protocol(found)),
        ("failed", "Fits that failed", protocol.failed(found)),
        ("limits", "Limits", protocol.limits(notes)),
        ("repeat", "Do it again", protocol.repeat(found, command)),
    ]
    return [(name, title, whole) for name, title, whole in sections if whole]


def _found(said: Verdict) -> Markup:
    groups = {"Layer and topology": said.effects, "Controls": said.controls, "Bear in mind": said.cautions}
    parts = [
        joined([element("h3", {}, title), element("ul", {}, *(element("li", {}, typographic(each)) for each in group))])
        for title, group in groups.items()
        if group
    ]
    return joined(parts)


def _scores(found: Summary) -> Markup:
    rows = [row for row in (*found.rows, *found.controls) if row.fits]
    values = [record.score for row in rows for record in row.fits if record.score is not None]
    axis = around([*values, *(end for row in rows for end in row.score)])
    lines = [
        (_label(row), strips.scores(row.name, _fits(row), row.score, axis, colour(row.layer)), _mean(row))
        for row in rows
    ]
    caption = (
        f"{found.measure} of every fit on its test part: a dot each, the mean as a line, its interval of 95 % as a band"
    )
    return tables.strips(caption, strips.scale(axis), lines, ("cell or baseline", "scores", "mean"))


def _label(row: Row) -> Markup:
    permuted = element("small", {}, " labels permuted") if row.role == "permuted" else Markup("")
    return joined([tables.name(row), permuted])


def _fits(row: Row) -> list[float]:
    return [float(record.score or 0.0) for record in row.fits]


def _mean(row: Row) -> Markup:
    return joined([element("b", {}, wording.number(row.score.mean)), element("small", {}, ends(row.score))])


def _differences(found: Summary) -> Markup:
    """Every row against the best network, then all pairs."""
    reference = best(found.models)
    if reference is None or len(found.pairs) == 0:
        return Markup("")
    others = [row for row in found.rows if row.fits and row is not reference]
    against = [(row, found.pair(row.name, reference.name).difference) for row in others]
    axis = around([0.0, *(end for _, each in against for end in each.interval)])
    lines = []
    for row, each in against:
        kind = wording.finding(each)
        word = element("span", {"class": f"word {kind}"}, "not decided" if kind == "open" else kind)
        numbers = joined(
            [element("b", {}, signed(each.mean)), element("small", {}, ends(each.interval, plus=True)), word]
        )
        lines.append((_label(row), strips.difference(row.name, each, axis, found.rope, kind), numbers))
    caption = (
        f"Each minus {named(reference)}, the best network by validation score: {found.measure} on the same splits, "
        f"interval of 95 %; the grey band is what makes no difference ({found.rope:g})"
    )
    forest = tables.strips(caption, strips.scale(axis, plus=True), lines, ("cell or baseline", "difference", "mean"))
    pairs = element(
        "details", {}, element("summary", {}, f"All {wording.count(len(found.pairs), 'pair')}"), tables.all_pairs(found)
    )
    return joined([forest, pairs])


def _cost(found: Summary) -> Markup:
    drawings = [
        pareto(found.models, found.baselines, "seconds_per_epoch", "time per epoch of training", seconds),
        pareto(found.models, found.baselines, "flops", "FLOPs per graph", large),
    ]
    if not any(drawings):
        return Markup("")
    return joined([legend(found.models), element("div", {"class": "drawings"}, *drawings)])


def _learned(found: Summary) -> Markup:
    figures = [figure for figure in depth.FIGURES if any(depth.average(row, figure) for row in found.models)]
    if not figures:
        return Markup("")
    drawings = [depth.curves(found.models, figure) for figure in figures]
    columns = [tables.Column("cell", numbers=False), *(tables.Column(*_titled(figure)) for figure in figures)]
    lines = []
    for row in found.models:
        values = [depth.average(row, figure) for figure in figures]
        shown = [tables.Shown(depth.steps(each), each[-1] if each else float("nan")) for each in values]
        lines.append([tables.Shown(tables.name(row), wording.cell(row.layer, row.topology)), *shown])
    caption = "From the first layer to the last, on average over fits; sorted by the last. Energy begins before the first layer"
    numbers = tables.table(caption, columns, lines)
    return joined([legend(found.models), element("div", {"class": "drawings small"}, *drawings), numbers])


def _titled(figure: str) -> tuple[str, bool, str]:
    title, meaning = depth.FIGURES[figure]
    return title, True, meaning


def _protocol(found: Summary) -> Markup:
    return joined(
        [
            element("h3", {}, "Equal for all"),
            protocol.equal(found),
            element("h3", {}, "Not equal"),
            protocol.unequal(found),
        ]
    )
