"""One comparison in this process: results first, then memory, then time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from graphattn.bench.comparison import OURS, Comparison, Result, Step, difference
from graphattn.bench.timing import interleaved
from graphattn.memory import highest, peak

BOUND = 1e-3
Tell = Callable[[str], None]


@dataclass
class Measured:
    """What is known of one side, as :class:`~graphattn.bench.records.Record` has it."""

    ms: list[float] = field(default_factory=list)
    first_ms: float | None = None
    extra_mib: float | None = None
    peak_mib: float | None = None
    difference: float | None = None
    left_out: str = ""


def measure(comparison: Comparison, rounds: int, without: dict[str, str], tell: Tell) -> dict[str, Measured]:
    """All that is measured of each side; those ``without`` are left out, for the reason given.

    A peer that fails is left out with its error; ours may not fail.

    Raises:
        ArithmeticError: a peer's result that differs from ours by more than a thousandth of the largest number.
    """
    if comparison.once:
        tell("one call")
        found = {OURS: _once(comparison.sides[OURS])}
    else:
        found = _compared(comparison, without, tell)
        sides = {side: step for side, step in comparison.sides.items() if not found[side].left_out}
        for side, step in sides.items():
            tell(f"memory of {side}")
            _keep(found[side], step)
        for side, seconds in interleaved(sides, rounds, lambda turn: tell(f"round {turn + 1} of {rounds}")).items():
            found[side].ms = [1000 * each for each in seconds]
    return found | {side: Measured(left_out=reason) for side, reason in comparison.left_out.items()}


def _compared(comparison: Comparison, without: dict[str, str], tell: Tell) -> dict[str, Measured]:
    """The first call of each side, its result compared with ours."""
    found: dict[str, Measured] = {}
    truth: Result | None = None
    for side in sorted(comparison.sides, key=lambda side: side != OURS):
        if side in without:
            found[side] = Measured(left_out=without[side])
            continue
        tell(f"first call of {side}")
        start = time.perf_counter()
        try:
            result = comparison.sides[side]()
        except Exception as error:
            if side == OURS:
                raise
            found[side] = Measured(left_out=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}")
            continue
        spent = 1000 * (time.perf_counter() - start)
        truth = result if truth is None else truth
        apart = difference(truth, result)
        if apart > BOUND:
            raise ArithmeticError(f"expected {side} to differ from ours by at most {BOUND}, got {apart:.2g}")
        found[side] = Measured(first_ms=spent, difference=apart)
    return found


def _keep(measured: Measured, step: Callable[[], object]) -> None:
    found = peak(step)
    if found is not None:
        measured.extra_mib, measured.peak_mib = found


def _once(step: Step) -> Measured:
    """Time and memory of the same single call; the memory of the process counts from its beginning."""
    measured, seconds, before = Measured(), [], highest()

    def call() -> None:
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)

    _keep(measured, call)
    if not seconds:
        call()
    if before is not None and measured.peak_mib is not None:
        measured.peak_mib = max(before, measured.peak_mib)
    measured.ms = [1000 * seconds[0]]
    return measured
