"""Against what the two that are compared have to stand: chance, the top of the scale, what is cheap, what hears nobody."""

from __future__ import annotations

from collections.abc import Sequence

from graphattn.comparison import wording
from graphattn.comparison.phrases import best, compared, named
from graphattn.comparison.rows import Row
from graphattn.comparison.statistics import holm
from graphattn.comparison.summary import Summary

FLOORS = ("majority", "mean")
"""Baselines that know nothing of the graphs."""
ALONE = "none"
"""The topology on which every node hears itself only."""
MEANINGLESS = "shuffled"


def against(row: Row, others: Sequence[Row], summary: Summary) -> dict[str, wording.Finding]:
    """What is found of a row against each of the others, p adjusted for all of them (Holm, 1979)."""
    differences = [summary.pair(row.name, other.name).difference for other in others]
    adjusted = holm([each.p for each in differences])
    return {
        other.name: wording.finding(difference, p)
        for other, difference, p in zip(others, differences, adjusted, strict=True)
    }


def learned_nothing(rows: Sequence[Row], summary: Summary) -> bool:
    """Whether none of these networks is shown to beat a baseline that knows nothing; too few resamplings cannot tell."""
    floors = [row for row in summary.baselines if row.layer in FLOORS]
    pairs = [(summary.pair(row.name, floor.name).difference, row) for floor in floors for row in rows]
    told = bool(pairs) and all(difference.resamplings >= wording.FEWEST for difference, _ in pairs)
    return told and all(wording.finding(difference) != "better" for difference, _ in pairs)


def nothing(rows: Sequence[Row], summary: Summary) -> str:
    """That none of these networks is shown to have learned anything, as a sentence."""
    floor = next(row for row in summary.baselines if row.layer in FLOORS)
    reached = [f"{named(row)} ({wording.number(row.score.mean)} {summary.measure})" for row in rows]
    none = f"Neither {' nor '.join(reached)} is" if len(rows) == 2 else f"{wording.capital(reached[0])} is not"
    return f"{none} shown to beat the {floor.layer} ({wording.number(floor.score.mean)}): there is nothing to compare."


def at_the_top(rows: Sequence[Row], summary: Summary) -> str:
    """That the scale ends where these rows are, so that they could not differ by more than the rope; else nothing."""
    if not 0 <= 1 - min(row.score.mean for row in rows) <= summary.rope:
        return ""
    return f"Both are within {summary.rope:g} of the best score there is: this task is too easy to tell them apart."


def hearing(summary: Summary) -> str:
    """Whether it helps that nodes hear each other: the best network in which they do against the best in which none does."""
    told = best(row for row in summary.models if row.topology not in (ALONE, MEANINGLESS))
    alone = best(row for row in summary.models if row.topology == ALONE)
    if told is None or alone is None or learned_nothing([told, alone], summary):
        return ""
    pair = summary.pair(told.name, alone.name)
    begun = {
        "better": "Hearing other nodes helps",
        "equal": "Hearing other nodes does not help",
        "worse": "Hearing other nodes does harm",
        "open": "It is not decided whether hearing other nodes helps",
    }[wording.finding(pair.difference)]
    return f"{begun}: {compared(pair, summary)}"


def but(top: Row, asked: Sequence[Row], summary: Summary) -> str:
    """For the headline: what does better than the better of the two that are compared, or as well though it is simpler."""
    cheap = [row for row in summary.baselines if row.layer not in FLOORS]
    alone, strongest = best(row for row in summary.models if row.topology == ALONE), best(summary.models)
    networks = dict.fromkeys(row.name for row in (alone, strongest) if row is not None and row not in asked)
    rivals = [*cheap, *(row for row in summary.models if row.name in networks)]
    found = against(top, rivals, summary)
    better = [named(row) for row in rivals if found[row.name] == "worse"]
    simple = [row for row in rivals if row in cheap or row is alone]
    as_good = [named(row) for row in simple if found[row.name] == "equal"]
    verb = "" if len(better or as_good) > 1 else "es"
    if better:
        return f", but {wording.listed(better)} do{verb} better"
    return f", but {wording.listed(as_good)} do{verb} as well" if as_good else ""
