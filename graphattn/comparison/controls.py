"""Controls: of permuted labels nothing can be learned, so that a score beyond chance would be a fault of the protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphattn.comparison import wording
from graphattn.comparison.record import FitRecord
from graphattn.comparison.rows import RANGES, Row
from graphattn.comparison.summary import Summary


def within(record: FitRecord) -> bool:
    """Whether a fit of permuted labels scored within its bound for chance, which was known before the labels were learned.

    >>> from graphattn.comparison.record import Fit
    >>> what = Fit("made up", "gcn", "edges", split=0, seed=0, role="permuted")
    >>> within(FitRecord(what, "ok", "ROC-AUC", score=0.55, chance=[0.4, 0.6]))
    True
    """
    low, high = record.chance
    return record.score is not None and low <= record.score <= high


def alarm(summary: Summary) -> str:
    """What has to be said before anything else if a control left its bound; else nothing.

    >>> from graphattn.comparison.record import Fit
    >>> from graphattn.comparison.summary import summary
    >>> what = Fit("made up", "gcn", "edges", split=0, seed=0, role="permuted")
    >>> alarm(summary([FitRecord(what, "ok", "ROC-AUC", score=0.75, chance=[0.4, 0.6])]))
    'DO NOT BELIEVE THESE SCORES YET: with permuted labels GCN on edges reached 0.750 ROC-AUC, outside the bound for chance ...'
    """
    found = []
    for control in summary.controls:
        outside = [record for record in _bounded(control) if not within(record)]
        if outside:
            worst = max(outside, key=_distance)
            score, name = wording.number(worst.score or 0.0), wording.cell(control.layer, control.topology)
            reached = f"with permuted labels {name} reached {score} {summary.measure}"
            fits = _of(len(outside), len(_bounded(control)))
            found.append(f"{reached}, outside the bound for chance of {_bound([worst])}, in {fits}")
    if not found:
        return ""
    cause = "Chance does that to one such fit in 10,000; look for labels that leak, or for parts that share rows"
    return f"DO NOT BELIEVE THESE SCORES YET: {'; '.join(found)}. {cause}."


def controlled(summary: Summary) -> list[str]:
    """A sentence on each control."""
    said = [_sentence(control, summary.measure) for control in summary.controls]
    return said or ["No fit had permuted labels: there is no control."]


def _sentence(control: Row, measure: str) -> str:
    name = f"{wording.cell(control.layer, control.topology)}, labels permuted:"
    if not control.fits:
        return f"{name} every fit failed."
    bounded = _bounded(control)
    mean = " on average" if len(control.fits) > 1 else ""
    failed = f" ({wording.count(len(control.failed), 'fit')} failed)" if control.failed else ""
    reached = f"{name} {wording.number(control.score.mean)} {measure}{mean}{failed}"
    if not bounded:
        return f"{reached}; no bound for chance was written down."
    lowest = RANGES.get(measure, (0.0, 1.0))[0]
    if all(low <= lowest and high >= 1 for low, high in (record.chance for record in bounded)):
        return f"{reached}; the test parts are too small for a bound for chance, so that this control says nothing."
    inside = sum(within(record) for record in bounded)
    bound = f"the bound for chance ({_bound(bounded)})"
    if inside == len(bounded):
        return f"{reached}, within {bound} in {_of(inside, len(bounded))}."
    outside = _of(len(bounded) - inside, len(bounded))
    return f"{reached}, OUTSIDE {bound} in {outside}: look for labels that leak before you believe the other scores."


def _bounded(control: Row) -> list[FitRecord]:
    return [record for record in control.fits if len(record.chance) == 2]


def _distance(record: FitRecord) -> float:
    """How far a score is from its bound."""
    low, high = record.chance
    score = record.score or 0.0
    return max(low - score, score - high)


def _bound(records: Sequence[FitRecord]) -> str:
    """The bounds of some fits; where test parts differ, the widest."""
    low, high = min(record.chance[0] for record in records), max(record.chance[1] for record in records)
    many = len({tuple(record.chance) for record in records}) > 1
    said = f"up to {high:.3f}" if low == -np.inf else f"{low:.3f} to {high:.3f}"
    return f"{said} at the widest" if many else said


def _of(some: int, fits: int) -> str:
    return (
        f"{some} of {wording.count(fits, 'fit')}" if some < fits else "its one fit" if fits == 1 else f"all {fits} fits"
    )
