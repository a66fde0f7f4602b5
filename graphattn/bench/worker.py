"""One case in a fresh process: reads its order as JSON from the command line, prints what happens line by line.

A line that begins with ``@`` is JSON for the process that started this one; all else is noise of libraries.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict, dataclass, field

MARK = "@"


@dataclass(frozen=True)
class CaseOrder:
    """One case to be measured by a worker.

    Args:
        case: its name.
        label, allocator, threads: as they stand in the records.
        rounds: how many times each side is timed.
        without: sides that are left out, with the reason.
        done: steps that have been measured.
        shrink: what sizes are divided by; more than 1 is for trying out.
    """

    case: str
    label: str
    allocator: str
    threads: int
    rounds: int
    without: dict[str, str] = field(default_factory=dict)
    done: tuple[str, ...] = ()
    shrink: int = 1


def work(order: CaseOrder) -> None:
    """Measure the case, and print its records comparison by comparison."""
    _print({"at": "starting"})
    import torch

    from graphattn import environment
    from graphattn.bench.cases import CASES
    from graphattn.bench.comparison import COMPILED
    from graphattn.bench.compiling import why_no_compiler
    from graphattn.bench.measure import measure

    torch.manual_seed(0)
    torch.set_num_threads(order.threads)
    reason, around = why_no_compiler(), environment.surroundings()
    without = {COMPILED: reason} | order.without if reason else order.without
    for comparison in CASES[order.case].make(order.shrink):
        if comparison.step in order.done:
            continue
        date = environment.now()
        found = measure(
            comparison, order.rounds, without, lambda text, step=comparison.step: _print({"at": f"{step}: {text}"})
        )
        kept = {"label": order.label, "date": date, "case": order.case, "step": comparison.step}
        kept |= {"sizes": comparison.sizes, "allocator": order.allocator, "threads": order.threads} | around
        _print({"records": [{**kept, "side": side, **asdict(measured)} for side, measured in found.items()]})


def _print(event: dict[str, object]) -> None:
    sys.stdout.write(f"\n{MARK}{json.dumps(event)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    work(CaseOrder(**json.loads(sys.argv[1])))
