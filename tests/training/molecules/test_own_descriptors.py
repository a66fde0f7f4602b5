import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.several import with_files
from graphattn.data.molecules.table import read_table
from graphattn.explain.molecules.explanation import explain
from graphattn.explain.molecules.folder import write_explanations
from graphattn.training.folder.checks import read_description
from graphattn.training.molecules import judging
from graphattn.training.molecules.dividing import open_divided
from graphattn.training.molecules.forests import fitting
from graphattn.training.molecules.prediction import open_for, predict_table
from graphattn.training.molecules.saved import load
from graphattn.training.molecules.workflow import TrainingPlan, labelled, train
from graphattn.training.recipe import MoleculeRecipe

ROWS = 36


def written(path, columns, cells, rows=ROWS):
    """A table whose column of numbers says the class, and the molecule does not."""
    lines = [f"{'C' * (n + 1)}O,{n % 2},{','.join(cells(n))}" for n in range(rows)]
    path.write_text("\n".join([f"smiles,y,{','.join(columns)}", *lines]) + "\n")
    return str(path)


def numbers(n):
    return "" if n == 5 else f"{n % 2 + n / 100}", f"{n}"


@pytest.fixture
def trained(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("graphattn.training.recipe.Architecture.to_dict", lambda self: tiny)
    monkeypatch.setattr(fitting, "TREES", 10)
    monkeypatch.setattr(judging, "TREES", 10)
    data = written(tmp_path / "data.csv", ("logD", "dose"), numbers)

    def make(**options):
        table, rule = open_divided(data, None, ["y"], "random", descriptors=["logd", "dose"])
        recipe = MoleculeRecipe(epochs=options.pop("epochs", 1))
        plan = TrainingPlan(tmp_path / "model", split=rule, recipe=recipe, compare=False, descriptors=False)
        train(table, dataclasses.replace(plan, **options), [].append, verbose=False)
        return load(tmp_path / "model"), data

    return make


def test_columns_are_numbers_with_gaps(tmp_path):
    table = read_table(
        written(tmp_path / "d.csv", ("logD",), lambda n: ["NA" if n == 1 else f"{n}.5"], 3), descriptors=["LOGD"]
    )
    assert (table.descriptor_columns, table.target_columns) == (("logD",), ("y",))
    np.testing.assert_array_equal(table.descriptors, np.array([[0.5], [np.nan], [2.5]], dtype=np.float32))
    assert read_table(tmp_path / "d.csv", targets="y").descriptors is None


def test_cells_that_are_no_numbers_set_their_rows_aside(tmp_path):
    path = written(tmp_path / "d.csv", ("logD",), lambda n: ["1;5" if n == 1 else "2"], 3)
    table = read_table(path, descriptors=["logD"])
    assert table.faults == {1: "unusable descriptor: '1;5' of logD is not a number"}
    assert np.isnan(table.descriptors[1, 0])


@pytest.mark.parametrize("column", ["y", "smiles"])
def test_columns_that_are_something_else(tmp_path, column):
    path = written(tmp_path / "d.csv", ("logD",), numbers, 3)
    with pytest.raises(
        ValueError, match=f"of their own as descriptors, got '{column}', which is read as the SMILES, a"
    ):
        read_table(path, targets="y", descriptors=[column])


def test_files_of_parts_have_the_columns_as_well(tmp_path):
    table = read_table(written(tmp_path / "a.csv", ("logD",), lambda n: ["1"], 3), targets="y", descriptors=["logD"])
    test = written(tmp_path / "b.csv", ("logD",), lambda n: ["7"], 2)
    assert with_files(table, "a.csv", None, test).descriptors[:, 0].tolist() == [1, 1, 1, 7, 7]
    lacking = written(tmp_path / "c.csv", ("dose",), lambda n: ["7"], 2)
    with pytest.raises(ValueError, match=re.escape("c.csv has no column 'logD'")):
        with_files(table, "a.csv", None, lacking)


@pytest.mark.parametrize(
    ("descriptors", "model"), [(False, "graph"), (True, "graph"), (False, "forest"), (True, "blend")]
)
def test_models_read_the_columns_with_those_of_rdkit_or_in_their_place(trained, tmp_path, descriptors, model):
    model, data = trained(descriptors=descriptors, model=model)
    assert model.descriptor_names == ((*DESCRIPTOR_NAMES,) if descriptors else ()) + ("logD", "dose")
    assert (model.columns, model.reads_rdkit) == (("logD", "dose"), descriptors)
    table = open_for(read_description(tmp_path / "model"), data, None, (), [].append)
    assert table.descriptor_columns == ("logD", "dose")
    assert predict_table(model, table)[0]["rejected"].tolist() == [""] * ROWS
    assert "columns of the table: logD, dose" in (tmp_path / "model" / "README.md").read_text()


def test_predictions_depend_on_the_columns(trained, tmp_path):
    model, data = trained(model="forest")
    described = read_description(tmp_path / "model")
    turned = written(tmp_path / "turned.csv", ("logD", "dose"), lambda n: (f"{1 - n % 2}", f"{n}"))
    tables = [open_for(described, each, None, (), [].append) for each in (data, turned)]
    one, other = (predict_table(model, table)[0]["probability_1"].astype(float) for table in tables)
    assert abs(one - other).max() > 0.05


def test_data_without_the_columns_or_with_a_broken_cell(trained, tmp_path):
    model, _ = trained()
    described = read_description(tmp_path / "model")
    lacking = written(tmp_path / "lacking.csv", ("dose",), lambda n: ["1"])
    with pytest.raises(ValueError, match=re.escape("lacking.csv has no column 'logD'")):
        open_for(described, lacking, None, (), [].append)
    broken = written(tmp_path / "broken.csv", ("logD", "dose"), lambda n: ("x" if n == 2 else "", "1"), 4)
    rejected = predict_table(model, open_for(described, broken, None, (), [].append))[0]["rejected"].tolist()
    assert rejected == ["", "", "unusable descriptor: 'x' of logD is not a number", ""]


@pytest.mark.parametrize("descriptors", [False, True])
def test_explanations_leave_the_columns_as_they_are(trained, tmp_path, descriptors):
    model, *_ = trained(descriptors=descriptors)
    described, said = read_description(tmp_path / "model"), []
    few = written(tmp_path / "few.csv", ("logD", "dose"), numbers, 6)
    write_explanations(model, open_for(described, few, None, (), [].append), tmp_path / "atoms", said.append)
    assert "The columns logD, dose stay as they are while parts are hidden." in said
    wanted = predict_table(model, open_for(described, few, None, (), [].append))[0]["probability_1"].astype(float)
    lines = (tmp_path / "atoms" / "contributions.csv").read_text().splitlines()[1:]
    shown = {line.split(",")[2]: float(line.split(",")[-1] or line.split(",")[4]) for line in lines}
    assert list(shown.values()) == pytest.approx(wanted.tolist(), abs=1e-5)


def test_molecules_without_a_table_are_refused(trained):
    model, _ = trained()
    with pytest.raises(
        ValueError, match="the model reads columns of a table, logD, dose: expected a table that has them, got"
    ):
        explain(model, "CCO")


def test_forests_beside_a_model_read_the_columns(trained):
    model, *_ = trained(compare=True, descriptors=True)
    assert "random forest, ECFP4 + RDKit-2D + columns" in model.record["metrics"]
    assert open_table("bbb").descriptors is None


def test_labelled_graphs_are_explained_like_their_smiles(trained):
    model, data = trained(epochs=1)
    table = read_table(data, targets="y", descriptors=["logD", "dose"])
    graph = labelled(table, TrainingPlan(Path()), [].append).graphs[3]
    found = explain(model, graph)
    assert "y" in graph
    assert len(found.of("bond")) == 4
