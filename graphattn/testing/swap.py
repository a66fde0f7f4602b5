"""A pytest plugin that runs PyG's own tests on graphattn's drop-ins.

In a checkout of PyG::

    pytest -p graphattn.testing.swap test/nn/conv/test_transformer_conv.py

Before any test is collected, PyG's classes are replaced by those of :mod:`graphattn.pyg` in every module of PyG that names
them, PyG's own models included. At the end a table tells, file by file, how many calls graphattn answered and how many PyG
did, and why. Calls inside a compiled graph are not counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from graphattn.pyg import DROP_INS, calls, forget_calls


class Tally(NamedTuple):
    """What happened in one test file."""

    outcomes: Counter[str]
    theirs: Counter[str]
    ours: Counter[str]

    def row(self, file: str) -> str:
        """One line of the table, in Markdown."""
        reasons = "; ".join(f"{reason} ({count})" for reason, count in self.theirs.most_common())
        results = [str(self.outcomes[outcome]) for outcome in ("passed", "skipped", "failed")]
        counts = [str(self.ours.total()), str(self.theirs.total())]
        return f"| {' | '.join([file, *results, *counts, reasons])} |"


HEADER = "| file | passed | skipped | failed | our calls | PyG's calls | why PyG's |\n|---|---|---|---|---|---|---|"
TALLIES = pytest.StashKey[dict[str, Tally]]()
REPLACED = pytest.StashKey[list[tuple[object, str, type]]]()


def swap() -> list[tuple[object, str, type]]:
    """Put the drop-ins in the place of PyG's classes; returns what :func:`swap_back` needs."""
    replaced = []
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "torch_geometric"]
    for theirs, ours in DROP_INS.items():
        for module in modules:
            # Where a class is defined it stays: pickle and TorchScript look for it there.
            if vars(module).get(theirs.__name__) is theirs and module.__name__ != theirs.__module__:
                setattr(module, theirs.__name__, ours)
                replaced.append((module, theirs.__name__, theirs))
    return replaced


def swap_back(replaced: list[tuple[object, str, type]]) -> None:
    """Undo :func:`swap`."""
    for module, name, theirs in replaced:
        setattr(module, name, theirs)


def pytest_configure(config: pytest.Config) -> None:
    """Swap before anything is collected."""
    config.stash[TALLIES] = {}
    config.stash[REPLACED] = swap()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave PyG as it was."""
    swap_back(config.stash.get(REPLACED, []))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count the calls of one test."""
    forget_calls()
    result = yield
    tally = _tally_of(item.config, item.nodeid)
    for name, made in calls().items():
        tally.ours[name] += made.ours
        tally.theirs.update(made.theirs)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Count the outcome of one test."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        _tally_of(item.config, item.nodeid).outcomes[report.outcome] += 1
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    terminalreporter.section("calls of graphattn's drop-ins")
    terminalreporter.write_line(HEADER)
    for file, tally in config.stash[TALLIES].items():
        terminalreporter.write_line(tally.row(file))


def _tally_of(config: pytest.Config, nodeid: str) -> Tally:
    return config.stash[TALLIES].setdefault(nodeid.partition("::")[0], Tally(Counter(), Counter(), Counter()))
