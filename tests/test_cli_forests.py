import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.training.molecules import judging, workflow
from graphattn.training.molecules.forests import fitting
from graphattn.training.recipe import Architecture

ROWS = [(f"{'C' * n}{end}", "yes" if end == "O" else "no") for n in range(1, 61) for end in ("O", "N")]
SMALL = ("--epochs", 1, "--split", "random", "--no-descriptors", "--no-baselines")


@pytest.fixture(autouse=True, scope="module")
def small():
    """A small network and few trees."""
    original = workflow.TrainingPlan.__init__

    def init(self, *given, **options):
        original(self, *given, **options, architecture=Architecture(channels=16, heads=2, layers=1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "TREES", 10)
        patch.setattr(fitting, "TREES", 10)
        patch.setattr(workflow.TrainingPlan, "__init__", init)
        yield


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("smiles", "soluble"), *ROWS])
    return path


@pytest.fixture(scope="module")
def chosen(data):
    """The folder of a model of ``auto``, and what its training said."""
    folder = data.parent / "auto"
    result = run("train", data, "--out", folder, "--model", "auto", *SMALL)
    assert result.exit_code == 0, result.output
    return folder, re.sub(r"\s+", " ", result.stdout)


@pytest.fixture(scope="module")
def forest(data):
    folder = data.parent / "forest"
    result = run("train", data, "--out", folder, "--model", "forest", *SMALL)
    assert result.exit_code == 0, result.output
    return folder


def test_auto_says_what_it_chose_and_tests_the_others_beside_it(chosen):
    folder, said = chosen
    described = json.loads((folder / "model.json").read_text())
    choice = described["choice"]
    assert "choosing by 3 inner splits of the training part" in said
    assert f"Kept: the {choice['kept']}, as ROC-AUC on 3 inner splits of the training part says: graph 0." in said
    assert set(choice["scores"]) == {"graph", "forest", "blend"}
    assert choice["kept"] == max(
        choice["scores"], key=lambda name: (np.mean(choice["scores"][name]).round(6), name == "blend")
    )
    assert len(described["metrics"]) == 3
    for name in set(choice["scores"]) - {choice["kept"]}:
        assert f"Paired difference of ROC-AUC, {choice['kept']} minus {name}: " in said
    assert not (folder / "training").exists()
    for page in ("README.md", "report.html"):
        assert f"Kept: the {choice['kept']}, as ROC-AUC on 3 inner splits" in (folder / page).read_text(
            encoding="utf-8"
        )


def test_models_with_a_forest_predict_and_are_evaluated(data, chosen, forest, tmp_path):
    for folder in (chosen[0], forest):
        assert run("predict", folder, data, "--out", tmp_path / "found.csv").exit_code == 0
        found = pd.read_csv(tmp_path / "found.csv")
        assert len(found) == len(ROWS)
        assert found["probability_yes"].between(0, 1).all()
        assert "calibrated_yes" in found
        assert "ROC-AUC" in run("evaluate", folder, data).stdout
    assert ((found["predicted_soluble"] == found["soluble"]).mean()) > 0.9


def test_the_forest_alone_is_described_explained_and_embeds_nothing(data, forest, tmp_path):
    described = json.loads((forest / "model.json").read_text())
    assert described["architecture"] == {}
    assert described["forest"]["share"] == 1
    assert "curves_drawn" not in described
    card = (forest / "README.md").read_text(encoding="utf-8")
    assert f"- Forest: {described['forest']['name']}, 10 trees for each target" in card
    assert "Network" not in card
    result = run("explain", forest, "CCCCO", "--out", tmp_path / "atoms")
    assert result.exit_code == 0, result.output
    atoms = pd.read_csv(tmp_path / "atoms" / "contributions.csv").query("part == 'atom'")
    assert atoms.set_index("name")["contribution"].idxmax() == "O"
    result = run("embed", forest, data, "--out", tmp_path / "embedded.csv")
    assert result.exit_code == 1
    assert "expected a model with a graph network, which embeds molecules; got" in result.stderr


def test_equal_seeds_give_equal_folders(data, forest, tmp_path):
    assert run("train", data, "--out", tmp_path / "again", "--model", "forest", *SMALL).exit_code == 0
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (forest / "model.safetensors").read_bytes()
