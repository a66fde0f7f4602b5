"""Results on disk, a line for each fit, so that a comparison that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

from graphattn.comparison.record import Fit, FitRecord
from graphattn.json_lines import DamagedLine, JsonLines


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
    """Records by fit, in memory and, with a path, in a file of one JSON object a line (:class:`~graphattn.json_lines.JsonLines`).

    Args:
        path: of the file, made with its folder where it is not there; none for memory alone.

    Raises:
        ValueError: ``path`` is a folder.

    >>> store = Store()
    >>> store.add(FitRecord(Fit("problem", "gcn", "edges", 0, 0), "failed", "R2", reason="diverged"))
    >>> store.find(Fit("problem", "gcn", "edges", 0, 0)).reason
    'diverged'
    """

    def __init__(self, path: Path | None = None) -> None:
        self.lines = None if path is None else JsonLines(path, _record)
        self._records = {key(record.fit): record for record in (self.lines.values if self.lines else ())}

    def __len__(self) -> int:
        return len(self._records)

    @property
    def damaged(self) -> list[DamagedLine]:
        """Lines of the file that were no records when it was read."""
        return self.lines.damaged if self.lines else []

    @property
    def records(self) -> list[FitRecord]:
        """All records, in the order in which they were added."""
        return list(self._records.values())

    def find(self, fit: Fit) -> FitRecord | None:
        """Record of a fit, if it is known."""
        return self._records.get(key(fit))

    def add(self, record: FitRecord) -> None:
        """Add a record, which is on disk when this returns."""
        self._records[key(record.fit)] = record
        if self.lines:
            self.lines.append([record.to_json()])


def _record(found: dict[str, Any]) -> FitRecord:
    """Record of a line.

    Raises:
        ValueError: a line that is no record, or a record without a score.
    """
    record = FitRecord.from_json(found)
    if not isinstance(record.fit.settings, dict) or record.status not in ("ok", "failed"):
        raise ValueError(f"expected status ok or failed, got {record.status!r}")
    if record.status == "ok" and not (isinstance(record.score, int | float) and math.isfinite(record.score)):
        raise ValueError(f"expected a score, got {record.score!r}")
    return record
