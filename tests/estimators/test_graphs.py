"""Graph estimators as scikit-learn's own: lists of PyG graphs in, labels and values out."""

import copy
import json
import pickle
import re
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from torch_geometric.data import Batch, Data

from graphattn.estimators import GraphClassifier, GraphRegressor

SMALL = {"layer": "gcn", "topology": "edges", "channels": 16, "layers": 1, "epochs": 8, "learning_rate": 0.01}


def ring(nodes, colour):
    """A ring of nodes that are all of one colour, with numbers around it."""
    node = torch.arange(nodes)
    edges = torch.stack([torch.cat([node, (node + 1) % nodes]), torch.cat([(node + 1) % nodes, node])])
    return Data(x=torch.randn(nodes, 3) + 100 * torch.tensor([2.0 * colour, 1.0, 0.0]), edge_index=edges)


torch.manual_seed(0)
GRAPHS = [ring(3 + k % 5, k % 2) for k in range(24)]
LABELS = np.array(["blue", "red"] * 12)
VALUES = np.array([1000.0 + 50 * (k % 2) for k in range(24)])


@pytest.fixture(scope="module")
def classifier():
    return GraphClassifier(**SMALL).fit(GRAPHS, LABELS)


@pytest.fixture(scope="module")
def regressor():
    return GraphRegressor(**{**SMALL, "epochs": 30}).fit(GRAPHS, VALUES)


def test_classifier_learns(classifier):
    assert classifier.classes_.tolist() == ["blue", "red"]
    assert classifier.score(GRAPHS, LABELS) == 1
    probability = classifier.predict_proba([ring(9, 0), ring(2, 1)])
    assert probability.sum(1) == pytest.approx(1)
    assert probability[0, 0] > 0.5 > probability[1, 0]
    assert classifier.predict([ring(4, 1)]).tolist() == ["red"]


def test_regressor_learns_in_the_units_of_its_values(regressor):
    assert regressor.score(GRAPHS, VALUES) > 0.9
    assert regressor.predict(GRAPHS).shape == (24,)


@pytest.mark.parametrize(
    ("layer", "topology"),
    [("edge_attention", "full"), ("attention", "edges+hub"), ("gin", "none"), ("mlp", "full")],
)
def test_layers_and_topologies_by_name(layer, topology):
    model = GraphClassifier(**{**SMALL, "layer": layer, "topology": topology}).fit(GRAPHS, LABELS)
    assert model.score(GRAPHS, LABELS) > 0.9


def test_three_classes_of_categories_with_some_never_seen():
    graphs = [Data(x=torch.full((n, 2), k), edge_index=torch.zeros(2, 0).long()) for n in range(1, 9) for k in range(3)]
    model = GraphClassifier(**SMALL).fit(graphs, [5, 7, 9] * 8)
    assert model.classes_.tolist() == [5, 7, 9]
    assert model.score(graphs, [5, 7, 9] * 8) > 0.9
    assert model.predict_proba([Data(x=torch.full((2, 2), 40), edge_index=graphs[0].edge_index)]).shape == (1, 3)


@pytest.mark.parametrize("labels", [[0, 1], [True, False], [2.5, 7.0], ["b", "a"]])
def test_labels_come_back_in_their_own_type(labels, tmp_path):
    y = np.array(labels * 12)
    model = GraphClassifier(**{**SMALL, "epochs": 1}).fit(GRAPHS, y)
    for each in (model, GraphClassifier.load(model.save(tmp_path / "model"))):
        assert each.classes_.dtype == y.dtype
        assert each.classes_.tolist() == sorted(labels)
        assert set(each.predict(GRAPHS).tolist()) <= set(labels)


def test_edges_are_heard_with_what_they_say():
    generator = torch.Generator().manual_seed(0)
    graphs = []
    for k in range(40):
        data = ring(6, 0)
        data.x = torch.ones(6, 1)
        data.edge_attr = torch.rand(12, 1, generator=generator) + k % 2
        graphs.append(data)
    model = GraphClassifier(**{**SMALL, "layer": "edge_attention", "epochs": 30}).fit(graphs, [0, 1] * 20)
    assert model.score(graphs, [0, 1] * 20) > 0.9
    deaf = GraphClassifier(**{**SMALL, "layer": "attention", "epochs": 30}).fit(graphs, [0, 1] * 20)
    assert deaf.score(graphs, [0, 1] * 20) == 0.5


def test_graphs_come_in_any_container_and_are_not_changed(classifier):
    before = copy.deepcopy(GRAPHS)
    expected = classifier.predict_proba(GRAPHS)
    for container in (tuple, iter, Batch.from_data_list):
        assert np.array_equal(classifier.predict_proba(container(GRAPHS)), expected)
    for graph, as_it_was in zip(GRAPHS, before, strict=True):
        assert list(graph.keys()) == list(as_it_was.keys())
        assert torch.equal(graph.x, as_it_was.x)


def test_labels_are_those_given_and_not_those_in_the_graphs(classifier):
    lying = [Data(x=data.x, edge_index=data.edge_index, y=torch.tensor([0])) for data in GRAPHS]
    model = GraphClassifier(**SMALL).fit(lying, LABELS)
    assert np.array_equal(model.predict_proba(lying), classifier.predict_proba(GRAPHS))


def test_one_graph_is_answered_as_in_company(classifier):
    alone = np.vstack([classifier.predict_proba([data]) for data in GRAPHS[:4]])
    assert np.allclose(alone, classifier.predict_proba(GRAPHS)[:4], atol=1e-6)
    assert classifier.predict_proba([]).shape == (0, 2)


def test_several_values():
    y = np.stack([VALUES, -VALUES], 1)
    found = GraphRegressor(**{**SMALL, "epochs": 30}).fit(GRAPHS, y).predict(GRAPHS)
    assert found.shape == (24, 2)
    assert np.allclose(found, y, atol=20)


def test_equal_seeds_give_equal_models_and_the_callers_numbers_are_left_alone(classifier):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    again = GraphClassifier(**SMALL).fit(GRAPHS, LABELS)
    assert torch.equal(torch.rand(1), expected)
    assert np.array_equal(again.predict_proba(GRAPHS), classifier.predict_proba(GRAPHS))
    other = GraphClassifier(**SMALL, seed=1).fit(GRAPHS, LABELS)
    assert not np.array_equal(other.predict_proba(GRAPHS), classifier.predict_proba(GRAPHS))


def test_parameters_and_clone():
    model = GraphClassifier(**SMALL)
    assert model.get_params() == {**SMALL, "dropout": 0.0, "seed": 0, "class_weight": None}
    twin = clone(model.set_params(layers=2))
    assert twin.layers == 2
    assert not hasattr(twin, "model_")
    assert is_classifier(model)
    assert is_regressor(GraphRegressor())
    assert {**GraphRegressor().get_params(), "class_weight": None} == GraphClassifier().get_params()


def test_cross_validation_and_search():
    scores = cross_val_score(GraphClassifier(**SMALL), GRAPHS, LABELS, cv=2, scoring="roc_auc")
    assert scores.shape == (2,)
    assert scores.mean() > 0.9
    model = GraphClassifier(**{**SMALL, "epochs": 4})
    assert cross_val_predict(model, GRAPHS, LABELS, cv=2, method="predict_proba").shape == (24, 2)
    search = GridSearchCV(GraphRegressor(**SMALL), {"learning_rate": [1e-9, 0.01]}, cv=2).fit(GRAPHS, VALUES)
    assert search.best_params_ == {"learning_rate": 0.01}
    assert search.predict(GRAPHS[:1]).shape == (1,)


def test_pipeline():
    def without_edges(graphs):
        return [Data(x=data.x, edge_index=data.edge_index[:, :0]) for data in graphs]

    pipeline = Pipeline([("cut", FunctionTransformer(without_edges)), ("model", GraphClassifier(**SMALL))])
    assert pipeline.fit(GRAPHS, LABELS).score(GRAPHS, LABELS) == 1


def test_joblib_keeps_and_shares_the_model(classifier, tmp_path):
    expected = classifier.predict_proba(GRAPHS)
    joblib.dump(classifier, tmp_path / "model.joblib")
    assert np.array_equal(joblib.load(tmp_path / "model.joblib").predict_proba(GRAPHS), expected)
    assert np.array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(GRAPHS), expected)
    halves = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(classifier.predict_proba)(part) for part in (GRAPHS[:12], GRAPHS[12:])
    )
    assert np.allclose(np.vstack(halves), expected, atol=1e-6)


def test_saved_estimators_are_the_same(classifier, regressor, tmp_path):
    again = GraphClassifier.load(classifier.save(tmp_path / "classes"))
    assert np.array_equal(again.predict_proba(GRAPHS), classifier.predict_proba(GRAPHS))
    assert again.get_params() == classifier.get_params()
    values = GraphRegressor.load(regressor.save(tmp_path / "values"))
    assert np.array_equal(values.predict(GRAPHS), regressor.predict(GRAPHS))


@pytest.mark.parametrize("layer", ["edge_attention", "gat"])
def test_saved_categories_of_nodes_and_edges_are_the_same(layer, tmp_path):
    edges = GRAPHS[0].edge_index
    graphs = [
        Data(x=torch.tensor([[k % 3], [0], [2]]), edge_index=edges, edge_attr=torch.arange(6)[:, None] % (2 + k % 2))
        for k in range(6)
    ]
    model = GraphClassifier(**{**SMALL, "layer": layer, "topology": "full"}).fit(graphs, [0, 1] * 3)
    again = GraphClassifier.load(model.save(tmp_path / "model"))
    assert np.array_equal(again.predict_proba(graphs), model.predict_proba(graphs))


def test_other_folders_are_refused(classifier, regressor, tmp_path):
    with pytest.raises(ValueError, match="holds a regressor; expected a classifier"):
        GraphClassifier.load(regressor.save(tmp_path / "values"))
    folder = classifier.save(tmp_path / "classes")
    with pytest.raises(ValueError, match="holds a classifier; expected a regressor"):
        GraphRegressor.load(folder)
    with pytest.raises(
        ValueError,
        match=r"holds no model: expected a folder that GraphClassifier or GraphRegressor saved",
    ):
        GraphClassifier.load(tmp_path)
    described = json.loads((folder / "model.json").read_text())
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"model\.safetensors was changed since the model was saved"):
        GraphClassifier.load(folder)
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged: "):
        GraphClassifier.load(folder, trust=True)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"is incomplete: model\.safetensors is missing"):
        GraphClassifier.load(folder, trust=True)
    (folder / "model.json").write_text(json.dumps(described | {"format": 7}))
    with pytest.raises(ValueError, match=r"model\.json has format 7, graphattn .* reads formats 1 to 2"):
        GraphClassifier.load(folder, trust=True)
    (folder / "model.json").write_text("{")
    with pytest.raises(ValueError, match=r"model\.json is damaged"):
        GraphClassifier.load(folder, trust=True)


def test_a_folder_saved_as_graph_model_json_is_read(classifier, tmp_path, caplog):
    folder = classifier.save(tmp_path)
    described = json.loads((folder / "model.json").read_text())
    for name in ("kind", "versions", "weights"):
        del described[name]
    (folder / "graph_model.json").write_text(json.dumps(described | {"format": 1}))
    for name in ("model.json", "manifest.json", "README.md"):
        (folder / name).unlink()
    assert np.array_equal(GraphClassifier.load(folder).predict_proba(GRAPHS), classifier.predict_proba(GRAPHS))
    assert "was saved without manifest.json, by an earlier version" in caplog.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outputs": 10**9}, "expected outputs from 1 to 1,000,000, got 1000000000"),
        ({"size": {"width": 8, "hidden": 10**12, "depth": 1, "heads": 4}}, "expected hidden as a whole number up to"),
        ({"size": {"width": 8, "hidden": 16, "depth": 10**7, "heads": 4}}, "expected depth as a whole number up to"),
        ({"cell": ["gcn", "bonds"]}, "expected topologies of"),
        ({"level": "edge"}, "expected the level graph or node, got 'edge'"),
        ({"scales": {"y": [[0.0], [0.0]]}}, "expected 2 means and positive deviations"),
        ({"features": [[10**9, []], None, 0, 1.0]}, "expected counts of columns up to 1,000,000"),
        ({"features": [[5, []], None, 0, 1.0]}, "is damaged or of another network: expected embedding"),
        ({"parameters": -1}, "is damaged: expected the parameters channels, dropout, .* got -1"),
        ({"classes": ["red"]}, r"is damaged: expected 2 classes, got \['red'\]"),
        ({"kind": "molecules"}, "describes a model of molecules: expected a model of graphs, in a folder that Graph"),
    ],
)
def test_a_description_of_what_there_is_not_is_refused_in_words(classifier, tmp_path, changes, words):
    path = classifier.save(tmp_path) / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ValueError, match=words):
        GraphClassifier.load(tmp_path, trust=True)


INFINITE = ring(4, 0)
INFINITE.x[2, 1] = float("inf")


def test_graphs_that_cannot_be_used_are_left_out_of_training_with_a_warning():
    graphs, labels = [INFINITE, *GRAPHS, None], ["red", *LABELS, "blue"]
    reason = r"left out of training: position 0: x of node 2 is inf in feature 1; position 25: expected a PyG Data, got NoneType"
    with pytest.warns(UserWarning, match=reason):
        model = GraphClassifier(**{**SMALL, "epochs": 1}).fit(graphs, labels)
    expected = GraphClassifier(**{**SMALL, "epochs": 1}).fit(GRAPHS, LABELS)
    assert np.array_equal(model.predict_proba(GRAPHS), expected.predict_proba(GRAPHS))


def test_graphs_that_cannot_be_used_are_nan_in_probabilities_and_values(classifier, regressor):
    wide = Data(x=torch.rand(2, 4), edge_index=GRAPHS[0].edge_index[:, :0])
    with pytest.warns(UserWarning, match=r"NaN for graphs that cannot be used: position 1: it has x of 4 numbers"):
        probability = classifier.predict_proba([GRAPHS[0], wide, GRAPHS[1]])
    assert np.isnan(probability[1]).all()
    assert np.array_equal(probability[[0, 2]], classifier.predict_proba(GRAPHS[:2]))
    with pytest.warns(UserWarning, match=r"position 0: x of node 2"):
        assert np.isnan(regressor.predict([INFINITE, GRAPHS[0]])).tolist() == [True, False]
    with pytest.raises(
        ValueError, match=r"no class for graphs that cannot be used .*: position 1: it has x of 4 numbers"
    ):
        classifier.predict([GRAPHS[0], wide])


@pytest.mark.parametrize(
    ("graphs", "y", "error", "message"),
    [
        ([INFINITE, INFINITE], [0, 1], ValueError, "none of the 2 graphs can be used: position 0: x of node 2"),
        (GRAPHS, ["red"] * 24, ValueError, "a classifier needs two classes or more, got one class: 'red'"),
        (GRAPHS, [*LABELS[:23], None], ValueError, "every graph needs a label; position 23 has none (1 in all)"),
        (GRAPHS, [*range(23), np.nan], ValueError, "every graph needs a label; position 23 has none (1 in all)"),
        (GRAPHS[:3], [0, 1], ValueError, "expected as many labels as graphs, got 2 labels for 3 graphs"),
        (GRAPHS[:2], [[0, 1], [1, 0]], ValueError, "expected one label per graph, got an array of shape (2, 2)"),
        ([], [], ValueError, "expected graphs to learn from, got none"),
        (GRAPHS[0], [0], TypeError, "expected a list of PyG Data, got one Data; write [data]"),
        (5, [0], TypeError, "expected a list of PyG Data, got one int"),
    ],
)
def test_what_cannot_be_learned_is_refused(graphs, y, error, message):
    with pytest.raises(error, match=re.escape(message)):
        GraphClassifier(**SMALL).fit(graphs, y)


def test_features_of_another_number_in_all_graphs_are_refused(classifier, regressor, tmp_path):
    wide = [Data(x=torch.rand(2, 4), edge_index=GRAPHS[0].edge_index[:, :0])] * 3
    for given in (wide, [*wide, None]):
        with pytest.raises(ValueError, match="X has 4 features, but GraphClassifier is expecting 3 features as input"):
            classifier.predict_proba(given)
    flat = [Data(x=torch.rand(4), edge_index=GRAPHS[0].edge_index[:, :0])]
    told = r"X has 1 features, but GraphRegressor is expecting 3 .* Reshape your data: x \[4\] is one feature of as many nodes"
    with pytest.raises(ValueError, match=told):
        regressor.predict(flat)
    assert GraphClassifier.load(classifier.save(tmp_path / "model")).n_features_in_ == classifier.n_features_in_ == 3
    assert not hasattr(GraphClassifier(), "n_features_in_")


def test_a_column_of_labels_is_read_with_a_warning(classifier):
    told = "A column-vector y was passed when a 1d array was expected: it is read as one label per graph"
    with pytest.warns(DataConversionWarning, match=told):
        model = GraphClassifier(**SMALL).fit(GRAPHS, LABELS[:, None])
    assert np.array_equal(model.predict_proba(GRAPHS), classifier.predict_proba(GRAPHS))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match=re.escape(f"every graph needs a finite value, got {value} at position 1")):
        GraphRegressor(**SMALL).fit(GRAPHS[:2], [1.0, value])
    with pytest.raises(ValueError, match="got 2 labels for 3 graphs"):
        GraphRegressor(**SMALL).fit(GRAPHS[:3], [1.0, 2.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "transformer"}, "expected layers of attention, "),
        ({"topology": "star"}, "expected topologies of edges, "),
        (
            {"topology": "shuffled"},
            "expected a topology of the data, got 'shuffled', which is drawn anew for other graphs",
        ),
        ({"layer": "edge_attention", "topology": "none"}, "expected a layer that has a graph"),
        ({"channels": 6}, "expected channels to be a multiple of 4, got 6"),
        ({"channels": 0}, "expected channels of 1 or more, got 0"),
        ({"layers": -1}, "expected layers of 1 or more, got -1"),
        ({"seed": -1}, "expected seed of 0 or more, got -1"),
        ({"dropout": 1.0}, "expected dropout of at least 0 and below 1, got 1.0"),
        ({"epochs": 0}, "expected epochs of 1 or more, got 0"),
        ({"learning_rate": 0.0}, "expected learning_rate above 0, got 0.0"),
        ({"learning_rate": np.inf}, "expected learning_rate above 0, got inf"),
    ],
)
def test_options_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        GraphClassifier(**{**SMALL, **change}).fit(GRAPHS, LABELS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 16.0}, "expected an integer as channels, got 16.0"),
        ({"layers": "two"}, "expected an integer as layers, got 'two'"),
        ({"epochs": True}, "expected an integer as epochs, got True"),
        ({"seed": None}, "expected an integer as seed, got None"),
        ({"learning_rate": "0.01"}, "expected a number as learning_rate, got '0.01'"),
        ({"dropout": None}, "expected a number as dropout, got None"),
    ],
)
def test_options_of_another_type_are_refused(change, message):
    for kind in (GraphClassifier, GraphRegressor):
        with pytest.raises(TypeError, match=re.escape(message)):
            kind(**{**SMALL, **change}).fit(GRAPHS, VALUES)


def test_options_of_numpy_are_learned_with_and_saved(classifier, tmp_path):
    numbers = {
        "channels": np.int64(16),
        "layers": np.int32(1),
        "epochs": np.int64(8),
        "learning_rate": np.float64(0.01),
    }
    model = GraphClassifier(**{**SMALL, **numbers}).fit(GRAPHS, LABELS)
    again = GraphClassifier.load(model.save(tmp_path / "model"))
    assert again.get_params() == classifier.get_params()
    assert np.array_equal(again.predict_proba(GRAPHS), classifier.predict_proba(GRAPHS))


def test_labels_that_are_values_are_refused_and_the_regressor_is_named():
    with pytest.raises(
        ValueError,
        match=r"got 24 different floats in y, such as 0 and 0\.5: GraphRegressor learns values; .* not continuous",
    ):
        GraphClassifier(**SMALL).fit(GRAPHS, np.arange(24) / 2)
    few = GraphClassifier(**{**SMALL, "epochs": 1}).fit(GRAPHS, [*np.arange(20.0), 0, 0, 0, 0])
    assert few.classes_.tolist() == list(range(20))


def test_labels_of_several_types_are_refused():
    with pytest.raises(ValueError, match=re.escape("expected labels of one type, got 1 (number) and 'a' (str)")):
        GraphClassifier(**SMALL).fit(GRAPHS[:3], [1, "a", 2.5])


def test_classes_too_few_to_be_stratified_are_learned():
    model = GraphClassifier(**{**SMALL, "epochs": 1}).fit(GRAPHS, list(range(12)) * 2)
    assert model.predict_proba(GRAPHS).shape == (24, 12)


@pytest.mark.parametrize(
    ("graphs", "values", "message"),
    [
        ([], [], "expected graphs to learn from, got none"),
        (
            GRAPHS[:2],
            np.zeros((2, 0)),
            r"expected one value per graph, or a row of values, got an array of shape \(2, 0\)",
        ),
        (GRAPHS[:2], np.zeros((2, 3, 4)), r"got an array of shape \(2, 3, 4\)"),
    ],
)
def test_values_of_another_shape_are_refused(graphs, values, message):
    with pytest.raises(ValueError, match=message):
        GraphRegressor(**SMALL).fit(graphs, values)


def test_a_fit_that_fails_leaves_the_one_before():
    fitted = GraphClassifier(**SMALL).set_params(epochs=1).fit(GRAPHS, LABELS)
    before = fitted.predict_proba(GRAPHS)
    with pytest.raises(ValueError, match="got nothing"):
        fitted.set_params(layer="nothing").fit(GRAPHS, np.array(["other", "labels", "here"] * 8))
    assert fitted.classes_.tolist() == ["blue", "red"]
    assert np.array_equal(fitted.predict_proba(GRAPHS), before)


def test_values_that_are_all_alike_are_learned():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GraphRegressor(**{**SMALL, "epochs": 1}).fit(GRAPHS, [7.0] * 24)
    assert model.predict(GRAPHS) == pytest.approx(7.0, abs=3)


def with_gaps(seed):
    """Rings, of every third of which a value is missing: the colour itself where it is red."""
    graphs = copy.deepcopy(GRAPHS)
    for k in range(seed, 24, 3):
        graphs[k].x[0, 0] = float("nan")
    return graphs


def test_missing_values_are_replaced_by_the_mean_and_flagged(tmp_path):
    graphs = with_gaps(0)
    names = ["colour", "one", "nothing"]
    for data in graphs:
        data.feature_names = names
    told = "feature 0 (colour): 8 of 118 values missing, replaced by the mean of the training part"
    with pytest.warns(UserWarning, match=f"^{re.escape(told)}$") as warned:
        model = GraphClassifier(**SMALL).fit(graphs, LABELS)
    assert len(warned) == 1
    start = model.model_.network.embedding.start
    known = torch.cat([data.x[:, 0] for data in graphs])
    assert start.mean[0].item() == pytest.approx(known[~known.isnan()].mean().item(), rel=1e-6)
    assert start.map.in_features == 4
    with pytest.warns(UserWarning, match=r"feature 0 \(colour\): 8 of 118 values missing"):
        expected = model.predict_proba(graphs)
    assert np.isfinite(expected).all()
    filled = copy.deepcopy(graphs)
    for data in filled:
        data.x[:, 0] = data.x[:, 0].nan_to_num(start.mean[0].item())
    assert not np.allclose(model.predict_proba(filled), expected, atol=1e-4), "a value is known to be missing"
    again = GraphClassifier.load(model.save(tmp_path / "model"))
    with pytest.warns(UserWarning, match="values missing"):
        assert np.array_equal(again.predict_proba(graphs), expected)


def test_a_value_that_was_never_missing_in_training_is_the_mean(classifier):
    graph, filled = copy.deepcopy(GRAPHS[0]), copy.deepcopy(GRAPHS[0])
    graph.x[1, 2] = float("nan")
    filled.x[1, 2] = classifier.model_.network.embedding.start.mean[2]
    with pytest.warns(UserWarning, match=r"feature 2: 1 of 3 values missing"):
        found = classifier.predict_proba([graph])
    assert np.allclose(found, classifier.predict_proba([filled]), atol=1e-6)


def test_a_feature_that_is_missing_everywhere_is_learned_without():
    graphs = copy.deepcopy(GRAPHS)
    for data in graphs:
        data.x[:, 2] = float("nan")
    with pytest.warns(UserWarning, match="feature 2: 118 of 118 values missing"):
        model = GraphClassifier(**SMALL).fit(graphs, LABELS)
    with pytest.warns(UserWarning, match="values missing"):
        assert model.score(graphs, LABELS) == 1


def test_missing_features_of_edges_are_replaced():
    graphs = copy.deepcopy(GRAPHS)
    for k, data in enumerate(graphs):
        data.edge_attr = torch.full((data.num_edges, 2), float(k % 2))
    graphs[3].edge_attr[5, 1] = float("nan")
    with pytest.warns(UserWarning, match=r"^edge feature 1: 1 of 236 values missing, replaced by the mean"):
        model = GraphClassifier(**{**SMALL, "layer": "edge_attention"}).fit(graphs, LABELS)
    with pytest.warns(UserWarning, match="edge feature 1"):
        assert np.isfinite(model.predict_proba(graphs)).all()


def weighted(count=40):
    """Rings in which weights alone tell the class: colours of nodes that one listens to are the same in both."""
    graphs = []
    for k in range(count):
        data = ring(6, 0)
        data.x = torch.tensor([[1.0], [0.0]] * 3)
        data.edge_weight = torch.where((data.edge_index[0] % 2 == 0) == bool(k % 2), 3.0, 0.5)
        graphs.append(data)
    return graphs, [0, 1] * (count // 2)


@pytest.mark.parametrize(
    ("layer", "topology"),
    [("gcn", "edges"), ("gcn", "edges+hub"), ("edge_attention", "edges"), ("edge_attention", "full")],
)
def test_weights_of_edges_are_heard(layer, topology, tmp_path):
    graphs, labels = weighted()
    model = GraphClassifier(**{**SMALL, "layer": layer, "topology": topology, "epochs": 40}).fit(graphs, labels)
    assert model.score(graphs, labels) == 1
    again = GraphClassifier.load(model.save(tmp_path / "model"))
    assert np.array_equal(again.predict_proba(graphs), model.predict_proba(graphs))


@pytest.mark.parametrize(("layer", "topology"), [("gat", "edges"), ("gcn", "full"), ("mlp", "edges")])
def test_weights_that_are_not_used_are_said(layer, topology):
    graphs, labels = weighted(20)
    used = "none" if layer == "mlp" else topology
    with pytest.warns(UserWarning, match=f"^edge_weight is not used: {layer} on {used} does not read it$"):
        GraphClassifier(**{**SMALL, "layer": layer, "topology": topology, "epochs": 1}).fit(graphs, labels)


def test_edges_without_weights_weigh_1_and_weights_that_came_later_are_not_used():
    graphs, labels = weighted(20)
    del graphs[0].edge_weight
    model = GraphClassifier(**{**SMALL, "epochs": 1}).fit(graphs, labels)
    ones = graphs[0].clone()
    ones.edge_weight = torch.ones(12)
    assert np.array_equal(model.predict_proba([graphs[0]]), model.predict_proba([ones]))
    bare = [Data(x=data.x, edge_index=data.edge_index) for data in graphs]
    without = GraphClassifier(**{**SMALL, "epochs": 1}).fit(bare, labels)
    with pytest.warns(UserWarning, match="^edge_weight is not used: no graph of the fit had it$"):
        assert np.array_equal(without.predict_proba(graphs), without.predict_proba(bare))


@pytest.mark.parametrize(
    ("layer", "topology"), [("edge_attention", "edges"), ("edge_attention", "full"), ("gcn", "edges")]
)
def test_self_loops_of_the_data_are_heard(layer, topology):
    graphs = []
    for k in range(40):
        data = Data(x=torch.tensor([[1.0], [2.0]]), edge_index=torch.tensor([[0, 1, 0], [1, 0, 0]]))
        told = torch.tensor([1.0, 1.0, 5.0 if k % 2 else 0.2])
        graphs.append(data.update({"edge_weight": told} if layer == "gcn" else {"edge_attr": told}))
    settings = {**SMALL, "layer": layer, "topology": topology, "epochs": 40}
    assert GraphClassifier(**settings).fit(graphs, [0, 1] * 20).score(graphs, [0, 1] * 20) == 1


@pytest.mark.parametrize("layer", ["gcn", "attention", "gin"])
def test_features_of_edges_that_the_layer_does_not_read_are_not_demanded(layer):
    graphs = copy.deepcopy(GRAPHS)
    for data in graphs[:9:2]:
        data.edge_attr = torch.full((data.num_edges, 3), float("inf"))
    settings = {**SMALL, "layer": layer}
    model, plain = (GraphClassifier(**settings).fit(each, LABELS) for each in (graphs, GRAPHS))
    assert np.array_equal(model.predict_proba(graphs), plain.predict_proba(GRAPHS))
    with pytest.warns(UserWarning, match=r"left out of training: position 0: edge_attr of edge 0 is inf in feature 0"):
        GraphClassifier(**{**SMALL, "layer": "edge_attention", "epochs": 1}).fit(graphs, LABELS)


@pytest.mark.parametrize("number", [3, 1_000, 10_000_000])
def test_categories_never_seen_are_one_more_category(number):
    graphs = [Data(x=torch.full((n, 1), k), edge_index=torch.zeros(2, 0).long()) for n in range(1, 9) for k in range(3)]
    model = GraphClassifier(**{**SMALL, "epochs": 1}).fit(graphs, ["a", "b", "c"] * 8)
    found, known = (
        model.predict_proba([Data(x=torch.full((2, 1), k), edge_index=graphs[0].edge_index)]) for k in (number, 2)
    )
    other = model.predict_proba([Data(x=torch.full((2, 1), 77), edge_index=graphs[0].edge_index)])
    assert np.array_equal(found, other)
    assert not np.array_equal(found, known)


def test_patients_go_to_the_splitter_of_scikit_learn():
    patients = [f"P{k // 2 % 6}" for k in range(24)]
    model = GraphClassifier("slide_graph", "edges", channels=8, epochs=20, learning_rate=0.03)
    seen = []

    class Watched(GroupKFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                seen.append({patients[k] for k in train} & {patients[k] for k in test})
                yield train, test

    scores = cross_val_score(model, GRAPHS, LABELS, groups=patients, cv=Watched(3))
    assert seen == [set()] * 3
    assert scores.mean() > 0.8
