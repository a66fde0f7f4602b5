"""What a model of tissue reads: by name, whatever the order, and refused by name."""

import math

import pytest
import torch
from torch_geometric.data import Data

from graphattn.data import tissue
from graphattn.training.tissue.inputs import TissueForm, types_in


def cells(**given):
    held = {
        "pos": torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 0.0]]),
        "x": torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, math.nan]]),
        "feature_names": ["area", "length"],
        "cell_type": torch.tensor([0, 1, -1]),
        "cell_type_names": ["b", "t"],
        "unit": "um",
        "mpp": 0.5,
        "image": "a",
    }
    return tissue.knn(Data.from_dict({name: value for name, value in (held | given).items() if value is not None}), 1)


FORM = TissueForm.of([cells(), cells(), cells(unit="px", mpp=math.nan)])


def test_the_form_is_that_of_most():
    assert (
        TissueForm(
            ("area", "length"),
            ("b", "t"),
            "um",
            "knn:1",
            ("distance", "direction x", "direction y", "same type"),
            (0.5, 0.5),
        )
        == FORM
    )
    assert TissueForm.from_dict(FORM.to_dict()) == FORM


def test_columns_go_by_name():
    turned = cells(
        x=torch.tensor([[7.0, 10.0, 1.0], [7.0, 20.0, 2.0], [7.0, 30.0, 3.0]]),
        feature_names=["extra", "length", "area"],
        cell_type_names=["t", "mast"],
    )
    found = FORM.applied(turned)
    assert found.x.tolist() == [[1, 10, 0, 1], [2, 20, 0, 0], [3, 30, 0, 0]]
    assert found.feature_names == ["area", "length", "type b", "type t"]
    assert found.cell_type.tolist() == [1, -1, -1]
    assert FORM.misfit(turned) == ""
    assert FORM.notes(turned) == ["types 'mast' are not known: such cells count as cells without a type"]
    assert turned.feature_names == ["extra", "length", "area"]


def test_without_types_nothing_tells_them():
    form = TissueForm.of([cells()], without_types=True)
    assert form.types == ()
    assert "same type" not in form.edges
    assert form.applied(cells()).edge_attr.shape == (3, 3)
    assert form.applied(cells()).x.shape == (3, 2)


def test_what_has_nothing_has_the_number_1():
    bare = cells(x=None, feature_names=None, cell_type=None, cell_type_names=None)
    assert TissueForm.of([bare]).applied(bare).x.tolist() == [[1], [1], [1]]
    assert TissueForm((), ("b",)).applied(bare).x.tolist() == [[0], [0], [0]]
    unnamed = TissueForm.of([Data(x=torch.ones(2, 3))])
    assert unnamed.features == ("feature 0", "feature 1", "feature 2")
    assert "edge_attr" not in unnamed.applied(
        Data(x=torch.ones(2, 3), edge_attr=torch.ones(1, 1), edge_index=torch.zeros(2, 1).long())
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"feature_names": ["area", "width"]}, "it lacks the features 'length'; it has 'area' and 'width'"),
        ({"x": None, "feature_names": None}, "it lacks the features 'area' and 'length'; it has none"),
        ({"unit": "px"}, "its positions are in px, expected um"),
        ({"unit": None}, "its positions are in no known unit, expected um"),
        ({"cell_type_names": ["m", "n"]}, "its types of cells are 'm' and 'n', expected 'b' and 't'"),
        ({"x": torch.full((3, 2), math.inf)}, "x of node 0 is inf in feature 0"),
        ({"cell_type": None, "cell_type_names": None}, "its edges lack the features 'same type'"),
    ],
)
def test_other_graphs_are_refused_by_name(given, said):
    assert FORM.misfit(cells(**given)) == said


def test_another_builder_is_refused_by_name():
    assert FORM.misfit(tissue.knn(cells(), 2)) == "its edges are by knn:2, expected knn:1"
    assert FORM.misfit(tissue.delaunay(cells(), 50)) == "its edges are by delaunay:50, expected knn:1"
    foreign = cells()
    del foreign["builder"]
    assert FORM.misfit(foreign) == "its edges are by no known builder, expected knn:1"


def test_other_pixels_are_said():
    assert FORM.notes(cells(mpp=0.5)) == []
    assert FORM.notes(cells(mpp=0.25)) == ["pixels are of 0.25 um, in training of 0.5 um: measurements may differ"]


@pytest.mark.parametrize("changed", [{"unit": 3}, {"features": [1]}, {"more": ()}])
def test_damaged_forms_are_refused(changed):
    with pytest.raises(ValueError, match="expected builder, edges, features, mpp, types, unit of tissue, got"):
        TissueForm.from_dict(FORM.to_dict() | changed)


def test_types_that_cells_have():
    assert types_in(cells()) == ["b", "t"]
    assert types_in(cells(cell_type=None)) == []
