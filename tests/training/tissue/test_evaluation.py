"""``graphattn tissue evaluate``: figures on labelled images, those of patients seen in training apart."""

import json

import pytest

from graphattn.data import save_graphs, tissue
from tests.training.tissue.made import run, slides


def evaluate(model, folder, labels, *words):
    return run("evaluate", model[0], folder, "--labels", labels, *words)


def test_patients_that_were_seen_are_scored_apart(model, folder):
    found = evaluate(model, folder, folder / "labels.csv")
    assert found.exit_code == 0, found.output
    assert "all 24 images of 12 patients" in found.output
    assert "4 images of 2 patients not seen" in found.output
    assert "95 % bootstrap interval over the patients" in found.output
    (tested,) = [line for line in model[1].splitlines() if line.startswith("│ slide_graph")]
    value = json.loads((model[0] / "model.json").read_text())["metrics"]["slide_graph"]["accuracy"]["value"]
    accuracy = next(line for line in found.output.splitlines() if "accuracy" in line)
    assert accuracy.split("│")[3].strip() == f"{value:.3f}"
    assert f"{value:.3f}" in tested


def test_images_that_were_renamed_are_known_by_their_cells(model, tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides()]
    for k, graph in enumerate(graphs):
        graph.image = f"new {k}"
    save_graphs(graphs, tmp_path / "graphs")
    rows = [f"new {k},{'sick' if k // 2 % 2 else 'well'}" for k in range(24)]
    (tmp_path / "labels.csv").write_text("image,diagnosis\n" + "\n".join(rows) + "\n")
    found = evaluate(model, tmp_path, tmp_path / "labels.csv")
    assert "4 images of 4 patients not seen" in found.output
    (tmp_path / "labels.csv").write_text("image,diagnosis\n" + "\n".join(rows[:2] + rows[4:6]) + "\n")
    assert "4 images of 4 patients, ALL SEEN IN TRAINING" in evaluate(model, tmp_path, tmp_path / "labels.csv").output


def test_new_patients_are_one_group_and_labels_of_other_words_are_set_aside(model, tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides(4, 1, seed=5)]
    graphs[3].unit = "px"
    save_graphs(graphs, tmp_path / "graphs")
    (tmp_path / "labels.csv").write_text(
        "image,patient,state\nP00_0.tif,n1,Well\nP01_0.tif,n2,SICK\nP02_0.tif,n3,unsure\nP03_0.tif,n4,sick\n"
    )
    found = evaluate(model, tmp_path, tmp_path / "labels.csv")
    assert found.exit_code == 0, found.output
    assert "2 images of 2 patients" in found.output
    assert "seen" not in found.output.lower()
    assert "image 'P02_0.tif': unusable label: 'unsure' of state is none of the classes sick, well" in found.output
    assert "image 'P03_0.tif': its positions are in px, expected um" in found.output
    assert "strict allows none" in evaluate(model, tmp_path, tmp_path / "labels.csv", "--strict").output
    (tmp_path / "none.csv").write_text("image,state\nP00_0.tif,a\nP01_0.tif,b\n")
    assert (
        "error: no image has a label that the model knows: " in evaluate(model, tmp_path, tmp_path / "none.csv").output
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "grade"), "has no column 'grade'"),
        (("--group", "donor"), "have no 'donor' to keep images together by"),
    ],
)
def test_what_is_not_there_is_named(words, said, model, folder):
    found = evaluate(model, folder, folder / "labels.csv", *words)
    assert found.exit_code == 1
    assert said in found.output


def test_folders_of_earlier_versions_say_that_they_do_not_know(model, folder, tmp_path):
    described = json.loads((model[0] / "model.json").read_text())
    del described["seen"]
    for path in model[0].iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.json").write_text(json.dumps(described))
    found = run("evaluate", tmp_path, folder, "--labels", folder / "labels.csv", "--trust")
    assert "the model does not say which patients it was trained on" in found.output
