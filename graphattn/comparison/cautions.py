"""What a reader has to bear in mind, found in the records themselves."""

from __future__ import annotations

import json
import math

from graphattn.comparison import wording
from graphattn.comparison.record import FitRecord
from graphattn.comparison.summary import Summary

FEW_SPLITS = 5
APART = 0.05
"""Parameter counts further apart than this share are not equal."""
STILL_BETTER = 0.1
"""More than this share of fits that were best at their last epoch is worth saying."""


def cautions(summary: Summary) -> list[str]:
    """Sentences on few splits, fits that failed or are still missing, unequal settings and sizes, epochs, tuning and batches."""
    found = [
        _splits(summary),
        _unfinished(summary),
        _failed(summary),
        _settings(summary),
        _sizes(summary),
        _epochs(summary),
        _tuning(summary),
        _batches(summary),
    ]
    return [sentence for sentence in found if sentence]


def _splits(summary: Summary) -> str:
    repeats = max((len(row.by_split) for row in summary.rows), default=0)
    if summary.unit == "seed" and repeats < 2:
        return "There is one split and one seed only: nothing is known about other splits or seeds, and nothing is decided."
    if summary.unit == "seed":
        return "There is one split only: intervals are over seeds and say nothing about other splits."
    if repeats < wording.FEWEST:
        return f"Only {wording.count(repeats, 'split')}: nothing is decided."
    return f"Only {repeats} splits: intervals are wide, and little can be decided." if repeats < FEW_SPLITS else ""


def _unfinished(summary: Summary) -> str:
    tried = [len(row.fits) + len(row.failed) for row in summary.rows if row.role == "model"]
    if not tried or min(tried) == max(tried):
        return ""
    return f"The comparison is not finished: there are {min(tried)} to {max(tried)} fits of each network."


def _failed(summary: Summary) -> str:
    rows = [*summary.rows, *summary.controls]
    failed = {row.name: len(row.failed) for row in rows if row.failed}
    tried = sum(failed.values()) + sum(len(row.fits) for row in rows)
    if not failed:
        return ""
    where = wording.listed([f"{count} of {name}" for name, count in failed.items()])
    return f"{sum(failed.values())} of {wording.count(tried, 'fit')} failed ({where}); pairs leave out what one of the two lacks."


def _settings(summary: Summary) -> str:
    # As text: a tuple comes back from a file as a list.
    settings = {json.dumps(record.fit.settings, sort_keys=True) for row in summary.models for record in row.fits}
    return "Settings were not the same for all fits; the protocol says which." if len(settings) > 1 else ""


def _sizes(summary: Summary) -> str:
    sizes = [row.median("parameters") for row in summary.models if row.median("parameters")]
    if not sizes or max(sizes) <= (1 + APART) * min(sizes):
        return ""
    return f"Parameter counts are not within {100 * APART:.0f} % of each other: {min(sizes):,.0f} to {max(sizes):,.0f}."


def _epochs(summary: Summary) -> str:
    fits = [
        record for row in summary.models for record in row.fits if record.epochs and "epochs" in record.fit.settings
    ]
    last = sum(_may_grow(record, summary.rope) for record in fits)
    if last <= STILL_BETTER * len(fits):
        return ""
    mostly = [
        row for row in summary.models if 2 * sum(_may_grow(record, summary.rope) for record in row.fits) > len(row.fits)
    ]
    said = f"{last} of {wording.count(len(fits), 'fit')} were best at the last epoch they were allowed: more may help"
    return (
        f"{said} {wording.listed([wording.cell(row.layer, row.topology) for row in mostly])}." if mostly else f"{said}."
    )


def _tuning(summary: Summary) -> str:
    """Where it is known that there was none."""
    trials = [record.fit.settings.get("trials") for row in summary.models for record in row.fits]
    if len(summary.models) < 2 or any(each != 0 for each in trials):
        return ""
    return "Nothing was tuned: one learning rate, weight decay and dropout for all may suit some layers better than others."


def _may_grow(record: FitRecord, rope: float) -> bool:
    """Whether it was best at its last epoch, and there is more to reach."""
    if (record.score or 0.0) >= 1 - rope:
        return False
    most = record.fit.settings.get("epochs", math.inf)
    return 0 < record.epochs >= most and record.kept >= record.epochs


def _batches(summary: Summary) -> str:
    fits = [
        record
        for row in summary.models
        for record in row.fits
        if "batch_size" in record.fit.settings and record.batch_size
    ]
    smaller = sum(record.batch_size < record.fit.settings["batch_size"] for record in fits)
    return f"{wording.count(smaller, 'fit')} ran out of memory and used smaller batches." if smaller else ""
