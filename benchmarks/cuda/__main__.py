"""Tries kernels on a CUDA device: their results, then their times beside those of peers, in a given number of minutes.

    python -m benchmarks.cuda --minutes 8 --out runs/cuda

Needs torch for CUDA, which brings Triton, PyG and SciPy, and nothing else; the README.md in this folder tells more.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.cuda.table import Log

START = monotonic()  # before torch is imported, which takes its part of the minutes
DEVICES = ("cuda", "interpret")
CHECKING = 0.5
"""Share of the time after which no further check begins."""


class TimeUp(BaseException):
    """The minutes are over; no `except Exception` may swallow it."""


@contextmanager
def alarm(minutes: float) -> Iterator[None]:
    """Raise `TimeUp` inside when so many minutes have passed since the program began."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(60 * minutes - (monotonic() - START), 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 where there is no device or a check failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="after which it stops")
    parser.add_argument("--device", choices=DEVICES, default="cuda", help="interpret: Triton's interpreter, tiny sizes")
    parser.add_argument("--out", type=Path, default=Path("runs/cuda"), help="folder of table.md and rows.jsonl")
    given = parser.parse_args(words)
    if given.device == "interpret":
        os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
    import torch

    if given.device == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing is measured. `--device interpret` rehearses it on the CPU.")
        return 1
    return run(given.device == "interpret", given.minutes, given.out)


def run(rehearsal: bool, minutes: float, out: Path) -> int:
    """Check, then measure, until all is done or the time is up."""
    from benchmarks.cuda.table import Log

    log = Log(out)
    try:
        with alarm(minutes):
            failed = tried(rehearsal, minutes, log)
    except TimeUp:
        log.say(f"\nStopped after {minutes:g} minutes.")
        return 0
    log.say(f"\nAll is measured; {failed} checks failed.")
    return min(failed, 1)


def tried(rehearsal: bool, minutes: float, log: Log) -> int:
    """All checks and cases in their order; the number of checks that failed."""
    import torch

    from benchmarks.cuda import cases, table
    from benchmarks.cuda.checks import CHECKS, flexible

    def place(dtype: torch.dtype) -> cases.Place:
        return cases.Place("cpu", dtype, True, "eager") if rehearsal else cases.Place("cuda", dtype)

    log.say(about(rehearsal))
    here = place(torch.float32)
    copy = table.copied(here)
    log.say(f"A copy on the device moves {copy:,.0f} GB/s, read and written.\n")
    checks = [check for check in CHECKS if not rehearsal or check is not flexible]
    failed = table.checked(checks, here.device, rehearsal, log, START + 60 * minutes * CHECKING)
    log.head()
    for make, dtype in cases.first_of_each() if rehearsal else cases.order():
        torch.manual_seed(0)
        for row in table.measured(make(place(dtype)), place(dtype), 1 if rehearsal else 15, copy):
            log.add(row)
    return failed


def about(rehearsal: bool) -> str:
    """Device and versions."""
    import torch

    import graphattn

    names = ("torch", "triton", "torch-geometric", "numpy", "scipy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    if rehearsal:
        device = f"Rehearsal in Triton's interpreter on {platform.machine()}: times mean nothing"
    else:
        found = torch.cuda.get_device_properties(0)
        device = f"{found.name}, compute capability {found.major}.{found.minor}, {found.total_memory / 2**30:.0f} GiB"
    python = f"python {platform.python_version()}, graphattn {graphattn.__version__}"
    return f"{device}; CUDA {torch.version.cuda}; {python}, {versions}."


if __name__ == "__main__":
    sys.exit(main())
