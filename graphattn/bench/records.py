"""What was measured: one JSON object a line, appended as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphattn.json_lines import JsonLines


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


def read(path: Path) -> list[Record]:
    """Records of a file; a last line that was cut off is left out.

    Raises:
        ValueError: a line that is no record, with its number.
    """
    lines = JsonLines(path, _record)
    for number, _, text, cut in lines.damaged:
        if not cut:
            raise ValueError(f"expected a record in line {number} of {path}, got {text[:60]!r}")
    return lines.values


def append(path: Path, records: Iterable[Record]) -> None:
    """Append records to a file, behind a line that was cut off if there is one, which is set aside."""
    lines = JsonLines(path, _record)
    lines.mend()
    lines.append({name: _short(value) for name, value in asdict(record).items()} for record in records)


def _record(found: dict[str, Any]) -> Record:
    return Record(**found)


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_short(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
