"""Controls: of permuted labels nothing can be learned, so that a score beyond chance would be a fault of the protocol."""

from __future__ import annotations

from graphattn.comparison import wording
from graphattn.comparison.record import Record
from graphattn.comparison.rows import Row
from graphattn.comparison.summary import Summary


def within(record: Record) -> bool:
    """Whether a fit of permuted labels scored within its bound for chance, which was known before the labels were learned.

    >>> from graphattn.comparison.record import Fit
    >>> what = Fit("made up", "gcn", "edges", split=0, seed=0, role="permuted")
    >>> within(Record(what, "ok", "ROC-AUC", score=0.55, chance=[0.4, 0.6]))
    True
    """
    low, high = record.chance
    return record.score is not None and low <= record.score <= high


def controlled(summary: Summary) -> list[str]:
    """A sentence on each control."""
    said = [_sentence(control, summary.measure) for control in summary.controls]
    return said or ["No fit had permuted labels: there is no control."]


def _sentence(control: Row, measure: str) -> str:
    name = f"{wording.cell(control.layer, control.topology)}, labels permuted:"
    bounded = [record for record in control.fits if len(record.chance) == 2]
    if not control.fits:
        return f"{name} every fit failed."
    reached = f"{name} {wording.number(control.score.mean)} {measure}"
    if not bounded:
        return f"{reached}; no bound for chance was written down."
    inside = sum(within(record) for record in bounded)
    if inside == len(bounded):
        return f"{reached}, within the bound for chance in {_of(inside, len(bounded))}."
    outside = _of(len(bounded) - inside, len(bounded))
    return f"{reached}, OUTSIDE the bound for chance in {outside}: look for labels that leak before you believe the other scores."


def _of(some: int, fits: int) -> str:
    return (
        f"{some} of {wording.count(fits, 'fit')}" if some < fits else "its one fit" if fits == 1 else f"all {fits} fits"
    )
