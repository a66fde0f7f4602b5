"""``graphattn tissue graph``: graphs, pictures, and what was set aside, from files of cells."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphattn.cli import app
from graphattn.data import load_graphs

CASES = Path(__file__).parent / "data" / "tissue" / "cases"


def run(*words):
    return CliRunner().invoke(app, ["tissue", "graph", *map(str, words)])


def test_graphs_pictures_and_what_was_set_aside_are_written(tmp_path):
    out = tmp_path / "out"
    files = CASES / "cohort_cells.csv", CASES / "geom_nonfinite.csv", CASES / "img1_seg.npy"
    found = run(*files, "--unit", "um", "--builder", "delaunay:60", "--out", out)
    assert found.exit_code == 0, found.output
    graphs = load_graphs(out / "graphs")
    assert [graph.image for graph in graphs][-1] == "i1"
    assert all(graph.edge_index is not None for graph in graphs)
    assert len(list((out / "pictures").glob("*.png"))) == len(graphs) == 9
    rows = list(csv.DictReader((out / "rejected.csv").read_text().splitlines()))
    assert [row["place"] for row in rows] == ["line 4", "line 5", "line 6", "line 8", "line 10", ""]
    assert "6 set aside" in found.output
    assert "positions from 'x' and 'y'" in found.output


def test_labels_and_patients_are_read(tmp_path):
    out = tmp_path / "out"
    words = "--unit", "um", "--labels", CASES / "cohort_labels_clean.csv", "--no-pictures", "--out", out
    assert run(CASES / "cohort_cells.csv", *words).exit_code == 0
    assert {graph.patient for graph in load_graphs(out / "graphs")} == {f"P0{number}" for number in range(1, 8)}
    assert not (out / "pictures").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no such file.csv",), "error: there is no file no such file.csv"),
        (
            (CASES / "geom_negative.csv", "--builder", "near"),
            "one of knn, radius, delaunay, contact, grid, file as the builder, got 'near'",
        ),
        ((CASES / "geom_negative.csv", "--mpp", "0"), "micrometres per pixel above 0 as mpp, got 0.0"),
        ((CASES / "qp05_annotations_only.geojson",), "export all objects"),
        (
            (CASES / "cohort_cells.csv", "--labels", CASES / "cohort_labels_ambiguous_stem.csv"),
            "error: no image has a label: cohort_labels_ambiguous_stem.csv, line 2: there is no image 'P01'",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run(*words)
    assert found.exit_code == 1
    assert said in found.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    found = run(CASES / "geom_negative.csv", "--out", tmp_path)
    assert found.exit_code == 1
    assert "expected a new or empty folder for graphs" in found.output
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
