import pytest

from graphattn.training.finished import finished


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
