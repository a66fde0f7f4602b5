"""Files of cells: how formats are told, what is refused in words, and that bad objects never lose good ones."""

import contextlib
import json
import logging
import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphattn.data import tissue
from graphattn.data.tissue.formats.geometry import centroid, from_wkb
from graphattn.data.tissue.numbers import to_numbers
from tests.data.tissue.made import places, written

CASES = Path(__file__).parent / "cases"


def cell(x=1.0, y=2.0, **properties):
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [x, y]},
        "properties": {"objectType": "cell", **properties},
    }


def test_what_was_inferred_and_set_aside_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="graphattn"):
        tissue.read(CASES / "geom_nonfinite.csv")
    assert "line 4: its position ('', '3') is not two finite numbers" in caplog.text
    assert "nothing says in which unit positions are" in caplog.text


def test_a_folder_stands_for_its_files(tmp_path):
    for name in ("qp05_cells_clean.geojson", "geom_negative.csv", "img1_seg.npy"):
        (tmp_path / name).write_bytes((CASES / name).read_bytes())
    found = tissue.survey(tmp_path, mpp=0.5)
    assert [graph.image for graph in found.graphs] == ["i1", "qp05_cells_clean"]
    assert len(found.set_aside) == 1


def test_images_of_one_name_are_told_apart_by_their_files():
    graphs = tissue.read([CASES / "geom_negative.csv", CASES / "geom_duplicates.csv"], unit="um")
    assert [graph.image for graph in graphs] == ["geom_negative.csv/i1", "geom_duplicates.csv/i1"]


def test_measurements_that_only_some_images_have_are_left_out_and_said(tmp_path):
    one, two = written(tmp_path, "x,y,a,b\n1,2,3,4\n", "one.csv"), written(tmp_path, "x,y,b,c\n1,2,3,4\n", "two.csv")
    found = tissue.survey([one, two], unit="um")
    assert [graph.feature_names for graph in found.graphs] == [["b"], ["b"]]
    assert "left out, as only some images have them: 'a' and 'c'" in found.notes
    with pytest.raises(ValueError, match="not every image has the features 'a'; all have 'b'"):
        tissue.survey([one, two], features=["a", "b"])
    assert tissue.read(one, features=["b"])[0].feature_names == ["b"]


def test_pixels_can_differ_between_images(tmp_path):
    path = written(tmp_path, "image,x,y\na,10,10\nb,10,10\nc,10,10\n")
    found = tissue.survey(path, mpp={"a": 0.5, "b": 2.0, "d": 1.0})
    assert [places(graph)[0, 0] for graph in found.graphs] == [5.0, 20.0, 10.0]
    assert [graph.unit for graph in found.graphs] == ["um", "um", "unknown"]
    assert "mpp was given for images that are not there: 'd'" in found.notes
    assert [graph.unit for graph in tissue.read(path, unit={"a": "um", "b": "px"})] == ["um", "px", "unknown"]


def test_micrometres_and_pixels_in_one_table(tmp_path):
    text = "Image,Centroid X µm,Centroid Y µm,Centroid X px,Centroid Y px\na,10,20,,\na,11,21,,\na,,,5,5\nb,,,5,6\n"
    found = tissue.survey(written(tmp_path, text), mpp={"b": 0.5})
    assert [(graph.image, graph.unit) for graph in found.graphs] == [("a", "um"), ("b", "um")]
    assert places(found.graphs[1]).tolist() == [[2.5, 3.0]]
    assert "line 4: its position is in px, those of image 'a' are in um" in str(found.set_aside[0])


def test_local_positions_are_taken_apart_by_field(tmp_path):
    text = (CASES / "S0_metadata_file.csv").read_text()
    header, *rows = text.splitlines()
    at = [number for number, name in enumerate(header.split(",")) if "global" not in name]
    local = "\n".join(",".join(line.split(",")[number] for number in at) for line in (header, *rows))
    graphs = tissue.read(written(tmp_path, local), mpp=0.12028)
    assert len(graphs) == 2
    assert sum(graph.num_nodes for graph in graphs) == 18


def test_gaps_in_broken_rows_lose_nobody_else(tmp_path):
    text = "x,y,type,area\n1,2,t,5\n3,4,t,6,7,8\n5,6,t,abc\n7,8,t,9\n" + "1,1,t,4\n" * 30
    found = tissue.survey(written(tmp_path, text), unit="um")
    assert found.graphs[0].num_nodes == 33
    assert "line 3: too many cells" in str(found.set_aside[0])
    assert any("area on line 4 is 'abc': no number" in note for note in found.notes)


def test_labels_and_patients_come_from_columns(tmp_path):
    path = written(tmp_path, "image,x,y,grade,patient\na,1,1,low,P1\na,2,2,low,P1\nb,1,1,high,P2\nb,2,2,low,P2\n")
    found = tissue.survey(path, unit="um", label="grade")
    assert found.graphs[0].class_names[int(found.graphs[0].y)] == "low"
    assert "y" not in found.graphs[1]
    assert [graph.patient for graph in found.graphs] == ["P1", "P2"]
    assert "image 'b': its cells have several values of label: 'high' and 'low'" in str(found.set_aside[0])


def test_repeated_names_of_cells_get_a_number(tmp_path):
    (graph,) = tissue.read(written(tmp_path, "id,x,y\na,1,1\na,2,2\na.1,3,3\nb,4,4\n"), unit="um")
    assert len(set(graph.node_id)) == 4
    assert graph.node_id[2:] == ["a.1", "b"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cells.pt", "it is a pickle, which is not opened"),
        ("cells.zarr", "Zarr stores are not read; export the table of cells as .h5ad or .csv"),
        ("cells.qpdata", "Export objects as GeoJSON"),
        ("cells.geojson.snappy", "snappy are not read"),
        ("slide.svs", "a slide holds no cells"),
        ("cells.jpg", "a JPEG is no label image"),
        ("cells.xlsx", "a spreadsheet; save it as CSV"),
        ("cells.xyz", r"the format \.xyz is not known"),
        ("cells", "the format without a suffix is not known"),
        ("cells.json", "no complete JSON: Expecting value at character 0"),
        ("cells.geojson.gz", "a damaged gzip file"),
        ("cells.h5ad", "no AnnData file"),
        ("cells.h5", "no file of patches"),
        ("cells.db", "no annotation store of TIAToolbox"),
        ("cells.tif", "cannot be read as a label image"),
        ("cells.png", "cannot be read as a label image"),
        ("cells.npy", "cannot be read as a label image"),
        ("cells.parquet", "no Parquet file"),
    ],
)
def test_what_is_no_file_of_cells_is_refused_in_words(tmp_path, name, words):
    path = written(tmp_path, "\x1f\x8bnothing" if name.endswith(".gz") else "nothing", name)
    path.write_bytes(b"\x1f\x8bnothing" if name.endswith(".gz") else b"nothing")
    with pytest.raises(ValueError, match=words):
        tissue.read(path)
    assert len(tissue.survey([path, CASES / "geom_negative.csv"]).set_aside) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, r"it is no GeoJSON: expected features, got an object with 'a'"),
        (3, "expected features, got int"),
        ({"type": "FeatureCollection", "features": []}, "no objects in file"),
        ({"nuc": {}}, "no objects in file"),
        ({"nuc": []}, "it is no JSON of HoVer-Net"),
        ({"cells": 3}, "it is no JSON of CellViT"),
        (
            {"type": "FeatureCollection", "features": [cell() | {"geometry": None}]},
            "expected a geometry such as a Polygon or Point, got None",
        ),
    ],
)
def test_json_without_cells_is_refused_in_words(tmp_path, content, words):
    with pytest.raises(ValueError, match=words):
        tissue.read(written(tmp_path, json.dumps(content), "cells.json"))


def test_a_feature_alone_and_strange_objects(tmp_path):
    (graph,) = tissue.read(written(tmp_path, json.dumps(cell()), "one.geojson"))
    assert places(graph).tolist() == [[1.0, 2.0]]
    strange = [
        cell(),
        7,
        {"type": "Feature", "properties": 3},
        cell() | {"geometry": {"type": "Point", "coordinates": "x"}},
        cell(4, 5),
    ]
    found = tissue.survey(written(tmp_path, json.dumps(strange), "many.json"))
    assert found.graphs[0].num_nodes == 2
    assert [each.place for each in found.set_aside] == ["feature 1", "feature 2", "feature 3"]
    assert "expected numbers as coordinates of a Point, got 'x'" in found.set_aside[2].reason


def test_shapes_of_an_annotation_store(tmp_path):
    path = tmp_path / "cells.db"
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE metadata (key TEXT, value TEXT)")
        store.execute(
            "CREATE TABLE annotations (id INTEGER, key TEXT, cx INTEGER, cy INTEGER, geometry BLOB, properties TEXT)"
        )
        square = (
            bytes.fromhex(
                "0103000000010000000500000000000000000000000000000000000000000000000000104000000000000000000000000000001040000000000000104000000000000000000000000000001040000000000000000000000000000000000000"
            )
            + b""
        )
        rows = [
            (1, "a", 0, 0, square, "{}"),
            (2, "b", 1, 1, square[:20], "{}"),
            (3, "c", 1, 1, None, "no"),
            (4, "d", 7, 8, None, '{"type": "t", "prob": 0.5}'),
        ]
        store.executemany("INSERT INTO annotations VALUES (?, ?, ?, ?, ?, ?)", rows)
    store.close()
    found = tissue.survey(path)
    assert found.graphs[0].node_id == ["a", "d"]
    assert places(found.graphs[0]).tolist() == [[2.0, 2.0], [7.0, 8.0]]
    assert "damaged well-known binary of 20 bytes" in found.set_aside[0].reason
    assert "its properties are no JSON" in found.set_aside[1].reason


def test_a_table_without_positions_and_wrong_columns(tmp_path):
    with pytest.raises(ValueError, match="no columns of positions such as x and y; it has 'a' and 'b'"):
        tissue.read(written(tmp_path, "a,b\n1,2\n"))
    with pytest.raises(ValueError, match="no column 'sample'"):
        tissue.read(CASES / "geom_negative.csv", image="sample")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        tissue.read(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="no files were given"):
        tissue.read([])
    with pytest.raises(ValueError, match=r"no cells can be used: .*line 2: its position"):
        tissue.read(written(tmp_path, "x,y\nnan,2\n"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mpp": 0}, "micrometres per pixel above 0 as mpp, got 0"),
        ({"mpp": {"i1": float("inf")}}, "as mpp, got inf"),
        ({"mpp": True}, "as mpp, got True"),
        ({"unit": "mm"}, "'um' or 'px' as the unit of positions, got 'mm'"),
    ],
)
def test_sizes_and_units_are_checked(given, words):
    with pytest.raises(ValueError, match=words):
        tissue.read(CASES / "geom_negative.csv", **given)


def test_label_images_of_other_kinds_are_refused(tmp_path):
    for array, words in [
        (np.full((3, 3), 1.5), "expected whole numbers, got 1.5"),
        (np.full((3, 3), -1), "expected numbers from 0, got -1"),
        (np.zeros((3, 3), complex), "expected whole numbers, got complex128"),
        (np.zeros(3, int), r"expected the shape \(height, width\), got \(3,\)"),
    ]:
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(ValueError, match=words):
            tissue.read(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", one=np.ones((2, 2), int), two=np.ones((2, 2), int))
    with pytest.raises(ValueError, match="several arrays: 'one' and 'two'; keep one, called labels"):
        tissue.read(tmp_path / "a.npz")


def test_a_folder_of_steinbock_with_strange_tables(tmp_path):
    (tmp_path / "s" / "regionprops").mkdir(parents=True)
    written(tmp_path / "s" / "regionprops", "Object,centroid-0,centroid-1\n1,2,3\n", "a.csv")
    written(tmp_path / "s" / "regionprops", "Object,centroid-0\n1,2\n", "b.csv")
    written(tmp_path / "s" / "regionprops", "id,x\n1,2\n", "c.csv")
    written(tmp_path / "s" / "regionprops", "Object,centroid-0,centroid-1\n1,2,3\n1,2,3\n", "d.csv")
    found = tissue.survey(tmp_path / "s", mpp=1.0)
    assert places(found.graphs[0]).tolist() == [[3.0, 2.0]]
    reasons = " ".join(each.reason for each in found.set_aside)
    assert "no column 'centroid-1'" in reasons
    assert "no column 'Object'" in reasons
    assert "object 1 more than once" in reasons
    with pytest.raises(ValueError, match="is no folder of steinbock"):
        tissue.read_steinbock(tmp_path)


def test_patches_of_other_shapes_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    for name, arrays, words in [
        ("a", {"features": np.zeros((2, 3))}, "it has no 'coords'; it has features"),
        ("b", {"coords": np.zeros((2, 3))}, r"coords of the shape \(patches, 2\), got \(2, 3\)"),
        ("c", {"coords": np.ones((2, 2)), "features": np.zeros((3, 4))}, "2 coords and 3 rows of features"),
    ]:
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            for key, value in arrays.items():
                file[key] = value
        with pytest.raises(ValueError, match=words):
            tissue.read(tmp_path / f"{name}.h5")


@pytest.mark.parametrize("library", ["anndata", "h5py", "tifffile", "PIL", "skimage", "pyarrow"])
def test_a_library_that_is_not_there_is_named(monkeypatch, library):
    import sys

    for name in [name for name in sys.modules if name == library or name.startswith(f"{library}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    files = {
        "anndata": "adata_two_libraries.h5ad", "h5py": "clam_features.h5", "tifffile": "labels_gaps_uint16.tif",
        "PIL": "labels_one_object.png", "skimage": "labels_touching_3x3.npz", "pyarrow": "xenium_cells_bytes_id.parquet",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"pip install 'graphattn\[tissue\]'"):
        tissue.read(CASES / files[library])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=3, max_size=8, unique=True))
def test_centroids_move_with_their_shapes(points):
    shape = {"type": "Polygon", "coordinates": [[list(point) for point in points]]}
    moved = {"type": "Polygon", "coordinates": [[[x + 1000, y - 500] for x, y in points]]}
    np.testing.assert_allclose(centroid(moved) - centroid(shape), [1000, -500], atol=1e-6)


def test_centroids_of_holes_parts_and_lines():
    ring, hole = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[0, 0], [2, 0], [2, 4], [0, 4], [0, 0]]
    np.testing.assert_allclose(centroid({"type": "Polygon", "coordinates": [ring, hole]}), [3, 2])
    two = {"type": "MultiPolygon", "coordinates": [[ring], [[[10, 0], [11, 0], [11, 1], [10, 1]]]]}
    np.testing.assert_allclose(centroid(two), [(16 * 2 + 10.5) / 17, (16 * 2 + 0.5) / 17])
    np.testing.assert_allclose(centroid({"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [0, 0]]]}), [1, 1])
    np.testing.assert_allclose(centroid({"type": "MultiLineString", "coordinates": [[[0, 0], [2, 2]]]}), [1, 1])
    np.testing.assert_allclose(
        centroid({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 5]}]}), [1, 5]
    )
    assert np.isnan(centroid({"type": "Polygon", "coordinates": []})).all()


@given(st.binary(max_size=60))
def test_any_bytes_are_a_shape_or_a_value_error(blob):
    with contextlib.suppress(ValueError):
        assert from_wkb(blob)["type"] in (
            "Point",
            "LineString",
            "Polygon",
            "MultiPoint",
            "MultiLineString",
            "MultiPolygon",
        )


def test_points_with_a_third_dimension_of_both_dialects():
    plain = bytes.fromhex("01e9030000") + np.array([3.0, 4.0, 9.0]).tobytes()
    extended = bytes.fromhex("01010000a0") + bytes(4) + np.array([3.0, 4.0, 9.0]).tobytes()
    for blob in (plain, extended):
        assert from_wkb(blob) == {"type": "Point", "coordinates": [3.0, 4.0]}


@pytest.mark.parametrize(
    ("cells", "comma", "values"),
    [
        (["1.204,5", "2,5"], True, [1204.5, 2.5]),
        (["1.204", "2.305", "3,5"], True, [1204, 2305, 3.5]),
        (["1,204", "2.5"], False, [1204, 2.5]),
        (["70.25%", "5 %"], False, [70.25, 5]),
        (["−3.5", "1e3", "+2"], False, [-3.5, 1000, 2]),
        (["inf", "-Infinity", "#N/A", "?"], False, [np.inf, -np.inf, np.nan, np.nan]),
    ],
)
def test_numbers_are_read_as_they_were_meant(cells, comma, values):
    np.testing.assert_array_equal(to_numbers(cells, comma=comma).values, values)


MUTATED = [
    "qp04_hierarchy_mixed.geojson",
    "hovernet_wsi_mag40.json",
    "cellvit_cells.json",
    "qp05_table_clean.tsv",
    "plain_two_images.csv",
]


@pytest.mark.parametrize("name", MUTATED)
def test_damaged_files_are_read_in_part_or_refused_in_words(name, tmp_path):
    content = (CASES / name).read_bytes()
    for seed in range(40):
        draw = random.Random(f"{name} {seed}")
        damaged = bytearray(content[: draw.randrange(len(content))] if seed % 3 == 0 else content)
        for _ in range(draw.randrange(1, 6)):
            damaged[draw.randrange(len(damaged) or 1) : draw.randrange(len(damaged) or 1)] = (
                draw.randbytes(draw.randrange(4)) if damaged else b""
            )
        path = tmp_path / name
        path.write_bytes(damaged)
        found, refused = None, ""
        try:
            found = tissue.survey(path, unit="um")
        except ValueError as error:
            refused = str(error)
        assert "Error:" not in refused, f"seed {seed}"  # in a library's words
        for graph in found.graphs if found else []:
            assert graph.num_nodes, f"seed {seed}"
            assert graph.pos.isfinite().all(), f"seed {seed}"
            assert "x" not in graph or not graph.x.isinf().any(), f"seed {seed}"
