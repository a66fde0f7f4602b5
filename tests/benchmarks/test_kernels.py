"""The repository's command keeps records in one place and prints the tables of docs/kernels.md from them."""

import dataclasses

import pytest
from typer.testing import CliRunner

from benchmarks.kernels import first, limits, report
from benchmarks.kernels.__main__ import application
from benchmarks.kernels.targets import TARGETS, Target, reached
from benchmarks.records import ROOT
from graphattn.bench import command, records
from graphattn.bench.cases import CASES
from graphattn.bench.comparison import BOTH, FORWARD, OURS
from graphattn.bench.records import Record

CASE = "random edges, H8C16"


def record(side, ms, label="a", date="2026-01-02", case=CASE, step=FORWARD, **more):
    return Record(label, date, case, step, "10 nodes", side, "default", 2, ms, **more)


FIRST = [
    record(OURS, [1.0, 2.0, 4.0], extra_mib=10.0, versions={"torch": "2"}, machine="CPU", commit="abc"),
    record("PyG", [8.0, 6.0, 4.0], extra_mib=70.0),
    record("PyG, torch.compile", [], left_out="no compiler"),
]
SECOND = [
    record(
        OURS, [0.05, 0.1, 0.2], "x", "2026-02", extra_mib=10.0, versions={"torch": "2"}, machine="CPU", commit="abc"
    ),
    record("PyG", [8.0, 6.0, 4.0], "x", "2026-02", extra_mib=70.0),
]
LARGE = record(OURS, [5000.0], case="a million nodes, H8C16", step=BOTH, peak_mib=8192.0)


@pytest.fixture
def table_of_the_first(tmp_path):
    """A file as the first benchmark wrote it."""
    head = "allocator,threads,case,who,round,ms,cores,load,machine,versions,date,commit\n"
    rows = [
        f'default,2,"attention on edges, H8C16, forward",{who},{turn},{ms},2,0.5,x86_64,torch 2,2025-12-0{turn + 1},abc\n'
        for who, all_ms in ((OURS, (1, 2, 4)), ("PyG TransformerConv.propagate", (8, 6, 4)))
        for turn, ms in enumerate(all_ms)
    ]
    path = tmp_path / "kernels.csv"
    path.write_text(head + "".join(rows))
    return path


def test_the_first_records_are_read_as_those_of_today(table_of_the_first):
    ours, theirs = first.read(table_of_the_first)
    assert (ours.case, ours.step, ours.side, ours.ms, ours.commit) == (CASE, FORWARD, OURS, [1, 2, 4], "abc")
    assert (theirs.side, theirs.ms, theirs.date) == ("PyG", [8, 6, 4], ours.date)


def test_the_report_has_all_attempts(table_of_the_first, tmp_path):
    later = tmp_path / "kernels.jsonl"
    records.append(later, [record(OURS, [1.0, 1.0, 1.0]), record("PyG", [20.0, 20.0, 20.0])])
    text = CliRunner().invoke(application, ["report", str(table_of_the_first), str(later)]).output
    assert "| 3.00 | no | 2025-12-01 | first benchmark" in text
    assert "| 20.00 | stretch | 2026-01-02 | a |" in text
    alone = CliRunner().invoke(application, ["report", str(table_of_the_first), str(later), "--case", CASE]).output
    assert alone.count("| PyG | default |") == 2


def test_measuring_writes_tables_and_a_picture_even_if_it_is_stopped(tmp_path, monkeypatch):
    def stopped(plan, file):
        assert plan.label == "x"
        records.append(file, [record(OURS, [1.0]), record("PyG", [2.0])])
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "bench", stopped)
    CliRunner().invoke(application, ["measure", "--label", "x", "--results", str(tmp_path)])
    assert "| 2.00 |" in (tmp_path / "kernels.md").read_text()
    assert (tmp_path / "kernels.svg").exists()


def test_limits_are_timed_beside_what_they_limit():
    lines = limits.table(rounds=1, nodes=100, small=4, large=8).splitlines()
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]]
    assert names[:4] == [
        f"a complete graph of {many}, {side}" for many in (4, 8) for side in ("graphattn", "bare SDPA")
    ]
    assert names[4:] == [
        f"{step}, senders {place}"
        for place in ("anywhere", "nearby")
        for step in ("attention", "sum of keys and values")
    ]


def test_targets_are_judged_attempt_by_attempt():
    targets = (
        Target(CASE, FORWARD, "PyG", 12, 18, ("default",)),
        Target(CASE, FORWARD, "PyG", 6, 10, measure="memory"),
        Target(CASE, FORWARD, "PyG", 1, 2, ("tuned",)),
    )
    found = reached([*FIRST, *SECOND], targets)
    assert [(each.figure, each.verdict) for each in found] == [(3, "no"), (60, "stretch"), (7, "yes"), (7, "yes")]


def test_targets_are_of_cases_that_there_are():
    assert {target.case for target in TARGETS} <= set(CASES)
    assert {str(target) for target in TARGETS if target.step not in CASES[target.case].steps} == set()
    assert {str(target) for target in TARGETS if target.stretch <= target.reach} == set()


def test_all_attempts_stand_in_the_history():
    text = report.history([*SECOND, *FIRST], CASE, FORWARD)
    assert "| 2026-01-02 | a | PyG | default | 2 | 6 | 3.00 | 1.00–8.00 | 10 | 70 |" in text
    assert "| 2026-02 | x | PyG | default | 0.1 | 6 | 60 | 20–160 | 10 | 70 |" in text


def test_markdown_has_every_attempt_at_a_target():
    assert report.markdown([]) == "Nothing has been measured.\n"
    text = report.markdown([*SECOND, *FIRST, LARGE])
    assert "| random edges, H8C16 | forward | PyG | default | 0.1 | 6 | 60 | 20–160 | 10 | 70 |" in text
    assert "time against PyG | default | 12 | 18 | 3.00 | no | 2026-01-02 | a (abc) |" in text
    assert "time against PyG | default | 12 | 18 | 60.00 | stretch | 2026-02 | x (abc) |" in text
    assert "| a million nodes, H8C16 | forward and backward |  | default | 5,000 |  |" in text
    assert "a million nodes, H8C16, forward and backward: 8.0 GiB at most, the whole process; 5.0 s" in text
    assert "2 threads; CPU; torch 2" in text


def test_markdown_says_what_was_left_out():
    assert "- PyG, torch.compile (random edges, H8C16): no compiler" in report.markdown(FIRST)


def test_the_page_has_one_table_and_it_is_that_of_the_records():
    page = (ROOT / "docs" / "kernels.md").read_text()
    last = max((ROOT / "benchmarks" / "kernels" / "attempts").glob("20*.jsonl"))
    assert report.summary(records.read(last)) in page
    assert f"summary benchmarks/kernels/attempts/{last.name}`" in page
    assert page.count("\n|") <= 15 + 2
    assert len(page.splitlines()) <= 40


def test_the_summary_has_the_last_attempt_with_both_allocators():
    head = {"case": "GCNConv", "step": "training step"}
    kept = [dataclasses.replace(each, **head) for each in (*FIRST, *SECOND)]
    tuned = [dataclasses.replace(each, allocator="tuned") for each in kept[:2]]
    text = report.summary([*kept, *tuned])
    assert "| GCNConv | training step | PyG | 60.0 (20.0 to 160.0) | 3.0 (1.0 to 8.0) | 7.0 |" in text
    assert "| grid of 64 x 64 | forward | conv2d |  |  |  |" in text
