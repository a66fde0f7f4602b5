"""Sentences about how a model was chosen among others, from what ``model.json`` holds: for the card, the report and the user."""

from collections.abc import Mapping, Sequence
from typing import Any


def choice_sentences(described: Mapping[str, Any]) -> list[str]:
    """What was kept and by which scores, and the paired difference to each of the others; none where nothing was chosen.

    >>> choice = {"kept": "blend", "measure": "ROC-AUC", "inner": 2, "scores": {"graph": [0.8, 0.9], "blend": [0.9, 0.9]}}
    >>> for sentence in choice_sentences({"choice": choice | {"differences": {"graph": [0.05, -0.6, 0.7]}}}):
    ...     print(sentence)
    Kept: the blend, as ROC-AUC on 2 inner splits of the training part says: graph 0.850, blend 0.900.
    Paired difference of ROC-AUC, blend minus graph: +0.050 [-0.600, +0.700].
    """
    choice = described.get("choice")
    if not choice:
        return []
    times, kept, measure = choice["inner"], choice["kept"], choice["measure"]
    where = f"{times} inner split{'s' * (times > 1)} of the training part" if times else "the validation part alone"
    means = {name: _mean(values) for name, values in choice["scores"].items()}
    if all(mean is None for mean in means.values()):
        return [f"Kept: the {kept}, undecided: {measure} on {where} is undefined."]
    told = ", ".join(f"{name} {_number(mean)}" for name, mean in means.items())
    lines = [f"Kept: the {kept}, as {measure} on {where} says: {told}."]
    for name, (mean, low, high) in choice["differences"].items():
        ends = "" if low is None or low != low else f" [{low:+.3f}, {high:+.3f}]"
        what = "Paired difference" if ends else "Difference, of one part and without an interval,"
        lines.append(f"{what} of {measure}, {kept} minus {name}: {_number(mean, '+')}{ends}.")
    return lines


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and value == value]
    return sum(known) / len(known) if known else None


def _number(value: float | None, sign: str = "") -> str:
    return "undefined" if value is None or value != value else f"{value:{sign}.3f}"
