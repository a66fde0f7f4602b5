import pytest

from graphattn.json_lines import JsonLines, finished


def never():
    raise AssertionError("it was done already")


def test_a_result_is_had_once_for_each_key(tmp_path):
    file = tmp_path / "results.jsonl"
    first = finished(file, {"seed": 0, "row": "a"}, lambda: {"accuracy": 0.9})
    other = finished(file, {"seed": 1, "row": "a"}, lambda: {"accuracy": 0.8})
    assert (first["accuracy"], other["accuracy"]) == (0.9, 0.8)
    assert min(first["seconds"], first["cpu_seconds"]) >= 0
    assert finished(file, {"row": "a", "seed": 0}, never) == first
    assert finished(file, {"seed": 1, "row": "a"}, never) == other
    assert len(file.read_text().splitlines()) == 2


def test_what_was_stopped_in_the_middle_of_a_line_is_done_again(tmp_path):
    file = tmp_path / "results.jsonl"
    finished(file, {"seed": 0}, lambda: {"accuracy": 0.9})
    whole = file.read_text()
    file.write_text(whole + '{"seed": 1, "acc')
    finished(file, {"seed": 1}, lambda: {"accuracy": 0.7})
    assert finished(file, {"seed": 1}, never)["accuracy"] == 0.7
    assert file.read_text().startswith(whole)


def test_work_that_fails_leaves_nothing(tmp_path):
    file = tmp_path / "results.jsonl"
    with pytest.raises(AssertionError, match="it was done already"):
        finished(file, {"seed": 0}, never)
    assert not file.exists()
    assert finished(file, {"seed": 0}, lambda: {"accuracy": 1.0})["accuracy"] == 1.0


def test_objects_come_back_and_what_is_no_object_is_set_aside(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    JsonLines(path, dict).append([{"a": "é"}, {"a": 2}])
    with path.open("ab") as file:
        file.write(b'[1]\n{"a": \n{"a": 3}\n{"a"')
    lines = JsonLines(path, lambda found: found["a"])
    assert lines.values == ["é", 2, 3]
    assert [(each.number, each.cut) for each in lines.damaged] == [(3, False), (4, False), (6, True)]
    assert "expected a record, got '[1]'" in lines.damaged[0].reason
    assert "no JSON" in lines.damaged[1].reason
    lines.mend()
    lines.append([{"a": 4}])
    again = JsonLines(path, dict)
    assert (again.values, again.damaged) == ([{"a": "é"}, {"a": 2}, {"a": 3}, {"a": 4}], [])
    assert [each["line"] for each in JsonLines(lines.aside, dict).values] == [3, 4, 6]


def test_a_value_that_is_refused_is_damaged(tmp_path):
    path = tmp_path / "results.jsonl"
    JsonLines(path, dict).append([{"a": 1}, {"a": "x"}])
    lines = JsonLines(path, lambda found: int(found["a"]))
    assert lines.values == [1]
    assert "invalid literal" in lines.damaged[0].reason
