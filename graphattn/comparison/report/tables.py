"""Tables of the report: configurations, pairs, sizes, figures of the layers, failed fits, rows that are always wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from graphattn.comparison.report import fits
from graphattn.comparison.report.drawings import FIGURES, average, steps
from graphattn.comparison.verdict import titles
from graphattn.comparison.verdict.summary import ConfigurationScores, Pair, Summary
from graphattn.reports.axes import lowest_shown
from graphattn.reports.numbers import count, ends, large, number, odds, seconds, signed, significance
from graphattn.reports.tables import ReportTable, TableColumn, TableEntry
from graphattn.training.statistics import FEWEST, PairedDifference

MOST_WRONG = 50
"""Lines of the table of rows that are always wrong."""
Name = Callable[[ConfigurationScores], str]
"""A configuration as markup: its mark and its title."""


def configurations(summary: Summary, name: Name) -> ReportTable:
    """All figures of each configuration and baseline."""
    columns = [
        TableColumn("configuration or baseline", numbers=False),
        TableColumn(summary.measure.replace("-", "\N{NON-BREAKING HYPHEN}"), meaning="mean over splits, on test parts"),
        TableColumn("95 % interval", numbers=False, meaning="corrected for the overlap of splits"),
        TableColumn("validation", meaning="mean on validation parts"),
        TableColumn("parameters", meaning="trained numbers"),
        TableColumn("FLOPs", meaning="of one forward pass, for each graph"),
        TableColumn("time per epoch", meaning="of training, median"),
        TableColumn("graphs per second", meaning="without training, median"),
        TableColumn("peak memory", meaning="tensors of one training step; of a baseline, growth of the process"),
        TableColumn("epochs", meaning="until training stopped, median"),
        TableColumn("fits", meaning="with a score; failed ones in brackets"),
    ]
    lines = [[TableEntry(name(row), row.title), *_figures(row)] for row in summary.rows]
    return ReportTable("All configurations of the design and all baselines, the best test score first", columns, lines)


def _figures(row: ConfigurationScores) -> list[TableEntry]:
    figures = ("parameters", "flops", "seconds_per_epoch", "graphs_per_second", "peak_mib", "epochs")
    parameters, flops, spent, rate, memory, epochs = (row.median(figure) for figure in figures)
    failed = f" ({len(row.failed)})" if row.failed else ""
    return [
        TableEntry(number(row.score.mean), row.score.mean),
        TableEntry(ends(*row.score[1:]), row.score.low),
        TableEntry(number(row.validation), row.validation),
        TableEntry(large(parameters), parameters),
        TableEntry(large(flops), flops),
        TableEntry(seconds(spent), spent),
        TableEntry(large(rate), rate),
        TableEntry(f"{memory:,.1f} MiB" if memory > 0 else "–", memory),
        TableEntry(f"{epochs:.0f}" if epochs > 0 else "–", epochs),
        TableEntry(f"{len(row.fits)}{failed}", len(row.fits)),
    ]


def pairs(summary: Summary, chances: Callable[[PairedDifference], str]) -> ReportTable:
    """Difference, interval, test and probabilities of each pair; of too few resamplings the difference alone."""
    rope = f"{summary.rope:g}"
    columns = [
        TableColumn("first − second", numbers=False),
        TableColumn("difference", meaning=f"{summary.measure} of the first minus that of the second"),
        TableColumn("95 % interval", numbers=False),
        TableColumn("p", meaning="corrected resampled t-test, two sides"),
        TableColumn("p, Holm", meaning="adjusted for all pairs of this table"),
        TableColumn("effect size", meaning="mean difference in standard deviations of the differences"),
        TableColumn("P(worse)", meaning=f"the first is worse by more than {rope}"),
        TableColumn("P(equal)", meaning=f"the two differ by at most {rope}"),
        TableColumn("P(better)", meaning=f"the first is better by more than {rope}"),
        TableColumn("worse, equal, better", numbers=False, meaning="the three probabilities as shares of a bar"),
        TableColumn("left out", meaning="splits and seeds where one of the two has no score"),
    ]
    columns = columns if any(pair.left_out for pair in summary.pairs) else columns[:-1]
    titles = {row.name: row.title for row in summary.rows}
    lines = [_pair(pair, titles, chances)[: len(columns)] for pair in summary.pairs]
    few = any(pair.difference.resamplings < FEWEST for pair in summary.pairs)
    dashes = f"; a dash where fewer than {FEWEST} {summary.unit}s decide nothing" if few else ""
    caption = f"All {count(len(lines), 'pair')}, equal in practice up to {rope} {summary.measure}{dashes}"
    return ReportTable(caption, columns, lines)


def _pair(pair: Pair, titles: dict[str, str], chances: Callable[[PairedDifference], str]) -> list[TableEntry]:
    found = pair.difference
    return [
        TableEntry(f"{titles[pair.first]} − {titles[pair.second]}"),
        TableEntry(signed(found.mean), found.mean),
        *(_tested(pair, chances) if found.resamplings >= FEWEST else [TableEntry("–")] * 8),
        TableEntry(str(pair.left_out), pair.left_out),
    ]


def _tested(pair: Pair, chances: Callable[[PairedDifference], str]) -> list[TableEntry]:
    found = pair.difference
    effect = "∞" if math.isinf(found.effect) else number(found.effect, 2)
    return [
        TableEntry(ends(*found.interval[1:], plus=True), found.interval.low),
        TableEntry(significance(found.p), found.p),
        TableEntry(significance(pair.p_holm), pair.p_holm),
        TableEntry(effect.replace("-", "−"), found.effect),
        *(TableEntry(odds(each), each) for each in (found.worse, found.equal, found.better)),
        TableEntry(chances(found), found.better),
    ]


def sizes(summary: Summary, name: Name) -> ReportTable:
    """What differs between networks: widths, so that parameters agree; what tuning chose; smaller batches."""
    rows = summary.models
    smallest = min((row.median("parameters") for row in rows if row.median("parameters") > 0), default=0.0)
    chosen = list(dict.fromkeys(key for row in rows for record in row.fits for key in record.chosen))
    columns = [
        TableColumn("configuration", numbers=False),
        TableColumn("width"),
        TableColumn("hidden", meaning="channels of the feed-forward network"),
        TableColumn("parameters"),
        TableColumn("more than the smallest"),
        TableColumn("batch size", meaning="median of what was used"),
        *(TableColumn(f"{key.replace('_', ' ')}, chosen", meaning="median of what tuning chose") for key in chosen),
    ]
    tuned = ", and what tuning chose" if chosen else ""
    lines = [[TableEntry(name(row), row.title), *_sizes(row, smallest, chosen)] for row in rows]
    return ReportTable(f"Sizes that make the numbers of parameters agree{tuned}", columns, lines)


def _sizes(row: ConfigurationScores, smallest: float, chosen: Sequence[str]) -> list[TableEntry]:
    parameters = row.median("parameters")
    more = parameters / smallest - 1 if smallest else float("nan")
    found = [[record.chosen[key] for record in row.fits if key in record.chosen] for key in chosen]
    medians = [float(np.median(each or [np.nan])) for each in found]
    whole = [(row.median(figure), "{:.0f}") for figure in ("width", "hidden", "batch_size")]
    width, hidden, batch = (TableEntry(shape.format(each) if each > 0 else "–", each) for each, shape in whole)
    return [
        *(width, hidden),
        TableEntry(f"{parameters:,.0f}" if parameters > 0 else "–", parameters),
        TableEntry(f"{100 * more:.1f} %" if parameters > 0 else "–", more),
        batch,
        *(TableEntry(f"{each:.3g}" if each == each else "–", each) for each in medians),
    ]


def learned(summary: Summary, name: Name) -> ReportTable | None:
    """Figures of the layers from the first to the last."""
    figures = [figure for figure in FIGURES if any(average(row, figure) for row in summary.models)]
    columns = [
        TableColumn("configuration", numbers=False),
        *(TableColumn(title, meaning=meaning) for title, meaning in map(FIGURES.__getitem__, figures)),
    ]
    lines = [
        [TableEntry(name(row), row.title), *(_steps(average(row, each)) for each in figures)] for row in summary.models
    ]
    caption = "From the first layer of the network to the last, mean over fits; sorted by the last. "
    return (
        ReportTable(f"{caption}The energy of states begins before the first layer.", columns, lines)
        if figures
        else None
    )


def _steps(values: list[float]) -> TableEntry:
    return TableEntry(steps(values), values[-1] if values else float("nan"))


def failed(summary: Summary) -> ReportTable | None:
    """Failed fits, each with its reason."""
    found = [record for row in (*summary.rows, *summary.controls) for record in row.failed]
    columns = [
        TableColumn("fit", numbers=False),
        TableColumn("split"),
        TableColumn("seed"),
        TableColumn("reason", numbers=False),
    ]
    lines = [
        [
            TableEntry(record.fit.name),
            TableEntry(str(record.fit.split), record.fit.split),
            TableEntry(str(record.fit.seed), record.fit.seed),
            TableEntry(record.reason or "no score and no reason"),
        ]
        for record in found
    ]
    return ReportTable(f"{count(len(found), 'fit')} without a score", columns, lines) if found else None


def always_wrong(summary: Summary, row_names: Sequence[str], classes: Sequence[str]) -> ReportTable | None:
    """Rows that every fit of every network predicts wrongly, under their own names where there are any."""
    found, tested = fits.always_wrong(summary)
    if not tested:
        return None
    values = summary.measure == "R2"
    columns = [
        TableColumn("row", numbers=False, meaning="SMILES of a molecule, else the number of the graph or node, from 0"),
        TableColumn("true", numbers=values),
        TableColumn("predicted", numbers=values, meaning="mean over fits" if values else "most frequent class"),
        TableColumn("fits", meaning="of networks in which it was in the test part"),
        TableColumn("baselines that are right", numbers=False),
    ]
    lines = [
        [
            TableEntry(row_names[each.row] if each.row < len(row_names) else f"row {each.row}", float(each.row)),
            *(_prediction(value, classes, values) for value in (each.true, each.predicted)),
            TableEntry(str(each.fits), each.fits),
            TableEntry(", ".join(each.right) or "none"),
        ]
        for each in found[:MOST_WRONG]
    ]
    rule = "an error above one standard deviation of the true values" if values else "a wrong class"
    shown = f"; the first {MOST_WRONG} are shown" if len(found) > MOST_WRONG else ""
    caption = f"{len(found)} of {count(tested, 'row')} of test parts have {rule} in every fit of every network{shown}"
    return ReportTable(caption, columns, lines)


def _prediction(value: float, classes: Sequence[str], values: bool) -> TableEntry:
    if values:
        return TableEntry(number(value).replace("-", "−"), value)
    return TableEntry(classes[int(value)] if int(value) < len(classes) else f"class {value:.0f}")


def by_factors(summary: Summary) -> dict[str, dict[str, tuple[ConfigurationScores | None, float]]]:
    """Networks by layer and topology with their share of the shade: the better the score, the stronger."""
    cells = {(row.layer, row.topology): row for row in summary.rows if row.role == "model"}
    layers = titles.in_order((layer for layer, _ in cells), titles.LAYERS)
    topologies = titles.in_order((topology for _, topology in cells), titles.TOPOLOGIES)
    means = [row.score.mean for row in cells.values() if row.fits]
    low, high = max(min(means, default=0.0), lowest_shown(means)), max(means, default=0.0)

    def share(row: ConfigurationScores | None) -> float:
        return max(0.0, (row.score.mean - low) / (high - low)) if row and row.fits and high > low else 0.0

    found = {layer: {each: cells.get((layer, each)) for each in topologies} for layer in layers}
    return {layer: {each: (row, share(row)) for each, row in line.items()} for layer, line in found.items()}
