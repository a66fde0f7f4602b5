"""Records go into a file and come back, and tables and pictures are made of them."""

import dataclasses
import io

import pytest
from rich.console import Console

from graphattn import environment
from graphattn.bench import plot, records, table
from graphattn.bench.comparison import BOTH, FORWARD, OURS, TRAINING
from graphattn.bench.records import Record
from graphattn.bench.rows import attempts, latest, rows

CASE = "random edges, H8C16"


def record(side=OURS, ms=(1.0, 2.0, 4.0), date="2026-01-02T00:00:00+00:00", label="first", **more):
    given = {"case": CASE, "step": FORWARD, "allocator": "default", "threads": 2, "sizes": "10 nodes"} | more
    return Record(label=label, date=date, side=side, ms=list(ms), **given)


PAIR = [
    record(extra_mib=10.0, peak_mib=200.0, versions={"torch": "2"}, machine="CPU", load=0.5, commit="abc"),
    record("PyG", (8.0, 6.0, 4.0), extra_mib=70.0),
    record("PyG, torch.compile", (), left_out="no compiler"),
]
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
    given = Record(label="é", date=environment.now(), **environment.surroundings(), **_places())
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


def test_the_last_attempt_stands_in_the_table_():
    together = [*LATER, *PAIR, record(case="GCNConv", step=TRAINING)]
    assert [group[0].label for group in attempts(together)] == ["first", "first", "x"]
    assert [(group[0].case, group[0].label) for group in latest(together)] == [(CASE, "x"), ("GCNConv", "first")]


def test_the_terminal_shows_ratios_and_their_spread():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table.measured(PAIR, "a quick run"))
    text = console.export_text()
    for words in ("1.00–8.00", "3.00", "a quick run"):
        assert words in text


def test_the_terminal_shows_all_of_it_in_80_columns():
    named = {
        "case": "256 molecules, complete with bias, layer",
        "step": TRAINING,
        "allocator": "default",
        "ms": [1234.5],
        "extra_mib": 1234.5,
    }
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table.measured([record(**named), record("TransformerConv", **named)]))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for words in ("molecules,", "complete", "training", "default", "1,234", "1.00–1.00"):
        assert words in text
    assert text.count("1,234") == 4


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_drawn(tmp_path, ending):
    plot.draw([*PAIR, *LATER, record(allocator="tuned"), record("PyG", allocator="tuned")], tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").stat().st_size > 5000
    with pytest.raises(ValueError, match="records of ours and of a peer to draw, got none"):
        plot.draw(PAIR[:1], tmp_path / "b.png")
