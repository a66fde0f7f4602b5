"""Random layers on random graphs: every backend against ``edgewise``, and drop-ins against PyG.

::

    python -m tests.robustness.fuzz --cases 100000 --seed 0
    python -m tests.robustness.fuzz --seed 0 --case 17
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict

import torch

from tests.robustness.fuzz.failures import KINDS, failures
from tests.robustness.fuzz.known import excused


def main() -> None:
    """Run cases, print those that are wrong, and end with 1 if there are any."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cases", type=int, default=1000, help="Number of cases of each kind.")
    asked.add_argument("--start", type=int, default=0, help="First case, to go on where a run was stopped.")
    asked.add_argument("--seed", type=int, default=0, help="Random seed.")
    asked.add_argument("--case", type=int, help="This case alone, also where its fault is known.")
    given = asked.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # graphs are small: two threads would wait for each other
    numbers = range(given.start, given.start + given.cases) if given.case is None else [given.case]
    begun, wrong, known = time.monotonic(), 0, defaultdict[str, list[str]](list)
    for number in numbers:
        for kind in KINDS:
            draw, told = failures(kind, given.seed, number)
            why = excused(str(draw), told) if told else None
            if why is not None:
                known[why].append(f"{kind} {number}")
            wrong += bool(told) and why is None
            if (told and why is None) or given.case is not None:
                lines = "".join(f"    {each}\n" for each in told) or "    all is well\n"
                print(f"{kind} {number}: {draw}\n{lines}", end="", flush=True)
        if (number + 1) % 1000 == 0:
            print(f"{number + 1} cases, {wrong} wrong, {time.monotonic() - begun:.0f} s", flush=True)
    for why, cases in known.items():
        print(f"known in {len(cases)} cases, {', '.join(cases[:5])}: {why}")
    print(f"{wrong} wrong")
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
