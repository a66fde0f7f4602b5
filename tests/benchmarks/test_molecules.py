"""The helpers of the molecule benchmarks: rows that are kept, statistics, peers."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks import sides
from benchmarks.molecules import bbb, epoch, epoch_profile, epoch_side, figure, forests, report, solubility, timing
from benchmarks.molecules.__main__ import application
from benchmarks.molecules.chemprop import Chemprop
from benchmarks.molecules.forest import Forest
from benchmarks.molecules.graphattn_model import Graphattn
from benchmarks.molecules.model import HoldOut, Outcome, Problem
from benchmarks.records import ROOT, Results, Spent, provenance, timed
from graphattn.bench import records as kept
from graphattn.bench.records import Record
from graphattn.data.molecules.chemistry import label, read
from graphattn.data.molecules.fingerprints import fingerprints
from graphattn.data.splits import Split
from graphattn.training.module import LearningModule
from graphattn.training.molecules.forests import fitting
from graphattn.training.recipe import MoleculeRecipe

SMILES = [chain + end for chain in ("C", "CC", "CCC", "CCCC", "CCCCC") for end in ("O", "N", "Cl", "C=O")]
PROBLEM = Problem(SMILES, np.array([text.endswith("O") for text in SMILES], dtype=np.int64))
SPLIT = Split(np.arange(12), np.arange(12, 16), np.arange(16, 20))


def rows(path: Path) -> Results:
    return Results(path, ("model", "seed"), ("roc_auc",))


def constant(problem, split, seed):
    """A model that knows the training share of each class and nothing else."""
    share = np.bincount(problem.labels[split.train], minlength=problem.labels.max() + 1) / len(split.train)
    return Outcome(None, np.tile(share, (len(split.test), 1)), Spent(2.0, 1.0), Spent(), "constant 1")


def test_rows_are_kept_and_found_again(tmp_path):
    kept = rows(tmp_path / "deep" / "rows.csv")
    assert not kept.has(model="a", seed=0)
    kept.append({"model": "a", "seed": 0, "roc_auc": 0.123456789} | provenance("x 1"))
    kept.append({"model": "a", "seed": 1, "roc_auc": None} | provenance("x 1"))
    assert kept.has(model="a", seed=0)
    assert not kept.has(model="b", seed=0)
    assert not kept.has(model="a", seed=2)
    assert kept.frame()["roc_auc"].tolist()[0] == 0.123457
    assert kept.frame()["roc_auc"].isna().tolist() == [False, True]


def test_file_with_other_columns_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("model,speed\na,1\n")
    with pytest.raises(
        ValueError, match=r"rows.csv has the columns \['model', 'speed'\]; expected \['model', 'seed', 'roc_auc'"
    ):
        rows(tmp_path / "rows.csv").frame()


def test_time_of_children_counts():
    with timed() as spent:
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert spent.cpu > 0
    assert spent.wall > 0


def test_difference_is_students_interval():
    found = report.difference([0.9, 0.8, 0.7, 0.9], [0.8, 0.8, 0.6, 0.7])
    assert found.mean == pytest.approx(0.1)
    assert found.high - found.mean == pytest.approx(3.182446 * np.std([0.1, 0, 0.1, 0.2], ddof=1) / 2)
    assert (found.least, found.most, found.pairs) == (pytest.approx(0.0), pytest.approx(0.2), 4)
    assert report.difference([0.9], [0.8]).low == -np.inf


@pytest.mark.parametrize(("ours", "theirs", "counts"), [([1.0], [1.0, 2.0], "1 and 2"), ([], [], "0 and 0")])
def test_difference_needs_pairs(ours, theirs, counts):
    with pytest.raises(ValueError, match=f"same length; got {counts} values"):
        report.difference(ours, theirs)


def test_only_shared_splits_are_paired():
    frame = pd.DataFrame(
        [("graphattn", 0, 0.9, 1.0), ("graphattn", 1, 0.8, 3.0), ("forest", 1, 0.7, 6.0), ("forest", 2, 0.1, 1.0)],
        columns=["model", "seed", "roc_auc", "train_wall_s"],
    )
    line = report.paired(frame, ["seed"], "roc_auc", ["graphattn", "graphattn ensemble"]).iloc[0]
    assert (line["difference"], line["n"], line["mean roc_auc"]) == ("graphattn - forest", 1, "+0.1000")
    share = report.ratios(frame, ["seed"], ["train_wall_s"], ["graphattn"]).iloc[0]
    assert (share["time"], share["train_wall_s"]) == ("graphattn / forest", "0.500")


def test_forest_learns_and_repeats():
    problem = Problem(SMILES, np.array(["N" in text for text in SMILES], dtype=np.int64))
    first, again = (Forest(fingerprints)(problem, SPLIT, 3) for _ in range(2))
    assert first.test[:, 1].argmax() == [SMILES[i] for i in SPLIT.test].index("CCCCCN")
    assert first.validation is not None
    assert first.validation.shape == (4, 2)
    np.testing.assert_array_equal(first.test, again.test)


def test_held_out_tenth_comes_from_the_training_part():
    seen = []
    HoldOut(lambda problem, split, seed: seen.append(split))(
        PROBLEM, Split(np.arange(4, 20), np.empty(0), np.arange(4)), 0
    )
    (split,) = seen
    assert sorted([*split.train, *split.validation]) == list(range(4, 20))
    assert len(split.validation) == 2
    assert split.test.tolist() == [0, 1, 2, 3]


FAKE = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
value = dict(zip(words[1::2], words[2::2]))
if value["--pytorch-seed"] == "7":
    sys.exit("RuntimeError: no luck")
test = json.loads(pathlib.Path(value["--splits-file"]).read_text())[0]["test"][: int(value.get("--keep", 99))]
data = [line.split(",") for line in pathlib.Path(value["--data-path"]).read_text().split()][1:]
out = pathlib.Path(value["--output-dir"]) / "model_0"
(out / "trainer_logs" / "version_0").mkdir(parents=True)
lines = ["smiles,label", *(f"{{data[i][0]}},{{0.1 + 0.8 * int(data[i][1])}}" for i in test)]
(out / "test_predictions.csv").write_text("\\n".join(lines))
(out / "trainer_logs" / "version_0" / "metrics.csv").write_text("")
os.utime(out / "trainer_logs", (100, 100))
os.utime(out / "trainer_logs" / "version_0" / "metrics.csv", (100.0078125, 100.0078125))
"""


@pytest.fixture
def command(tmp_path):
    path = tmp_path / "chemprop"
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(0o755)
    (tmp_path / "python").write_text("#!/bin/sh\necho 'python 3.11; chemprop 2.3.1'\n")
    (tmp_path / "python").chmod(0o755)
    return path


def test_chemprop_gets_our_split_and_its_predictions_are_read(command):
    outcome = Chemprop(command)(PROBLEM, SPLIT, 0)
    np.testing.assert_allclose(outcome.test[:, 1], 0.1 + 0.8 * PROBLEM.labels[SPLIT.test])
    assert outcome.versions == "python 3.11; chemprop 2.3.1"
    assert outcome.training.wall == 0.0078125
    assert outcome.training.cpu >= 0
    assert outcome.preparing.wall > 0


def test_chemprop_failure_is_told(command):
    with pytest.raises(RuntimeError, match="chemprop ended with code 1: RuntimeError: no luck"):
        Chemprop(command)(PROBLEM, SPLIT, 7)


def test_chemprop_must_predict_the_test_part(command):
    with pytest.raises(RuntimeError, match="chemprop predicted 3 molecules, not the 4 of the test part in order"):
        Chemprop(command, ("--keep", "3"))(PROBLEM, SPLIT, 0)


def test_bbb_goes_on_where_it_was(tmp_path, capsys):
    assert bbb.tables(tmp_path) == ""
    bbb.run({"graphattn": constant}, [0], tmp_path)
    bbb.run({"graphattn": constant, "forest": constant}, [0], tmp_path)
    capsys.readouterr()
    frame = bbb.results(tmp_path).frame()
    assert frame["model"].tolist() == ["graphattn", "forest"]
    assert frame["roc_auc"].tolist() == [0.5, 0.5]
    assert "| graphattn / forest | 1 | 1.000 | 1.000 |" in bbb.tables(tmp_path)


def test_timing_adds_up_the_rounds(tmp_path, capsys):
    assert timing.tables(tmp_path) == ""
    for turn in range(2):
        bbb.run({"graphattn": constant, "chemprop": constant}, [0], tmp_path / "timing" / "2 threads" / str(turn))
    capsys.readouterr()
    assert "2 threads, 2 rounds, load" in timing.tables(tmp_path)
    assert "| graphattn / chemprop | 2 | 1.000 | 1.000 | 1.000 |" in timing.tables(tmp_path)


def test_solubility_never_reads_the_test_part_in_cross_validation(tmp_path, capsys):
    problem, given = solubility.problem()
    assert (len(given.train), len(given.test)) == (1025, 257)
    seen = set()

    def spying(molecules, split, seed):
        seen.update(molecules.smiles)
        assert not {molecules.smiles[i] for i in split.train} & {molecules.smiles[i] for i in split.test}
        return constant(molecules, split, seed)

    solubility.run({"graphattn": spying}, 2, tmp_path)
    capsys.readouterr()
    assert seen == {problem.smiles[i] for i in given.train}
    assert len(solubility.results(tmp_path).frame()) == 10
    assert "opened once" not in solubility.tables(tmp_path)


def test_solubility_opens_the_test_part_once(tmp_path, monkeypatch):
    monkeypatch.setattr(solubility, "RESAMPLES", 20)
    calls = []

    def counted(molecules, split, seed):
        calls.append(split)
        return constant(molecules, split, seed)

    for _ in range(2):
        solubility.open_test({"graphattn": counted}, tmp_path)
    assert len(calls) == 1
    table = solubility.opened_table(solubility.opened(tmp_path).frame()).iloc[0]
    assert table["molecules"] == 257
    assert table["accuracy"].startswith("0.397 [")
    assert table["macro_roc_auc"] == "0.500 [0.500, 0.500]"


def test_graphattn_gives_probabilities_of_both_parts():
    recipe = MoleculeRecipe(epochs=2, members=2)
    architecture = {"name": "MoleculeTransformer", "channels": 16, "heads": 2, "layers": 1, "dropout": 0.0}
    model = Graphattn(recipe, architecture)
    outcome = model(PROBLEM, SPLIT, 1)
    assert outcome.validation is not None
    assert (outcome.validation.shape, outcome.test.shape) == ((4, 2), (4, 2))
    np.testing.assert_allclose(outcome.test.sum(1), 1)
    assert outcome.training.cpu > 0
    assert outcome.preparing.wall > 0
    np.testing.assert_array_equal(model(PROBLEM, SPLIT, 1).test, outcome.test)
    assert not np.array_equal(model(PROBLEM, SPLIT, 2).test, outcome.test)


def test_the_picture_is_drawn_also_where_models_have_different_splits(tmp_path):
    frame = pd.DataFrame({"model": ["graphattn", "graphattn", "forest"], "seed": [0, 1, 1], "roc_auc": [0.9, 0.8, 0.7]})
    figure.draw(frame, tmp_path / "bbb.png")
    assert (tmp_path / "bbb.png").read_bytes().startswith(b"\x89PNG")


in_a_repository = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the commits of this repository")
SPEAKING = """
import json, sys
print(json.dumps({"file": %r, "molecules": 5}), flush=True)
for number, line in enumerate(sys.stdin):
    if number == %d:
        sys.exit("ValueError: enough")
    print(json.dumps({"cpu": 1.0, "wall": 3.0, "steps": 2}), flush=True)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """What a side runs, without training; it says that its graphattn is `file`, and fails at the epoch `fails`."""
    monkeypatch.setattr(sides, "files_of", lambda commit: ROOT)

    def written(file=str(ROOT / "graphattn" / "__init__.py"), fails=-1):
        path = tmp_path / "side.py"
        path.write_text(SPEAKING % (file, fails))
        return path

    return written


@in_a_repository
def test_both_sides_train_as_many_epochs(program):
    before, ours = epoch.measure("HEAD", epoch.Plan("tried", rounds=3, program=program()))
    assert (before.side, ours.side) == (sides.full("HEAD"), "graphattn")
    assert before.ms == ours.ms == [1000.0] * 3
    assert ours.sizes == "5 molecules, 2 steps, cpu seconds"
    assert (before.commit, before.label, before.threads) == (before.side, "tried", 1)
    assert epoch.measure("HEAD", epoch.Plan(rounds=1, threads=2, program=program()))[0].ms == [3000.0]


@in_a_repository
@pytest.mark.parametrize("fails", [0, 2])
def test_the_last_words_of_a_side_are_told(program, fails):
    with pytest.raises(ValueError, match=r"expected an answer of \w+, .* its last words: ValueError: enough"):
        epoch.measure("HEAD", epoch.Plan(rounds=3, program=program(fails=fails)))


@in_a_repository
def test_a_side_takes_the_graphattn_of_its_tree(program):
    with pytest.raises(ValueError, match=r"expected the graphattn of .*, got /elsewhere/graphattn/__init__.py"):
        epoch.measure("HEAD", epoch.Plan(rounds=1, program=program("/elsewhere/graphattn/__init__.py")))


@in_a_repository
def test_a_commit_that_is_none_is_told(tmp_path):
    file = tmp_path / "epoch.jsonl"
    told = CliRunner().invoke(application, ["epoch", "--before", "no-such", "--attempts", str(file)])
    assert told.exit_code == 2
    assert "'no-such'" in told.output
    assert not file.exists()


def test_the_table_has_all_attempts(tmp_path):
    def pair(date, before, ours):
        around = {"date": f"2026-01-{date}T00:00:00", "case": epoch.CASE, "step": epoch.STEP, "sizes": "5 molecules"}
        sides = {"abc": before, "graphattn": ours}
        return [Record(date, side=side, allocator="default", threads=1, ms=ms, **around) for side, ms in sides.items()]

    file = tmp_path / "epoch.jsonl"
    kept.append(file, [*pair("03", [2000, 4000, 3000], [1000, 1000, 1500]), *pair("02", [900, 900], [1000, 800])])
    text = CliRunner().invoke(application, ["attempts", str(file)]).output.splitlines()
    assert "| abc: 0.9 s (0.9 to 0.9) | 0.9 s (0.8 to 1) | 1.00 | 0.90 to 1.12 | no |" in text[2]
    assert "| abc: 3 s (2 to 4) | 1 s (1 to 1.5) | 3.00 | 2.00 to 4.00 | yes |" in text[3]
    assert "Nothing" in CliRunner().invoke(application, ["attempts", str(tmp_path / "none.jsonl")]).output


def test_an_epoch_is_trained_when_it_is_asked_for(monkeypatch):
    graphs = read(SMILES).graphs
    label(graphs, PROBLEM.labels[:, None])
    answers = io.StringIO()
    with pytest.raises(SystemExit):
        epoch_side.train((graphs[:12], graphs[12:]), 3, 1, epoch_side.OnRequest(io.StringIO("\n\n"), answers))
    heard = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert [each["steps"] for each in heard] == [2, 2]
    assert all(each["cpu"] > 0 and each["wall"] > 0 for each in heard)
    assert "configure_callbacks" not in vars(LearningModule)
    monkeypatch.setattr(epoch_side, "bbb", lambda most: (graphs[:12], graphs[12:]))
    table = epoch_profile.table(molecules=16)
    assert "share of the epoch" in table
    assert "| aten::" in table


def test_forests_are_measured_on_validation_parts_once(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "TREES", 5)
    data, path = tmp_path / "few.csv", tmp_path / "forests.jsonl"
    rows = [f"{'C' * n}1{'C' * n}1{end},{end}" for n in range(2, 16) for end in "ON"]
    data.write_text("\n".join(["smiles,end", *rows]) + "\n")
    assert forests.tables(path) == ""
    forests.run(str(data), [100, 101], path)
    measured = path.read_text()
    forests.run(str(data), [100, 101], path)
    assert path.read_text() == measured
    assert len(measured.splitlines()) == 6
    head, _, row = forests.tables(path).splitlines()
    assert head.startswith(
        "| data | splits | extra trees, leaves of 1 | extra trees, leaves of 3 | random forest, leaves of 1 |"
    )
    assert row.startswith("| few | 2 | ")
