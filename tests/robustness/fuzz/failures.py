"""What is wrong with a case, if anything is."""

from __future__ import annotations

from tests.robustness.fuzz import checks, convolutions
from tests.robustness.fuzz.cases import Draw, drawn_case

KINDS = {
    "layer": lambda draw: checks.compared(drawn_case(draw)),
    "drop-in": convolutions.compared,
}


def failures(kind: str, seed: int, number: int) -> tuple[Draw, list[str]]:
    """What was drawn for a case, and what is wrong with it."""
    draw = Draw(kind, seed, number)
    try:
        return draw, KINDS[kind](draw)
    except Exception as error:  # whatever goes wrong is what is looked for
        return draw, [f"{type(error).__name__}: {error}"]
