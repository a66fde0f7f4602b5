"""Work that is done once: results in a file, so that a long series goes on where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphattn import files


def finished(file: Path, key: dict[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The line of `file` that has all of `key`, or what `work()` gives, which is then added to the file.

    Args:
        file: of a JSON object on each line; made if it is not there. A last line that was cut short is done again.
        key: all that the result depends on, as JSON has it.
        work: returns a result, to which `key` and the `seconds` and `cpu_seconds` it took are added.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "results.jsonl"
    >>> finished(file, {"seed": 0}, lambda: {"accuracy": 0.9})["accuracy"]
    0.9
    >>> finished(file, {"seed": 0}, lambda: {"accuracy": 0.5})["accuracy"]
    0.9
    """
    text = file.read_text() if file.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        files.write(file, whole)
    for line in whole.splitlines():
        found = json.loads(line)
        if key.items() <= found.items():
            return found
    wall, cpu = time.perf_counter(), time.process_time()
    result = key | work()
    result |= {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    with file.open("a") as lines:
        lines.write(json.dumps(result) + "\n")
    return result
