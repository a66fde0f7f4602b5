"""What was equal, what was not, what failed, what it does not say, and how to do it again: read from the records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.record import FitRecord
from graphattn.comparison.report.markup import Markup, element, joined
from graphattn.comparison.report.tables import Column, Shown, name, table
from graphattn.comparison.rows import Row
from graphattn.comparison.summary import Summary

SAME = (
    "The same encoder of nodes, depth, normalisation, feed-forward network, readout, optimiser and schedule for every layer.",
    "The same training, validation and test parts, and the same seeds, for every layer and every baseline.",
    "Training stops by the validation part; the test part is looked at once for each fit and chooses nothing.",
    "The same number of tuning trials for every layer, inside the training and the validation part.",
)
_REFERENCE = {"width": "width of the reference", "hidden": "hidden channels of the reference"}
"""Settings that are equal by name only: other networks have widths of their own."""
LIMITS = (
    """What is found holds for these data, this way of splitting, this size and this budget. Other widths, depths or more tuning
    may order the layers differently.""",
    """The correction for overlapping splits (Nadeau & Bengio, 2003) is a rule of thumb: it says how strongly scores are
    correlated from the sizes of the parts alone.""",
    """Probabilities are of the mean difference over such splits, from the Bayesian correlated t-test (Corani & Benavoli, 2015;
    Benavoli et al., 2017) with a flat prior; they are no probabilities for one more split or for other data.""",
    """Tables are sorted by test score, so that what stands first is a little lucky. The verdict compares what was chosen by
    validation score; as rows of one validation part are test rows of other splits, a little luck is left there, too.""",
    """The pair of the verdict is one question, asked before the fits: its p alone decides its words. All other words need a p
    below 0.05 after Holm over their family.""",
    "Times were measured on one machine, other fits may have run beside: compare orders of magnitude. FLOPs are counted.",
    """p-values are adjusted in their own family (Holm, 1979): all pairs; the effects of layers, of topologies, of both together;
    the best network against baselines; the best network against all.""",
)


def settings(records: Iterable[FitRecord]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Settings that all `records` share, and those that differ, with their values.

    >>> from graphattn.comparison.record import Fit
    >>> def fit(epochs):
    ...     return FitRecord(Fit("p", "gcn", "edges", 0, 0, settings={"depth": 3, "epochs": epochs}), "ok", "R2", score=0.5)
    >>> settings([fit(10), fit(20)])
    ({'depth': 3}, {'epochs': [10, 20]})
    """
    found: dict[str, dict[str, Any]] = {}
    records = list(records)
    for record in records:
        for key, value in record.fit.settings.items():
            found.setdefault(key, {})[json.dumps(value, sort_keys=True, default=str)] = value
    everywhere = {key for key in found if all(key in record.fit.settings for record in records)}
    same = {key: next(iter(values.values())) for key, values in found.items() if len(values) == 1 and key in everywhere}
    return same, {key: list(values.values()) for key, values in found.items() if key not in same}


def told(notes: Sequence[str]) -> Markup:
    """What whoever ran the comparison has to say of data and parts."""
    return element("ul", {}, *(element("li", {}, each) for each in notes))


def equal(summary: Summary) -> Markup:
    """What is the same for all networks."""
    fits = [record for row in summary.models for record in (*row.fits, *row.failed)]
    same, _ = settings(fits)
    shown = [
        element(
            "div", {}, element("dt", {}, _REFERENCE.get(key, key.replace("_", " "))), element("dd", {}, _written(value))
        )
        for key, value in same.items()
    ]
    sentences = element("ul", {}, *(element("li", {}, each) for each in SAME))
    return joined([sentences, element("dl", {"class": "settings"}, *shown) if shown else ""])


def unequal(summary: Summary) -> Markup:
    """What differs between networks: widths and hidden channels, so that parameters agree; what tuning chose; smaller batches."""
    rows = summary.models
    smallest = min((row.median("parameters") for row in rows if row.median("parameters") > 0), default=0.0)
    chosen = list(dict.fromkeys(key for row in rows for record in row.fits for key in record.chosen))
    columns = [
        Column("cell", numbers=False),
        Column("width"),
        Column("hidden", meaning="channels of the feed-forward network"),
        Column("parameters"),
        Column("more than the smallest"),
        Column("batch size", meaning="median of what was used"),
        *(Column(f"{key.replace('_', ' ')}, chosen", meaning="median of what tuning chose") for key in chosen),
    ]
    lines = [_sizes(row, smallest, chosen) for row in rows]
    sizes = table("Sizes that make the numbers of parameters agree, and what tuning chose", columns, lines)
    return joined([sizes, _different(rows)])


def _different(rows: Sequence[Row]) -> Markup:
    _, different = settings(record for row in rows for record in (*row.fits, *row.failed))
    if not different:
        return Markup("")
    said = [
        f"{key.replace('_', ' ')}: {wording.listed([_written(each) for each in values])}"
        for key, values in different.items()
    ]
    lines = [element("li", {}, each) for each in said]
    return joined([element("p", {}, "Settings that were not the same for all fits:"), element("ul", {}, *lines)])


def _sizes(row: Row, smallest: float, chosen: Sequence[str]) -> list[Shown]:
    parameters = row.median("parameters")
    more = parameters / smallest - 1 if smallest else float("nan")
    medians = [
        float(np.median([record.chosen[key] for record in row.fits if key in record.chosen] or [np.nan]))
        for key in chosen
    ]
    whole = [row.median(figure) for figure in ("width", "hidden")]
    batch = row.median("batch_size")
    return [
        Shown(name(row), wording.cell(row.layer, row.topology)),
        *(Shown(f"{each:.0f}" if each > 0 else "–", each) for each in whole),
        Shown(f"{parameters:,.0f}" if parameters > 0 else "–", parameters),
        Shown(f"{100 * more:.1f} %" if parameters > 0 else "–", more),
        Shown(f"{batch:.0f}" if batch > 0 else "–", batch),
        *(Shown(f"{each:.3g}" if each == each else "–", each) for each in medians),
    ]


def failed(summary: Summary) -> Markup:
    """Fits that failed, each with its reason."""
    found = [record for row in (*summary.rows, *summary.controls) for record in row.failed]
    if not found:
        return element("p", {}, "None.")
    columns = [Column("fit", numbers=False), Column("split"), Column("seed"), Column("reason", numbers=False)]
    lines = [
        [
            Shown(record.fit.name),
            Shown(str(record.fit.split), record.fit.split),
            Shown(str(record.fit.seed), record.fit.seed),
            Shown(record.reason or "no score and no reason"),
        ]
        for record in found
    ]
    return table(f"{wording.capital(wording.count(len(found), 'fit'))} without a score", columns, lines)


def limits() -> Markup:
    """What the comparison does not say."""
    return element("ul", {}, *(element("li", {}, each) for each in LIMITS))


def repeat(summary: Summary, command: str) -> Markup:
    """How to do it again: the command, one fit in full, versions, and hashes that tell whether data and parts are the same."""
    records = [record for row in (*summary.rows, *summary.controls) for record in (*row.fits, *row.failed)]
    example = next((record for row in summary.models for record in row.fits), records[0])
    shown = [
        element("div", {}, element("dt", {}, key), element("dd", {}, value))
        for key, value in _facts(records, example).items()
        if value
    ]
    one = element(
        "pre", {}, element("code", {}, json.dumps(example.to_json()["fit"], indent=2, ensure_ascii=False, default=str))
    )
    said = """Each row of the table of results holds its settings, its seed, the hashes of its parts and of the data, and all
    versions. The same command on the same results fits what is missing and reads the rest."""
    return joined(
        [
            element("pre", {}, element("code", {}, command)) if command else "",
            element("p", {}, said),
            element("details", {}, element("summary", {}, f"One fit in full: {example.fit.name}"), one),
            element("dl", {"class": "settings wide"}, *shown),
        ]
    )


def _facts(records: Sequence[FitRecord], example: FitRecord) -> dict[str, str]:
    parts = {record.fit.split: record.fit.split_hash for record in records if record.fit.split_hash}
    dates = sorted({record.date[:10] for record in records if record.date})
    return {
        "hash of the data": example.fit.data_hash,
        "hashes of the parts": ", ".join(f"{split}: {digits}" for split, digits in sorted(parts.items())),
        "fitted": " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "",
        "versions": ", ".join(f"{key} {wording.listed(values)}" for key, values in _versions(records).items()),
        "time of all fits": _hours(sum(record.seconds for record in records)),
    }


def _versions(records: Sequence[FitRecord]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for key, value in record.versions.items():
            found.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in found.items()}


def _hours(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(_written(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
