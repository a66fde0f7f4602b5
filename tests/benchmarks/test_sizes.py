"""Lines and statements of the package by folder, at commits."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import sizes

ROOT = Path(__file__).parents[2]


def test_docstrings_are_no_statements():
    assert (
        sizes.statements('"""A module."""\nx: int = 1\nif x:\n    "no docstring, but of no effect"\n    x += 1\n') == 3
    )


def test_a_commit_is_counted(monkeypatch):
    tree = {"ls-tree": "graphattn/a/b.py\ngraphattn/a/style.css\ngraphattn/c.pyi\n", "show": "x = 1\ny = 2\n"}
    monkeypatch.setattr(sizes, "git", lambda word, *others: tree[word])
    lines, stated = sizes.at("HEAD")
    assert (dict(lines), dict(stated)) == ({"a": 2, ".": 2}, {"a": 2, ".": 2})


def test_a_commit_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="git show nothing-of-that-name: "):
        sizes.git("show", "nothing-of-that-name")


def test_the_command_prints_a_row_for_each_folder():
    asked = [sys.executable, "-m", "benchmarks.sizes", "HEAD"]
    printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(folder in printed for folder in ("backends", "topology", "all"))
