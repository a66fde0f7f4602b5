"""What the time of one of our steps goes into, by torch's profiler."""

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from graphattn.bench.cases import CASES
from graphattn.bench.comparison import OURS

WARM, STEPS, LEAST = 3, 10, 0.01

Shares = list[tuple[str, int, float]]


def shares(case: str, step: str | None = None, shrink: int = 1) -> Shares:
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
    return of(seen, STEPS)


def of(seen: profile, steps: int) -> Shares:
    """The same of `steps` steps that a profiler has seen."""
    events: Any = seen.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    found = [(event.key, event.count // steps, event.self_cpu_time_total / total) for event in events]
    return sorted((each for each in found if each[2] >= LEAST), key=lambda each: -each[2])


def table(case: str, step: str | None, threads: int) -> str:
    """The shares as markdown."""
    torch.set_num_threads(threads)
    return markdown(shares(case, step))


def markdown(found: Shares, of_what: str = "step") -> str:
    """A line for each operator."""
    lines = [f"| {name} | {count} | {share:.1%} |" for name, count, share in found]
    return "\n".join((f"| operator | calls | share of the {of_what} |", "|---|---|---|", *lines))
