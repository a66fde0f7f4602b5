"""Two commits beside each other: the trees, the turns, the cases and the table."""

import io
import json

import pytest
from typer.testing import CliRunner

from benchmarks import sides
from benchmarks.kernels import before_after, before_after_side
from benchmarks.kernels.__main__ import application
from benchmarks.kernels.before_after import Compared, Measured, Plan
from benchmarks.records import ROOT

in_a_repository = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the commits of this repository")
# Answers as a side does; what it says of the case is `made`, a step takes the given seconds.
SPEAKING = """
import json, sys
print(json.dumps({"file": %r}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "case" in asked:
        answer = %s
    elif "calls" in asked:
        answer = {"cpu": 0.1 * asked["calls"], "wall": 0.2}
    else:
        answer = {"rss_mib": 8.0, "tensors_mib": 6.0}
    print(json.dumps(answer), flush=True)
"""
MADE = {"sizes": "few", "backend": "csr", "norms": {"forward": [1.0]}}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """What both sides run, with nothing to compute."""
    monkeypatch.setattr(sides, "files_of", lambda commit: ROOT)

    def written(made):
        path = tmp_path / "side.py"
        path.write_text(SPEAKING % (str(ROOT / "graphattn" / "__init__.py"), made))
        return path

    return written


def test_which_side_begins_is_drawn():
    turns = list(sides.turns(["a", "b"], 100))
    rounds = list(zip(turns[::2], turns[1::2], strict=True))
    assert set(rounds) == {("a", "b"), ("b", "a")}
    assert 35 < rounds.count(("a", "b")) < 65


@in_a_repository
def test_the_files_of_a_commit_are_kept(tmp_path):
    tree = sides.files_of("HEAD", tmp_path / "trees")
    assert (tree / "graphattn" / "__init__.py").is_file()
    (tree / "compiled").touch()
    assert sides.files_of("HEAD", tmp_path / "trees") == tree
    assert [path.name for path in tree.parent.iterdir()] == ["HEAD"]
    assert (tree / "compiled").exists()


@in_a_repository
def test_a_step_has_times_and_memory_of_both_sides(program):
    plan = Plan(("some",), "tried", rounds=3, allocators=("default",), program=program(repr(MADE)))
    (step,) = before_after.measure("HEAD", plan)
    assert (step.case, step.step, step.sizes, step.label, step.difference) == (
        "some",
        "forward",
        "few",
        "tried",
        0.0,
    )
    assert step.before.commit == sides.full("HEAD")
    assert step.before.cpu_ms == step.after.cpu_ms == [100.0] * 3
    assert step.before.wall_ms == [200.0] * 3
    assert (step.after.rss_mib, step.after.tensors_mib, step.after.backend) == (8.0, 6.0, "csr")


@in_a_repository
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("{'error': 'NameError: no such layer'}", "before: NameError: no such layer; after: NameError: no such layer"),
        (
            f"{MADE} | {{'norms': {{'forward': [1.1 ** (__import__('os').getpid() % 4096)]}}}}",
            "results differ by ",
        ),
    ],
)
def test_what_cannot_be_compared_is_left_out(program, made, reason):
    (step,) = before_after.measure("HEAD", Plan(("some",), allocators=("tuned",), program=program(made)))
    assert reason in step.left_out
    assert f"left out: {reason}" in before_after.row(step.cells())
    assert step.after.cpu_ms == []


def found(case):
    then, now = (
        Measured("abc", "csr", [8.0, 6.0, 4.0], [9.0] * 3, 70.0, 60.0),
        Measured("def", "csr", [1.0, 2.0, 4.0], [3.0] * 3, 10.0, 6.0),
    )
    return Compared("tried", "2026-01-02", case, "forward", "few", "default", 1, then, now, 0.0)


def test_the_table_has_ratios_of_medians_and_their_spread(tmp_path):
    line = "| GAT | forward | default | 6 | 2 | 3.00 | 1.00 to 8.00 | 4.00 | 3.00 | 60 -> 6 | 70 -> 10 |"
    assert before_after.row(found("GAT").cells()) == line
    assert "Before is abc, after def; 2026-01-02; 1 threads" in before_after.where([found("GAT")])
    path = tmp_path / "records.jsonl"
    path.write_text(before_after.line(found("GAT")) + "\n")
    assert before_after.read(path) == [found("GAT")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--before", "no-such"], "expected a commit of this repository, got 'no-such'"),
        (["--before", "HEAD", "--case", "GATv3"], "expected cases, got none of such a name"),
        (["--before", "HEAD", "--allocator", "new"], "expected an allocator among default, tuned, got 'new'"),
        (["--before", "HEAD", "--rounds", "0"], "expected a round and a thread or more, got 0 and 1"),
    ],
)
@in_a_repository
def test_wrong_options_are_told(options, reason, tmp_path):
    told = CliRunner().invoke(application, ["before-after", *options, "--attempts", str(tmp_path / "a")])
    assert told.exit_code == 2
    assert reason in " ".join(told.output.replace("│", " ").split())


@in_a_repository
def test_the_command_prints_and_keeps_every_step(tmp_path, monkeypatch):
    def measured(before, plan):
        assert (before, plan.cases, plan.rounds, plan.shrink) == ("HEAD", ("GCN 128", "100,000 nodes, GAT 8x16"), 3, 50)
        yield found("GCN 128")
        yield found("100,000 nodes, GAT 8x16")

    monkeypatch.setattr(before_after, "measure", measured)
    file = tmp_path / "records.jsonl"
    words = ["--before", "HEAD", "--case", "GCN 1", "--case", "nodes, GAT ", "--quick", "--attempts", str(file)]
    said = CliRunner().invoke(application, ["before-after", *words]).output
    assert said.count("\n| GCN 128 | forward | default | 6 | 2 | 3.00 | ") == 1
    assert [each.case for each in before_after.read(file)] == ["GCN 128", "100,000 nodes, GAT 8x16"]
    again = CliRunner().invoke(application, ["before-after-table", "tried", "--attempts", str(file)])
    assert again.output == said
    none = CliRunner().invoke(application, ["before-after-table", "other", "--attempts", str(file)])
    assert none.exit_code == 2
    assert "got 'other'" in none.output


@pytest.mark.parametrize("name", before_after_side.CASES)
def test_cases_have_steps_with_times_and_memory(name):
    case, about = before_after_side.made(name, 1000)
    passes = [before_after_side.FORWARD, before_after_side.BOTH]
    assert list(case.steps) in (passes, [before_after_side.TRAINING])
    assert all(norm == norm for norms in about["norms"].values() for norm in norms)
    assert about["backend"] in ("accelerate", "csr", "small", "dense")


def test_a_side_answers_every_line():
    asked = [{"case": "GCN 128"}, {"step": "forward", "calls": 2}, {"step": "forward"}, {"case": "none"}]
    answers = io.StringIO()
    before_after_side.serve(io.StringIO("".join(json.dumps(each) + "\n" for each in asked)), answers, 1000)
    made, spent, memory, failed = map(json.loads, answers.getvalue().splitlines())
    assert made["sizes"] == "16 nodes, 256 edges"
    assert spent["cpu"] > 0
    assert spent["wall"] > 0
    assert memory["tensors_mib"] > 0
    assert failed == {"error": "KeyError: 'none'"}
