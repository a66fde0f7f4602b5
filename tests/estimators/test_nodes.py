"""Labels of nodes: of one graph, of many, of patients whose graphs stay together."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GroupKFold, cross_val_score
from torch_geometric.data import Batch, Data

from graphattn import GraphClassifier, GraphRegressor

SMALL = {"layer": "gcn", "topology": "edges", "channels": 16, "layers": 1, "epochs": 20, "learning_rate": 0.01}


def tissue(nodes=12, seed=0):
    """Cells in a ring; a cell is of the class of its colour."""
    generator = torch.Generator().manual_seed(seed)
    colour = torch.randint(2, (nodes,), generator=generator)
    node = torch.arange(nodes)
    edges = torch.stack([torch.cat([node, (node + 1) % nodes]), torch.cat([(node + 1) % nodes, node])])
    noise = 0.1 * torch.randn(nodes, 2, generator=generator)
    return Data(x=noise + 4 * colour[:, None], edge_index=edges, y=colour)


GRAPHS = [tissue(8 + k % 5, k) for k in range(24)]
NAMES = np.array(["stroma", "tumour"])
LABELS = [NAMES[data.y.numpy()] for data in GRAPHS]


@pytest.fixture(scope="module")
def classifier():
    return GraphClassifier(**SMALL).fit(GRAPHS, LABELS)


def test_nodes_of_many_graphs_are_classified(classifier, tmp_path):
    assert classifier.classes_.tolist() == ["stroma", "tumour"]
    found, labels = classifier.predict_proba(GRAPHS), classifier.predict(GRAPHS)
    assert [each.shape for each in found] == [(data.num_nodes, 2) for data in GRAPHS]
    assert all(np.allclose(each.sum(1), 1) for each in found)
    assert [each.tolist() for each in labels] == [NAMES[each.argmax(1)].tolist() for each in found]
    assert classifier.score(GRAPHS, LABELS) > 0.95
    alone = classifier.predict_proba(GRAPHS[3:4])
    assert np.allclose(alone[0], found[3], atol=1e-6)
    again = GraphClassifier.load(classifier.save(tmp_path / "model"))
    assert all(map(np.array_equal, again.predict_proba(GRAPHS), found))
    assert classifier.predict_proba([]) == classifier.predict([]) == []


def test_labels_come_in_any_form(classifier):
    expected = classifier.predict_proba(GRAPHS)
    numbers = [data.y for data in GRAPHS]
    for y in (numbers, [each.tolist() for each in numbers], [each.numpy() for each in numbers]):
        model = GraphClassifier(**SMALL).fit(GRAPHS, y)
        assert model.classes_.tolist() == [0, 1]
        assert all(map(np.array_equal, model.predict_proba(GRAPHS), expected))
    themselves = GraphClassifier(**SMALL).fit(GRAPHS)
    assert all(map(np.array_equal, themselves.predict_proba(GRAPHS), expected))
    batch = GraphClassifier(**SMALL).fit(Batch.from_data_list(GRAPHS), numbers)
    assert all(map(np.array_equal, batch.predict_proba(GRAPHS), expected))


def test_nodes_without_a_label_teach_nothing():
    nan = float("nan")
    hidden = [np.where(np.arange(len(row)) % 3 > 0, row, None) for row in LABELS]
    model = GraphClassifier(**SMALL).fit(GRAPHS, hidden)
    assert model.classes_.tolist() == ["stroma", "tumour"]
    assert model.score(GRAPHS, LABELS) > 0.95
    floats = [np.where(np.arange(data.num_nodes) % 3 > 0, data.y.numpy(), nan) for data in GRAPHS]
    missing = [torch.where(torch.arange(data.num_nodes) % 3 > 0, data.y, -100) for data in GRAPHS]
    one, other = (GraphClassifier(**SMALL).fit(GRAPHS, y).predict_proba(GRAPHS) for y in (floats, missing))
    assert all(map(np.array_equal, one, other))
    assert all(map(np.array_equal, one, model.predict_proba(GRAPHS)))


def test_some_nodes_of_one_graph_are_held_out():
    graph = tissue(60)
    model = GraphClassifier(**SMALL).fit([graph], [graph.y])
    assert model.score([graph], [graph.y]) > 0.95
    assert model.predict([graph])[0].shape == (60,)


def test_masks_say_what_is_learned_and_what_chooses_the_epoch():
    graph = tissue(60)
    node = torch.arange(60)
    graph.train_mask, graph.val_mask, graph.test_mask = node < 30, (node >= 30) & (node < 40), node >= 40
    model = GraphClassifier(**SMALL).fit([graph])
    hidden = graph.clone()
    hidden.y = torch.where(graph.test_mask, 7, graph.y)
    same = GraphClassifier(**SMALL).fit([hidden])
    assert same.classes_.tolist() == [0, 1], "labels of the test part are not read"
    assert np.array_equal(model.predict_proba([graph])[0], same.predict_proba([graph])[0])
    turned = graph.clone()
    turned.y = torch.where(graph.val_mask, 1 - graph.y, graph.y)
    other = GraphClassifier(**SMALL).fit([turned])
    assert not np.array_equal(other.predict_proba([graph])[0], model.predict_proba([graph])[0]), "another epoch is kept"
    graph.train_mask = torch.ones(60, 2)
    with pytest.raises(ValueError, match=r"expected train_mask of 60 nodes in graph 0, got \[60, 2\]"):
        GraphClassifier(**SMALL).fit([graph])


def test_values_of_nodes_are_learned(tmp_path):
    values = [10.0 + 5 * data.y.numpy() for data in GRAPHS]
    values[3] = np.full_like(values[3], np.nan)
    values[4][2] = np.nan
    model = GraphRegressor(**{**SMALL, "epochs": 60}).fit(GRAPHS, values)
    found = model.predict(GRAPHS)
    assert [each.shape for each in found] == [(data.num_nodes,) for data in GRAPHS]
    assert model.score(GRAPHS, values) > 0.9
    again = GraphRegressor.load(model.save(tmp_path / "model"))
    assert all(map(np.array_equal, again.predict(GRAPHS), found))
    with pytest.raises(ValueError, match="every node that has one needs a finite value, got inf at position 8"):
        GraphRegressor(**SMALL).fit(GRAPHS[:2], [np.zeros(8), [np.inf] * 9])


def test_a_table_of_values_is_of_graphs_and_a_list_of_arrays_of_nodes():
    four = [tissue(4, k) for k in range(6)]
    table = np.arange(24.0).reshape(6, 4)
    model = GraphRegressor(**{**SMALL, "epochs": 1})
    assert model.fit(four, table).predict(four).shape == (6, 4)
    assert model.fit(four, table.tolist()).predict(four).shape == (6, 4)
    assert [each.shape for each in model.fit(four, list(table)).predict(four)] == [(4,)] * 6
    assert model.fit(four, list(table[:, :3])).predict(four).shape == (6, 3)


def test_graphs_that_cannot_be_used_are_nan_node_by_node(classifier):
    wide = Data(x=torch.rand(3, 5), edge_index=torch.zeros(2, 0).long())
    with pytest.warns(UserWarning, match="NaN for graphs that cannot be used: position 1: it has x of 5 numbers"):
        found = classifier.predict_proba([GRAPHS[0], wide, None, GRAPHS[1]])
    assert [each.shape for each in found] == [(8, 2), (3, 2), (0, 2), (9, 2)]
    assert np.isnan(found[1]).all()
    assert np.isfinite(np.concatenate([found[0], found[3]])).all()
    with pytest.raises(
        ValueError, match=r"no class for graphs that cannot be used .*: position 0: it has x of 5 numbers"
    ):
        classifier.predict([wide, GRAPHS[0]])
    with pytest.warns(UserWarning, match="left out of training: position 0"):
        model = GraphClassifier(**SMALL).fit([wide, *GRAPHS], [["tumour"] * 3, *LABELS])
    assert all(map(np.array_equal, model.predict_proba(GRAPHS), classifier.predict_proba(GRAPHS)))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([*LABELS[:2], LABELS[0]], "expected a label for each of the 10 nodes of graph 2, got 8"),
        ([["a"] * 8, ["a"] * 9, ["a"] * 10], "a classifier needs two classes or more, got one class: 'a'"),
        ([[None] * 8, [None] * 9, [None] * 10], "expected a label, got none"),
        ([["a"] * 8, [1] * 9, ["a"] * 10], r"expected labels of one type, got 'a' \(str\) and 1 \(number\)"),
        ([np.arange(8.0), np.arange(9.0) / 7, np.arange(10.0) / 9], "GraphRegressor learns values"),
        (None, "GraphClassifier requires y to be passed, but the target y is None: .* got none in graph 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, message):
    graphs = [GRAPHS[0], Data(x=GRAPHS[1].x, edge_index=GRAPHS[1].edge_index), GRAPHS[2]]
    with pytest.raises(ValueError, match=message):
        GraphClassifier(**SMALL).fit(graphs, y)


def test_labels_that_graphs_hold_are_learned_where_none_are_given():
    held = [Data(x=data.x, edge_index=data.edge_index, y=torch.tensor([k % 2])) for k, data in enumerate(GRAPHS)]
    one, other = GraphClassifier(**SMALL).fit(held), GraphClassifier(**SMALL).fit(GRAPHS, [0, 1] * 12)
    assert np.array_equal(one.predict_proba(GRAPHS), other.predict_proba(GRAPHS))
    values = GraphRegressor(**{**SMALL, "epochs": 1}).fit([data.update({"y": torch.rand(1, 3)}) for data in held])
    assert values.predict(held).shape == (24, 3)


def test_graphs_of_a_patient_are_held_out_together(monkeypatch):
    from graphattn.training import fitted_graphs as fitted

    seen = []
    monkeypatch.setattr(
        fitted, "fit", lambda network, train, validation, *given, **more: seen.append((train, validation))
    )
    patients = [f"patient {k % 8}" for k in range(24)]
    held = [data.clone().update({"patient": patient}) for data, patient in zip(GRAPHS, patients, strict=True)]
    for groups in (patients, "patient"):
        for y in (LABELS, [k % 2 for k in range(24)], [0.5 * k for k in range(24)]):
            kind = GraphRegressor if isinstance(y[0], float) else GraphClassifier
            kind(**SMALL).fit(held, y, groups=groups)
            train, validation = (
                {k for k in range(24) for data in part if data.x.equal(GRAPHS[k].x)} for part in seen.pop()
            )
            assert len(train) + len(validation) == 24
            assert validation
            assert not {patients[k] for k in train} & {patients[k] for k in validation}
    GraphClassifier(**SMALL).fit(held, [0, 1] * 12, groups=["few", "groups"] * 12)
    train, validation = seen.pop()
    assert len(train) == len(validation) == 24, "of fewer than 5 groups all do both"


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"] * 3, "expected as many groups as graphs, got 3 groups for 24 graphs"),
        ([*range(23), None], "expected a group for each of the graphs, got none at position 23"),
        ("patient", "expected a group for each of the graphs, got none at position 0"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        GraphClassifier(**SMALL).fit(GRAPHS, LABELS, groups=groups)


def test_patients_are_kept_apart_by_scikit_learn():
    patients = [k % 6 for k in range(24)]
    scores = cross_val_score(GraphClassifier(**SMALL), GRAPHS, LABELS, groups=patients, cv=GroupKFold(3))
    assert scores.shape == (3,)
    assert scores.mean() > 0.9
