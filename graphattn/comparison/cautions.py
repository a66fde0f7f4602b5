"""What a reader has to bear in mind, found in the records themselves."""

from __future__ import annotations

import json

from graphattn.comparison import wording
from graphattn.comparison.record import Record
from graphattn.comparison.summary import Summary

FEW_SPLITS = 5
APART = 0.05
"""Parameter counts further apart than this share are not equal."""
STILL_BETTER = 0.1
"""More than this share of fits that were best at their last epoch is worth saying."""


def cautions(summary: Summary) -> list[str]:
    """Sentences on few splits, failed fits, unequal settings and sizes, epochs that ended too early, and smaller batches."""
    found = [
        _splits(summary),
        _failed(summary),
        _settings(summary),
        _sizes(summary),
        _epochs(summary),
        _batches(summary),
    ]
    return [sentence for sentence in found if sentence]


def _splits(summary: Summary) -> str:
    if summary.unit == "seed":
        return "There is one split only: intervals are over seeds and say nothing about other splits."
    splits = max((len(row.by_split) for row in summary.rows), default=0)
    return f"Only {splits} splits: intervals are wide, and little can be decided." if splits < FEW_SPLITS else ""


def _failed(summary: Summary) -> str:
    rows = [*summary.rows, *summary.controls]
    failed = sum(len(row.failed) for row in rows)
    tried = failed + sum(len(row.fits) for row in rows)
    return (
        f"{failed} of {wording.count(tried, 'fit')} failed; pairs leave out what one of the two lacks."
        if failed
        else ""
    )


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
    last = sum(_best_at_the_end(record) for record in fits)
    if last <= STILL_BETTER * len(fits):
        return ""
    return f"{last} of {wording.count(len(fits), 'fit')} were best at the last epoch they were allowed: more may help."


def _best_at_the_end(record: Record) -> bool:
    return record.epochs >= record.fit.settings["epochs"] and record.kept >= record.epochs


def _batches(summary: Summary) -> str:
    fits = [
        record
        for row in summary.models
        for record in row.fits
        if "batch_size" in record.fit.settings and record.batch_size
    ]
    smaller = sum(record.batch_size < record.fit.settings["batch_size"] for record in fits)
    return f"{wording.count(smaller, 'fit')} ran out of memory and used smaller batches." if smaller else ""
