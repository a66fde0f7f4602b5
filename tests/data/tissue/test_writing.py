"""Cells written for other programs: every id and every position comes back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.data import tissue
from tests.data.tissue.made import places

CASES = Path(__file__).parent / "cases"
FILES = [
    "qp05_cells_clean.geojson",
    "hovernet_wsi_mag40.json",
    "labels_gaps_uint16.tif",
    "geom_negative.csv",
    "geom_nonfinite.csv",
]


def graph_of(name):
    return tissue.delaunay(tissue.survey(CASES / name, mpp=0.25).graphs[0])


@pytest.mark.parametrize("name", FILES)
def test_csv_comes_back(name, tmp_path):
    graph = graph_of(name)
    (back,) = tissue.read(tissue.write_csv(graph, tmp_path / "cells.csv"))
    assert (back.node_id, back.unit, back.image) == (graph.node_id, "um", graph.image)
    np.testing.assert_allclose(places(back), places(graph), rtol=0, atol=1e-4)
    assert back.get("cell_type_names") == graph.get("cell_type_names")
    torch.testing.assert_close(back.x, graph.x, equal_nan=True)


@pytest.mark.parametrize("name", FILES)
def test_geojson_comes_back(name, tmp_path):
    graph = graph_of(name)
    scores = torch.linspace(-1, 1, graph.num_nodes)
    path = tissue.write_geojson(graph, tmp_path / f"{graph.image}.geojson", {"score": scores})
    content = json.loads(path.read_text())
    names = [each["properties"].get("name", each["id"]) for each in content["features"]]
    assert names == graph.node_id
    (back,) = tissue.read(path, mpp=0.25)
    np.testing.assert_allclose(places(back), places(graph), rtol=0, atol=1e-4)
    at = back.feature_names.index("score")
    torch.testing.assert_close(back.x[:, at], scores)
    assert back.get("cell_type_names") == graph.get("cell_type_names")
    assert all(each["properties"]["objectType"] == "detection" for each in content["features"])


def test_geojson_has_colours_and_leaves_out_what_is_not_finite(tmp_path):
    graph = graph_of("qp05_cells_clean.geojson")
    content = json.loads(tissue.write_geojson(graph, tmp_path / "a.geojson", {"odd": [float("nan")] * 24}).read_text())
    first = content["features"][0]
    assert first["id"] == graph.node_id[0]
    assert first["properties"]["classification"] == {"name": "Tumor", "color": [200, 0, 0]}
    assert "odd" not in first["properties"]["measurements"]


def test_a_graph_for_the_viewer(tmp_path):
    graph = graph_of("qp05_nan_measurements.geojson")
    content = json.loads(tissue.write_tiaviz(graph, tmp_path / "a.json", {"risk": range(8)}).read_text())
    assert content["edge_index"] == graph.edge_index.tolist()
    np.testing.assert_allclose(content["coordinates"], 4 * places(graph), atol=1e-3)
    assert content["score"] == list(range(8))
    assert np.shape(content["feats"]) == (8, len(content["feat_names"]))
    assert np.isfinite(content["feats"]).all()


def test_annotated_data_come_back(tmp_path):
    pytest.importorskip("anndata")
    graphs = [
        tissue.knn(graph, 3) for graph in tissue.read(CASES / "plain_two_images.csv", image="image_id", unit="um")
    ]
    path = tissue.write_h5ad(graphs, tmp_path / "cells.h5ad", [{"risk": torch.arange(15.0)}, {"risk": torch.zeros(15)}])
    back = tissue.read(path, unit="um")
    assert [graph.image for graph in back] == ["s1", "s2"]
    for graph, other in zip(graphs, back, strict=True):
        np.testing.assert_allclose(places(other), places(graph), rtol=0, atol=1e-4)
        assert {*zip(*graph.edge_index.tolist(), strict=True)} == {*zip(*other.edge_index.tolist(), strict=True)}
        assert other.node_id == graph.node_id
        assert other.cell_type.tolist() == graph.cell_type.tolist()
        assert "risk" in other.feature_names


def test_what_cannot_be_written_is_refused(tmp_path):
    graph = Data(
        pos=torch.zeros(2, 2), origin=torch.zeros(2), unit="um", mpp=float("nan"), image="a", node_id=["1", "2"]
    )
    with pytest.raises(ValueError, match="image 'a' is in micrometres and says no pixel size"):
        tissue.write_geojson(graph, tmp_path / "a.geojson")
    with pytest.raises(ValueError, match=r"expected risk of shape \(2,\), one for each cell, got \(3,\)"):
        tissue.write_csv(graph, tmp_path / "a.csv", {"risk": [1, 2, 3]})
    pytest.importorskip("anndata")
    other = Data(pos=torch.zeros(1, 2), x=torch.zeros(1, 1), feature_names=["area"], image="b")
    with pytest.raises(
        ValueError, match=r"expected the measurements \[\] of graph 0 in all, got \['area'\] in graph 1"
    ):
        tissue.write_h5ad([graph, other], tmp_path / "a.h5ad")
    assert list(tmp_path.iterdir()) == []
