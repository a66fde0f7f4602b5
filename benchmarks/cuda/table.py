"""Times of a case on a device, and the rows of a table, each written as soon as it is known."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.testing import assert_close

from benchmarks.cuda.cases import OURS, Case, Place, Step
from benchmarks.cuda.checks import Check
from graphattn.bench import interleaved

FORWARD, BOTH = "forward", "forward and backward"
COLUMNS = (
    "case",
    "dtype",
    "what",
    "peer",
    "ours, ms",
    "peer, ms",
    "peer / ours",
    "of a round",
    "ours, GB/s",
    "of a copy",
)
PASSES = {FORWARD: 1, BOTH: 3}
"""How often a step moves what a forward pass does: backward, edges are read by receiver and by sender."""


@dataclass(frozen=True)
class Row:
    """Ours beside a peer: milliseconds of each round, and gigabytes a second of ours; or why not."""

    case: str
    dtype: str
    what: str
    peer: str
    ours_ms: list[float] = field(default_factory=list)
    peer_ms: list[float] = field(default_factory=list)
    speed: float | None = None
    copy: float | None = None
    left_out: str = ""

    def cells(self) -> tuple[str, ...]:
        """A line of the table."""
        head = (self.case, self.dtype, self.what, self.peer)
        if self.left_out:
            return (*head, f"left out: {self.left_out}", *[""] * (len(COLUMNS) - 5))
        ours, theirs = statistics.median(self.ours_ms), statistics.median(self.peer_ms)
        ratios = [their / our for their, our in zip(self.peer_ms, self.ours_ms, strict=True)]
        speeds = ("", "")
        if self.speed is not None and self.copy is not None:
            speeds = (f"{self.speed:,.0f}", f"{self.speed / self.copy:.0%}")
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        return (*head, f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.2f}", spread, *speeds)


class Log:
    """New files ``table.md`` and ``rows.jsonl`` in a folder, and the terminal; a line is in its file when the call returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.table, self.rows = folder / "table.md", folder / "rows.jsonl"
        for file in (self.table, self.rows):
            file.write_text("")

    def say(self, text: str) -> None:
        """A line of the table's file and of the terminal."""
        print(text, flush=True)
        _append(self.table, text)

    def head(self) -> None:
        """Begin the table."""
        self.say(f"\n{_line(COLUMNS)}\n{'|---' * len(COLUMNS)}|")

    def add(self, row: Row) -> None:
        """A row of the table."""
        self.say(_line(row.cells()))
        _append(self.rows, json.dumps(asdict(row)))


def checked(checks: Sequence[Check], device: str, tiny: bool, log: Log, until: float) -> int:
    """Run checks, a line for each; the number of those that failed. None begins after `until`, by the monotonic clock."""
    failed = 0
    for check in checks:
        if time.monotonic() > until:
            log.say(f"- {_title(check)}: not run, the time for checks is over")
            continue
        torch.manual_seed(0)
        start = time.perf_counter()
        try:
            check(device, tiny)
            verdict = "ok"
        except Exception as error:
            failed += 1
            verdict = f"FAILED: {_first_words(error)}"
        log.say(f"- {_title(check)}: {verdict} ({time.perf_counter() - start:.1f} s)")
    return failed


def measured(case: Case, place: Place, rounds: int, copy: float) -> Iterator[Row]:
    """A row for each peer and pass; a peer that fails, or whose results differ, is a row that says so."""
    dtype = str(place.dtype).removeprefix("torch.")
    passes: Mapping[str, Callable[[Step], Step]] = {
        FORWARD: torch.no_grad(),
        BOTH: lambda step: trained(step, case.leaves),
    }
    for what, way in passes.items():
        ours, moved = way(case.steps[OURS]), PASSES[what] * case.moved
        for peer, step in case.steps.items():
            if peer == OURS:
                continue
            try:
                theirs = way(step)
                compared(ours, theirs)
                seconds = interleaved({OURS: _waiting(ours, place), peer: _waiting(theirs, place)}, rounds)
            except Exception as error:
                yield Row(case.name, dtype, what, peer, left_out=_first_words(error))
                continue
            speed = moved / statistics.median(seconds[OURS]) / 1e9 if moved else None
            ms = ([1000 * each for each in seconds[side]] for side in (OURS, peer))
            yield Row(case.name, dtype, what, peer, *ms, speed, copy)


def compared(ours: Step, theirs: Step) -> None:
    """Refuse steps with different results, as far as low precision tells them apart."""
    truth, result = (step().detach().float() for step in (ours, theirs))
    assert_close(result, truth, rtol=0.05, atol=0.02 * float(truth.abs().max()))


def trained(step: Step, leaves: tuple[Tensor, ...]) -> Step:
    """Forward and backward of a step; returns the gradients, one behind the other."""
    return lambda: torch.cat([grad.flatten() for grad in torch.autograd.grad(step().float().square().sum(), leaves)])


def copied(place: Place) -> float:
    """Gigabytes a second of a copy on the device, read and written: what nothing else exceeds, but for caches."""
    source = torch.zeros(2**16 if place.tiny else 2**28, device=place.device)
    target = torch.empty_like(source)
    seconds = interleaved({"copy": _waiting(lambda: target.copy_(source), place)}, 5)["copy"]
    return 2 * source.nbytes / min(seconds) / 1e9


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"{line}\n")


def _title(check: Check) -> str:
    return check.__name__.replace("_", " ")


def _waiting(step: Step, place: Place) -> Callable[[], object]:
    if place.device != "cuda":
        return step

    def waits() -> None:
        step()
        torch.cuda.synchronize()

    return waits


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _first_words(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}".replace("|", "/")
