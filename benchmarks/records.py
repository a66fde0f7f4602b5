"""What was measured: one CSV file per table, one row per model and split, appended to as soon as it is known.

A run that was stopped goes on where it was: what the file has is not computed again.
"""

import csv
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
PROVENANCE = ("cores", "load", "machine", "versions", "date", "commit")


@dataclass
class Spent:
    """Seconds: `wall` on the clock, `cpu` of this process and its finished children (user + system)."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


@contextmanager
def timed() -> Iterator[Spent]:
    """Time of the block, filled in when the block ends."""
    spent, wall, cpu = Spent(), time.perf_counter(), sum(os.times()[:4])
    try:
        yield spent
    finally:
        spent.wall, spent.cpu = time.perf_counter() - wall, sum(os.times()[:4]) - cpu


@dataclass(frozen=True)
class Results:
    """The rows of one CSV file; `keys` are the columns that tell one run from another."""

    path: Path
    keys: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *self.values, *PROVENANCE)

    def frame(self) -> pd.DataFrame:
        """All rows. Raises `ValueError` when the file has other columns than these."""
        if not self.path.exists():
            return pd.DataFrame(columns=list(self.columns))
        frame = pd.read_csv(self.path)
        if tuple(frame.columns) != self.columns:
            raise ValueError(f"{self.path} has the columns {list(frame.columns)}; expected {list(self.columns)}")
        return frame

    def has(self, **key: object) -> bool:
        """Whether there is a row with these keys."""
        frame = self.frame()
        found = pd.Series(True, index=frame.index)
        for name, value in key.items():
            found &= frame[name].astype(str) == str(value)
        return bool(found.any())

    def append(self, row: Mapping[str, object]) -> None:
        """Adds one row to the end of the file; floats are kept to 6 digits."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            if new:
                writer.writeheader()
            writer.writerow({name: _short(row[name]) for name in self.columns})


def provenance(versions: str) -> dict[str, object]:
    """Where and when: cores this process may use, mean load of the last minute, versions, date, commit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return dict(zip(PROVENANCE, (cores, load, platform.machine(), versions, now, _commit()), strict=True))


def versions(packages: Sequence[str]) -> str:
    """Python and the installed `packages`, as `name version` separated by semicolons."""
    return "; ".join(
        [f"python {platform.python_version()}", *(f"{name} {metadata.version(name)}" for name in packages)]
    )


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = "+changes" if git("status", "--porcelain", "--", "graphattn") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
