"""The repository's command keeps records in one place and prints the tables of docs/kernels.md from them."""

import pytest
from typer.testing import CliRunner

from graphattn.bench import command, records
from graphattn.bench.comparison import FORWARD, OURS
from graphattn.bench.records import Record
from tests.benchmarks.kernels import first, limits
from tests.benchmarks.kernels.__main__ import application

CASE = "random edges, H8C16"


def record(side, ms, label="a"):
    return Record(label, "2026-01-02", CASE, FORWARD, "10 nodes", side, "default", 2, ms)


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
