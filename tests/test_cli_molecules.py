"""What the command line says about files of molecules, from the first guess to the file it writes."""

import csv
import io
import json
import tomllib

import pandas as pd
import pytest
from rdkit import Chem
from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.data.molecules.prepare import collect
from graphattn.data.molecules.table import read_table
from graphattn.data.tasks import Task
from graphattn.training.folder.weights import other_versions
from graphattn.training.molecules import dividing, prediction, workflow
from graphattn.training.recipe import Architecture

SMILES = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N")]


def run(*words, given=None):
    return CliRunner().invoke(app, [str(word) for word in words], input=given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model trained on the second of two columns of SMILES, and its data."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [(f"{smiles}.[Na+].[Cl-]", smiles, "decoy" if "N" in smiles else "binder") for smiles in SMILES]
    pd.DataFrame(rows, columns=["smiles", "std_smiles", "label"]).to_csv(folder / "data.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        original = workflow.TrainingPlan.__init__
        small = {"architecture": Architecture(channels=8, heads=2, layers=1)}
        patch.setattr(workflow.TrainingPlan, "__init__", lambda *given, **options: original(*given, **options, **small))
        words = ["--smiles", "std_smiles", "--split", "random", "--no-baselines", "--epochs", 1, "--positive", "decoy"]
        result = run("train", folder / "data.csv", "--out", folder / "model", *words)
    assert result.exit_code == 0, result.output
    assert "label' is binary: decoy (15, positive) and binder (15)" in result.stdout
    return folder


def test_later_commands_read_the_column_of_training_and_say_so(folder):
    out = folder / "predictions.csv"
    result = run("predict", folder / "model", folder / "data.csv", "--out", out)
    assert "SMILES are in column 'std_smiles', as in training" in result.stdout
    assert "30 of 30 rows predicted" in result.stdout
    result = run("evaluate", folder / "model", folder / "data.csv")
    assert "SMILES are in column 'std_smiles', as in training" in result.stdout
    assert {"probability_binder", "probability_decoy", "rejected"} <= set(pd.read_csv(out).columns)


def test_a_dash_is_standard_input_and_output(folder):
    given = b"std_smiles,label\nCCO,binder\nCCN,decoy\nC1CC,decoy\n"
    result = run("predict", folder / "model", "-", "--out", "-", given=given)
    written = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["std_smiles"] for row in written] == ["CCO", "CCN", "C1CC"]
    assert written[2]["rejected"].startswith("unreadable SMILES")
    for said in (
        "SMILES are in column 'std_smiles'",
        "1 row set aside",
        "2 of 3 rows predicted, written to standard output",
    ):
        assert said in result.stderr
    result = run("predict", folder / "model", "-", "--out", "-", "--strict", given=given)
    assert (result.exit_code, result.stdout) == (1, "")
    result = run("evaluate", folder / "model", "-", given=given)
    assert "on standard input" in result.stdout
    assert "3 rows in" in result.stdout


def test_rows_in_are_rows_out(folder):
    path, out = folder / "odd.csv", folder / "out.csv"
    cells = ["first\rsecond", '"', "=cmd()", "a,b\nc", "$$$$", ""]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["smiles", "note"], *(["CCO", cell] for cell in cells)])
        file.write('"[#999]","x"\n')
    result = run("predict", folder / "model", path, "--out", out, "--escape-formulas")
    assert "though the model was trained on column 'std_smiles', which is not there" in result.stdout
    assert "6 of 7 rows predicted" in result.stdout
    with out.open(newline="", encoding="utf-8") as file:
        written = list(csv.reader(file))
    assert [row[1] for row in written[1:]] == [*cells[:2], "'=cmd()", *cells[3:], "x"]
    assert not list(folder.glob("*.partial"))


def test_a_character_that_is_no_part_of_a_smiles_is_named_by_each_command(folder):
    path, out = folder / "characters.csv", folder / "characters_out.csv"
    path.write_text("std_smiles,note\nCCO,1\nCC\u041e,2\nCCO \u00e9thanol,3\n", encoding="utf-8")
    assert "2 of 3 rows predicted" in run("predict", folder / "model", path, "--out", out).stdout
    reasons = pd.read_csv(out)["rejected"].fillna("").tolist()
    assert reasons == ["", "unreadable SMILES: character '\u041e' at position 3", ""]
    result = run("explain", folder / "model", "CCN\u2192", "--out", folder / "drawn")
    assert result.exit_code == 1
    assert "character '\u2192' at position 4" in " ".join(result.output.split())


def test_a_limit_of_atoms_is_that_of_training_or_of_the_command(folder):
    path = folder / "large.csv"
    path.write_text("smiles\nCCO\nCCCCCC\n")
    result = run("predict", folder / "model", path, "--out", folder / "large_out.csv", "--max-atoms", 5)
    assert "1 of 2 rows predicted" in result.stdout
    assert json.loads((folder / "model" / "model.json").read_text())["chemistry"]["max_atoms"] == 1000


def test_versions_that_differ_are_said(folder, monkeypatch):
    monkeypatch.setattr("graphattn.training.folder.weights.versions", lambda: {"graphattn": "9", "rdkit": "1"})
    result = run("explain", folder / "model", "CCO", "--out", folder / "atoms")
    assert "; here is 9: predictions may differ" in result.stdout
    assert other_versions({"versions": {"graphattn": "9", "rdkit": "2"}}) == [
        "the model was made with rdkit 2; here is 1: predictions may differ"
    ]


def test_an_accelerator_that_is_not_there_is_refused_before_any_work(folder):
    result = run("train", folder / "data.csv", "--out", folder / "gpu", "--accelerator", "tpu")
    assert result.exit_code == 1
    assert "cannot train with accelerator tpu, devices 1" in result.stderr
    assert "descriptors" not in result.output
    assert not (folder / "gpu").exists()


def test_a_part_without_a_class_and_classes_by_the_alphabet_are_said(folder):
    path = folder / "rare.csv"
    rows = [(smiles, "pear" if smiles == "CO" else "apple") for smiles in SMILES] + [("CCCl", "pear")]
    pd.DataFrame(rows, columns=["smiles", "fruit"]).to_csv(path, index=False)
    said = list[object]()
    table, rule = dividing.open_divided(str(path), None, None, "stratified")
    plan = workflow.TrainingPlan(folder / "never", split=rule)
    molecules = workflow.labelled(table, plan, said.append)
    split, _ = dividing.divide(molecules, table, plan.split, plan.recipe.seed)
    dividing.tell_lacking(molecules, split, said.append)
    assert "'pear' is positive only because it comes last in the alphabet; --positive names the positive class" in said
    lacking = "warning: the validation part has no 'pear' of target 'fruit': ROC-AUC is undefined there"
    assert any(str(each).startswith(lacking) for each in said)


def test_a_pretrained_network_is_what_a_training_starts_from(tmp_path):
    corpus, data, network = tmp_path / "corpus.csv", tmp_path / "data.csv", tmp_path / "network"
    corpus.write_text("\n".join(["smiles", *SMILES, "C1CC"]) + "\n")
    pd.DataFrame({"smiles": SMILES, "y": ["N" in text for text in SMILES]}).to_csv(data, index=False)
    sizes = ("--channels", 8, "--heads", 2, "--layers", 1, "--totals", 4)
    result = run("pretrain", corpus, "--out", network, "--passes", 1, "--exclude", data, *sizes)
    assert result.exit_code == 1
    assert "nothing can be learned from" in result.output
    result = run("pretrain", corpus, "--out", tmp_path / "other", "--passes", 1, *sizes)
    assert result.exit_code == 0, result.output
    assert "1 rows set aside: 1 unreadable SMILES" in result.output
    assert "27 molecules learned from, 3 held out" in run("info", tmp_path / "other").output
    words = ["--split", "random", "--no-baselines", "--no-descriptors", "--epochs", 1, "--no-report"]
    result = run("train", data, "--out", tmp_path / "model", "--from", tmp_path / "other", "--freeze", *words)
    assert result.exit_code == 0, result.output
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Started from: the weights of other (sha256" in card
    assert "which stayed as they were" in card
    assert "channels 8, heads 2, layers 1, dropout 0.1, totals 4" in card
    result = run("predict", tmp_path / "other", data, "--out", tmp_path / "predictions.csv")
    assert (
        "describes a pretrained network, which 'train --from' starts from: expected a model of molecules"
        in result.output
    )


def test_freezing_needs_something_to_start_from(folder):
    result = run("train", folder / "data.csv", "--out", folder / "never", "--freeze", "--from", "none")
    assert "--freeze keeps the weights of --from MODEL: expected a model to start from, got none" in result.output
    assert not (folder / "never").exists()


def test_stereo_twins_are_counted(folder):
    path = folder / "twins.csv"
    rows = [(f"{'C' * n}[C@H](F)Cl", "1", "a") for n in range(1, 5)] + [
        (f"{'C' * n}[C@@H](F)Cl", "0", "b") for n in (1, 2)
    ]
    pd.DataFrame(rows, columns=["smiles", "y", "batch"]).to_csv(path, index=False)
    said = list[object]()
    table, rule = dividing.open_divided(str(path), None, ["y"], None)
    workflow.labelled(table, workflow.TrainingPlan(folder / "never", split=rule), said.append)
    assert (
        "molecules that differ from another in stereo only: 2; they count as different; with --flat-duplicates they are one"
        in said
    )
    flat = workflow.labelled(
        table, workflow.TrainingPlan(folder / "never", split=rule, flat_duplicates=True), said.append
    )
    assert (len(flat.graphs), len(flat.rejected)) == (2, 4)


def test_classes_are_those_of_rows_that_can_be_used(folder):
    path = folder / "joined.csv"
    path.write_text("smiles,y\nCCO,1\nCCN,0\nsmiles,y\nCCC,TRUE\nCC,FALSE\nC1CC,maybe\n")
    said = list[object]()
    table, rule = dividing.open_divided(str(path), None, None, None)
    found = workflow.labelled(table, workflow.TrainingPlan(folder / "never", split=rule), said.append)
    assert said[0] == (
        "target 'y' is binary: 1 (2, positive) and 0 (2); 2 cells say 'TRUE' and 'FALSE', read as '0' and '1'"
    )
    assert [(one.line, one.reason) for one in found.rejected] == [
        (4, "repeated header"),
        (7, "unreadable SMILES: ring 1 is not closed"),
    ]
    assert [graph.y.item() for graph in found.graphs] == [1, 0, 1, 0]


def test_a_missing_end_of_an_sdf_record_moves_no_label(folder):
    path = folder / "missing_end.sdf"
    records = [(Chem.MolToMolBlock(Chem.MolFromSmiles(f"{'C' * n}O")), n) for n in range(1, 7)]
    ends = ["" if n == 2 else "$$$$\n" for _, n in records]
    path.write_text("".join(f"{block}> <y>\n{n}.5\n\n{end}" for (block, n), end in zip(records, ends, strict=True)))
    table, rule = dividing.open_divided(str(path), None, ["y"], None)
    found = workflow.labelled(table, workflow.TrainingPlan(folder / "never", split=rule), lambda said: None)
    assert [(graph.smiles.count("C"), graph.y.item()) for graph in found.graphs] == [(n, n + 0.5) for n in (1, 4, 5, 6)]
    assert [one.reason for one in found.rejected] == [
        "ambiguous record: record 2, 2 mol blocks without $$$$ between them"
    ]


def test_a_model_without_descriptors_computes_none(folder, monkeypatch):
    computed = []
    for module in (workflow, prediction):
        monkeypatch.setattr(module, "describe", lambda molecules: computed.append(len(molecules)))
    words = ["--smiles", "std_smiles", "--split", "random", "--no-baselines", "--epochs", 1, "--no-descriptors"]
    result = run("train", folder / "data.csv", "--out", folder / "without", *words)
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "without" / "model.json").read_text())["descriptors"] is None
    result = run("predict", folder / "without", folder / "data.csv", "--out", folder / "without.csv")
    assert "30 of 30 rows predicted" in result.stdout
    assert computed == []


def test_rows_and_classes_are_weighted(folder):
    path = folder / "weighted.csv"
    rows = [(smiles, "N" in smiles, n % 3) for n, smiles in enumerate(SMILES)] + [
        ("CF", True, "heavy"),
        ("CBr", True, -1),
    ]
    pd.DataFrame(rows, columns=["smiles", "amine", "trust"]).to_csv(path, index=False)
    words = ["--split", "random", "--no-baselines", "--epochs", 1, "--no-descriptors", "--weight", "trust"]
    result = run("train", path, "--out", folder / "weighted", *words, "--class-weight", "none")
    assert result.exit_code == 0, result.output
    rejected = pd.read_csv(folder / "weighted" / "rejected.csv")
    assert rejected["reason"].tolist() == [
        "unusable weight: 'heavy' of trust is not a number",
        "unusable weight: '-1' of trust is below 0",
    ]
    described = json.loads((folder / "weighted" / "model.json").read_text())
    assert described["recipe"]["balance"] == 0
    assert described["data"]["weight"] == "trust"
    found = collect(read_table(path, targets="amine", weight="trust"), Task("binary", ("amine",), ("False", "True")))
    assert [graph.weight.item() for graph in found.graphs] == [n % 3 for n in range(30)]
    assert "Invalid value for '--class-weight'" in run("train", path, "--class-weight", "heavy").stderr
    path.write_text("smiles,y,w\nC,1,0\nCC,0,\n")
    result = run("train", path, "--out", folder / "never", "--weight", "w")
    assert "weighted.csv: expected weights above 0 in column 'w', got none" in " ".join(result.stderr.split())


def test_files_of_parts_are_read_before_anything_is_made(folder):
    words = ["--out", folder / "apart", "--smiles", "std_smiles"]
    result = run("train", folder / "data.csv", *words, "--test", folder / "lost.csv")
    assert f"there is no file {folder / 'lost.csv'}" in result.stderr
    result = run("train", folder / "data.csv", *words, "--validation", folder / "data.csv")
    assert "expected different files for training, validation and testing" in result.stderr
    assert not (folder / "apart").exists()


def test_options_of_training_stand_beside_the_model(folder):
    written = tomllib.loads((folder / "model" / "config.toml").read_text())
    wanted = {
        "data": str(folder / "data.csv"),
        "smiles": "std_smiles",
        "split": "random",
        "baselines": False,
        "epochs": 1,
    }
    assert wanted.items() <= written.items()
    assert not {"out", "resume", "debug", "config"} & set(written)
