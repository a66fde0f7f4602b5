"""Lines and statements of the package by folder, at commits: whether the house grows lighter.

::

    python -m benchmarks.sizes 991ce95 870a101 HEAD

Statements are those of Python, docstrings left out; lines are all lines. What a commit no longer has is empty.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def git(*words: str) -> str:
    """What git answers. Raises `ValueError` with its words when it refuses."""
    finished = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ValueError(f"git {' '.join(words)}: {finished.stderr.strip()}")
    return finished.stdout


def statements(source: str) -> int:
    r"""The statements of a module, without docstrings.

    >>> statements('def double(x):\n    "Twice x."\n    return 2 * x\n')
    2
    """
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    return sum(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in nodes)


def counted(sources: Iterable[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    r"""Lines and statements of each folder of the package, from paths and texts; files beside the folders are ``.``.

    >>> counted([("graphattn/a/b/c.py", "x = 1\n"), ("graphattn/d.py", "")])
    (Counter({'a': 1, '.': 0}), Counter({'a': 1, '.': 0}))
    """
    lines, stated = Counter[str](), Counter[str]()
    for path, source in sources:
        folder = path.split("/")[1] if path.count("/") > 1 else "."
        lines[folder] += source.count("\n")
        stated[folder] += statements(source)
    return lines, stated


def at(commit: str) -> tuple[Counter[str], Counter[str]]:
    """Lines and statements at a commit."""
    paths = [
        path
        for path in git("ls-tree", "-r", "--name-only", commit, "graphattn").split()
        if path.endswith((".py", ".pyi"))
    ]
    return counted((path, git("show", f"{commit}:{path}")) for path in paths)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commits", nargs="+", metavar="COMMIT")
    commits = parser.parse_args().commits
    found = [at(commit) for commit in commits]
    table = Table("folder", *(f"{commit}, lines (statements)" for commit in commits))
    folders = sorted({folder for lines, _ in found for folder in lines}, key=lambda name: -found[-1][0][name])
    for folder in folders:
        table.add_row(
            folder, *(f"{lines[folder]:,} ({stated[folder]:,})" if folder in lines else "" for lines, stated in found)
        )
    table.add_row("all", *(f"{lines.total():,} ({stated.total():,})" for lines, stated in found))
    Console().print(table)


if __name__ == "__main__":
    main()
