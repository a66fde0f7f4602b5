"""Progress of a comparison: a table in a terminal, else a line for each fit, and a log file of these lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, stdev
from types import TracebackType
from typing import final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from graphattn.comparison.fits.fitting import FitOrder
from graphattn.comparison.fits.running import FitEvent
from graphattn.comparison.record import FitRecord

_BASELINE = 2.0


@final
class ProgressDisplay:
    """Shows fits as they begin and end, with the time that is left.

    Args:
        orders: all fits, those that are known already as well.
        known: records of these.
        jobs: processes that work; 0 for this one.
        console: where it is shown.
        log: file that lines are added to.
    """

    def __init__(
        self,
        orders: Sequence[FitOrder],
        known: Sequence[FitRecord],
        jobs: int,
        console: Console,
        log: Path | None = None,
    ) -> None:
        self.orders, self.jobs, self.console, self.log = orders, max(1, jobs), console, log
        self.records = list(known)
        self.working: dict[str, str] = {}
        self.began = time.perf_counter()
        self.live: Live | None = None
        if console.is_terminal:
            self.live = Live(get_renderable=self.table, console=console, refresh_per_second=1, transient=True)

    def __enter__(self) -> ProgressDisplay:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def see(self, event: FitEvent) -> None:
        """A fit has begun or ended."""
        fit, record = event.order.fit, event.record
        if record is None:
            self.working[fit.name] = f"part {fit.split + 1}" + (f", seed {fit.seed}" if fit.seed else "")
            return
        self.working.pop(fit.name, None)
        self.records.append(record)
        text = f"{len(self.records)} of {len(self.orders)}: {fit.name}, part {fit.split + 1}: {outcome(record)}; {self.left()}"
        self._write(text)
        if self.live is None:
            self._show(text)

    def print(self, text: str) -> None:
        """A line, on the console and in the file."""
        self._write(text)
        self._show(text)

    def _show(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _write(self, text: str) -> None:
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")

    def left(self) -> str:
        """The time that is left, in words: by the fits of the same name, or by all where there is none yet."""
        seconds = self.seconds_left()
        return "nothing is left" if not seconds else f"about {timedelta(seconds=round(seconds))} left"

    def seconds_left(self) -> float:
        """By what fits took so far, those of a resumed run as well."""
        took: dict[str, list[float]] = {}
        for record in self.records:
            took.setdefault(record.fit.name, []).append(record.seconds)
        models = [record.seconds for record in self.records if record.fit.role != "baseline"]
        other = mean(models) if models else 0.0
        done = {name: len(seconds) for name, seconds in took.items()}
        total = 0.0
        for name, orders in self._rows().items():
            first = _BASELINE if orders[0].configuration is None else other
            total += (len(orders) - done.get(name, 0)) * (mean(took[name]) if name in took else first)
        return total / self.jobs

    def table(self) -> Group:
        """What is known so far: a row for each layer on each topology, each baseline and each control."""
        table = Table(box=None, pad_edge=False)
        measure = self.records[0].measure if self.records else "score"
        for name in ("", "fits", measure, "s per epoch", "MiB", "parameters", "now"):
            table.add_column(name, justify="left" if name in ("", "now") else "right")
        for name, orders in self._rows().items():
            table.add_row(*self._row(name, len(orders)))
        spent = timedelta(seconds=round(time.perf_counter() - self.began))
        done = f"{len(self.records)} of {len(self.orders)} fits, {spent} so far, {self.left()}"
        return Group(table, Text(f"{done}; Ctrl-C stops, the same command goes on"))

    def _row(self, name: str, count: int) -> list[str]:
        records = [record for record in self.records if record.fit.name == name]
        ended = [record for record in records if record.status == "ok" and record.score is not None]
        scores = [float(record.score or 0.0) for record in ended]
        spread = f" ± {stdev(scores):.3f}" if len(scores) > 1 else ""
        failed = len(records) - len(ended)
        now = [self.working[name]] if name in self.working else []
        if failed:
            reason = next(record.reason for record in records if record.status == "failed")
            now.append(f"{failed} failed: {reason[:60]}")
        figures = ["", "", ""]
        if ended:
            epoch, memory = mean(each.seconds_per_epoch for each in ended), max(each.peak_mib for each in ended)
            figures = [f"{epoch:.2f}", f"{memory:.1f}", f"{ended[0].parameters:,}" if ended[0].parameters else ""]
        score = f"{mean(scores):.3f}{spread}" if scores else ""
        return [name, f"{len(records)}/{count}", score, *figures, "; ".join(now)]

    def _rows(self) -> dict[str, list[FitOrder]]:
        rows: dict[str, list[FitOrder]] = {}
        for order in self.orders:
            rows.setdefault(order.fit.name, []).append(order)
        return rows


def outcome(record: FitRecord) -> str:
    """A record in a few words.

    >>> from graphattn.comparison.record import Fit
    >>> outcome(FitRecord(Fit("p", "gcn", "edges", 0, 0), "failed", "R2", reason="it diverged"))
    'failed: it diverged'
    """
    if record.status == "failed" or record.score is None:
        return f"failed: {record.reason}"
    bound = f", by chance {record.chance[0]:.3f} to {record.chance[1]:.3f}" if record.chance else ""
    note = f" ({record.reason})" if record.reason else ""
    return f"{record.measure} {record.score:.3f}{bound} in {record.seconds:.1f} s{note}"
