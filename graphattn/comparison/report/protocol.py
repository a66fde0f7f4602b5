"""Protocol of a comparison, read from its records: what was equal, what differed, what limits it, how it is repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from graphattn.comparison.record import FitRecord
from graphattn.comparison.verdict.summary import Summary
from graphattn.reports.numbers import listed

SAME = (
    "The same encoder of nodes, depth, normalisation, feed-forward network, readout, optimiser and schedule for every layer.",
    "The same training, validation and test parts, and the same seeds, for every layer and every baseline.",
    "Training stops by the validation part; the test part is evaluated once for each fit and chooses nothing.",
)
_REFERENCE = {"width": "width of the reference", "hidden": "hidden channels of the reference"}
"""Settings that are equal by name only: other networks have widths of their own."""
LIMITS = (
    """The findings hold for these data, splits, sizes and this budget. Other widths, depths or more tuning may order the layers
    differently.""",
    """The correction for overlapping splits (Nadeau & Bengio, 2003) is a rule of thumb: it infers how strongly scores are
    correlated from the sizes of the parts alone.""",
    """Probabilities are of the mean difference over such splits, from the Bayesian correlated t-test (Corani & Benavoli, 2015;
    Benavoli et al., 2017) with a flat prior; they are no probabilities for one more split or for other data.""",
    """Tables are sorted by test score, which favours the first a little. The verdict compares what was chosen by validation
    score; as rows of one validation part are test rows of other splits, a little of that remains.""",
    """Three questions are fixed before the fits, so that their own p decides: attention against GCN, networks against constant
    predictions, edges against no edges. The best network against all others is one family: p below 0.05 after Holm (1979) over
    all of them. Effects are adjusted within their kind (layers, topologies, both together), the table of pairs over pairs.""",
    "Times were measured on one machine, on which other fits may have run: compare orders of magnitude. FLOPs are counted.",
)


def settings(records: Iterable[FitRecord]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Settings that all ``records`` share, and those that differ, with their values.

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


def protocol(summary: Summary) -> tuple[list[str], dict[str, str], list[str]]:
    """Sentences on what is equal for all networks, equal settings as text, and settings that differ."""
    same, different = settings(record for row in summary.models for record in (*row.fits, *row.failed))
    facts = {_REFERENCE.get(key, key.replace("_", " ")): _written(value) for key, value in same.items()}
    other = [
        f"{key.replace('_', ' ')}: {listed([_written(each) for each in values])}" for key, values in different.items()
    ]
    return [*SAME, *_tuning(same.get("trials"))], facts, other


def _tuning(trials: Any) -> list[str]:
    if trials is None:
        return []
    if trials == 0:
        return ["No layer was tuned: all have the same learning rate, weight decay and dropout."]
    return [
        f"The same number of tuning trials ({trials}) for every layer, inside the training and the validation part."
    ]


def facts(summary: Summary) -> tuple[FitRecord, dict[str, str]]:
    """One fit as an example, with versions and hashes by which data and parts can be compared."""
    records = [record for row in (*summary.rows, *summary.controls) for record in (*row.fits, *row.failed)]
    example = next((record for row in summary.models for record in row.fits), records[0])
    parts = {record.fit.split: record.fit.split_hash for record in records if record.fit.split_hash}
    dates = sorted({record.date[:10] for record in records if record.date})
    versions: dict[str, dict[str, None]] = {}
    for record in records:
        for key, value in record.versions.items():
            versions.setdefault(key, {})[value] = None
    found = {
        "hash of the data": example.fit.data_hash,
        "hashes of the parts": ", ".join(f"{split}: {digits}" for split, digits in sorted(parts.items())),
        "fitted": " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "",
        "versions": ", ".join(f"{key} {listed(list(values))}" for key, values in versions.items()),
        "time of all fits": _hours(sum(record.seconds for record in records)),
    }
    return example, {key: value for key, value in found.items() if value}


def one_fit(example: FitRecord) -> str:
    """All that repeats a fit, as JSON."""
    return json.dumps(example.to_json()["fit"], indent=2, ensure_ascii=False, default=str)


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
