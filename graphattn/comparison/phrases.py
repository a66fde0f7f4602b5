"""Two rows in a sentence: by how much they differ, how sure that is, what it costs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.rows import Row
from graphattn.comparison.statistics import Difference
from graphattn.comparison.summary import Pair, Summary


def best(rows: Iterable[Row]) -> Row | None:
    """The row with the best validation score, so that its own test scores do not choose it; by these where a row has no other.

    A row that failed on more than half of the splits is not chosen by the rest, where there is another.
    """
    rows = list(rows)
    most = max((len(row.by_split) for row in rows), default=0)
    rows = [row for row in rows if 2 * len(row.by_split) >= most]
    by_validation = all(np.isfinite(row.validation) for row in rows)
    return max(rows, key=lambda row: row.validation if by_validation else row.score.mean, default=None)


def named(row: Row) -> str:
    """A row in sentences.

    >>> from graphattn.comparison.statistics import Interval
    >>> named(Row("gcn on full", "gcn", "full", "model", Interval(0.5, 0.4, 0.6), {}, (), ()))
    'GCN on full graphs'
    """
    return wording.cell(row.layer, row.topology)


def compared(pair: Pair, summary: Summary) -> str:
    """A pair of rows as a sentence: by how much, how sure, at what cost.

    The words are those of :func:`~graphattn.comparison.wording.finding`.
    """
    first, second = (next(row for row in summary.rows if row.name == name) for name in (pair.first, pair.second))
    difference, measure = pair.difference, summary.measure
    within, found = wording.reach(difference), wording.finding(difference)
    if found == "worse":
        return compared(pair.reversed(), summary)
    left_out = without(pair.left_out)
    if found == "equal":
        two = f"{named(first)} and {named(second)}, {alike(difference, summary)}"
        said = f"no difference larger than {summary.rope:g} {measure} between {two}"
        return f"{said}{_cost('; the first comes at', first, second)}{left_out}."
    if found == "open":
        mean = f"{wording.number(difference.mean)} {measure}{within}"
        cost = _cost("; the first comes at", first, second)
        chances = _chances(difference, summary)
        return f"{named(first)} minus {named(second)} is {mean}: {chances}{cost}{left_out}."
    holm = f"{wording.significance(pair.p_holm)} after Holm over {wording.count(len(summary.pairs), 'pair')}"
    p = f"p {wording.significance(difference.p)} for this pair alone, {holm}"
    by = f"{wording.number(difference.mean)} {measure}{within}{_cost(' at', first, second)}"
    return f"{named(first)} beats {named(second)} by {by} ({p}){left_out}."


def alike(difference: Difference, summary: Summary) -> str:
    """How sure it is that there is no difference: how probable, or that scores were the same wherever they were compared."""
    low, high = difference.interval.low, difference.interval.high
    if low == high == 0:
        return f"the same score on each of {wording.count(difference.resamplings, summary.unit)}"
    mean, likely = wording.number(difference.mean), wording.probability(difference.equal)
    return f"probability {likely} ({mean}{wording.reach(difference)})"


def without(places: int) -> str:
    """How many fits' places were left out, if any.

    >>> without(0), without(2)
    ('', ' (without 2 places where a fit has no score)')
    """
    return f" (without {wording.count(places, 'place')} where a fit has no score)" if places else ""


def _cost(words: str, first: Row, second: Row) -> str:
    figures = {"time per epoch": "seconds_per_epoch", "memory": "peak_mib"}
    found = {name: wording.times(first.median(each), second.median(each)) for name, each in figures.items()}
    said = [f"{times} {name}" for name, times in found.items() if times]
    return f"{words} {wording.listed(said)}" if said else ""


def _chances(difference: Difference, summary: Summary) -> str:
    if difference.resamplings < wording.FEWEST:
        return f"{wording.count(difference.resamplings, summary.unit)} cannot tell"
    better, equal, worse = (
        wording.probability(each) for each in (difference.better, difference.equal, difference.worse)
    )
    if summary.rope == 0:
        return f"better with probability {better}, worse with {worse}"
    return (
        f"better by more than {summary.rope:g} with probability {better}, worse by more with {worse}, "
        f"equal in practice with {equal}"
    )
