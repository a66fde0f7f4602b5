"""Cases run in processes of their own, and what has been measured is not measured again."""

import dataclasses
import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from graphattn.bench import command, records, suite
from graphattn.bench.cases import CASES, LARGE, QUICK
from graphattn.bench.comparison import BOTH, COMPILED, FORWARD, OURS
from graphattn.bench.suite import BenchPlan, Outcome, environment, quick, run
from graphattn.bench.worker import CaseOrder, work
from graphattn.cli import app
from graphattn.environment import now

GRID = "grid of 64 x 64"
PLAN = BenchPlan((GRID,), ("default",), threads=1, rounds=2, label="a", shrink=16)


def console():
    return Console(file=io.StringIO(), width=170)


def record(step, side=OURS, **more):
    given = {"label": "a", "case": GRID, "sizes": "", "allocator": "default", "threads": 1} | more
    return records.Record(date=now(), step=step, side=side, ms=[1.0, 2.0], **given)


@pytest.fixture
def ordered(monkeypatch):
    """Orders that workers would get; each answers with one record of ours for each step that is asked for."""
    orders = []

    def events(order):
        orders.append(order)
        yield {"at": "starting"}
        for step in set(CASES[order.case].steps) - set(order.done):
            given = {"case": order.case, "allocator": order.allocator, "label": order.label, "threads": order.threads}
            yield {"records": [dataclasses.asdict(record(step, **given))]}

    monkeypatch.setattr(suite, "_events", events)
    return orders


def test_a_worker_measures_a_case_in_a_process_of_its_own(tmp_path):
    outcome = Outcome([])
    run(PLAN, outcome, tmp_path / "records.jsonl", console())
    assert outcome.failed == {}
    records.append(tmp_path / "again.jsonl", outcome.found)
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "records.jsonl").read_text()
    sides = {(each.step, each.side) for each in outcome.found}
    assert sides == {(step, side) for step in (FORWARD, BOTH) for side in (OURS, "conv2d", "conv2d, channels last")}
    assert {len(each.ms) for each in outcome.found} == {2}
    assert all(each.threads == 1 and each.first_ms > 0 and each.versions for each in outcome.found)


def test_a_worker_prints_its_records_line_by_line(capsys):
    work(CaseOrder(GRID, "a", "default", 1, rounds=1, done=(FORWARD,), shrink=16))
    lines = [json.loads(line[1:]) for line in capsys.readouterr().out.splitlines() if line.startswith("@")]
    (found,) = [line["records"] for line in lines if "records" in line]
    assert {each["step"] for each in found} == {BOTH}
    assert {"at": f"{BOTH}: round 1 of 1"} in lines


def test_what_has_been_measured_is_not_measured_again(ordered, tmp_path):
    file = tmp_path / "records.jsonl"
    before = [record(FORWARD), record(BOTH, label="b"), record(BOTH, side="conv2d"), record(BOTH, allocator="tuned")]
    outcome = Outcome(before.copy())
    run(PLAN, outcome, file, console())
    assert [order.done for order in ordered] == [(FORWARD,)]
    assert [each.step for each in records.read(file)] == [BOTH]
    run(PLAN, outcome, file, console())
    assert len(ordered) == 1


def test_each_allocator_has_its_process(ordered, monkeypatch):
    monkeypatch.setattr(suite, "_glibc", lambda: True)
    run(dataclasses.replace(PLAN, allocators=("default", "tuned")), Outcome([]), None, console())
    assert [order.allocator for order in ordered] == ["default", "tuned"]
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("GLIBC_TUNABLES", "what the user has")
    plain, tuned = map(environment, ordered)
    assert "GLIBC_TUNABLES" not in plain
    assert tuned["GLIBC_TUNABLES"] == suite.TUNED
    assert plain["OMP_NUM_THREADS"] == "1"
    assert "OMP_WAIT_POLICY" not in plain


def test_without_glibc_there_is_one_allocator(ordered, monkeypatch):
    monkeypatch.setattr(suite, "_glibc", lambda: False)
    terminal = console()
    run(dataclasses.replace(PLAN, allocators=("default", "tuned")), Outcome([]), None, terminal)
    assert [order.allocator for order in ordered] == ["default"]
    assert "left out" in terminal.file.getvalue()


def test_a_case_that_fails_is_told_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(suite, "environment", lambda order: {"PYTHONPATH": "nowhere", "PATH": ""})
    monkeypatch.setattr(suite.sys, "executable", "/bin/false")
    outcome = Outcome([])
    run(PLAN, outcome, None, console())
    assert outcome.failed == {f"{GRID}, default allocator": "the process ended with status 1"}
    monkeypatch.setattr(command, "run", lambda plan, outcome, *rest: outcome.failed.update(grid="no memory"))
    with pytest.raises(ChildProcessError, match="grid: no memory"):
        command.bench(PLAN)


def test_a_plan_without_names_is_everything_but_the_large_case():
    assert set(BenchPlan().chosen) == set(CASES) - set(LARGE)
    assert BenchPlan(label="x").allocators == ("default", "tuned")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cases": ("hub",)}, r"a case among random edges, H8C16, .*, got 'hub'"),
        ({"allocators": ("jemalloc",)}, "an allocator among default, tuned, got 'jemalloc'"),
        ({"rounds": 0}, "a round and a thread or more, got 0 and 2"),
        ({"threads": 0}, "a round and a thread or more, got 9 and 0"),
    ],
)
def test_plans_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        BenchPlan(**options)


def test_a_quick_run_has_few_cases_and_rounds_and_compiles_nothing(ordered):
    plan = quick(BenchPlan())
    assert (plan.cases, plan.rounds, plan.allocators) == (QUICK, 5, ("default",))
    assert COMPILED in plan.without
    assert quick(BenchPlan((GRID,), rounds=3)).cases == (GRID,)
    assert quick(BenchPlan(rounds=3)).rounds == 3
    result = CliRunner().invoke(app, ["bench", "--quick", "--threads", "1"])
    assert result.exit_code == 0, result.output
    assert [order.case for order in ordered] == list(QUICK)
    assert "A quick run: few cases" in result.output


def test_the_command_line_writes_draws_and_goes_on(ordered, tmp_path, monkeypatch):
    file = tmp_path / "records.jsonl"
    records.append(file, [record(FORWARD, threads=2), record(FORWARD, side="conv2d", threads=2)])
    words = ["bench", "--case", GRID, "--allocator", "default", "--label", "a", "--json", str(file)]
    result = CliRunner().invoke(app, [*words, "--plot", str(tmp_path / "a.svg")])
    assert result.exit_code == 0, result.output
    assert [order.done for order in ordered] == [(FORWARD,)]
    assert (tmp_path / "a.svg").exists()
    assert len(records.read(file)) == 3
    CliRunner().invoke(app, ["bench", "--large", "--allocator", "default"])
    assert ordered[-1].case == LARGE[0]
    refused = CliRunner().invoke(app, ["bench", "--case", "hub"])
    assert refused.exit_code == 1
    assert "got 'hub'" in refused.stderr


def test_what_was_found_is_printed_when_the_run_is_stopped(monkeypatch):
    def stopped(plan, outcome, *rest):
        outcome.found += [record(FORWARD), record(FORWARD, side="conv2d")]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", stopped)
    result = CliRunner().invoke(app, ["bench"], env={"COLUMNS": "200"})
    assert result.exit_code == 130
    assert "conv2d" in result.output
    assert "stopped by Ctrl-C" in result.stderr
