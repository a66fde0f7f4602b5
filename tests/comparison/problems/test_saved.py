"""Problems from folders of saved graphs: classes and groups by name, baselines of composition, what is set aside."""

import numpy as np
import pytest
import torch
from rich.console import Console
from torch_geometric.data import Data

from graphattn.comparison import Settings, compare, problem
from graphattn.comparison.fits.baselines import baselines
from graphattn.data import save_graphs, tissue

SMALL = Settings(repeats=1, epochs=1, width=8, hidden=8, depth=1, heads=2, controls=False, trees=5)


def slide(k):
    draw = np.random.default_rng(k)
    graph = Data(
        pos=torch.from_numpy(draw.random((9, 2)) * 60).float(),
        x=torch.from_numpy(draw.normal(size=(9, 1)) + k // 2 % 2).float(),
        feature_names=["area"],
        cell_type=torch.from_numpy(draw.integers(0, 2, 9)),
        cell_type_names=["b", "t"],
        unit="um",
        image=f"P{k // 2}_{k % 2}",
        patient=f"P{k // 2}",
        y=torch.tensor([k // 2 % 2]),
        class_names=["well", "sick"],
    )
    return tissue.knn(graph, 3)


def folder(tmp_path, graphs):
    return save_graphs(graphs, tmp_path / "slides" / "graphs").parent


def test_whole_models_are_compared_beside_layers(tmp_path):
    posed = problem(str(folder(tmp_path, [slide(k) for k in range(40)])), groups="patient")
    layers = ["mlp", "slide_graph", "gland_graph", "tissue_transformer", "attention_mil"]
    found = compare(posed, layers, ["edges"], settings=SMALL, out=tmp_path / "out", console=Console(quiet=True))
    assert not found.failed
    models = [record for record in found.records if record.fit.role == "model"]
    assert [record.fit.layer for record in models] == layers
    assert [record.fit.topology for record in models] == ["none", *["edges"] * 4]
    assert [record.flops > 0 for record in models] == [True, False, False, False, False]
    assert all(record.parameters > 0 and record.peak_mib > 0 for record in models)
    notes = " ".join(found.notes)
    assert (
        "attention_mil, gland_graph, slide_graph and tissue_transformer: whole models with blocks, norms and" in notes
    )
    assert "slide_graph" in (tmp_path / "out" / "report.html").read_text()
    alone = compare(posed, ["slide_graph"], ["edges", "full"], settings=SMALL, console=Console(quiet=True))
    assert [record.fit.name for record in alone.records if record.fit.role == "model"] == ["slide_graph on edges"]


def test_tissue_is_compared_with_patients_in_one_part_and_baselines_of_composition(tmp_path):
    graphs = [slide(k) for k in range(40)]
    graphs[3].unit = "px"
    del graphs[5]["y"]
    posed = problem(str(folder(tmp_path, graphs)), groups="patient")
    assert (posed.name, posed.classes, posed.measure) == ("slides", ("well", "sick"), "ROC-AUC")
    assert len(posed.graphs) == len(posed.groups) == 38
    assert len(set(posed.groups)) == 20
    assert posed.graphs[0].x.shape == (9, 3)
    assert posed.graphs[0].pos is None
    notes = " ".join(posed.notes)
    assert "1 of 40 graphs have no label and were left out" in notes
    assert "image 'P1_1' was set aside: its positions are in px, expected um" in notes
    assert "x are 'area' and types of cells 'b' and 't'; edges by knn:3; places of cells are not read" in notes
    assert "what is of one group stays in one part: 20 groups of 38 graphs" in notes
    assert {name: len(table) for name, table in posed.tables.items()} == {
        "number of cells": 38,
        "composition": 38,
        "composition with spread and spacing": 38,
        "type mixing": 38,
    }
    assert "logistic regression on composition" in baselines(posed)
    assert "forest on type mixing" in baselines(posed)
    found = compare(posed, ["mlp"], ["edges"], settings=SMALL, console=Console(quiet=True))
    assert found.failed == []
    scored = {record.fit.name: record for record in found.records}
    assert {"forest on composition", "logistic regression on number of cells", "mlp on none"} <= set(scored)
    assert "forest on composition" in found.verdict()


def test_fewer_graphs_have_their_own_rows_of_tables(tmp_path):
    posed = problem(str(folder(tmp_path, [slide(k) for k in range(12)])), count=5)
    whole = problem(str(tmp_path / "slides"))
    rows = [int(note.split()[0]) for note in posed.notes if note.endswith("drawn by seed 0")]
    assert rows == [5]
    kept = [next(at for at, each in enumerate(whole.graphs) if each.x.equal(graph.x)) for graph in posed.graphs]
    assert np.array_equal(posed.tables["composition"], whole.tables["composition"][kept])


def test_other_graphs_are_as_they_were_given(tmp_path):
    graphs = [
        Data(x=torch.rand(3, 2), pos=torch.rand(3, 3), edge_index=torch.tensor([[0, 1], [1, 0]]), y=torch.rand(1))
        for _ in range(6)
    ]
    save_graphs(graphs, tmp_path / "g")
    posed = problem(str(tmp_path / "g"))
    assert (posed.target, posed.tables, posed.graphs[0].pos.shape) == ("regression", {}, (3, 3))


def test_what_is_no_problem_is_refused(tmp_path):
    bare = [slide(k) for k in range(4)]
    for graph in bare:
        del graph["y"]
    save_graphs(bare, tmp_path / "bare")
    with pytest.raises(ValueError, match=r"have no labels: give --labels to graphattn tissue graph"):
        problem(str(tmp_path / "bare"))
    made = folder(tmp_path, [slide(k) for k in range(4)])
    with pytest.raises(
        ValueError, match=r"holds graphs, whose y is learned, and no columns; got target='y' and smiles=None"
    ):
        problem(str(made), target="y")
    with pytest.raises(ValueError, match="expected a group for each of the graphs, got none at position 0"):
        problem(str(made), groups="donor")
    posed = problem(str(made))
    with pytest.raises(ValueError, match="expected as many rows of 'composition' as graphs, got 3 for 4"):
        type(posed)("p", posed.graphs, posed.target, posed.classes, tables={"composition": np.ones((3, 1))})
