"""``graphattn tissue train`` and ``predict``: from saved graphs to a model and its predictions, and what is refused."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from graphattn.data import load_graphs, save_graphs, tissue
from graphattn.data.splits import PARTS
from graphattn.estimators import GraphClassifier
from tests.training.tissue.made import run, slides

FAST = ("--epochs", "2")


def train(folder, out, *words):
    return run("train", folder / "graphs", "--labels", folder / "labels.csv", "--target", "state", "--out", out, *words)


def test_a_model_is_trained_tested_and_saved(model):
    out, said = model
    assert "split: patients apart, seed 0: 16 images of 8 patients training, 4 images of 2 patients validation" in said
    for words in ("logistic regression", "forest on", "composition", "spread", "type mixing", "number of"):
        assert words in said
    assert "bootstrap interval over the patients" in said
    assert {path.name for path in out.iterdir()} == {
        *(
            "README.md",
            "config.toml",
            "curves.svg",
            "logs",
            "manifest.json",
            "model.json",
            "model.safetensors",
            "report.html",
        )
    }
    described = json.loads((out / "model.json").read_text())
    assert described["tissue"] == {
        "features": ["area"],
        "types": ["stroma", "tumor"],
        "unit": "um",
        "builder": "knn:4",
        "edges": ["distance", "direction x", "direction y", "same type"],
        "mpp": [0.5, 0.5],
    }
    assert described["classes"] == ["sick", "well"]
    assert next(iter(described["metrics"])) == "slide_graph"
    assert len(described["metrics"]) == 9
    assert "P00" not in (out / "model.json").read_text()
    card = (out / "README.md").read_text()
    assert "measurements area; types of cells stroma, tumor" in card
    assert "edges by knn:4" in card
    assert "| forest on composition |" in card
    assert GraphClassifier.load(out).classes_.tolist() == described["classes"]


def test_the_report_shows_data_parts_figures_and_the_worst_images(model, folder, tmp_path):
    page = (model[0] / "report.html").read_text()
    for heading in (
        "Data",
        "Split",
        "Figures",
        "Predictions on the test part",
        "Errors, worst image first",
        "Learning",
    ):
        assert f">{heading}" in page
    for words in ("forest on composition", "ROC: well", "Precision and recall: well", "predicted sick", "knn:4"):
        assert words in page
    assert "over its patients" in page
    assert page.count("data:image/png;base64,") == 4
    assert "mean score = log odds of well" in page
    assert not re.search(r"(?:src|href)=\"(?:https?:|//)", page)
    parts = page[page.index("Images and patients of each part") :]
    assert [re.search(rf">{part}</th>", parts) is not None for part in PARTS] == [True] * 3
    assert train(folder, tmp_path / "m", *FAST, "--no-report", "--no-baselines").exit_code == 0
    assert not (tmp_path / "m" / "report.html").exists()


def test_images_are_predicted_a_row_each(model, folder, tmp_path):
    out, _ = model
    found = run("predict", out, folder, "--out", tmp_path / "found.csv")
    assert found.exit_code == 0, found.output
    assert "24 of 24 images predicted" in found.output
    rows = list(csv.DictReader((tmp_path / "found.csv").read_text().splitlines()))
    columns = ["image", "patient", "cells", "predicted_state", "probability_sick", "probability_well", "rejected"]
    assert list(rows[0]) == columns
    truth = ["sick" if k // 2 % 2 else "well" for k in range(24)]
    assert np.mean([row["predicted_state"] == each for row, each in zip(rows, truth, strict=True)]) > 0.9
    assert [row["image"] for row in rows] == [graph.image for graph in load_graphs(folder / "graphs")]
    streamed = run("predict", out, folder, "--out", "-")
    assert streamed.stdout == (tmp_path / "found.csv").read_text()
    assert "24 of 24 images predicted, written to standard output" in streamed.stderr


def test_one_image_is_explained_alone(model, folder, tmp_path):
    found = run("explain", model[0], folder, "--image", "p03_1", "--image", "P04_0.tif", "--out", tmp_path / "e")
    assert found.exit_code == 0, found.output
    assert "2 of 2 images explained" in found.output
    assert {path.name.partition("-")[2][:5] for path in (tmp_path / "e").iterdir()} == {"P03_1", "P04_0"}
    none = run("explain", model[0], folder, "--image", "P99", "--out", tmp_path / "n")
    assert "error: expected one image of the name 'P99', got 0: 'P00_0.tif', 'P00_1.tif'" in none.output
    assert not (tmp_path / "n").exists()


def test_other_graphs_are_refused_by_name_and_lose_no_row(model, tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides(3, 1, seed=5)]
    graphs[0] = tissue.delaunay(graphs[0])
    graphs[1].unit = "px"
    save_graphs(graphs, tmp_path / "graphs")
    found = run("predict", model[0], tmp_path, "--out", tmp_path / "found.csv")
    assert found.exit_code == 0
    assert "image 'P00_0.tif': its edges are by delaunay, expected knn:4" in found.output
    rows = list(csv.DictReader((tmp_path / "found.csv").read_text().splitlines()))
    assert [bool(row["predicted_state"]) for row in rows] == [False, False, True]
    assert rows[1]["rejected"] == "its positions are in px, expected um"
    strict = run("predict", model[0], tmp_path, "--strict", "--out", tmp_path / "strict.csv")
    assert (strict.exit_code, (tmp_path / "strict.csv").exists()) == (1, False)
    assert "set aside: 2, and strict allows none" in strict.output
    save_graphs(graphs[:2], tmp_path / "none" / "graphs")
    none = run("predict", model[0], tmp_path / "none")
    assert none.exit_code == 1
    assert "error: no image can be predicted" in none.output


def test_an_image_without_a_finite_prediction_gets_no_class(model, tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides(3, 1, seed=5)]
    graphs[1].x = torch.full((graphs[1].num_nodes, 1), 3e38)
    save_graphs(graphs, tmp_path / "graphs")
    found = run("predict", model[0], tmp_path, "--out", tmp_path / "found.csv")
    assert "2 of 3 images predicted" in found.output
    rows = list(csv.DictReader((tmp_path / "found.csv").read_text().splitlines()))
    assert [bool(row["predicted_state"]) for row in rows] == [True, False, True]
    assert (rows[1]["probability_sick"], rows[1]["rejected"]) == (
        "",
        "no prediction: the output of the model is not a finite number",
    )
    assert "strict allows none" in run("predict", model[0], tmp_path, "--strict").output
    explained = run("explain", model[0], tmp_path, "--out", tmp_path / "explained")
    assert "2 of 3 images explained" in explained.output
    save_graphs(graphs[1:2], tmp_path / "none" / "graphs")
    none = run("predict", model[0], tmp_path / "none")
    assert "error: no image can be predicted" in none.output
    assert "image 'P01_0.tif': no prediction: the output of the model is not a finite number" in none.output


def test_folds_test_each_image_once_and_one_model_of_all_is_saved(folder, tmp_path):
    found = train(folder, tmp_path / "m", *FAST, "--split", "folds:fold", "--model", "attention_mil")
    assert found.exit_code == 0, found.output
    assert "3 folds of the labels, 24 images of 12 patients, each tested once" in found.output
    assert "from 3 folds, corrected for their overlap; findings after Holm over 8 comparisons" in found.output
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    assert described["split"] == {"rule": "3 folds of the labels", "seed": 0, "train": 24, "validation": 0, "test": 24}
    assert not (tmp_path / "m" / "training").exists()
    assert ">fold 3</th>" in (tmp_path / "m" / "report.html").read_text()


def test_values_are_learned(folder, tmp_path):
    words = (
        "--labels",
        folder / "labels.csv",
        "--target",
        "size",
        "--mixed-patients",
        "--no-baselines",
        "--model",
        "gcn",
    )
    found = run("train", folder, *words, *FAST, "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    assert "regression" in found.output
    assert "RMSE" in found.output
    done = run("predict", tmp_path / "m", folder, "--out", tmp_path / "p.csv")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "p.csv").read_text().splitlines()[0] == "image,patient,cells,predicted_size,rejected"


def test_labels_that_graphs_hold_are_learned(tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides()]
    for k, graph in enumerate(graphs):
        graph.y, graph.class_names, graph.donor = torch.tensor([k // 2 % 2]), ["0", "1"], f"D{k // 2}"
    save_graphs(graphs, tmp_path / "graphs")
    found = run("train", tmp_path, "--group", "donor", *FAST, "--no-baselines", "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    assert "of 12 patients" not in found.output
    assert "patients training" in found.output


def test_labels_of_graphs_are_checked_for_patients_with_two(tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides()]
    for k, graph in enumerate(graphs):
        graph.y, graph.class_names = torch.tensor([k // 2 % 2 if k else 1]), ["well", "sick"]
        graph.patient = f"D{k // 2}"
    save_graphs(graphs, tmp_path / "graphs")
    found = run("train", tmp_path, *FAST, "--no-baselines", "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    assert (
        "patient 'D0': its images have different labels: 'sick' and 'well'; mixed_patients=True keeps" in found.output
    )
    rows = list(csv.DictReader((tmp_path / "m" / "rejected.csv").read_text().splitlines()))
    assert [row["place"] for row in rows] == ["patient 'D0'", "image 'P00_0.tif'", "image 'P00_1.tif'"]
    kept = run("train", tmp_path, *FAST, "--no-baselines", "--mixed-patients", "--out", tmp_path / "mixed")
    assert "different labels" not in kept.output


def test_another_spelling_is_matched_and_the_rest_is_set_aside(folder, tmp_path):
    rows = (folder / "labels.csv").read_text().replace("P00_0.tif", "p00_0.SVS").replace("P00_1.tif", "P00 1.tif")
    (tmp_path / "labels.csv").write_text(rows)
    words = ("--labels", tmp_path / "labels.csv", "--target", "state", *FAST, "--no-baselines", "--out", tmp_path / "m")
    found = run("train", folder, *words)
    assert found.exit_code == 0, found.output
    kept = list(csv.DictReader((tmp_path / "m" / "rejected.csv").read_text().splitlines()))
    assert [(row["place"], row["reason"]) for row in kept] == [
        ("line 3", "there is no image 'P00 1.tif'"),
        ("image 'P00_1.tif'", "it has no label"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "random"), "puts images of"),
        (("--split", "folds:13"), "got 12 patients for 13 folds: use folds:12"),
        (("--split", "sit"), "labels.csv has no column 'sit'; it has 'image'"),
        (("--group", "donor"), "have no 'donor' to keep images together by"),
        (
            ("--model", "slidegraph"),
            "or a model of slide_graph, gland_graph, tissue_transformer, attention_mil, got slidegraph",
        ),
        (("--positive", "ill"), "the positive class is one of two; got 'ill'"),
        (("--task", "regression"), "a regression needs different numbers; target 'state' has"),
        (("--accelerator", "gpux"), "cannot train with accelerator gpux"),
        (("--resume",), "holds no interrupted training: nothing to resume"),
        (("--target", "grade"), "has no column 'grade'"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_leaves_nothing(words, said, folder, tmp_path):
    found = train(folder, tmp_path / "m", *FAST, *words)
    assert found.exit_code == 1
    (line,) = [line for line in found.output.splitlines() if line.startswith("error")]
    assert said in line
    assert not (tmp_path / "m").exists()


def test_one_class_and_few_patients_are_said(folder, tmp_path):
    head, *rows = (folder / "labels.csv").read_text().splitlines()
    for name, kept, said in (
        (
            "one",
            [row for row in rows if "sick" in row],
            "target 'state' has one class only: 'sick' in all 12 labelled rows",
        ),
        ("few", rows[:4], "expected 3 patients or more for three parts"),
    ):
        (tmp_path / name).write_text("\n".join([head, *kept]) + "\n")
        found = run("train", folder, "--labels", tmp_path / name, "--target", "state", "--out", tmp_path / "m")
        assert found.exit_code == 1
        assert said in found.output
    found = run("train", folder, "--out", tmp_path / "m")
    assert "have no labels: give --labels, a table of image, patient and label" in found.output


def test_one_class_is_said_with_what_was_set_aside(folder, tmp_path):
    rows = ["P00_0.tif,P00,a", "P00_1.tif,P00,b", "P01_0.tif,P01,a", "P01_1.tif,P01,a"]
    (tmp_path / "mixed.csv").write_text("image,patient,state\n" + "\n".join(rows) + "\n")
    found = run("train", folder, "--labels", tmp_path / "mixed.csv", "--target", "state", "--out", tmp_path / "m")
    assert found.exit_code == 1
    assert "target 'state' has one class only: 'a' in all 2 labelled rows; set aside: " in found.output
    assert "patient 'P00': its images have different labels: 'a' and 'b'" in found.output


def test_graphs_without_edges_and_models_of_others_are_refused(model, folder, tmp_path):
    save_graphs(list(slides()), tmp_path / "graphs")
    words = ("--labels", folder / "labels.csv", "--target", "state", "--out", tmp_path / "m")
    assert "have no edges: join neighbours with" in run("train", tmp_path, *words).output
    assert "holds no graphs" in run("train", Path(tmp_path / "graphs").parent.parent, *words).output
    plain = GraphClassifier("gcn", "edges", channels=8, epochs=1).fit([tissue.knn(g, 4) for g in slides()], [0, 1] * 12)
    other = plain.save(tmp_path / "other")
    assert "holds no model of tissue: expected a folder made by" in run("predict", other, folder).output
    assert "holds no model" in run("predict", tmp_path, folder).output
