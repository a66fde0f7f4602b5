"""The helpers of the molecule benchmarks: rows that are kept, statistics, peers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphattn.data.splits import Split
from graphattn.training.recipe import Recipe
from tests.benchmarks.molecules import bbb, figure, report, solubility, timing
from tests.benchmarks.molecules.chemprop import Chemprop
from tests.benchmarks.molecules.forest import Forest, ecfp4
from tests.benchmarks.molecules.graphattn_model import Graphattn
from tests.benchmarks.molecules.model import HoldOut, Outcome, Problem
from tests.benchmarks.records import Results, Spent, provenance, timed

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
    first, again = (Forest(ecfp4)(problem, SPLIT, 3) for _ in range(2))
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
    recipe = Recipe(epochs=2, members=2)
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
