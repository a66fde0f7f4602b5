"""Weights of samples and of classes, in fits, in scorers and through scikit-learn's routing of metadata."""

import json
import re

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch_geometric.data import Data

from graphattn.estimators import GraphClassifier, GraphRegressor, MoleculeClassifier, MoleculeRegressor
from graphattn.estimators.targets import Targets
from graphattn.training.molecules.objective import Objective

SMILES = [f"{'C' * n}{end}" for n in range(1, 9) for end in ("O", "N")]
LABELS = ["o", "n"] * 8
TWICE = {"o": 3.0, "n": 1.0}
GRAPHS = [
    Data(x=torch.tensor([[float(k % 2), 1.0]]), edge_index=torch.zeros(2, 0, dtype=torch.int64)) for k in range(16)
]
MOLECULES = {"channels": 8, "layers": 1, "dropout": 0.0, "epochs": 4, "learning_rate": 0.02, "descriptors": False}
NETWORKS = {
    "layer": "mlp",
    "topology": "none",
    "channels": 8,
    "layers": 1,
    "dropout": 0.0,
    "epochs": 4,
    "learning_rate": 0.02,
}


@pytest.mark.parametrize(
    ("model", "X"), [(MoleculeClassifier(**MOLECULES), SMILES), (GraphClassifier(**NETWORKS), GRAPHS)]
)
def test_weights_change_what_is_learned(model, X):
    plain, even, heavy = (
        model.fit(X, LABELS, sample_weight=weight).predict_proba(X)
        for weight in (None, np.full(16, 2.0), [9.0, 1.0] * 8)
    )
    by_class, balanced, alike = (
        clone(model).set_params(class_weight=weight).fit(X, LABELS).predict_proba(X)
        for weight in ({"o": 9.0, "n": 1.0}, "balanced", None)
    )
    np.testing.assert_allclose(plain, even, atol=1e-4)
    assert heavy[:, 1].mean() > plain[:, 1].mean() + 0.01
    np.testing.assert_allclose(by_class, heavy, atol=1e-4)
    np.testing.assert_allclose(balanced, plain, atol=1e-4)
    np.testing.assert_allclose(alike, plain, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "X", "small"), [(MoleculeClassifier, SMILES, MOLECULES), (GraphClassifier, GRAPHS, NETWORKS)]
)
@pytest.mark.parametrize("weight", ["balanced", None, {"o": 3.0}])
def test_weights_of_classes_are_saved(kind, X, small, weight, tmp_path):
    model = kind(**{**small, "epochs": 1}, class_weight=weight).fit(X, LABELS)
    again = kind.load(model.save(tmp_path))
    assert again.class_weight == ({"n": 1.0, "o": 3.0} if isinstance(weight, dict) else weight)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "class_weight": [1.0]}))
    with pytest.raises(ValueError, match=r"is damaged: expected 'balanced', weights by label, .* got \[1.0\]"):
        kind.load(tmp_path, trust=True)


@pytest.mark.parametrize("weight", ["equal", 2.0, {"o": -1.0}, {"o": float("nan")}, {"o": "much"}])
def test_weights_of_classes_that_do_not_fit_are_refused(weight):
    told = f"expected 'balanced', weights by label, each 0 or more, or None as class_weight, got {weight!r}"
    for kind, X in ((MoleculeClassifier, SMILES), (GraphClassifier, GRAPHS)):
        with pytest.raises(ValueError, match=re.escape(told)):
            kind(class_weight=weight).fit(X, LABELS)


def test_weights_of_classes_replace_the_balance_of_molecule_models(monkeypatch):
    balances = []
    original = Objective.__init__
    monkeypatch.setattr(
        Objective,
        "__init__",
        lambda self, task, y, balance: (balances.append(balance), original(self, task, y, balance))[1],
    )
    model = MoleculeClassifier(**{**MOLECULES, "epochs": 1})
    model.fit(SMILES, LABELS)
    model.set_params(class_weight=TWICE).fit(SMILES, LABELS)
    assert balances == [1.0, 0.0]
    assert model.model_.recipe.balance == 0


@pytest.mark.parametrize(
    ("model", "X"), [(MoleculeRegressor(**MOLECULES), SMILES), (GraphRegressor(**NETWORKS), GRAPHS)]
)
def test_values_of_weight_zero_pull_no_prediction_towards_them(model, X):
    y, weight = np.array([0.0, 1.0] * 8), np.array([1.0, 0.0] * 8)
    assert model.fit(X, y, sample_weight=weight).predict(X).mean() < model.fit(X, y).predict(X).mean() - 0.01


def test_nodes_have_the_weight_of_their_graph_and_of_their_class():
    targets = Targets([np.array(["a", "b"]), np.array(["a"])], "node").weighted([2, 5], "graphs")
    known = np.array([True, False, True])
    found = targets.by_class({"a": 10.0}, np.array(["a", "a"]), known)
    assert [weights.tolist() for weights in found.weights] == [[20.0, 2.0], [50.0]]
    assert [weights.tolist() for weights in found.of(np.array([1])).weights] == [[50.0]]
    graphs = [Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 2]])) for _ in range(3)]
    model = GraphClassifier(**{**NETWORKS, "epochs": 1}, class_weight={"a": 2.0, "b": 1.0})
    model.fit(graphs, [["a", None, "b"]] * 3, sample_weight=[1, 2, 3])
    assert model.predict_proba(graphs)[0].shape == (3, 2)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], "expected a weight for each of 16 SMILES, got shape (1,)"),
        ([1.0] * 15 + [-2.0], "expected weights of 0 or more, got -2.0 at position 15"),
        ([float("nan")] * 16, "expected weights of 0 or more, got nan at position 0"),
        ([0.0] * 16, "expected weights of which some are above zero, got 16 that are 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weight, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MoleculeClassifier(**MOLECULES).fit(SMILES, LABELS, sample_weight=weight)


def test_weights_are_routed_by_scikit_learn():
    with config_context(enable_metadata_routing=True):
        model = MoleculeClassifier(**{**MOLECULES, "epochs": 1})
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"epochs": [1]}, cv=2, error_score="raise")
        search.fit(SMILES, LABELS, sample_weight=np.arange(1.0, 17.0))
        assert 0 <= search.best_score_ <= 1
        with pytest.raises(ValueError, match="weights of 0 or more"):
            search.fit(SMILES, LABELS, sample_weight=np.full(16, -1.0))
