"""GeoJSON read feature by feature: the same cells as read whole, whatever the pieces; damaged files are read whole."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from graphattn.data import tissue
from graphattn.data.tissue.formats import geojson, streaming
from graphattn.data.tissue.formats.streaming import stream_features

CASES = Path(__file__).parent / "cases"
FILES = sorted(path.name for path in CASES.iterdir() if ".geojson" in path.name or path.suffix == ".json")
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 2], [0, 2], [0, 0]]]}


def surveyed(path):
    try:
        found = tissue.survey(path, mpp=0.5)
    except ValueError as error:
        return str(error)
    graphs = [
        {name: value.tolist() if hasattr(value, "tolist") else value for name, value in graph.to_dict().items()}
        for graph in found.graphs
    ]
    return repr((graphs, found.set_aside, found.notes))


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", FILES)
def test_streamed_and_whole_are_the_same(name, chunk, monkeypatch):
    monkeypatch.setattr(streaming, "_CHUNK", chunk)
    streamed = surveyed(CASES / name)
    monkeypatch.setattr(geojson, "stream_features", lambda path, most: None)
    assert surveyed(CASES / name) == streamed


def test_most_geojson_files_are_streamed():
    streamed = [name for name in FILES if stream_features(CASES / name, 1 << 30) is not None]
    assert len(streamed) >= 8
    assert not {"cellvit_cells.json", "hovernet_wsi_mag40.json", "qp05_truncated.geojson"} & set(streamed)


def test_points_are_arrays_and_equal_classes_one_object(tmp_path):
    kind = {"name": "tumor", "color": [1, 2, 3]}
    child = {"geometry": POLYGON, "properties": {"classification": kind}}
    feature = {"geometry": POLYGON, "properties": {"classification": kind, "childObjects": [child]}}
    path = tmp_path / "cells.geojson.gz"
    with gzip.open(path, "wt") as file:
        json.dump({"graphattn": 1.5, "features": [feature, feature, 3], "more": [1]}, file)
    found = stream_features(path, 1 << 20)
    first, second, third = found["features"]
    assert third == 3
    inside = first["properties"]["childObjects"][0]
    for each in (first, second, inside):
        assert isinstance(each["geometry"]["coordinates"][0], np.ndarray)
        assert each["properties"]["classification"] is first["properties"]["classification"]
    assert (found["graphattn"], found["more"]) == (1.5, [1])
    assert stream_features(path, 10) is None


@pytest.mark.parametrize(
    "text",
    ["", "3", "[1 2]", "[1,]", '{"features": [1],}', '{"features": 3}', "[1] 2", '{"a": }', "[", '{"a" 1}', "[NaN"],
)
def test_what_is_no_list_of_features_or_damaged_is_read_whole(text, tmp_path):
    path = tmp_path / "cells.json"
    path.write_text(text)
    assert stream_features(path, 1 << 20) is None


@pytest.mark.parametrize("coordinates", [[[0, 0], [1]], [["a", "b"]], [[True, None]], [[10**400, 1]], [], "x", [[[]]]])
def test_coordinates_that_are_no_points_lose_their_cell_alone(coordinates, tmp_path):
    good = {"type": "Feature", "geometry": POLYGON, "properties": {"objectType": "cell"}}
    bad = {**good, "geometry": {"type": "Polygon", "coordinates": [coordinates]}}
    path = tmp_path / "cells.geojson"
    path.write_text(json.dumps([good, bad, good]))
    found = tissue.survey(path, mpp=1.0)
    assert found.graphs[0].num_nodes == 2
    assert [each.place for each in found.set_aside] == ["feature 1"]
