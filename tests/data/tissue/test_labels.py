"""Labels of images from a table: exact names, then names without case, folder and suffix, never parts of names."""

from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data

from graphattn.data import tissue

CASES = Path(__file__).parent / "cases"


def labelled(name, **given):
    return tissue.label_images(tissue.read(CASES / "cohort_cells.csv", unit="um"), CASES / name, **given)


def images(*names):
    return [Data(pos=torch.zeros(1, 2), image=name) for name in names]


def table(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_clean_table_labels_all():
    found = labelled("cohort_labels_clean.csv")
    assert (len(found.graphs), found.set_aside) == (8, [])
    assert len({graph.patient for graph in found.graphs}) == 7
    assert {graph.class_names[int(graph.y)] for graph in found.graphs} == {"0", "1"}


def test_without_patients_each_image_is_its_own_and_that_is_said():
    found = labelled("cohort_labels_no_patient.csv")
    assert len({graph.patient for graph in found.graphs}) == 8
    assert any("both sides of a split" in note for note in found.notes)


def test_a_part_of_a_name_is_no_name_and_contradictions_are_named():
    found = labelled("cohort_labels_ambiguous_stem.csv")
    assert found.graphs == []
    said = [str(each) for each in found.set_aside]
    assert any("line 2: there is no image 'P01'" in each for each in said)
    assert any("image 'P02_a.TIF': its rows contradict each other" in each and "'P02_a.ndpi'" in each for each in said)
    assert sum("it has no label" in each for each in said) == 7


def test_one_class_is_read():
    assert {graph.class_names[int(graph.y)] for graph in labelled("cohort_labels_one_class.csv").graphs} == {"1"}


def test_a_name_that_reaches_two_images_reaches_none(tmp_path):
    found = tissue.label_images(images("a.svs", "a.tif", "b.svs"), table(tmp_path, "image,y\nA,1\na.tif,0\nb,1\n"))
    assert [graph.image for graph in found.graphs] == ["a.tif", "b.svs"]
    assert "'A' is the name of 2 images: 'a.svs' and 'a.tif'" in found.set_aside[0].reason


def test_a_patient_with_two_labels_is_set_aside_unless_it_is_meant(tmp_path):
    path = table(tmp_path, "image,patient,y\na,P1,0\nb,P1,1\nc,P2,1\n")
    found = tissue.label_images(images("a", "b", "c"), path)
    assert [graph.image for graph in found.graphs] == ["c"]
    assert "patient 'P1': its images have different labels: '0' and '1'" in str(found.set_aside[0])
    assert len(tissue.label_images(images("a", "b", "c"), path, mixed_patients=True).graphs) == 3


def test_numbers_are_measured_values(tmp_path):
    found = tissue.label_images(images("a", "b"), table(tmp_path, "image,patient,y\na,1,0.5\nb,2,2\n"))
    assert [float(graph.y) for graph in found.graphs] == [0.5, 2.0]
    assert found.graphs[0].y.is_floating_point()


def test_rows_without_image_or_label(tmp_path):
    found = tissue.label_images(images("a"), table(tmp_path, "image,y\n,1\na,NA\n"))
    assert [str(each).split("labels.csv, ")[1] for each in found.set_aside] == [
        "line 2: it names no image",
        "line 3: it has no label for image 'a', but 'NA'",
        "image 'a': it has no label",
    ]


def test_columns_can_be_named(tmp_path):
    path = table(tmp_path, "slide_file,grade2,who\na,low,P1\n")
    (graph,) = tissue.label_images(images("a"), path, image="slide_file", label="grade2", patient="who").graphs
    assert (graph.patient, graph.class_names) == ("P1", ["low"])


@pytest.mark.parametrize(
    ("text", "words"),
    [("slides,y\na,1\n", "no column 'image'; it has 'slides' and 'y'"), ("image,z\na,1\n", "no column 'y'")],
)
def test_a_table_without_the_columns_is_refused(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        tissue.label_images(images("a"), table(tmp_path, text))


def test_read_takes_the_table_of_labels():
    graphs = tissue.read(CASES / "cohort_cells.csv", unit="um", labels=CASES / "cohort_labels_clean.csv")
    assert len(graphs) == 8
    assert all("patient" in graph for graph in graphs)


def test_columns_that_are_kept_and_patients_that_graphs_have(tmp_path):
    path = table(tmp_path, "image,y,fold\na,1,2\nb,0,1\nc,0,1\n")
    graphs = images("a", "b", "c")
    graphs[0].patient, graphs[1].patient = "P1", "P2"
    found = tissue.label_images(graphs, path, keep=["fold"])
    assert [graph.label_columns for graph in found.graphs] == [{"fold": "2"}, {"fold": "1"}, {"fold": "1"}]
    assert [graph.patient for graph in found.graphs] == ["P1", "P2", "c"]
    assert any(note.startswith("no patient of 'c': each image is a patient of its own") for note in found.notes)
    with pytest.raises(ValueError, match="has no column 'part'"):
        tissue.label_images(graphs, path, keep=["part"])
