"""Two versions of the code beside each other: a process for each, which works whenever it is asked to."""

import io
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from benchmarks.records import ROOT

TREES = ROOT / "runs" / "trees"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def full(commit: str) -> str:
    """The short name of a commit. Raises `ValueError` if this repository has none of that name."""
    words = ["git", "rev-parse", "--verify", "--quiet", "--short", f"{commit}^{{commit}}"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        raise ValueError(f"expected a commit of this repository, got {commit!r}")
    return found.stdout.strip()


def files_of(commit: str, folder: Path = TREES) -> Path:
    """The files of a commit, in a folder that is kept, so that kernels which were compiled there are found again."""
    tree = folder / commit
    if not tree.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as unfinished:
            packed = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(Path(unfinished) / commit, filter="data")
            (Path(unfinished) / commit).rename(tree)
    return tree.resolve()


class Side:
    """A process that works with the graphattn of `tree` each time that it is asked."""

    def __init__(self, name: str, process: subprocess.Popen[str], said: IO[str]) -> None:
        self.name, self.process, self.said = name, process, said

    def hear(self) -> dict[str, Any]:
        """The next answer. Raises `ValueError` with the last words of a process that ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.said.seek(0)
            words = self.said.read().strip().splitlines() or ["nothing"]
            raise ValueError(f"expected an answer of {self.name}, but it has ended; its last words: {words[-1]}")
        return json.loads(line)

    def ask(self, line: str = "") -> dict[str, Any]:
        """The answer to a line. Raises `ValueError` as `hear` does."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # what it said last tells why
            os.write(self.process.stdin.fileno(), f"{line}\n".encode())
        return self.hear()


@contextmanager
def started(
    name: str, program: Path, words: Sequence[str], tree: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Side, dict[str, Any]]]:
    """A side that is ready, and its first answer, which has the `file` of its graphattn.

    Raises `ValueError` if that is another than the one of `tree`.
    """
    command = [sys.executable, "-P", str(program), *words]
    known = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    with TemporaryFile("w+", encoding="utf-8") as said:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        around = known | {"PYTHONPATH": str(tree)} | environment
        with subprocess.Popen(command, env=around, cwd=tree, text=True, **pipes) as process:
            try:
                side = Side(name, process, said)
                about = side.hear()
                if not Path(about["file"]).resolve().is_relative_to(tree.resolve()):
                    raise ValueError(f"expected the graphattn of {tree}, got {about['file']}")
                yield side, about
            finally:
                process.kill()


def on_threads(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use so many threads."""
    return dict.fromkeys(_THREADS, str(threads))


def turns(sides: Sequence[str], rounds: int) -> Iterator[str]:
    """Each side once a round; which begins is drawn, so that nothing periodic meets one side more often."""
    drawn = random.Random(0)
    for _ in range(rounds):
        yield from drawn.sample(list(sides), len(sides))
