"""What was measured: one JSON object a line, appended as soon as it is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One side of a comparison.

    Args:
        label: which attempt this is.
        date: when the comparison was measured; its sides share it.
        case, step, sizes: what was compared.
        side: who took the step.
        allocator: ``default``, or ``tuned`` to keep memory.
        threads: of torch and of the kernels.
        ms: milliseconds of each round; empty where there is a reason in ``left_out``.
        first_ms: the first call, with compilation.
        extra_mib: most memory during a call beyond what was there before; None where unknown.
        peak_mib: the memory of the process then; from its beginning on where one call is all.
        difference: the largest difference from our result, as a share of its largest number.
        left_out: why there is no time.
        versions, machine, load, commit: of packages; kind and cores; load of the last minute; of the repository if it is one.
    """

    label: str
    date: str
    case: str
    step: str
    sizes: str
    side: str
    allocator: str
    threads: int
    ms: list[float] = field(default_factory=list)
    first_ms: float | None = None
    extra_mib: float | None = None
    peak_mib: float | None = None
    difference: float | None = None
    left_out: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    load: float | None = None
    commit: str = ""

    def line(self) -> str:
        """The record as one line of JSON, numbers to six digits."""
        return json.dumps({name: _short(value) for name, value in asdict(self).items()}, ensure_ascii=False)


def read(path: Path) -> list[Record]:
    """The records of a file; a last line that was cut off is left out.

    Raises:
        ValueError: a line that is no record, with its number.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(Record(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            if number == len(lines):
                break
            raise ValueError(f"expected a record in line {number} of {path}, got {line[:60]!r}") from error
    return records


def append(path: Path, records: Iterable[Record]) -> None:
    """Add records to the end of a file, behind a line that was cut off if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(record.line() + "\n" for record in records)
    if path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        kept = path.read_text(encoding="utf-8").splitlines()[:-1]
        path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_short(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
