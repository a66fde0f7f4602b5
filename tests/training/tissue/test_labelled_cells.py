"""Classes of cells: ``graphattn tissue train --task nodes``, ``predict``, ``evaluate`` and ``explain`` of what it saved."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.data import load_graphs, save_graphs, tissue
from graphattn.data.tasks import Task
from graphattn.training.tissue import answering
from graphattn.training.tissue.answering import cell_predictions
from graphattn.training.tissue.prediction import open_model, read_for
from graphattn.training.tissue.problems import labelled_cells
from graphattn.training.tissue.problems.labelled_cells import cell_tables, judge_of_cells
from tests.training.tissue.made import run, slides

FAST = ("--epochs", "2", "--no-baselines")


def regions():
    """Cells whose region shows in their neighbours rather than in themselves: stroma on the left, tumour on the right."""
    draw = np.random.default_rng(3)
    for k, graph in enumerate(slides(6, 1)):
        count = 60
        pos = draw.random((count, 2)) * 100
        right = pos[:, 0] > 50
        graph.pos, graph.node_id = torch.from_numpy(pos).float(), [f"c{at}" for at in range(count)]
        graph.x = torch.from_numpy(draw.normal(size=count) + 1.2 * right).float()[:, None]
        graph.cell_type = torch.from_numpy(draw.integers(0, 2, count))
        graph.region = ["tumour" if at else "stroma" for at in right]
        graph.patient = f"D{k}"
        yield tissue.knn(graph, 8)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    made = tmp_path_factory.mktemp("cells")
    save_graphs(list(regions()), made / "graphs")
    out = made / "model"
    words = ("--task", "nodes", "--label", "region", "--split", "folds:3", "--epochs", 60, "--model", "gland_graph")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelled_cells, "TREES", 20)
        found = run("train", made, *words, "--out", out)
    assert found.exit_code == 0, found.output
    return made, out, found.output


def test_neighbours_help_and_the_baseline_that_has_them_is_said(cells):
    _, out, said = cells
    described = json.loads((out / "model.json").read_text())
    assert described["level"] == "node"
    assert described["classes"] == ["stroma", "tumour"]
    assert described["data"]["cells"] == 360
    assert described["tissue"]["types"] == ["stroma", "tumor"]
    values = {name: each["balanced accuracy"]["value"] for name, each in described["metrics"].items()}
    assert list(values) == [
        "gland_graph",
        *(
            f"{kind} on {what}"
            for what in ("the cell alone", "the cell and its neighbours")
            for kind in ("logistic regression", "forest")
        ),
    ]
    assert values["gland_graph"] > values["logistic regression on the cell alone"] + 0.05
    assert described["metrics"]["gland_graph"]["balanced accuracy"]["base"] == 0.5
    assert "(base rate 0.500)" in said
    assert "6 patients drawn with replacement" in said
    assert "from 3 folds, corrected for their overlap" in said
    assert "each node" in (out / "README.md").read_text()
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert "of 60 cells called wrongly" in page
    assert "predicted tumour" in page


def test_cells_are_predicted_a_row_each(cells, tmp_path):
    made, out, _ = cells
    found = run("predict", out, made, "--out", tmp_path / "cells.csv")
    assert found.exit_code == 0, found.output
    assert "360 cells of 6 of 6 images named" in found.output
    rows = list(csv.DictReader(io.StringIO((tmp_path / "cells.csv").read_text())))
    assert len(rows) == 360
    head = "image patient cell_id x y unit region predicted_region probability_stroma probability_tumour rejected"
    assert list(rows[0]) == head.split()
    assert np.mean([row["region"] == row["predicted_region"] for row in rows]) > 0.8
    graph = load_graphs(made / "graphs")[0]
    assert (rows[0]["cell_id"], float(rows[0]["x"])) == ("c0", pytest.approx(float(graph.pos[0, 0])))
    assert float(rows[0]["probability_stroma"]) + float(rows[0]["probability_tumour"]) == pytest.approx(1, abs=1e-5)
    streamed = run("predict", out, made, "--out", "-")
    assert streamed.stdout == (tmp_path / "cells.csv").read_text()


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_classes_are_drawn_and_written_for_qupath(command, cells, tmp_path):
    made, out, _ = cells
    found = run(command, out, made, *(("--target", "tumour") if command == "explain" else ()), "--out", tmp_path / "c")
    assert found.exit_code == 0, found.output
    names = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert names[:5] == [f"00000-P00_0.tif.{end}" for end in ("csv", "geojson", "png", "svg", "tiaviz.json")]
    assert len(names) == 30
    (back,) = tissue.read(tmp_path / "c" / names[1], mpp=0.5)
    table = list(csv.DictReader(io.StringIO((tmp_path / "c" / names[0]).read_text())))
    assert [back.cell_type_names[at] for at in back.cell_type] == [row["cell_type"] for row in table]
    assert {"probability stroma", "probability tumour"} <= set(back.feature_names)
    again = run(command, out, made, "--out", tmp_path / "c")
    assert "expected a new or empty folder for explanations" in again.output
    if command == "explain":
        other = run(command, out, made, "--target", "lymph", "--out", tmp_path / "d")
        assert "expected one of 'stroma', 'tumour' to explain, got 'lymph'" in other.output


def test_images_that_do_not_fit_have_one_row_and_others_theirs(cells, tmp_path):
    _, out, _ = cells
    graphs = list(regions())
    graphs[0].unit = "px"
    del graphs[1]["region"]
    save_graphs(graphs, tmp_path / "graphs")
    found = run("predict", out, tmp_path, "--out", tmp_path / "cells.csv")
    assert "300 cells of 5 of 6 images named" in found.output
    rows = list(csv.DictReader(io.StringIO((tmp_path / "cells.csv").read_text())))
    assert len(rows) == 301
    assert (rows[0]["predicted_region"], rows[0]["rejected"]) == ("", "its positions are in px, expected um")
    assert [row["region"] for row in rows[1:61]] == [""] * 60
    scored = run("evaluate", out, tmp_path)
    assert "image 'P01_0.tif': its cells have no 'region'" in scored.output
    assert "240 cells of 4 patients, ALL SEEN IN TRAINING" in scored.output
    for graph in graphs:
        graph.region = ["elsewhere"] * 60
    save_graphs(graphs[2:], tmp_path / "other" / "graphs")
    assert (
        "no cell has a class that the model knows: expected 'stroma' and 'tumour'"
        in run("evaluate", out, tmp_path / "other").output
    )
    for graph in graphs:
        del graph["region"]
    save_graphs(graphs[2:], tmp_path / "none" / "graphs")
    assert (
        "no cell has a 'region' to compare with; cells have 'cell_type' and 'area'"
        in run("evaluate", out, tmp_path / "none").output
    )
    table = run("evaluate", out, tmp_path, "--labels", tmp_path / "cells.csv")
    assert "the model names cells by 'region': expected what is true of them in" in table.output


def test_types_of_cells_are_learned_without_what_tells_them(tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides()]
    graphs[0].cell_type[0] = -1
    save_graphs(graphs, tmp_path / "graphs")
    found = run("train", tmp_path, "--task", "nodes", *FAST, "--model", "slide_graph", "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    assert described["tissue"]["types"] == []
    assert "same type" not in described["tissue"]["edges"]
    assert "1 of " in found.output
    assert "cells have no class: they are read, and neither learned nor tested" in found.output
    measured = run("train", tmp_path, "--task", "nodes", "--label", "area", *FAST, "--out", tmp_path / "n")
    assert "'area' has" in measured.output
    assert "different values, expected classes of cells, 100 at most" in measured.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--task", "nodes", "--label", "zone"), "no cell has a 'zone' to learn; cells have 'cell_type' and 'area'"),
        (("--label", "zone"), "--label zone names what is learned of cells: expected --task nodes, got --task None"),
        (("--task", "nodes", "--target", "state"), "classes of cells come with the graphs, by --label cell_type"),
    ],
)
def test_what_cannot_be_learned_of_cells_is_one_line(words, said, folder, tmp_path):
    found = run("train", folder, *words, *FAST, "--out", tmp_path / "m")
    assert found.exit_code == 1
    assert said in found.output
    assert not (tmp_path / "m").exists()


def test_a_class_of_one_cell_and_parts_of_one_class_are_said(tmp_path):
    graphs = [tissue.knn(graph, 4) for graph in slides(6, 1)]
    for graph in graphs:
        graph.region = ["a"] * graph.num_nodes
    graphs[0].region[0], graphs[1].region[0] = "b", "rare"
    save_graphs(graphs, tmp_path / "graphs")
    words = ("--task", "nodes", "--label", "region", *FAST, "--out", tmp_path / "m")
    found = run("train", tmp_path, *words, "--split", "folds:6")
    assert found.exit_code == 0, found.output
    assert ": warning: the training part has no cell of 'b': no cell will be called so" in found.output
    for graph in graphs[1:]:
        graph.region = ["a"] * graph.num_nodes
    save_graphs(graphs, tmp_path / "one" / "graphs")
    alone = run("train", tmp_path / "one", *words[:-1], tmp_path / "o", "--split", "leave-one-patient-out")
    assert alone.exit_code == 1
    assert "the cells of the training part have one class only, 'a'; try another --split" in alone.output


def test_an_image_without_the_column_is_set_aside(tmp_path):
    graphs = list(regions())
    del graphs[0]["region"]
    save_graphs(graphs, tmp_path / "graphs")
    found = run("train", tmp_path, "--task", "nodes", "--label", "region", *FAST, "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    assert "image 'P00_0.tif': its cells have no 'region'" in found.output


def test_tiles_say_what_the_whole_image_says(cells, monkeypatch):
    made, out, _ = cells
    model = open_model(out, False, print)
    graphs = read_for(model, load_graphs(made / "graphs"), "graphs", print).graphs
    whole = cell_predictions(model.network, graphs[0])
    monkeypatch.setattr(answering, "MOST_CELLS", 20)
    np.testing.assert_allclose(cell_predictions(model.network, graphs[0]), whole, atol=1e-6)


def test_large_images_are_learned_in_tiles(tmp_path, monkeypatch):
    save_graphs(list(regions()), tmp_path / "graphs")
    monkeypatch.setattr(answering, "MOST_CELLS", 20)
    found = run("train", tmp_path, "--task", "nodes", "--label", "region", *FAST, "--out", tmp_path / "m")
    assert found.exit_code == 0, found.output
    assert "balanced accuracy" in found.output


def test_measures_of_cells_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, matthews_corrcoef

    draw = np.random.default_rng(0)
    truth, said = draw.integers(0, 3, 60), draw.integers(0, 3, 60)
    patients = [f"P{at}" for at in draw.integers(0, 5, 60)]
    judged = judge_of_cells(Task("multiclass", ("y",), ("a", "b", "c")))
    found = judged(np.eye(3)[said], truth[:, None].astype(float), patients, 3)
    expected = {
        "balanced accuracy": balanced_accuracy_score(truth, said),
        "accuracy": accuracy_score(truth, said),
        "MCC": matthews_corrcoef(truth, said),
    }
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected)
    assert {values.shape for values in found.values()} == {(4,)}


def test_the_mean_of_neighbours_leaves_out_what_is_missing():
    x = torch.tensor([[1.0], [torch.nan], [5.0]])
    graph = Data(x=x, edge_index=torch.tensor([[0, 1, 2], [1, 0, 0]]))
    found = cell_tables(graph)["the cell and its neighbours"]
    np.testing.assert_array_equal(found, [[1, 5], [np.nan, 1], [5, np.nan]])


def test_columns_that_were_kept_are_read_from_tables(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("cell,x,y,zone,area\na,1,2,core,3\nb,2,3,,4\nc,5,6,rim,5\n")
    found = tissue.survey(path, unit="um", keep=["zone"])
    assert found.graphs[0].zone == ["core", "", "rim"]
    assert found.graphs[0].feature_names == ["area"]
    with pytest.raises(ValueError, match="columns to keep of other names than 'pos' and 'x', which graphs have"):
        tissue.survey(path, keep=["x", "pos", "zone"])
    with pytest.raises(ValueError, match="no column 'zones'"):
        tissue.survey(path, keep=["zones"])
    h5ad = tissue.write_h5ad(found.graphs, tmp_path / "cells.h5ad")
    assert tissue.survey(h5ad, keep=["cell_id"]).graphs[0].cell_id == ["a", "b", "c"]
    out = tmp_path / "graphs"
    assert run("graph", path, "--unit", "um", "--keep", "zone", "--no-pictures", "--out", out).exit_code == 0
    assert load_graphs(out / "graphs")[0].zone == ["core", "", "rim"]
