"""The command for CUDA is rehearsed in Triton's interpreter; it compares equal things, and stops in time."""

import json
import time
from contextlib import suppress
from importlib.util import find_spec

import pytest
import torch

from benchmarks.cuda import __main__ as command
from benchmarks.cuda import cases, checks, table
from tests.without_libraries import said

CPU = cases.Place("cpu", torch.float32, True, "eager")
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
REHEARSED = """
import runpy
sys.argv = ["benchmarks.cuda", "--device", "interpret", "--minutes", "20", "--out", {out!r}]
try:
    runpy.run_module("benchmarks.cuda", run_name="__main__")
except SystemExit as end:
    print("status", end.code)
"""


@needs_triton
def test_a_rehearsal_checks_and_measures_all_there_is(tmp_path):
    lines = said(REHEARSED.format(out=str(tmp_path)))
    assert lines[0].startswith("Rehearsal in Triton's interpreter")
    assert [line.split(" (")[0] for line in lines if line.startswith("- ")] == [
        f"- {check.__name__.replace('_', ' ')}: ok" for check in checks.CHECKS if check is not checks.flexible
    ]
    assert lines[-2:] == ["All is measured; 0 checks failed.", "status 0"]
    assert (tmp_path / "table.md").read_text().splitlines() == lines[:-1]
    rows = [table.Row(**json.loads(line)) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row.peer for row in rows if row.left_out} == {cases.VARLEN, cases.SPMM}
    assert {row.left_out.split(":")[0] for row in rows if row.left_out} == {"NotImplementedError"}
    measured = {(row.case.split(" ")[0], row.peer) for row in rows if row.ours_ms and row.peer_ms}
    assert measured >= {("attention", cases.PADDED), ("GCN", cases.EAGER), ("GCN", cases.CACHED)}
    assert {
        (layer, peer) for layer in ("attention", "GAT", "GATv2") for peer in (cases.EAGER, cases.COMPILED)
    } < measured


def test_without_a_device_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main([]) == 1
    assert capsys.readouterr().out.startswith("There is no CUDA device here: nothing is measured.")


def test_it_stops_in_time_and_keeps_what_it_has(tmp_path, monkeypatch):
    def endless(rehearsal, minutes, log):
        log.say("first")
        for _ in range(1000):
            with suppress(Exception):
                time.sleep(0.01)

    monkeypatch.setattr(command, "tried", endless)
    monkeypatch.setattr(command, "START", time.monotonic())
    assert command.run(rehearsal=True, minutes=1 / 60, out=tmp_path) == 0
    assert (tmp_path / "table.md").read_text() == "first\n\nStopped after 0.0166667 minutes.\n"


@pytest.mark.parametrize("spread", [cases.even, cases.power_law])
@pytest.mark.parametrize(
    ("layer", "peers"),
    [
        ("GCN", (cases.EAGER, cases.CACHED, cases.SPMM)),
        *((name, (cases.EAGER,)) for name in ("attention", "GAT", "GATv2")),
    ],
)
def test_layers_on_edges_are_those_of_pyg(layer, peers, spread):
    case = cases.on_edges(layer, (8, 16), spread, peers, CPU)
    rows = list(table.measured(case, CPU, 1, copy=1.0))
    assert [(row.what, row.peer, row.left_out) for row in rows] == [
        (what, peer, "") for what in (table.FORWARD, table.BOTH) for peer in peers
    ]
    assert all(row.speed > 0 for row in rows)


@pytest.mark.parametrize("make", [cases.small_graphs, cases.bonds, cases.long_graphs])
def test_whole_graphs_are_those_that_are_padded(make):
    rows = list(table.measured(make(CPU), CPU, 1, copy=1.0))
    assert [(row.peer, row.left_out, row.speed) for row in rows] == [(cases.PADDED, "", None)] * 2


def test_different_results_and_failures_are_rows_that_say_so():
    def fails():
        raise RuntimeError("out of | memory\nand more")

    x = torch.ones(2, requires_grad=True)
    case = cases.Case("x", {cases.OURS: lambda: x * 1, "other": lambda: x * 2, "fails": fails}, (x,))
    other, fails_, *_ = table.measured(case, CPU, 1, copy=1.0)
    assert other.left_out == "AssertionError: Tensor-likes are not close!"
    assert fails_.cells()[3:5] == ("fails", "left out: RuntimeError: out of / memory")


def test_a_check_that_fails_is_counted_and_a_late_one_is_not_run(tmp_path):
    def broken_kernel(device, tiny):
        raise AssertionError("expected cuda among the backends")

    log = table.Log(tmp_path)
    assert table.checked([broken_kernel], "cpu", True, log, until=float("inf")) == 1
    assert table.checked([broken_kernel], "cpu", True, log, until=0.0) == 0
    failed, late = (tmp_path / "table.md").read_text().splitlines()
    assert failed.startswith("- broken kernel: FAILED: AssertionError: expected cuda among the backends (")
    assert late == "- broken kernel: not run, the time for checks is over"


def test_rows_have_ratios_of_medians_their_spread_and_speed():
    row = table.Row("sum", "float32", "forward", "PyG", [1.0, 2.0, 4.0], [8.0, 6.0, 4.0], 1500.0, 3000.0)
    assert row.cells()[3:] == ("PyG", "2.000", "6.000", "3.00", "1.00 to 8.00", "1,500", "50%")
