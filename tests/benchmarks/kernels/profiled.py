"""What the time of one of our steps goes into, by torch's profiler."""

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from graphattn.bench.cases import CASES
from graphattn.bench.comparison import OURS

WARM, STEPS, LEAST = 3, 10, 0.01


def shares(case: str, step: str | None = None, shrink: int = 1) -> list[tuple[str, int, float]]:
    """Operators of our side, how often a step calls each, and its share of the step; those of a hundredth or more.

    The last step of the case if none is named. Raises `ValueError` for a step that the case has not.
    """
    comparisons = {each.step: each for each in CASES[case].make(shrink)}
    name = step or list(comparisons)[-1]
    if name not in comparisons:
        raise ValueError(f"expected a step among {', '.join(comparisons)}, got {name!r}")
    ours = comparisons[name].sides[OURS]
    for _ in range(WARM):
        ours()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(STEPS):
            ours()
    events: Any = seen.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    found = [(event.key, event.count // STEPS, event.self_cpu_time_total / total) for event in events]
    return sorted((each for each in found if each[2] >= LEAST), key=lambda each: -each[2])


def table(case: str, step: str | None, threads: int) -> str:
    """The same as markdown."""
    torch.set_num_threads(threads)
    lines = [f"| {name} | {count} | {share:.1%} |" for name, count, share in shares(case, step)]
    return "\n".join(("| operator | calls | share of the step |", "|---|---|---|", *lines))
