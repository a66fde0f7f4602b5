"""Results on disk, a line for each fit, so that a comparison that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, final

from graphattn import files
from graphattn.comparison.record import Fit, FitRecord


class Damaged(NamedTuple):
    """A line that is no record: its number, counted from 1, and what is wrong with it."""

    number: int
    reason: str


def key(fit: Fit) -> str:
    """Equal for equal fits, in memory and in files.

    >>> first, second = (Fit("p", "gcn", "edges", 0, 0, settings={"fractions": each}) for each in ((1, 2), [1, 2]))
    >>> key(first) == key(second)
    True
    """
    return json.dumps(asdict(fit), sort_keys=True)


def digest(fit: Fit) -> str:
    """Sixteen digits of :func:`key`, for names of files."""
    return hashlib.sha256(key(fit).encode()).hexdigest()[:16]


@final
class Store:
    """Records by fit, in memory and, with a path, in a file of one JSON object a line.

    Reading changes nothing, so that the results of a run can be looked at while it goes on; ``damaged`` names lines that are no
    records. Who alone writes the file calls :meth:`mend` before the first :meth:`add`. Every record is appended in one write, so
    that a kill between two records loses nothing.

    Args:
        path: of the file, made with its folder where it is not there; none for memory alone.

    Raises:
        ValueError: `path` is a folder.

    >>> store = Store()
    >>> store.add(FitRecord(Fit("problem", "gcn", "edges", 0, 0), "failed", "R2", reason="diverged"))
    >>> store.find(Fit("problem", "gcn", "edges", 0, 0)).reason
    'diverged'
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.damaged: list[Damaged] = []
        self._records: dict[str, FitRecord] = {}
        self._kept: list[str] = []
        self._wrong: list[str] = []
        self._whole = True
        if path is not None and path.is_dir():
            raise ValueError(f"expected a file of results, got the folder {path}")
        if path is not None and path.exists():
            self._load(path)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def aside(self) -> Path | None:
        """Where damaged lines are kept."""
        return None if self.path is None else self.path.with_name(f"{self.path.stem}.damaged{self.path.suffix}")

    @property
    def records(self) -> list[FitRecord]:
        """All that is known, in the order in which it came."""
        return list(self._records.values())

    def find(self, fit: Fit) -> FitRecord | None:
        """What came of a fit, if it is known."""
        return self._records.get(key(fit))

    def add(self, record: FitRecord) -> None:
        """One more record, which is on disk when this returns."""
        self._records[key(record.fit)] = record
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps(record.to_json(), ensure_ascii=False) + "\n"
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                left = line.encode()
                while left:  # a disk that is nearly full takes less at once
                    left = left[os.write(file, left) :]
                os.fsync(file)
            finally:
                os.close(file)

    def mend(self) -> None:
        """Sets damaged lines aside in ``<name>.damaged.jsonl``, each behind its number, and writes the file anew without them.

        Only for who holds the file alone: what another process wrote since it was read would be lost. A file without damage
        stays as it is.
        """
        if self.path is None or self.aside is None or (self._whole and not self._wrong):
            return
        if self._wrong:
            with self.aside.open("a", encoding="utf-8") as file:
                file.writelines(self._wrong)
        files.write(self.path, "".join(f"{line}\n" for line in self._kept))
        self._wrong, self._whole = [], True

    def _load(self, path: Path) -> None:
        lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
        # A last line without its end was cut off, or is being written just now.
        self._whole = not lines[-1]
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = _record(line)
            except ValueError as error:
                self.damaged.append(Damaged(number, str(error)))
                self._wrong.append(json.dumps({"line": number, "text": line}, ensure_ascii=False) + "\n")
            else:
                self._records[key(record.fit)] = record
                self._kept.append(line)


def _record(line: str) -> FitRecord:
    """Raises `ValueError` in words."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at character {error.colno}") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected a record, got {line[:40]!r}")
    record = FitRecord.from_json(found)
    if not isinstance(record.fit.settings, dict) or record.status not in ("ok", "failed"):
        raise ValueError(f"expected status ok or failed, got {record.status!r}")
    if record.status == "ok" and not (isinstance(record.score, int | float) and math.isfinite(record.score)):
        raise ValueError(f"expected a score, got {record.score!r}")
    return record
