"""Files that are whole or not there, in folders that one process at a time writes to, and that tell whether they were changed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

PARTIAL = ".partial"
"""What the name of a file ends with while it is written; a kill leaves it behind."""
MANIFEST = "manifest.json"
"""The SHA-256 of every file of a saved model, written last."""


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` in one step when the block ends, and all of it is on disk.

    A process that is killed leaves the old file or the new one; after an exception the old one is there and nothing else.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.txt"
    >>> with replacing(path) as file:
    ...     file.write(b"one"), path.exists()
    (3, False)
    >>> path.read_text()
    'one'
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}{PARTIAL}")
    with partial.open("wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink()
            raise


def write(path: str | Path, content: str | bytes) -> None:
    """Replace a file in one step, see :func:`replacing`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.txt"
    >>> write(path, "one")
    >>> path.read_text()
    'one'
    """
    with replacing(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


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


def seal(folder: Path, names: Sequence[str]) -> None:
    """Write the SHA-256 of files in a folder down, in :data:`MANIFEST`, so that :func:`verify` sees what is changed later."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    write(folder / MANIFEST, json.dumps({"sha256": digests}, indent=1) + "\n")


def is_sealed(file: Path) -> bool:
    """Whether a file is one of those that the manifest of its folder names, or the manifest; a damaged one names none."""
    path = file.parent / MANIFEST
    try:
        return file.name == MANIFEST or file.name in json.loads(path.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def verify(folder: Path, required: bool = True) -> None:
    """Check a folder against its manifest. One that was saved before there were manifests is not checked, which is logged.

    This finds accidents and edits; whoever rewrites the manifest as well is not found.

    Args:
        folder: of a saved model.
        required: whether there must be a manifest.

    Raises:
        ValueError: a missing or damaged manifest, or a file that was changed or is missing, which is named.
    """
    path = folder / MANIFEST
    if required and not path.is_file():
        raise ValueError(
            f"{folder} is incomplete: {MANIFEST} is missing; to load it as it is, say trust=True, or --trust"
        )
    if not path.is_file():
        logging.getLogger("graphattn").warning(
            "%s was saved without %s, by an earlier version: whether its files were changed is unknown",
            folder, MANIFEST,
        )  # fmt: skip
        return
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8"))["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__} {error}") from None
    for name, digest in known.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise ValueError(f"{folder} is incomplete: {name} is missing")
        if (found := hashlib.sha256(file.read_bytes()).hexdigest()) != digest:
            raise ValueError(
                f"{file} was changed since the model was saved: expected SHA-256 {str(digest)[:12]}, got {found[:12]}; "
                "to load it as it is, say trust=True, or --trust"
            )
