"""Files that are whole or not there, in folders that one process at a time writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def write(path: str | Path, content: str | bytes) -> None:
    """Replace a file in one step, and only when all of it is on disk: a process that is killed leaves the old one or the new one.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.txt"
    >>> write(path, "one")
    >>> path.read_text()
    'one'
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Nobody else is inside with the same file ``lock``; the system lets go of that of a process that was killed.

    Args:
        lock: a file in the folder in question, made if it is not there.
        what: what is done inside, for the message.

    Raises:
        ValueError: another process is inside.
    """
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"expected one {what} at a time in {lock.parent}, got a second one while another runs"
        ) from None
