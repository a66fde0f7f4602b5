"""The runner of the examples: its table, and that nothing is run twice."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[1] / "examples" / "run_all.py"
EXAMPLE = """
import json, sys
with open("../../../ran.txt", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
seed = int(sys.argv[2])
figures = {"accuracy": 0.98 + seed / 100, "of parts": {"ones": seed}, "name": "x", "chance": 0.5}
bounds = {"accuracy": "> 0.985", "of parts": {"ones": "<= 2"}}
print("RESULT", json.dumps({"example": "small", "seed": seed, **figures, "bounds": bounds, "reached": seed > 0}))
"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("run_all", RUNNER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "small.py").write_text(EXAMPLE)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "EXAMPLES", ["small"])
    monkeypatch.setattr(module, "NEEDS", {})
    return module


def call(runner, monkeypatch, tmp_path, *asked):
    monkeypatch.setattr(sys, "argv", ["run_all.py", "--out", str(tmp_path / "out"), *asked])
    return runner.main()


def ran(tmp_path) -> list[str]:
    return (tmp_path / "ran.txt").read_text().splitlines()


def test_every_example_is_listed():
    spec = importlib.util.spec_from_file_location("run_all", RUNNER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    printing = {path.stem for path in RUNNER.parent.glob("*.py") if 'print("RESULT"' in path.read_text()}
    assert printing <= set(module.EXAMPLES)


def test_table_has_mean_spread_bound_and_whether_it_was_reached(runner, monkeypatch, tmp_path):
    assert call(runner, monkeypatch, tmp_path) == 0
    lines = (tmp_path / "out" / "full" / "examples.csv").read_text().splitlines()
    assert lines[:4] == [
        "example,figure,mean,spread,seeds,bound,reached",
        "small,accuracy,0.99,0.01,3,> 0.985,2 of 3",
        'small,"of parts, ones",1,1,3,<= 2,3 of 3',
        "small,chance,0.5,0,3,,",
    ]
    assert lines[4].startswith("small,seconds,")
    assert lines[5].startswith("small,CPU seconds,")
    assert float(lines[5].split(",")[2]) <= float(lines[4].split(",")[2]) + 0.1  # one process that computes nothing
    table = (tmp_path / "out" / "full" / "examples.md").read_text().splitlines()
    assert table[2] == "| small | accuracy | 0.99 | 0.01 | 3 | > 0.985 | 2 of 3 |"


def test_what_has_finished_is_not_run_again_unless_it_changed(runner, monkeypatch, tmp_path):
    call(runner, monkeypatch, tmp_path, "--seeds", "2")
    call(runner, monkeypatch, tmp_path, "--seeds", "3")
    assert ran(tmp_path) == [f"--seed {seed} --out ." for seed in range(3)]
    (tmp_path / "small.py").write_text(EXAMPLE + "# changed\n")
    call(runner, monkeypatch, tmp_path, "--seeds", "1")
    assert ran(tmp_path)[3:] == ["--seed 0 --out ."]


def test_fast_is_one_seed_and_kept_apart(runner, monkeypatch, tmp_path):
    call(runner, monkeypatch, tmp_path, "--fast")
    call(runner, monkeypatch, tmp_path, "--seeds", "1")
    assert ran(tmp_path) == ["--seed 0 --out . --fast", "--seed 0 --out ."]


def test_an_example_that_says_of_nothing_whether_it_is_reached(runner):
    assert [row.figure for row in runner.rows([{"example": "small", "seed": 0, "accuracy": 0.5}])] == ["accuracy"]


def test_an_example_without_bounds_says_whether_its_own_are_reached(runner):
    results = [{"example": "small", "seed": seed, "reached": seed > 0, "accuracy": 0.5} for seed in range(3)]
    assert [tuple(row) for row in runner.rows(results)] == [
        ("small", "all bounds in the file", "", "", 3, "", "2 of 3"),
        ("small", "accuracy", "0.5", "0", 3, "", ""),
    ]


@pytest.mark.parametrize(("text", "said"), [("1 / 0", "ZeroDivisionError"), ("print(1)", "no line RESULT")])
def test_a_failure_is_said_and_the_others_go_on(runner, monkeypatch, tmp_path, capsys, text, said):
    (tmp_path / "broken.py").write_text(text)
    monkeypatch.setattr(runner, "EXAMPLES", ["broken", "small"])
    assert call(runner, monkeypatch, tmp_path, "--fast") == 1
    assert said in " ".join(capsys.readouterr().out.split())
    assert ran(tmp_path) == ["--seed 0 --out . --fast"]
    assert not list((tmp_path / "out" / "fast").glob("broken-0.json"))


def test_an_unknown_example_is_refused(runner, monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        call(runner, monkeypatch, tmp_path, "larger")
    assert "expected examples of small, got larger" in capsys.readouterr().err


def test_what_lacks_its_extra_is_left_out(runner, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(runner, "NEEDS", {"small": ("convert", "no_such_package")})
    assert call(runner, monkeypatch, tmp_path, "--fast") == 0
    assert "left out: small needs pip install 'graphattn[convert]'" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_an_interruption_leaves_what_has_finished(tmp_path):
    text = RUNNER.read_text().replace('"xor", ', '"quick", "slow", ')
    (tmp_path / "run_all.py").write_text(text)
    result = json.dumps({"example": "quick", "seed": 0, "accuracy": 1.0})
    (tmp_path / "quick.py").write_text(f"print('RESULT', '{result}')")
    (tmp_path / "slow.py").write_text("import time, pathlib; pathlib.Path('begun').touch(); time.sleep(60)")
    asked = [sys.executable, "run_all.py", "quick", "slow", "--fast", "--out", "out"]
    # A shell that runs the suite in the background has its children ignore the signal.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(asked, cwd=tmp_path, stdout=subprocess.PIPE, text=True, preexec_fn=heed)
    begun = tmp_path / "out" / "fast" / "slow-0" / "begun"
    for _ in range(600):
        if begun.exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert (tmp_path / "out" / "fast" / "quick-0.json").exists()
    assert not (tmp_path / "out" / "fast" / "slow-0.json").exists()
    assert "| quick | accuracy | 1 |" in (tmp_path / "out" / "fast" / "examples.md").read_text()
