"""Scores of cells that add up to the prediction, drawn on the tissue and written for viewers."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Data
from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.data import load_graphs, save_graphs, tissue
from graphattn.explain.tissue_scores import cell_scores
from graphattn.training.recipe import Recipe
from graphattn.training.tissue.answering import predictions
from graphattn.training.tissue.plan import TissueNetwork, TissuePlan
from graphattn.training.tissue.prediction import open_model, read_for
from graphattn.training.tissue.slides import Labels
from graphattn.training.tissue.workflow import train


def run(*words):
    return CliRunner().invoke(app, ["tissue", *map(str, words)])


def slide(k, classes):
    draw = np.random.default_rng(k)
    graph = Data(
        pos=torch.from_numpy(draw.random((15, 2)) * 60).float(),
        origin=torch.tensor([40.0, 40.0]).double(),
        x=torch.from_numpy(draw.normal(size=(15, 2)) + k % classes).float(),
        feature_names=["area", "stain"],
        cell_type=torch.from_numpy(draw.integers(0, 2, 15)),
        cell_type_names=["b", "t"],
        unit="um",
        mpp=0.5,
        image=f"P{k}.svs",
        patient=f"P{k}",
        node_id=[f"c{row}" for row in range(15)],
        y=torch.tensor([k % classes]),
        class_names=["a", "b", "c"][:classes],
    )
    return tissue.knn(graph, 3)


def trained(folder, model, classes=2, kind=None):
    graphs = [slide(k, classes) for k in range(12)]
    for k, graph in enumerate(graphs if kind else ()):
        graph.y, graph.class_names = torch.tensor([0.5 * k]), None
    plan = TissuePlan(
        folder,
        labels=Labels(kind=kind),
        network=TissueNetwork(model),
        recipe=Recipe(epochs=2, batch_size=16),
        compare=False,
    )
    train(graphs, plan, lambda said: None, verbose=False)
    return open_model(folder, False, print), graphs


@pytest.mark.parametrize("model", ["slide_graph", "gland_graph", "attention_mil"])
@pytest.mark.parametrize(("classes", "kind"), [(2, None), (3, None), (3, "regression")])
def test_the_mean_of_the_scores_is_the_prediction(model, classes, kind, tmp_path):
    fitted, graphs = trained(tmp_path / "m", model, classes, kind)
    read = read_for(fitted, graphs, "graphs", print)
    said = predictions(fitted.network, read.graphs)
    for graph, answer in zip(read.graphs[:3], said, strict=False):
        found = cell_scores(fitted, graph, None if kind or classes == 2 else "c")
        assert found.scores.shape == (15,)
        assert found.total == pytest.approx(found.scores.mean())
        if kind:
            assert found.total == pytest.approx(answer[0], rel=1e-5)
        elif classes == 2:
            assert 1 / (1 + math.exp(-found.total)) == pytest.approx(answer[0], abs=1e-6)
        else:
            logits = np.log(answer)
            assert found.total == pytest.approx(logits[2] - logits.mean(), abs=1e-5)
    if classes == 2:
        assert cell_scores(fitted, read.graphs[0], "a").scores == pytest.approx(
            -cell_scores(fitted, read.graphs[0]).scores
        )


def test_other_models_are_explained_by_contributions_that_add_up(tmp_path):
    fitted, graphs = trained(tmp_path / "m", "gcn")
    graph = fitted.form.applied(graphs[0])
    found, blank = cell_scores(fitted, graph), graph.clone()
    blank.x = fitted.network.network.embedding.start.mean.expand(15, -1)
    said = predictions(fitted.network, [graph, blank])[:, 0]
    assert found.name == "contribution to the probability of b"
    assert found.total == pytest.approx(said[0] - said[1], abs=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("explained")
    _, graphs = trained(made / "model", "slide_graph")
    graphs[1].unit = "px"  # refused
    save_graphs(graphs[:3], made / "graphs")
    (made / "images").mkdir()
    Image.fromarray(np.full((260, 260, 3), 240, dtype=np.uint8)).save(made / "images" / "p0.PNG")
    return made


def test_pictures_and_files_of_each_image(folder, tmp_path):
    out = tmp_path / "out"
    found = run("explain", folder / "model", folder, "--out", out, "--images", folder / "images")
    assert found.exit_code == 0, found.output
    assert "2 of 3 images explained" in found.output
    assert "image 'P1.svs': its positions are in px, expected um" in found.output
    assert "image 'P2.svs' is drawn without its picture" in found.output
    assert "'P0.svs' is drawn without" not in found.output
    names = [
        f"{name}{end}"
        for name in ("00000-P0.svs", "00002-P2.svs")
        for end in (".csv", ".geojson", ".png", ".svg", ".tiaviz.json")
    ]
    assert sorted(path.name for path in out.iterdir()) == names
    rows = list(csv.DictReader((out / "00000-P0.svs.csv").read_text().splitlines()))
    (graph, *_) = load_graphs(folder / "graphs")
    fitted = open_model(folder / "model", False, print)
    scores = cell_scores(fitted, fitted.form.applied(graph)).scores
    assert [float(row["score of b"]) for row in rows] == pytest.approx(scores)
    assert [row["cell_id"] for row in rows] == graph.node_id
    objects = json.loads((out / "00000-P0.svs.geojson").read_text())["features"]
    assert objects[3]["properties"]["measurements"]["score of b"] == pytest.approx(scores[3])
    assert objects[3]["geometry"]["coordinates"] == pytest.approx(((graph.origin + graph.pos)[3] / 0.5).tolist())
    svg = (out / "00002-P2.svs.svg").read_text()
    assert "<svg" in svg
    assert (out / "00000-P0.svs.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "z"), "expected one of 'a', 'b' to explain, got 'z'"),
        (("--images", "nowhere"), "expected a folder of images, got nowhere"),
    ],
)
def test_what_cannot_be_explained_leaves_nothing(words, said, folder, tmp_path):
    found = run("explain", folder / "model", folder, "--out", tmp_path / "out", *words)
    assert found.exit_code == 1
    assert said in found.output
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_and_damaged_pictures(folder, tmp_path):
    assert (
        "expected a new or empty folder for explanations"
        in run("explain", folder / "model", folder, "--out", folder).output
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "P0.png").write_bytes(b"no image")
    (tmp_path / "images" / "P2.png").write_bytes(b"no image")
    (tmp_path / "images" / "P2.jpg").write_bytes(b"no image")
    found = run("explain", folder / "model", folder, "--out", tmp_path / "out", "--images", tmp_path / "images")
    assert found.exit_code == 0
    assert "image 'P0.svs' is drawn without its picture: cannot identify image file" in found.output
    assert "holds 2 files of that name" in found.output.replace("\n", " ")


def test_a_model_of_values_has_no_classes(tmp_path):
    fitted, graphs = trained(tmp_path / "m", "slide_graph", 3, "regression")
    with pytest.raises(ValueError, match="the model predicts a value, 'y', and no classes; got the target 'b'"):
        cell_scores(fitted, fitted.form.applied(graphs[0]), "b")
