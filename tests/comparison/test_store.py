import json
import os
import signal
import subprocess
import sys

import pytest

from graphattn.comparison.record import Fit, FitRecord
from graphattn.comparison.store import Store, key


def fit(split=0, **more):
    return Fit("problem", "gcn", "edges", split, 0, settings={"epochs": 3, "fractions": (0.8, 0.1, 0.1)}, **more)


def record(split=0, score=0.5):
    return FitRecord(
        fit(split), "ok", "ROC-AUC", score=score, learned={"entropy": [0.5, 0.25]}, train_size=8, test_size=1
    )


def test_records_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    store = Store(path)
    for split in range(3):
        store.add(record(split))
    again = Store(path)
    assert len(again) == 3
    assert again.damaged == []
    found = again.find(fit(1))
    assert json.dumps(found.to_json()) == json.dumps(record(1).to_json())
    assert not again.lines.aside.exists()


def test_fits_are_equal_by_all_they_depend_on():
    same = key(fit())
    assert key(fit()) == same
    others = [fit(1), fit(split_hash="a"), fit(data_hash="a"), fit(role="permuted")]
    others += [Fit("problem", "gcn", "edges", 0, 0, settings={"epochs": 4}), Fit("problem", "gcn", "full", 0, 0)]
    assert len({same, *map(key, others)}) == len(others) + 1


def test_the_last_record_of_a_fit_counts(tmp_path):
    path = tmp_path / "results.jsonl"
    store = Store(path)
    store.add(record(score=0.5))
    store.add(record(score=0.75))
    assert Store(path).find(fit()).score == 0.75


def test_damaged_lines_are_named_and_set_aside_and_the_rest_is_used(tmp_path):
    path = tmp_path / "results.jsonl"
    store = Store(path)
    store.add(record(0))
    with path.open("ab") as file:
        file.write(b'{"fit": 3}\n[1]\n\xff\xfe\n\n')
        file.write(json.dumps(record(7).to_json() | {"score": None}).encode() + b"\n")
        file.write(json.dumps(record(7).to_json() | {"status": "fine"}).encode() + b"\n")
    store.add(record(1))
    with path.open("a") as file:
        file.write(json.dumps(record(2).to_json())[:50])
    again = Store(path)
    assert [each.number for each in again.damaged] == [2, 3, 4, 6, 7, 9]
    reasons = " ".join(each.reason for each in again.damaged)
    assert "expected a record with fit, status" in again.damaged[0].reason
    for words in ("got '[1]'", "no JSON", "got None", "'fine'"):
        assert words in reasons
    assert len(again) == 2
    aside = tmp_path / "results.damaged.jsonl"
    assert not aside.exists()
    again.lines.mend()
    assert [json.loads(line)["line"] for line in aside.read_text().splitlines()] == [2, 3, 4, 6, 7, 9]
    assert json.loads(aside.read_text().splitlines()[1])["text"] == "[1]"
    assert path.read_text().count("\n") == 2
    third = Store(path)
    assert third.damaged == []
    assert len(third) == 2


def test_reading_a_file_that_is_being_written_changes_nothing(tmp_path):
    path = tmp_path / "results.jsonl"
    Store(path).add(record(0))
    whole, line = path.read_bytes(), json.dumps(record(1).to_json()).encode() + b"\n"
    path.write_bytes(whole + line[:100])
    reader = Store(path)
    assert (len(reader), [each.number for each in reader.damaged]) == (1, [2])
    assert path.read_bytes() == whole + line[:100]
    path.write_bytes(whole + line)
    assert len(Store(path)) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["results.jsonl"]


def test_mending_twice_or_what_is_whole_changes_nothing(tmp_path):
    path = tmp_path / "results.jsonl"
    Store(path).lines.mend()
    assert not path.exists()
    Store(path).add(record(0))
    before = path.stat()
    Store(path).lines.mend()
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    path.write_bytes(b"[1]\n" + path.read_bytes())
    store = Store(path)
    store.lines.mend()
    store.lines.mend()
    assert store.lines.aside.read_text().count("\n") == 1


def test_a_disk_that_takes_a_part_gets_the_rest(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:64]))
    Store(tmp_path / "results.jsonl").add(record(0))
    monkeypatch.undo()
    assert len(Store(tmp_path / "results.jsonl")) == 1


def test_a_whole_line_without_its_end_is_a_record(tmp_path):
    path = tmp_path / "results.jsonl"
    Store(path).add(record(0))
    path.write_text(path.read_text().rstrip("\n"))
    store = Store(path)
    store.lines.mend()
    store.add(record(1))
    assert store.damaged == []
    assert len(Store(path)) == 2


def test_a_kill_leaves_whole_lines(tmp_path):
    path = tmp_path / "results.jsonl"
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom graphattn.comparison.record import Fit, FitRecord\n"
        "from graphattn.comparison.store import Store\n"
        f"store = Store(Path({str(path)!r}))\n"
        "for n in range(3): store.add(FitRecord(Fit('p', 'gcn', 'edges', n, 0), 'ok', 'R2', score=0.5))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert len(Store(path)) == 3


def test_a_folder_is_no_file_of_results(tmp_path):
    with pytest.raises(ValueError, match="expected a file of results, got the folder"):
        Store(tmp_path)
