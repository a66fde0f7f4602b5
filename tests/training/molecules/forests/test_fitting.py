import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier

from graphattn import files
from graphattn.data.tasks import Task
from graphattn.training.molecules.forests import fitting
from graphattn.training.molecules.forests.fitting import fit_forest
from graphattn.training.molecules.packed import table_of
from graphattn.training.molecules.saved import load
from graphattn.training.recipe import MoleculeRecipe

BINARY = Task("binary", ("oxygen",), ("no", "yes"))
pytestmark = pytest.mark.usefixtures("few_trees")


def same(one, other):
    first, second = (model.members[0].state_dict() for model in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_forest_learns_predicts_and_is_saved(make_described, tmp_path):
    train, validation = make_described()
    model = fit_forest(train, validation, BINARY)
    found = model.predict(validation)
    assert ((found[:, 0] > 0.5) == [bool(graph.y) for graph in validation]).all()
    assert (model.name, model.table, model.reads_descriptors) == ("extra trees", 2048, False)
    assert [each["name"] for each in model.record["forests"]] == ["extra trees", "extra trees", "random forest"]
    model.record["chemistry"] = {}
    again = load(model.save(tmp_path / "model"))
    assert np.array_equal(again.predict(validation), found)
    assert again.forest == model.forest
    assert again.record == model.record


def test_predictions_are_those_of_scikit_learn(make_described, monkeypatch):
    train, validation = make_described()
    monkeypatch.setattr(fitting, "CHOICES", (("extra trees", 4),))
    model = fit_forest(train, validation, BINARY, recipe=MoleculeRecipe(seed=3, balance=0.0))
    forest = ExtraTreesClassifier(10, min_samples_leaf=4, random_state=3)
    forest.fit(table_of(train, False).numpy(), [int(graph.y) for graph in train])
    expected = forest.predict_proba(table_of(validation, False).numpy())[:, 1]
    assert len(np.unique(expected)) > 1
    assert model.predict(validation)[:, 0] == pytest.approx(expected, abs=1e-12)


def test_several_targets_with_gaps_have_a_forest_each(make_described):
    train, validation = make_described(targets=3)
    for at, graph in enumerate(train):
        graph.y[0, at // 12] = float("nan")
    task = Task("multilabel", ("oxygen", "nitrogen", "sulfur"), ("0", "1"))
    model = fit_forest(train, validation, task)
    truth = torch.cat([graph.y for graph in validation]).numpy()
    assert model.predict(validation).shape == (12, 3)
    assert ((model.predict(validation) > 0.5) == truth).all()


def test_values_are_predicted_in_the_unit_of_the_target(make_described, tmp_path):
    train, validation = make_described(targets=2)
    for graph in (*train, *validation):
        graph.y = (
            torch.tensor([[100.0 * float(graph.y[0, 0]) + 7, float("nan")]])
            if graph in train[:1]
            else 100 * graph.y + 7
        )
    model = fit_forest(train, validation, Task("regression", ("oxygen", "nitrogen")))
    truth = torch.cat([graph.y for graph in validation]).numpy()
    assert np.abs(model.predict(validation) - truth).max() < 40
    assert np.array_equal(load(model.save(tmp_path)).predict(validation), model.predict(validation))


def test_classes_have_probabilities_that_add_up(make_described):
    train, validation = make_described(targets=2)
    for graph in (*train, *validation):
        graph.y = graph.y[:, :1] + 2 * graph.y[:, 1:]
    model = fit_forest(train, validation, Task("multiclass", ("kind",), ("none", "oxygen", "nitrogen")))
    found = model.probabilities(validation)
    assert found.sum(1) == pytest.approx(np.ones(12))
    assert (found.argmax(1) == [int(graph.y) for graph in validation]).all()


def test_equal_seeds_give_equal_trees(make_described, monkeypatch):
    train, validation = make_described()
    monkeypatch.setattr(fitting, "CHOICES", (("random forest", 1),))
    first, second, other = (
        fit_forest(train, validation, BINARY, recipe=MoleculeRecipe(seed=seed)) for seed in (1, 1, 2)
    )
    assert same(first, second)
    assert not same(first, other)


def test_rows_and_classes_count_as_in_the_loss(make_described, monkeypatch):
    train, validation = make_described()
    monkeypatch.setattr(fitting, "CHOICES", (("extra trees", 12),))
    plain, balanced = (
        fit_forest(train, validation, BINARY, recipe=MoleculeRecipe(balance=balance)).predict(validation).mean()
        for balance in (0.0, 1.0)
    )
    share = float(torch.cat([graph.y for graph in train]).mean())
    assert abs(plain - share) < abs(balanced - share)
    for graph in train:
        graph.weight = torch.tensor([1.0 if graph.y else 0.1])
    assert (
        fit_forest(train, validation, BINARY, recipe=MoleculeRecipe(balance=0.0)).predict(validation).mean()
        > plain + 0.1
    )


def test_finished_forests_are_read_again(make_described, tmp_path, monkeypatch):
    train, validation = make_described()
    whole, write, written = fit_forest(train, validation, BINARY), files.write, []

    def stopping(path, content):
        write(path, content)
        written.append(path.name)
        if len(written) == 3:  # the settings and two forests
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", stopping)
        with pytest.raises(KeyboardInterrupt):
            fit_forest(train, validation, BINARY, folder=tmp_path)
    assert written == ["settings.json", "member-forest-1.safetensors", "member-forest-2.safetensors"]
    grown, grow = [], fitting._grown
    monkeypatch.setattr(fitting, "_grown", lambda *given: grown.append(given[1].name) or grow(*given))
    resumed = fit_forest(train, validation, BINARY, folder=tmp_path, resume=True)
    assert grown == ["random forest"]
    assert same(whole, resumed)
    with pytest.raises(ValueError, match="seed was 0, is now 1"):
        fit_forest(train, validation, BINARY, recipe=MoleculeRecipe(seed=1), folder=tmp_path, resume=True)


def test_graphs_without_fingerprints_are_refused(make_graphs):
    graphs = make_graphs(12)
    with pytest.raises(ValueError, match="the model reads fingerprints, but the graph at position 0 has none"):
        fit_forest(graphs, graphs, BINARY)
