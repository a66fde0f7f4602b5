import numpy as np
import pandas as pd
import pytest
import torch

from graphattn.data.molecules.table import MoleculeTable
from graphattn.data.tasks import Task
from graphattn.training.folder.build import build
from graphattn.training.molecules.prediction import evaluate_table, predict_table
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.molecules.workflow import fingerprint
from graphattn.training.recipe import MoleculeRecipe


@pytest.fixture
def make_model(tiny):
    def make(kind, names=("y",), classes=()):
        torch.manual_seed(0)
        task = Task(kind, names, classes)
        zero, one = torch.zeros(len(names)), torch.ones(len(names))
        return FittedModel(task, tiny, MoleculeRecipe(), [build(tiny, task.outputs, 0).eval()], (zero, one))

    return make


def table(**columns):
    frame = pd.DataFrame(columns, dtype=str)
    return MoleculeTable(frame, np.arange(2, 2 + len(frame)), "smiles")


@pytest.mark.parametrize(
    ("kind", "names", "classes", "expected"),
    [
        ("binary", ("y",), ("no", "yes"), ["predicted_y", "probability_no", "probability_yes"]),
        ("multiclass", ("y",), ("a", "b", "c"), ["predicted_y", "probability_a", "probability_b", "probability_c"]),
        ("multilabel", ("p", "q"), ("0", "1"), ["predicted_p", "predicted_q", "probability_p", "probability_q"]),
        ("regression", ("p", "q"), (), ["predicted_p", "predicted_q"]),
    ],
)
def test_columns_of_each_task(make_model, kind, names, classes, expected):
    frame, rejected = predict_table(make_model(kind, names, classes), table(smiles=["CCO", "C"]))
    assert frame.columns.tolist() == ["smiles", *expected, "rejected"]
    assert not rejected
    for name in expected:
        if name.startswith("predicted") and classes:
            assert set(frame[name]) <= set(classes)


def test_class_is_the_likeliest(make_model):
    frame, _ = predict_table(make_model("multiclass", classes=("a", "b", "c")), table(smiles=["CCO", "C", "CCN"]))
    probability = frame[["probability_a", "probability_b", "probability_c"]].astype(float).to_numpy()
    assert frame["predicted_y"].tolist() == ["abc"[k] for k in probability.argmax(1)]


def test_columns_never_replace_those_of_the_input(make_model):
    given = table(smiles=["CCO", "C1CC"], y=["yes", "no"], predicted_y=["a", "b"], predicted_y_2=["c", "d"])
    frame, _ = predict_table(make_model("regression"), given)
    assert frame.columns.tolist() == ["smiles", "y", "predicted_y", "predicted_y_2", "predicted_y_3", "rejected"]
    assert frame.iloc[:, :4].equals(given.frame)
    assert frame["predicted_y_3"][1] == ""


def test_evaluation_groups_molecules_by_whether_they_were_seen(make_model):
    model = make_model("binary", classes=("0", "1"))
    model.record["seen"] = [fingerprint("CCO"), fingerprint("C")]
    rows = MoleculeTable(
        pd.DataFrame({"smiles": ["OCC", "C", "CCN", "CCC", "C1CC"], "label": ["1", "0", "1", "0", "1"]}),
        np.arange(2, 7),
        "smiles",
        ("label",),
    )
    found, rejected = evaluate_table(model, rows)
    assert list(found) == ["all 4 molecules", "2 molecules not trained on"]
    assert [row.line for row in rejected] == [6]
    model.record["seen"] = []
    assert list(evaluate_table(model, rows)[0]) == ["all 4 molecules"]
    model.record["seen"] = [fingerprint(smiles) for smiles in ("CCO", "C", "CCN", "CCC")]
    assert list(evaluate_table(model, rows)[0]) == ["4 molecules, ALL TRAINED ON"]


def test_contradictory_rows_count_in_evaluation(make_model):
    rows = MoleculeTable(pd.DataFrame({"smiles": ["OCC", "CCO"], "y": ["1", "0"]}), np.arange(2, 4), "smiles", ("y",))
    found, rejected = evaluate_table(make_model("binary", classes=("0", "1")), rows)
    assert list(found) == ["all 2 molecules"]
    assert not rejected


def test_another_number_of_targets_is_refused(make_model):
    rows = MoleculeTable(pd.DataFrame({"smiles": ["C"], "y": ["1"]}), np.array([2]), "smiles", ("y",))
    with pytest.raises(ValueError, match=r"the model predicts 2 targets \('p', 'q'\), the data name 1"):
        evaluate_table(make_model("multilabel", ("p", "q"), ("0", "1")), rows)


def test_no_class_is_told_where_the_model_gives_no_number(make_model, monkeypatch):
    model = make_model("binary", ("oxygen",), ("no", "yes"))
    monkeypatch.setattr(FittedModel, "predict", lambda self, graphs: np.array([[0.9], [np.nan]]))
    frame, rejected = predict_table(model, table(smiles=["CCO", "C"]))
    assert frame["predicted_oxygen"].tolist() == ["yes", ""]
    assert frame["probability_yes"].tolist() == [0.9, ""]
    reason = "no prediction: the output of the model is not a finite number"
    assert [(row.line, row.reason, row.text) for row in rejected] == [(3, reason, "C")]
