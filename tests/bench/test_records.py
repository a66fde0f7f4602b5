"""Records go into a file and come back, and tables, pictures and targets are made of them."""

import dataclasses
import io

import pytest
from rich.console import Console

from graphattn.bench import plot, records, report, table
from graphattn.bench.comparison import BOTH, FORWARD, OURS, TRAINING
from graphattn.bench.records import Record
from graphattn.bench.rows import attempts, latest, rows
from graphattn.bench.targets import TARGETS, Target, reached

CASE = "random edges, H8C16"


def record(side=OURS, ms=(1.0, 2.0, 4.0), date="2026-01-02T00:00:00+00:00", label="first", **more):
    given = {"case": CASE, "step": FORWARD, "allocator": "default", "threads": 2, "sizes": "10 nodes"} | more
    return Record(label=label, date=date, side=side, ms=list(ms), **given)


PAIR = [
    record(extra_mib=10.0, peak_mib=200.0, versions={"torch": "2"}, machine="CPU", load=0.5, commit="abc"),
    record("PyG", (8.0, 6.0, 4.0), extra_mib=70.0),
    record("PyG, torch.compile", (), left_out="no compiler"),
]
LARGE = record(ms=(5000.0,), case="a million nodes, H8C16", step=BOTH, peak_mib=8192.0)
LATER = [
    dataclasses.replace(
        each, ms=[ms / 20 for ms in each.ms] if each.side == OURS else each.ms, date="2026-02", label="x"
    )
    for each in PAIR
]


def test_records_come_back_as_they_went(tmp_path):
    path = tmp_path / "new" / "records.jsonl"
    assert records.read(path) == []
    records.append(path, PAIR[:1])
    records.append(path, PAIR[1:])
    assert records.read(path) == PAIR
    given = Record(label="é", date=records.now(), **records.surroundings(), **_places())
    assert given.versions["torch"]
    assert given.versions["graphattn"]
    records.append(path, [given])
    back = records.read(path)[-1]
    assert dataclasses.replace(back, load=None) == dataclasses.replace(given, load=None)


def _places():
    return {"case": CASE, "step": BOTH, "sizes": "", "side": OURS, "allocator": "tuned", "threads": 1}


def test_a_line_that_was_cut_off_is_forgotten_and_another_is_refused(tmp_path):
    path = tmp_path / "records.jsonl"
    records.append(path, PAIR)
    path.write_text(path.read_text()[:-20])
    assert records.read(path) == PAIR[:2]
    records.append(path, PAIR[2:])
    assert records.read(path) == PAIR
    path.write_text('{"label": 1}\n' + path.read_text())
    with pytest.raises(ValueError, match=r"a record in line 1 of .*records.jsonl, got '\{\"label\": 1\}'"):
        records.read(path)


def test_ratios_are_of_medians_with_the_spread_of_rounds():
    (row,) = rows(PAIR)
    assert (row.ratio, row.least, row.most, row.memory) == (3, 1, 8, 7)
    assert rows(PAIR[1:]) == []
    assert rows(PAIR, side="PyG") == []
    assert rows([record(extra_mib=0.1), record("PyG", extra_mib=5.0)])[0].memory is None


def test_the_last_attempt_stands_in_the_table_and_all_in_the_history():
    together = [*LATER, *PAIR, record(case="GCNConv", step=TRAINING)]
    assert [group[0].label for group in attempts(together)] == ["first", "first", "x"]
    assert [(group[0].case, group[0].label) for group in latest(together)] == [(CASE, "x"), ("GCNConv", "first")]
    text = report.history(together, CASE, FORWARD)
    assert "| 2026-01-02 | first | PyG | default | 2 | 6 | 3.00 | 1.00 to 8.00 | 10 | 70 |" in text
    assert "| 2026-02 | x | PyG | default | 0.1 | 6 | 60.00 | 20.00 to 160.00 | 10 | 70 |" in text


def test_targets_are_judged_attempt_by_attempt():
    targets = (
        Target(CASE, FORWARD, "PyG", 12, 18, ("default",)),
        Target(CASE, FORWARD, "PyG", 6, 10, measure="memory"),
        Target(CASE, FORWARD, "PyG", 1, 2, ("tuned",)),
    )
    found = reached([*PAIR, *LATER], targets)
    assert [(each.figure, each.verdict) for each in found] == [(3, "no"), (60, "stretch"), (7, "yes"), (7, "yes")]


def test_targets_are_of_cases_that_there_are():
    from graphattn.bench.cases import CASES

    assert {target.case for target in TARGETS} <= set(CASES)
    assert {str(target) for target in TARGETS if target.step not in CASES[target.case].steps} == set()
    assert {str(target) for target in TARGETS if target.stretch <= target.reach} == set()


def test_markdown_has_every_attempt_at_a_target():
    assert report.markdown([]) == "Nothing has been measured.\n"
    text = report.markdown([*PAIR, *LATER, LARGE])
    assert "| random edges, H8C16 | forward | PyG | default | 0.1 | 6 | 60.00 | 20.00 to 160.00 | 10 | 70 |" in text
    assert "time against PyG | default | 12 | 18 | 3.00 | no | 2026-01-02 | first (abc) |" in text
    assert "time against PyG | default | 12 | 18 | 60.00 | stretch | 2026-02 | x (abc) |" in text
    assert "| a million nodes, H8C16 | forward and backward |  | default | 5,000 |  |" in text
    assert "a million nodes, H8C16, forward and backward: 8.0 GiB at most, the whole process; 5.0 s" in text
    assert "- PyG, torch.compile (random edges, H8C16): no compiler" in text
    assert "2 threads; CPU; torch 2" in text


def test_the_terminal_shows_ratios_targets_and_reasons():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table.measured(PAIR, "a quick run"))
    console.print(table.goals(PAIR))
    text = console.export_text()
    for words in ("1.00 to 8.00", "3.00", "a quick run", "time against PyG", "no"):
        assert words in text
    assert table.goals([]) is None


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_drawn(tmp_path, ending):
    plot.draw([*PAIR, *LATER, record(allocator="tuned"), record("PyG", allocator="tuned")], tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").stat().st_size > 5000
    with pytest.raises(ValueError, match="records of ours and of a peer to draw, got none"):
        plot.draw(PAIR[:1], tmp_path / "b.png")
