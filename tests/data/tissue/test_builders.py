"""Who neighbours whom: equal to other libraries and to all distances, and defined for one cell, none, lines and twins."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from sklearn.neighbors import NearestNeighbors, radius_neighbors_graph
from torch_geometric.data import Data

from graphattn.data import tissue

CASES = Path(__file__).parent / "cases"


def scattered(count, seed=0, size=100.0):
    return Data(pos=torch.rand(count, 2, generator=torch.Generator().manual_seed(seed)) * size)


def edges(graph):
    return set(zip(*graph.edge_index.tolist(), strict=True))


def test_nearest_neighbours_are_those_of_scikit_learn():
    graph = scattered(200)
    senders = NearestNeighbors(n_neighbors=7).fit(graph.pos.numpy()).kneighbors(return_distance=False)
    built = tissue.knn(graph, 7)
    assert edges(built) == {(int(j), i) for i, row in enumerate(senders) for j in row}
    assert built.edge_index[1].bincount().tolist() == [7] * 200


def test_a_radius_is_that_of_scikit_learn():
    graph = scattered(200)
    matrix = radius_neighbors_graph(graph.pos.double().numpy(), 12.0, include_self=False).tocoo()
    assert edges(tissue.radius(graph, 12.0)) == set(zip(matrix.col.tolist(), matrix.row.tolist(), strict=True))


def test_an_interval_leaves_out_what_is_near():
    graph = scattered(80)
    near, ring, both = (edges(tissue.radius(graph, r)) for r in (5.0, (5.0, 20.0), 20.0))
    assert near | ring == both
    assert not near & ring


def test_a_triangulation_is_that_of_scipy():
    graph = scattered(150)
    corners = Delaunay(graph.pos.double().numpy()).simplices
    sides = {(int(a), int(b)) for triangle in corners for a in triangle for b in triangle if a != b}
    assert edges(tissue.delaunay(graph)) == sides
    short = edges(tissue.delaunay(graph, 10.0))
    lengths = {(j, i): float((graph.pos[j].double() - graph.pos[i].double()).norm()) for j, i in sides}
    assert short == {side for side, length in lengths.items() if length <= 10.0}


def test_small_images():
    images = {graph.image: graph for graph in tissue.read(CASES / "geom_small_images.csv", unit="um")}
    assert [tissue.knn(graph, 8).num_edges for graph in images.values()] == [0, 2, 6, 6, 56]
    assert tissue.delaunay(images["one"]).num_edges == 0
    pair = tissue.delaunay(images["two"])
    assert edges(pair) == {(0, 1), (1, 0)}
    torch.testing.assert_close(pair.edge_attr[:, 0], torch.full((2,), 5.0))
    assert edges(tissue.delaunay(images["three_line"])) == {(0, 1), (1, 0), (1, 2), (2, 1)}


def test_cells_on_a_line_are_a_chain():
    diagonal, vertical = (tissue.delaunay(graph) for graph in tissue.read(CASES / "geom_collinear.csv", unit="um"))
    assert (diagonal.num_edges, vertical.num_edges) == (2 * 11, 2 * 8)


def test_twins_are_joined_and_nobody_is_their_own_neighbour():
    (graph,) = tissue.read(CASES / "geom_duplicates.csv", unit="um")
    assert len(graph.pos.unique(dim=0)) == 17
    for built in (tissue.knn(graph, 8), tissue.delaunay(graph), tissue.radius(graph, 30.0)):
        assert (built.edge_index[0] != built.edge_index[1]).all()
        assert built.edge_index.unique().numel() == 20
        twins = built.edge_attr[:, 0] == 0
        assert twins.any()
        assert (built.edge_attr[twins, 1:3] == 0).all()
    assert tissue.knn(graph, 8).edge_index[1].bincount().tolist() == [8] * 20


def test_more_twins_than_neighbours():
    graph = tissue.knn(Data(pos=torch.zeros(9, 2)), 3)
    assert graph.edge_index[1].bincount().tolist() == [3] * 9
    assert (graph.edge_index[0] != graph.edge_index[1]).all()


@pytest.mark.parametrize("build", [tissue.knn, tissue.delaunay, tissue.grid, lambda graph: tissue.radius(graph, 3.0)])
@pytest.mark.parametrize("count", [0, 1])
def test_an_image_of_no_cell_or_one_has_no_edges(build, count):
    built = build(Data(pos=torch.zeros(count, 2)))
    assert built.edge_index.shape == (2, 0)
    assert built.edge_index.dtype == torch.long
    assert built.edge_attr.shape == (0, 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=25))
def test_any_points_are_joined_without_loops_and_alike_after_a_move(points):
    position = torch.tensor(points, dtype=torch.float32)
    graph, order = Data(pos=position), torch.randperm(len(points), generator=torch.Generator().manual_seed(len(points)))
    for build in (tissue.delaunay, lambda graph: tissue.radius(graph, 2.5), tissue.knn):
        built, moved = build(graph), build(Data(pos=position[order]))
        assert (built.edge_index[0] != built.edge_index[1]).all()
        assert built.edge_index.shape[1] == len(edges(built))
        lengths = [each.edge_attr[:, 0].sort().values for each in (built, moved)]
        if build is not tissue.delaunay:  # of points on a circle there are several triangulations
            torch.testing.assert_close(*lengths)
    if len(points) > 1:
        assert tissue.delaunay(graph).edge_index.unique().numel() == len(points)


def test_hexagons_have_six_neighbours():
    rows = [(col + 0.5 * (row % 2), row * 3**0.5 / 2) for row in range(7) for col in range(7)]
    built = tissue.grid(Data(pos=100 * torch.tensor(rows)))
    assert built.edge_index[1].bincount()[24] == 6


def test_edge_features_are_distance_direction_and_sameness():
    graph = Data(
        pos=torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]),
        cell_type=torch.tensor([0, 0, -1]),
        cell_type_names=["a"],
    )
    built = tissue.radius(graph, 6.0)
    found = dict(zip(zip(*built.edge_index.tolist(), strict=True), built.edge_attr.tolist(), strict=True))
    assert built.edge_feature_names == ["distance", "direction x", "direction y", "same type"]
    assert found[1, 0] == pytest.approx([5.0, 0.6, 0.8, 1.0])
    assert found[0, 1] == pytest.approx([5.0, -0.6, -0.8, 1.0])
    assert found[2, 0] == pytest.approx([1.0, 0.0, 1.0, 0.0])


def test_builders_leave_the_graph_as_it_is():
    graph = scattered(10)
    tissue.knn(graph, 2)
    assert set(graph.keys()) == {"pos"}


@pytest.mark.parametrize("text", ["knn:3", "radius:20", "radius:2-20", "delaunay", "delaunay:30", "grid:10"])
def test_a_word_names_a_builder(text):
    name, _, number = text.partition(":")
    values = [float(part) for part in number.split("-")] if number else []
    given = [int(values[0])] if name == "knn" else [tuple(values)] if len(values) == 2 else values
    graph = scattered(30)
    assert torch.equal(tissue.builder(text)(graph).edge_index, getattr(tissue, name)(graph, *given).edge_index)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tissue.knn(scattered(3), 0), "whole number from 1 as k, got 0"),
        (lambda: tissue.knn(scattered(3), True), "whole number from 1 as k, got True"),
        (lambda: tissue.radius(scattered(3), -1.0), r"above 0, or two that rise, as r, got -1.0"),
        (lambda: tissue.radius(scattered(3), (5.0, 2.0)), r"got \(5.0, 2.0\)"),
        (lambda: tissue.delaunay(scattered(3), float("nan")), "above 0 as max_length, got nan"),
        (lambda: tissue.grid(scattered(3), 0.0), "above 0 as step, got 0.0"),
        (lambda: tissue.knn(Data(x=torch.zeros(3, 1))), r"expected pos \[N, 2\], got none"),
        (lambda: tissue.knn(Data(pos=torch.zeros(3, 3))), r"expected pos \[N, 2\], got \[3, 3\]"),
        (
            lambda: tissue.knn(Data(pos=torch.tensor([[0.0, float("inf")]]))),
            r"finite positions, got \[0.0, inf\] for node 0",
        ),
        (lambda: tissue.contact(scattered(3)), "was not read from a label image"),
        (
            lambda: tissue.builder("nearest:3"),
            "one of knn, radius, delaunay, contact, grid, file as the builder, got 'nearest:3'",
        ),
        (lambda: tissue.builder("knn:many"), "a number behind knn:, got 'many'"),
        (lambda: tissue.builder("knn:2-3"), "one number behind knn:, got '2-3'"),
        (lambda: tissue.builder("radius"), "radius needs a distance"),
        (lambda: tissue.builder("contact:3"), "contact takes no number, got 'contact:3'"),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_values(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_too_many_edges_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("graphattn.data.tissue.builders._MOST_EDGES", 100)
    with pytest.raises(ValueError, match="9,900 edges lie within a radius of 500; expected at most 100"):
        tissue.radius(scattered(100), 500.0)


def test_another_label_image_is_refused():
    (graph,) = tissue.read(CASES / "labels_touching_3x3.npz", mpp=1.0)
    other = np.zeros((4, 4), dtype=int)
    other[:2], other[2:] = 1, 77
    with pytest.raises(ValueError, match="object 77, which image 'labels_touching_3x3' has not"):
        tissue.contact(graph, other)


def test_edges_of_files_have_the_features_of_built_ones():
    (graph,) = tissue.read(CASES / "steinbock", mpp=1.0)[:1]
    assert graph.builder == "file"
    assert graph.edge_feature_names[:3] == ["distance", "direction x", "direction y"]
    sender, receiver = graph.edge_index
    assert torch.allclose(graph.edge_attr[:, 0], (graph.pos[sender] - graph.pos[receiver]).norm(dim=1))
    kept = tissue.builder("file")(graph)
    assert kept.edge_index.equal(graph.edge_index)
    assert tissue.knn(graph, 2).builder == "knn:2"
    with pytest.raises(ValueError, match=r"the file of image 'a' holds no edges: join neighbours by knn:8"):
        tissue.builder("file")(Data(pos=torch.zeros(1, 2), image="a"))
    with pytest.raises(ValueError, match="file takes no number, got 'file:3'"):
        tissue.builder("file:3")


def test_builders_say_their_rule():
    graph = Data(pos=torch.rand(9, 2))
    rules = ["knn:3", "radius:0.5", "radius:0.1-0.5", "delaunay", "delaunay:0.5", "grid"]
    assert [tissue.builder(rule)(graph).builder for rule in rules] == rules
