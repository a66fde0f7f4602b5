import csv
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import graphattn
from graphattn.cli import app
from graphattn.reports.molecules import write_report
from graphattn.stopping import received, stoppable
from graphattn.training.module import LearningModule
from graphattn.training.molecules import judging, workflow
from graphattn.training.recipe import Architecture

SMILES = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N")]
ROWS = [(smiles, "yes" if "O" in smiles else "no") for smiles in SMILES]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The command line with a small network and short training; its options stay what they are."""
    monkeypatch.setattr(judging, "TREES", 10)
    monkeypatch.setattr(workflow.TrainingPlan, "__init__", _small(workflow.TrainingPlan.__init__, report=None))


def _small(original, **fixed):
    def init(self, out, source, task, split, recipe, **options):
        recipe = dataclasses.replace(recipe, learning_rate=0.01)
        small = {"architecture": Architecture(channels=16, heads=2, layers=1)}
        original(self, out, source, task, split, recipe, **small, **options | fixed)

    return init


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def fail(*words):
    """The one or two lines that a failing command prints, on one line each."""
    result = run(*words)
    assert result.exit_code == 1, result.output
    lines = result.stderr.strip().splitlines()
    assert "Traceback" not in result.output
    assert lines[-1].startswith("error: ")
    assert len(lines) <= 2
    return lines[-1]


def write(path, rows=ROWS, header=("smiles", "soluble"), **options):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **options)
        writer.writerows([header, *rows])
    return path


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "data.csv")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "TREES", 10)
        patch.setattr(workflow.TrainingPlan, "__init__", _small(workflow.TrainingPlan.__init__))
        path = write(folder / "data.csv")
        result = run("train", path, "--out", folder / "model", "--epochs", 15, "--split", "random")
        assert result.exit_code == 0, result.output
    return folder / "model"


# --- train


def test_training_says_what_it_does_and_saves_a_model(data, tmp_path):
    result = run("train", data, "--out", tmp_path / "model", "--epochs", 2, "--split", "random", "--seed", 3)
    assert result.exit_code == 0, result.output
    said = result.stdout
    assert "SMILES are in column 'smiles'" in said
    assert "the target is 'soluble'" in said
    assert "target 'soluble' is binary: yes (15, positive) and no (15)" in said
    assert "split: random, seed 3: 24 training, 3 validation, 3 test" in said
    for word in (
        "ROC-AUC",
        "PR-AUC",
        "(base rate 0.",
        "accuracy",
        "MCC",
        "graph transformer",
        "ECFP4",
        "RDKit-2D",
        "distinguishable",
    ):
        assert word in said
    assert f"graphattn predict {tmp_path / 'model'}" in said.replace("\n", " ")
    described = json.loads((tmp_path / "model" / "model.json").read_text())
    assert described["seed"] == 3
    assert described["split"] == {"rule": "random", "seed": 3, "train": 24, "validation": 3, "test": 3}
    assert set(described["metrics"]) == {"graph transformer", "random forest, ECFP4", "random forest, ECFP4 + RDKit-2D"}
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "README.md",
        "config.toml",
        "curves.svg",
        "logs",
        "manifest.json",
        "model.json",
        "model.safetensors",
        "neighbours.safetensors",
    }


def test_bad_rows_are_named_and_set_aside(tmp_path):
    rows = [("C1CC", "yes"), *ROWS, ("", "no"), ("CCF", ""), ("CCO", "no"), ("[Xx]", "no")]
    path = write(tmp_path / "data.csv", rows)
    result = run("train", path, "--out", tmp_path / "model", "--epochs", 1, "--split", "random", "--no-baselines")
    assert result.exit_code == 0, result.output
    rejected = pd.read_csv(tmp_path / "model" / "rejected.csv", keep_default_na=False)
    # CCO stands on line 5, with another label than on line 35.
    assert rejected["line"].tolist() == [2, 5, 33, 34, 35, 36]
    for word in ("C1CC", "no label", "contradictory", "[Xx]"):
        assert word in result.stdout
    assert "random forest" not in result.stdout


def test_strict_turns_a_bad_row_into_an_error(tmp_path):
    path = write(tmp_path / "data.csv", [*ROWS, ("C1CC", "no")])
    error = fail("train", path, "--out", tmp_path / "model", "--strict")
    assert "rows that cannot be used: 1, and strict allows none; the first in line 32: unreadable SMILES" in error
    assert not (tmp_path / "model").exists()


def test_split_column_and_options(tmp_path):
    parts = ["train"] * 20 + ["test"] * 10
    rows = [(f"name {i}", *row, part) for i, (row, part) in enumerate(zip(ROWS, parts, strict=True))]
    path = write(tmp_path / "data.csv", rows, header=("id", "structure", "label", "fold"))
    words = ("--smiles", "structure", "--target", "label", "--split", "fold", "--ensemble", 2, "--epochs", 1)
    result = run("train", path, "--out", tmp_path / "model", *words, "--no-baselines")
    assert result.exit_code == 0, result.output
    described = json.loads((tmp_path / "model" / "model.json").read_text())
    assert described["split"]["rule"] == "column 'fold', validation at random"
    assert (described["split"]["train"], described["split"]["validation"], described["split"]["test"]) == (18, 2, 10)
    assert described["weights"] == ["model.safetensors", "model-2.safetensors"]


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("regression", [str(len(smiles) + 0.5) for smiles in SMILES]),
        ("multiclass", [("low", "mid", "high")[i // 2 % 3] for i in range(30)]),
    ],
)
def test_other_tasks(tmp_path, task, labels):
    path = write(tmp_path / "data.csv", zip(SMILES, labels, strict=True))
    words = ("--epochs", 1, "--split", "random", "--task", task)
    result = run("train", path, "--out", tmp_path / "model", *words)
    assert result.exit_code == 0, result.output
    assert ("RMSE" if task == "regression" else "ROC-AUC") in result.stdout
    result = run("predict", tmp_path / "model", path, "--out", tmp_path / "found.csv")
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "found.csv")
    assert found["predicted_soluble"].notna().all()
    if task == "multiclass":
        columns = ["probability_high", "probability_low", "probability_mid"]
        assert found[columns].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)


def test_several_targets_with_missing_labels(tmp_path):
    rows = [(smiles, int("O" in smiles), "" if i % 5 == 0 else i % 2) for i, smiles in enumerate(SMILES)]
    path = write(tmp_path / "data.csv", rows, header=("smiles", "p", "q"))
    words = ("--target", "p", "--target", "q", "--epochs", 1, "--split", "random")
    result = run("train", path, "--out", tmp_path / "model", *words)
    assert result.exit_code == 0, result.output
    assert run("predict", tmp_path / "model", path, "--out", tmp_path / "found.csv").exit_code == 0
    found = pd.read_csv(tmp_path / "found.csv")
    assert {"predicted_p", "predicted_q", "probability_p", "probability_q"} <= set(found.columns)
    result = run("evaluate", tmp_path / "model", path)
    assert result.exit_code == 0, result.output


def test_interrupted_training_leaves_a_model_and_is_resumed(data, tmp_path, monkeypatch):
    words = ("--epochs", 4, "--split", "random", "--no-baselines")
    assert run("train", data, "--out", tmp_path / "whole", *words).exit_code == 0
    original, waiting = LearningModule.training_step, [True]

    def stop(self, batch, batch_idx):
        if waiting and self.global_step == 7:
            waiting.clear()
            raise KeyboardInterrupt
        return original(self, batch, batch_idx)

    monkeypatch.setattr(LearningModule, "training_step", stop)
    result = run("train", data, "--out", tmp_path / "model", *words)
    assert result.exit_code == 130
    assert "the same command with --resume goes on" in result.stdout
    assert "Traceback" not in result.output
    assert "Training was interrupted" in (tmp_path / "model" / "README.md").read_text()
    assert run("predict", tmp_path / "model", data, "--out", tmp_path / "early.csv").exit_code == 0
    assert "add --resume to go on" in fail("train", data, "--out", tmp_path / "model", *words)
    assert run("train", data, "--out", tmp_path / "model", *words, "--resume").exit_code == 0
    whole, resumed = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "model"))
    assert whole == resumed
    assert "Training was interrupted" not in (tmp_path / "model" / "README.md").read_text()
    assert not (tmp_path / "model" / "training").exists()
    assert "holds a finished model: nothing to resume" in fail(
        "train", data, "--out", tmp_path / "model", *words, "--resume"
    )


def test_sigterm_ends_training_as_ctrl_c_does_and_is_told_by_the_status(data, tmp_path, monkeypatch):
    original, waiting = LearningModule.training_step, [True]
    handler = signal.getsignal(signal.SIGTERM)

    def stop(self, batch, batch_idx):
        if waiting and self.global_step == 7:
            waiting.clear()
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(LearningModule, "training_step", stop)
    words = ("--epochs", 4, "--split", "random", "--no-baselines")
    result = run("train", data, "--out", tmp_path / "model", *words)
    assert result.exit_code == 143
    assert "the same command with --resume goes on" in result.stdout
    assert result.stderr.endswith("stopped by SIGTERM\n")
    assert signal.getsignal(signal.SIGTERM) is handler
    with stoppable():
        assert received() == signal.SIGINT  # a signal of before is forgotten
    assert run("train", data, "--out", tmp_path / "model", *words, "--resume").exit_code == 0


def test_one_device_is_all_there_is(data, tmp_path):
    for devices in ("2", "auto", "[0, 1]", "0"):
        line = fail("train", data, "--out", tmp_path / "model", "--devices", devices)
        assert f"expected one device, as 1 or the number of a GPU in brackets, [0], got {devices!r}" in line
    assert not (tmp_path / "model").exists()


# --- what a person gets wrong


def test_missing_file_names_the_embedded_sets(tmp_path):
    error = fail("train", tmp_path / "nothing.csv", "--out", tmp_path / "model")
    assert f"there is no file {tmp_path / 'nothing.csv'}" in error
    assert "bbb, solubility" in error


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"smiles,label\n", "but no rows"),
        (b"PK\x03\x04 a zip file\x00", "is a spreadsheet or zip file, not a CSV"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "holds binary data; expected a CSV, TSV or SDF file"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, expected):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    error = fail("train", path, "--out", tmp_path / "model")
    assert str(path) in error
    assert expected in error


def test_wrong_columns_list_those_there_are(data, tmp_path):
    for option in ("--smiles", "--target", "--split"):
        error = fail("train", data, "--out", tmp_path / "model", option, "solubel")
        assert "'solubel'" in error
        assert "smiles" in error
        assert "soluble" in error


def test_one_class_only(tmp_path):
    path = write(tmp_path / "data.csv", [(smiles, "yes") for smiles in SMILES])
    error = fail("train", path, "--out", tmp_path / "model")
    assert "target 'soluble' has one class only: 'yes' in all 30 labelled rows" in error


def test_one_class_only_in_the_training_part(tmp_path):
    rows = [(smiles, "yes", "train") for smiles in SMILES[:20]] + [(smiles, "no", "test") for smiles in SMILES[20:]]
    path = write(tmp_path / "data.csv", rows, header=("smiles", "label", "split"))
    error = fail("train", path, "--out", tmp_path / "model")
    assert "target 'label': the training part" in error
    assert "has one class only, 'yes'; try another --split" in error


def test_fewer_rows_than_classes(tmp_path):
    path = write(tmp_path / "data.csv", [("CCO", "a"), ("CCN", "b"), ("CCC", "c")])
    error = fail("train", path, "--out", tmp_path / "model", "--target", "soluble", "--task", "multiclass")
    assert "3 classes in 3 labelled rows" in error


def test_no_smiles_that_can_be_read(tmp_path):
    path = write(tmp_path / "data.csv", [(f"C1C{'(' * i}", i % 2) for i in range(1, 9)])
    error = fail("train", path, "--out", tmp_path / "model", "--smiles", "smiles", "--target", "soluble")
    assert "none of the 8 rows can be used" in error


def test_infinite_and_missing_numbers_are_set_aside(tmp_path):
    labels = [str(float(i)) for i in range(30)]
    labels[3], labels[4], labels[5] = "nan", "inf", "-inf"
    path = write(tmp_path / "data.csv", zip(SMILES, labels, strict=True), header=("smiles", "value"))
    words = ("--epochs", 1, "--split", "random", "--no-baselines")
    result = run("train", path, "--out", tmp_path / "model", *words)
    assert result.exit_code == 0, result.output
    rejected = pd.read_csv(tmp_path / "model" / "rejected.csv")
    assert rejected["line"].tolist() == [5, 6, 7]
    assert "not a finite number" in rejected["reason"][1]


def test_folder_that_is_not_empty(data, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("keep me")
    error = fail("train", data, "--out", tmp_path / "model")
    assert f"{tmp_path / 'model'} is not empty: name another folder with --out" in error
    assert (tmp_path / "model" / "mine.txt").read_text() == "keep me"


def test_folder_that_cannot_be_written(data, tmp_path, monkeypatch):
    error = fail("train", data, "--out", data / "model")
    assert f"cannot write to {data / 'model'}: {data} is a file" in error
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    error = fail("train", data, "--out", tmp_path / "model")
    assert f"cannot write to {tmp_path / 'model'}: {tmp_path} is not writable" in error


def test_nothing_to_resume(data, tmp_path):
    error = fail("train", data, "--out", tmp_path / "model", "--resume")
    assert f"{tmp_path / 'model'} holds no interrupted training: nothing to resume" in error


def test_values_out_of_range(data, tmp_path):
    assert "epochs must be a whole number from 1 up, got 0" in fail(
        "train", data, "--out", tmp_path / "model", "--epochs", 0
    )
    assert "a task is one of binary, multiclass, multilabel, regression; got 'magic'" in fail(
        "train", data, "--out", tmp_path / "model", "--task", "magic"
    )


def test_hardware_that_is_not_there(data, tmp_path):
    words = ("--accelerator", "tpu", "--split", "random", "--no-baselines")
    assert "torch_xla" in fail("train", data, "--out", tmp_path / "model", *words)


def test_debug_shows_the_traceback(data, tmp_path):
    result = run("train", data, "--out", tmp_path / "model", "--epochs", 0, "--debug")
    assert isinstance(result.exception, ValueError)


def test_unforeseen_errors_are_named(data, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "train", lambda *words: {}["missing"])
    assert fail("train", data, "--out", tmp_path / "model") == "error: KeyError: 'missing' (--debug shows where)"


@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-8-sig", "\n"), ("latin-1", "\n"), ("utf-8", "\r\n")]
)
def test_encodings_line_ends_and_quotes(model, tmp_path, encoding, newline):
    text = newline.join(['name,"smiles"', '"caf\xe9, noir","CN1C=NC2=C1C(=O)N(C(=O)N2C)C"', '"a, b",CCO', ""])
    (tmp_path / "in.csv").write_bytes(text.encode(encoding))
    result = run("predict", model, tmp_path / "in.csv", "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "out.csv")
    assert found["name"].tolist() == ["caf\xe9, noir", "a, b"]
    assert found["predicted_soluble"].notna().all()


# --- predict


def test_prediction_keeps_rows_columns_and_true_labels(model, tmp_path):
    rows = [("a", "CCO", "no", "mine"), ("b", "C1CC", "yes", ""), ("c", "CCCN", "", "x"), ("d", "", "no", "y")]
    path = write(tmp_path / "in.csv", rows, header=("id", "smiles", "soluble", "predicted_soluble"))
    result = run("predict", model, path, "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert "2 of 4 rows predicted" in result.stdout
    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert found.iloc[:, :4].to_numpy().tolist() == [list(row) for row in rows]
    ours = found.columns[4:].tolist()
    assert ours[:3] == ["predicted_soluble_2", "probability_no", "probability_yes"]
    # Three validation molecules are too few for a calibration.
    assert ours[3:] == ["set_soluble", "nearest_smiles", "similarity", "domain", "rejected"]
    assert found["predicted_soluble_2"].tolist() == ["yes", "", "no", ""]
    assert found["probability_yes"].tolist()[1::2] == ["", ""]
    assert [bool(reason) for reason in found["rejected"]] == [False, True, False, True]
    probability = found[["probability_no", "probability_yes"]].iloc[[0, 2]].astype(float).to_numpy()
    assert probability.sum(1) == pytest.approx(1)
    for line in ("3", "5"):
        assert line in result.stdout


def test_prediction_is_the_estimators(model, data, tmp_path):
    from graphattn.estimators import MoleculeClassifier

    assert run("predict", model, data, "--out", tmp_path / "out.csv").exit_code == 0
    found = pd.read_csv(tmp_path / "out.csv")
    estimator = MoleculeClassifier.load(model)
    assert estimator.classes_.tolist() == ["no", "yes"]
    assert np.allclose(found["probability_yes"], estimator.predict_proba(SMILES)[:, 1], atol=1e-6)


def test_prediction_does_not_overwrite_its_input(model, data, tmp_path):
    before = data.read_bytes()
    assert f"{data} is the input" in fail("predict", model, data, "--out", data)
    assert data.read_bytes() == before
    assert "cannot write to" in fail("predict", model, data, "--out", tmp_path / "no" / "where.csv")
    assert f"cannot write to {tmp_path}: it is a folder" in fail("predict", model, data, "--out", tmp_path)


def test_strict_prediction(model, tmp_path):
    path = write(tmp_path / "in.csv", [("CCO",), ("C1CC",)], header=("smiles",))
    assert "rows that cannot be used: 1" in fail("predict", model, path, "--out", tmp_path / "out.csv", "--strict")
    assert not (tmp_path / "out.csv").exists()


def test_models_that_cannot_be_loaded(data, tmp_path):
    expected = f"{tmp_path} holds no model: expected a folder made by 'graphattn train'"
    assert expected in fail("predict", tmp_path, data, "--out", tmp_path / "out.csv")
    (tmp_path / "model.json").write_text('{"format": 99}')
    assert "has format 99" in fail("predict", tmp_path, data, "--out", tmp_path / "out.csv")
    (tmp_path / "model.json").write_text("{")
    assert "model.json is damaged" in fail("evaluate", tmp_path, data)


# --- evaluate, explain, info


def test_evaluation_tells_molecules_that_were_trained_on(model, data, tmp_path):
    result = run("evaluate", model, data)
    assert result.exit_code == 0, result.output
    assert "all 30 molecules" in result.stdout
    assert re.search(r"3 molecules not\s", result.stdout)
    new = write(tmp_path / "new.csv", [("CCCCOCC", "yes"), ("CCCCNCC", "no")], header=("s", "other"))
    result = run("evaluate", model, new, "--smiles", "s", "--target", "other")
    assert result.exit_code == 0, result.output
    assert "all 2 molecules" in result.stdout
    old = json.loads((model / "model.json").read_text())["lines"]["train"]
    seen = write(tmp_path / "seen.csv", [ROWS[line - 2] for line in old])
    assert "ALL TRAINED ON" in " ".join(run("evaluate", model, seen).stdout.split())


def test_evaluation_needs_as_many_targets(model, data):
    error = fail("evaluate", model, data, "--target", "soluble", "--target", "smiles")
    assert "the model predicts 1 targets ('soluble'), the data name 2" in error


def test_explanation_draws_every_molecule_that_can_be_read(model, tmp_path):
    result = run("explain", model, "CCO ethanol", "C1CC", "CCCN", "--out", tmp_path / "atoms")
    assert result.exit_code == 0, result.output
    assert "left out: " in result.stdout
    names = {path.name for path in (tmp_path / "atoms").iterdir()}
    drawn = {f"{name}.{suffix}" for name in ("ethanol", "CCCN", "grid") for suffix in ("svg", "png")}
    assert names == {*drawn, "contributions.csv"}


def test_a_table_is_explained(model, tmp_path):
    path = write(tmp_path / "new.csv", [("CCO", "a b"), ("C1CC", "x"), ("CCN", "c")], header=("structure", "code"))
    options = ("--smiles", "structure", "--name", "code", "--common-scale", "--bonds", "--out", tmp_path / "atoms")
    result = run("explain", model, path, *options)
    assert result.exit_code == 0, result.output
    assert "1 row set aside" in result.stdout
    names = {path.name for path in (tmp_path / "atoms").iterdir()}
    assert {"a_b.svg", "c.png", "grid.svg", "contributions.csv", "rejected.csv"} <= names
    assert "strict allows none" in fail("explain", model, path, *options, "--strict")
    assert "there is no file" in fail("explain", model, tmp_path / "none.csv", "--out", tmp_path / "none")


def test_explanation_of_nothing(model, tmp_path):
    assert "none of the 1 SMILES can be read" in run("explain", model, "C1CC", "--out", tmp_path / "atoms").stderr
    assert "expected one of 'no', 'yes' to explain, got 'maybe'" in fail(
        "explain", model, "CCO", "--target", "maybe", "--out", tmp_path / "atoms"
    )


def test_drawings_do_not_replace_files_of_a_model_or_come_too_late(model, data, tmp_path):
    before = sorted(path.name for path in model.iterdir())
    assert f"{model} holds a model" in fail("explain", model, "CCO", "--out", model)
    assert sorted(path.name for path in model.iterdir()) == before
    said = fail("explain", model, data, "--out", data)
    assert said == f"error: cannot write to {data}: {data} is a file"


def test_a_report_stands_beside_the_model_unless_it_is_not_wanted(model, data, tmp_path, monkeypatch):
    text = (model / "report.html").read_text(encoding="utf-8")
    assert "<h1>data.csv: soluble</h1>" in text
    assert "random forest, ECFP4 + RDKit-2D" in text
    plans = []
    monkeypatch.setattr(workflow.TrainingPlan, "__init__", lambda self, *given, report, **options: plans.append(report))
    monkeypatch.setattr(workflow, "train", lambda table, plan, say: None)
    for option in ("--report", "--no-report"):
        assert run("train", data, "--out", tmp_path / "never", option).exit_code == 0
    assert plans == [write_report, None]


def test_embeddings_of_a_table_as_columns_and_as_arrays(model, tmp_path):
    path = write(tmp_path / "in.csv", [("a", "CCO"), ("b", "C1CC"), ("c", "NCC")], header=("embedding_1", "smiles"))
    result = run("embed", model, path, "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert "2 of 3 rows embedded in 48 dimensions" in result.output
    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert found.columns[:3].tolist() == ["embedding_1", "smiles", "embedding_1_2"]
    assert (len(found.columns), found.columns[-1]) == (2 + 48 + 1, "rejected")
    assert set(found.iloc[1, 2:-1]) == {""}
    assert found["rejected"].tolist() == ["", "unreadable SMILES: ring 1 is not closed", ""]
    assert run("embed", model, path, "--out", tmp_path / "out.npz").exit_code == 0
    arrays = np.load(tmp_path / "out.npz")
    assert arrays["embeddings"].astype(float) == pytest.approx(
        found.iloc[[0, 2], 2:-1].astype(float).to_numpy(), rel=1e-4
    )
    assert (arrays["smiles"].tolist(), arrays["line"].tolist()) == (["CCO", "CCN"], [2, 4])
    assert "expected a file that ends in .csv or .npz, got out.txt" in fail(
        "embed", model, path, "--out", tmp_path / "out.txt"
    )


def test_info_shows_what_a_saved_model_is(model, tmp_path):
    result = run("info", model)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Predicts soluble (binary; positive class 'yes', negative 'no') from SMILES" in said
    assert "The label is 'yes' at a probability above 0.5 (not chosen for an aim)" in said
    assert "A molecule is in the domain if its nearest training molecule has" in said
    assert "24 train, 3 validation, 3 test" in said
    assert "![" not in said
    assert "holds no model: expected a folder made by 'graphattn train'" in fail("info", tmp_path)


def test_info_shows_versions_and_backends():
    result = run("info")
    assert result.exit_code == 0, result.output
    for word in ("graphattn", graphattn.__version__, "rdkit", "edgewise", "CUDA", "solubility"):
        assert word in result.stdout


def test_version():
    assert run("--version").stdout == f"graphattn {graphattn.__version__}\n"


def test_the_program_fails_in_words(tmp_path):
    program = "import sys; from graphattn.cli import main; main()"
    words = [sys.executable, "-c", program, "predict", str(tmp_path), str(tmp_path / "in.csv")]
    finished = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].startswith(f"error: {tmp_path} holds no model")
    assert "Traceback" not in finished.stderr
