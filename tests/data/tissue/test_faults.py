"""What an attacker found in files of cells: each case once went wrong in silence, or lost good cells."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Data

from graphattn.data import tissue
from graphattn.data.tissue.numbers import decimal_comma, to_numbers
from graphattn.explain.tissue import draw_tissue
from tests.data.tissue.made import places, written

CASES = Path(__file__).parent / "cases"


def images(*names):
    return [Data(pos=torch.zeros(1, 2), image=name) for name in names]


@pytest.mark.parametrize("far", ["4294967295", "1e20", "1e300"])
def test_one_far_cell_is_set_aside_and_moves_no_other(tmp_path, far):
    rows = "".join(f"c{at},{100 + 0.7 * at},{200 + 0.3 * at}\n" for at in range(9))
    found = tissue.survey(written(tmp_path, f"cell,x,y\n{rows}c9,{far},{far}\n"), unit="um")
    np.testing.assert_allclose(places(found.graphs[0])[:, 0], 100 + 0.7 * np.arange(9), atol=1e-5)
    assert "line 11: its position" in str(found.set_aside[0])
    assert "more than 1,000,000 from the middle of the others" in str(found.set_aside[0])


def test_folders_stay_in_names_that_would_be_one_without(tmp_path):
    text = "Image,x,y\n/slides/batch1/S1.tif,1,2\n/slides/batch2/S1.tif,3,4\n"
    assert [graph.image for graph in tissue.read(written(tmp_path, text), unit="um")] == [
        "/slides/batch1/S1.tif",
        "/slides/batch2/S1.tif",
    ]
    text = "Image,x,y\nD:\\a\\S1.tif,1,2\nD:\\a\\S2.tif,3,4\n"
    assert [graph.image for graph in tissue.read(written(tmp_path, text), unit="um")] == ["S1.tif", "S2.tif"]


def test_measurements_of_one_name_stay_apart(tmp_path):
    anndata = pytest.importorskip("anndata")
    content = anndata.AnnData(
        np.arange(8.0).reshape(4, 2), obs=pd.DataFrame({"area": [1.0, 2, 3, 4]}, index=list("abcd"))
    )
    content.var_names = ["CD3", "area"]
    content.obsm["spatial"] = np.arange(8.0).reshape(4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.option_context("future.infer_string", False):
            content.obs.index, content.var.index = content.obs.index.astype(object), content.var.index.astype(object)
            content.write_h5ad(tmp_path / "a.h5ad")
    found = tissue.survey(tmp_path / "a.h5ad", unit="um")
    assert found.graphs[0].feature_names == ["CD3", "area", "area.1"]
    assert found.graphs[0].x.tolist() == [[0, 1, 1], [2, 3, 2], [4, 5, 3], [6, 7, 4]]
    assert any("names of measurements repeat" in note for note in found.notes)


def test_annotations_in_tables_of_qupath_are_no_cells(tmp_path):
    rows = "\n".join(
        f"S\t{kind}\t{at}\t{at}\t5" for at, kind in enumerate(["Annotation", "Cell", "TMA core", "Detection"])
    )
    found = tissue.survey(
        written(tmp_path, f"Image\tObject type\tCentroid X µm\tCentroid Y µm\tArea µm^2\n{rows}\n", "a.tsv")
    )
    assert found.graphs[0].num_nodes == 2
    assert [str(each).split(", ")[1] for each in found.set_aside] == [
        "line 2: of type 'annotation'",
        "line 4: of type 'tma core'",
    ]
    only = written(tmp_path, "Object type,x,y\nAnnotation,1,2\n")
    with pytest.raises(ValueError, match="no cells, only 'annotation'; export detections"):
        tissue.read(only)


def test_points_and_commas_that_may_be_two_things():
    np.testing.assert_array_equal(to_numbers(["0.873", "0.112"], comma=True).values, [0.873, 0.112])
    assert not decimal_comma([["950", "1,310", "1,405"], ["1,204", "820", "2,310"]])
    np.testing.assert_array_equal(to_numbers(["950", "1,310"]).values, [950, 1310])
    np.testing.assert_array_equal(to_numbers(["1'234.5", "7"]).values, [1234.5, 7])
    assert decimal_comma([["40,5", "41,632"]])


@pytest.mark.parametrize("bad", [1, 5])
def test_bad_positions_lose_nobody_else(tmp_path, bad):
    rows = "".join(f"c{at},{'edge' if at < bad else at},{at}\n" for at in range(9))
    found = tissue.survey(written(tmp_path, f"cell,x,y\n{rows}"), unit="um")
    assert found.graphs[0].num_nodes == 9 - bad
    assert len(found.set_aside) == bad
    assert "its position ('edge', '0') is not two finite numbers" in str(found.set_aside[0])


def feature(geometry, **measurements):
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "cell", "measurements": measurements}}


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon"},
        {"type": "MultiPolygon", "coordinates": None},
        {"type": "GeometryCollection", "geometries": 5},
        {"type": "Polygon", "coordinates": [[[10**400, 1], [2, 2], [3, 1]]]},
        {"type": "Polygon", "coordinates": 7},
        {"type": "Point", "coordinates": None},
        None,
        "here",
    ],
)
def test_one_strange_object_loses_no_other(tmp_path, geometry):
    good = feature({"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4]]]})
    found = tissue.survey(written(tmp_path, json.dumps([good, feature(geometry), good]), "a.geojson"))
    assert found.graphs[0].num_nodes == 2
    assert len(found.set_aside) == 1
    assert found.set_aside[0].place.startswith("feature 1")
    assert "Error" not in found.set_aside[0].reason


def test_a_number_too_large_is_a_gap(tmp_path):
    point = {"type": "Point", "coordinates": [1, 2]}
    (graph,) = tissue.read(written(tmp_path, json.dumps([feature(point, a=10**400), feature(point, a=2)]), "a.geojson"))
    assert graph.x[1].item() == 2
    assert graph.x[0].isnan()


def test_a_nucleus_needs_no_good_contour(tmp_path):
    nuclei = {"1": {"centroid": [5, 6], "contour": [[1, 2], [3]]}, "2": {"centroid": [7, 8], "contour": "x"}}
    (graph,) = tissue.read(written(tmp_path, json.dumps({"nuc": nuclei}), "a.json"))
    assert places(graph).tolist() == [[5, 6], [7, 8]]


def test_ids_stay_what_they_are(tmp_path):
    point = {"type": "Point", "coordinates": [1, 2]}
    cells = [feature(point) | {"id": ident} for ident in (5, 0, 1)]
    assert tissue.read(written(tmp_path, json.dumps(cells), "a.geojson"))[0].node_id == ["5", "0", "1"]
    (graph,) = tissue.read(written(tmp_path, "id,x,y\n7,1,1\n7,2,2\n7.1,3,3\n"), unit="um")
    assert graph.node_id == ["7", "7.2", "7.1"]


def test_spots_of_visium_are_where_their_pixels_say(tmp_path):
    head = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres"
    rows = [
        f"b{row}{col},1,{row},{2 * col + row % 2},{row * 87},{(2 * col + row % 2) * 50}"
        for row in range(5)
        for col in range(5)
    ]
    (graph,) = tissue.read(written(tmp_path, "\n".join([head, *rows])), mpp=0.5)
    assert places(graph)[1].tolist() == [50.0, 0.0]
    assert "feature_names" not in graph
    assert graph.node_id[0] == "b00"
    assert int(tissue.grid(graph).edge_index[1].bincount().max()) == 6


def test_tables_of_regionprops_name_their_objects(tmp_path):
    (graph,) = tissue.read(written(tmp_path, "label,area,centroid-0,centroid-1\n4,9,1,2\n9,9,1,5\n"))
    assert (graph.node_id, graph.feature_names) == (["4", "9"], ["area"])


def test_cells_without_an_image_are_set_aside(tmp_path):
    found = tissue.survey(written(tmp_path, "image,x,y\na,1,2\n,3,4\nNA,5,6\n"), unit="um")
    assert [graph.image for graph in found.graphs] == ["a"]
    assert [str(each) for each in found.set_aside] == [f"cells.csv, line {line}: it names no image" for line in (3, 4)]


def test_tables_of_labels(tmp_path):
    def label(text, *names):
        return tissue.label_images(images(*names), written(tmp_path, text))

    broken = label("image,y\nslide 2.tif,normal\nslide 1, left.tif,normal\n", "slide 1.tif", "slide 2.tif")
    assert [graph.image for graph in broken.graphs] == ["slide 2.tif"]
    assert "line 3: too many cells" in str(broken.set_aside[0])
    unknown = label("image,y,patient\na,0,NA\nb,1,NA\nc,1,nan\n", "a", "b", "c")
    assert [graph.patient for graph in unknown.graphs] == ["a", "b", "c"]
    one = label("image,y\na,1\nb,1.0\nc,0\n", "a", "b", "c").graphs
    assert (one[0].class_names, [int(graph.y) for graph in one]) == (["0", "1"], [1, 1, 0])
    case = label("image,y\na,Tumor\nb,tumor\nc,Normal\n", "a", "b", "c").graphs
    assert (case[0].class_names, [int(graph.y) for graph in case]) == (["Normal", "Tumor"], [1, 1, 0])
    gaps = label("image,y\na,n.d.\nb,#REF!\nc,inf\nd,1\n", *"abcd")
    assert [graph.image for graph in gaps.graphs] == ["d"]
    other = label("image,y\na.tif,b\na,c\n", "a.tif")
    assert "line 3: line 2 names image 'a.tif' exactly, and says something else" in str(other.set_aside[0])
    assert "labels" not in other.notes[0]
    assert "y from 'y'" in other.notes[0]
    with pytest.raises(ValueError, match="no column 'y'; it has 'image' and 'Gleason': name it with label="):
        label("image,Gleason\na,1\n", "a")


def test_a_unit_for_an_image_that_is_not_there_is_said(tmp_path):
    found = tissue.survey(written(tmp_path, "x,y\n1,2\n"), unit={"other": "um"})
    assert "unit was given for images that are not there: 'other'" in found.notes


def test_the_size_of_pixels_may_be_a_text_and_numpys_numbers_are_numbers(tmp_path):
    content = {"wsi_metadata": {"base_mpp": "0.25"}, "cells": [{"centroid": [4, 8]}]}
    (graph,) = tissue.read(written(tmp_path, json.dumps(content), "a.json"))
    assert places(graph).tolist() == [[1, 2]]
    assert tissue.read(CASES / "geom_negative.csv", mpp=np.float32(0.5))[0].unit == "um"
    assert tissue.knn(graph, np.int64(1)).num_edges == 0


def test_json_in_latin_1_and_lists_of_classes(tmp_path):
    path = tmp_path / "a.geojson"
    cell = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [1, 2]},
        "properties": {"objectType": "cell"},
    }
    cell["properties"] |= {"classification": ["Tumor", "Ki67"], "measurements": {"Area µm": 3}}
    path.write_bytes(json.dumps(cell, ensure_ascii=False).encode("latin-1"))
    (graph,) = tissue.read(path)
    assert (graph.cell_type_names, graph.feature_names) == (["Tumor: Ki67"], ["Area µm"])


def test_round_trips_keep_ids_and_units(tmp_path):
    pytest.importorskip("anndata")
    graphs = tissue.read(written(tmp_path, "image,id,x,y\nr,c1,100,200\nr,c2,110,220\ns,c1,1,2\n"), mpp=0.5)
    back = tissue.read(tissue.write_h5ad(graphs, tmp_path / "new" / "a.h5ad"), mpp=0.5)
    assert [(graph.node_id, graph.unit) for graph in back] == [(["c1", "c2"], "um"), (["c1"], "um")]
    np.testing.assert_allclose(places(back[0]), [[50, 100], [55, 110]])
    (again,) = tissue.read(tissue.write_geojson(graphs[0], tmp_path / "r.geojson"), mpp=0.5)
    assert again.node_id == ["c1", "c2"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda g: tissue.contact(g, np.ones((3, 3), int)),
            "expected numbers of objects in the label image as node_id, got 'c1'",
        ),
        (lambda g: tissue.contact(g, np.ones((3, 3, 3), int)), r"of the shape \(height, width\), got \(3, 3, 3\)"),
        (lambda g: tissue.contact(Data(pos=g.pos), np.ones((3, 3), int)), "as node_id, got 0 names of 1 cells"),
        (lambda g: tissue.radius(g, "30"), "as r, got '30'"),
        (lambda g: tissue.radius(g, [5.0, 1.0]), r"as r, got \[5.0, 1.0\]"),
        (lambda g: tissue.delaunay(g, "30"), "as max_length, got '30'"),
        (lambda g: tissue.grid(g, "30"), "as step, got '30'"),
        (
            lambda g: tissue.write_h5ad([], "a.h5ad"),
            "at least one graph, and a list of scores for each, got 0 graphs, scores: none",
        ),
        (lambda g: tissue.write_h5ad([g], "a.h5ad", [{}, {}]), "got 1 graphs, scores: 2 in a list"),
        (
            lambda g: tissue.write_h5ad([g], "a.h5ad", [{"image": [1.0]}]),
            r"names than image, cell_id and cell_type, got \['image'\]",
        ),
        (
            lambda g: draw_tissue(g, image=np.zeros((3, 9, 9))),
            r"expected an image \[height, width\] or .*, got \[3, 9, 9\]",
        ),
    ],
)
def test_calls_that_cannot_be_are_refused_in_words(call, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = Data(pos=torch.zeros(1, 2), node_id=["c1"], image="a", unit="um", mpp=1.0)
    with pytest.raises(ValueError, match=words):
        call(graph)


def test_scores_have_names_and_any_precision(tmp_path):
    graph = Data(pos=torch.zeros(1, 2), node_id=["c1"], image="a", unit="px")
    with pytest.raises(TypeError, match=r"expected scores by name, as {'risk': values}, got list"):
        tissue.write_csv(graph, tmp_path / "a.csv", [0.5])
    path = tissue.write_geojson(graph, tmp_path / "a.geojson", {"risk": torch.tensor([0.5], dtype=torch.bfloat16)})
    assert '"risk": 0.5' in path.read_text()


def test_a_label_image_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(CASES)
    (graph,) = tissue.read("labels_touching_3x3.npz", mpp=1.0)
    monkeypatch.chdir(tmp_path)
    assert tissue.contact(graph).num_edges == 24


@pytest.mark.parametrize("label", ["n.d.", "inf", "?"])
def test_a_column_of_labels_may_have_gaps(tmp_path, label):
    path = written(tmp_path, f"image,x,y,grade\na,1,2,0.5\nb,1,2,{label}\nc,1,2,1.5\n")
    found = tissue.survey(path, unit="um", label="grade")
    assert [float(graph.y) if "y" in graph else None for graph in found.graphs] == [0.5, None, 1.5]
