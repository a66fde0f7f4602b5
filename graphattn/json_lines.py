"""Results in a file, one JSON object on each line, so that a long series that was stopped resumes where it was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, final

from graphattn import files

T = TypeVar("T")


class DamagedLine(NamedTuple):
    """A line that is no record: its number, counted from 1, what is wrong with it, and whether it is last and lacks its end."""

    number: int
    reason: str
    text: str
    cut: bool


@final
class JsonLines(Generic[T]):
    """Values of a file with one JSON object on each line.

    Reading changes nothing, so that results can be read while a run goes on. A process that alone writes the file calls
    :meth:`mend` before its first :meth:`append`. Lines are appended in one write, so that a kill between two of them loses
    nothing.

    Args:
        path: of the file; it and its folder are made by the first :meth:`append`.
        parse: makes a value of an object; a ``ValueError`` or ``TypeError`` marks the line as damaged.

    Raises:
        ValueError: ``path`` is a folder.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
    >>> JsonLines(path, dict).append([{"seed": 0, "accuracy": 0.9}])
    >>> JsonLines(path, dict).values
    [{'seed': 0, 'accuracy': 0.9}]
    """

    def __init__(self, path: Path, parse: Callable[[dict[str, Any]], T]) -> None:
        if path.is_dir():
            raise ValueError(f"expected a file of results, got the folder {path}")
        self.path = path
        self.values: list[T] = []
        self.damaged: list[DamagedLine] = []
        self._kept: list[str] = []
        lines = path.read_bytes().decode("utf-8", errors="replace").split("\n") if path.exists() else [""]
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                self.values.append(parse(_object(line)))
            except (ValueError, TypeError) as error:
                # A last line without its end was cut off, or is being written just now.
                self.damaged.append(DamagedLine(number, str(error), line, cut=number == len(lines)))
            else:
                self._kept.append(line)
        self._whole = not lines[-1] and not self.damaged

    @property
    def aside(self) -> Path:
        """File to which :meth:`mend` moves damaged lines."""
        return self.path.with_name(f"{self.path.stem}.damaged{self.path.suffix}")

    def mend(self) -> None:
        """Move damaged lines to :attr:`aside`, each with its number, and rewrite the file without them.

        Only for a process that holds the file alone: what another wrote since it was read would be lost. A file without damage
        stays as it is.
        """
        if self._whole:
            return
        if self.damaged:
            damaged = [{"line": each.number, "text": each.text} for each in self.damaged]
            JsonLines(self.aside, dict).append(damaged)
        files.write(self.path, "".join(f"{line}\n" for line in self._kept))
        self._whole = True

    def append(self, objects: Iterable[dict[str, Any]]) -> None:
        """Append a line for each object; all are on disk when this returns."""
        left = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            while left:  # a disk that is nearly full takes less at once
                left = left[os.write(file, left) :]
            os.fsync(file)
        finally:
            os.close(file)


def finished(file: Path, key: dict[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Object of ``file`` that contains all of ``key``, or the result of ``work()``, which is then appended to the file.

    Args:
        file: with a JSON object on each line; made if it is not there. A last line that was cut short is computed again.
        key: all that the result depends on, as JSON has it.
        work: returns a result, to which ``key`` and the ``seconds`` and ``cpu_seconds`` it took are added.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "results.jsonl"
    >>> finished(file, {"seed": 0}, lambda: {"accuracy": 0.9})["accuracy"]
    0.9
    >>> finished(file, {"seed": 0}, lambda: {"accuracy": 0.5})["accuracy"]
    0.9
    """
    lines = JsonLines(file, dict)
    lines.mend()
    for found in lines.values:
        if key.items() <= found.items():
            return found
    wall, cpu = time.perf_counter(), time.process_time()
    result = key | work()
    result |= {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    lines.append([result])
    return result


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at character {error.colno}") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected a record, got {line[:40]!r}")
    return found
