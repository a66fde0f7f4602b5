import json
import os
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from graphattn.data.tasks import Task
from graphattn.models.forest import forest_of
from graphattn.training.folder.build import build
from graphattn.training.molecules.forests.arrays import ForestPart
from graphattn.training.molecules.packed import Standardiser
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.calibration import Calibration
from graphattn.training.molecules.saved import FittedModel, load
from graphattn.training.molecules.start import read_start
from graphattn.training.recipe import Architecture, MoleculeRecipe

BINARY = Task("binary", ("oxygen",), ("no", "yes"))


@pytest.fixture
def make_model(tiny):
    def make(task=BINARY, members=1, descriptors=0):
        torch.manual_seed(0)
        networks: list[nn.Module] = [build(tiny, task.outputs, descriptors).eval() for _ in range(members)]
        knots = torch.linspace(-27, 33, 5)[:, None].expand(5, descriptors)
        standardiser = Standardiser(knots, torch.zeros(descriptors), torch.ones(descriptors)) if descriptors else None
        target = (torch.full((len(task.names),), 5.0), torch.full((len(task.names),), 2.0))
        names = tuple(f"descriptor {i}" for i in range(descriptors))
        return FittedModel(task, tiny, MoleculeRecipe(members=members), networks, target, standardiser, names)

    return make


@pytest.mark.parametrize("members", [1, 3])
def test_loaded_model_predicts_the_same(make_model, make_graphs, tmp_path, members):
    model, graphs = make_model(members=members, descriptors=4), make_graphs(12, descriptors=4)
    model.record = {"split": {"rule": "random", "seed": 1, "train": 8, "validation": 2, "test": 2}, "data": {"a": 1}}
    again = load(model.save(tmp_path / "model"))
    assert np.array_equal(again.predict(graphs), model.predict(graphs))
    assert again.record == model.record
    assert (again.task, again.recipe, again.descriptor_names) == (model.task, model.recipe, model.descriptor_names)
    assert len(list((tmp_path / "model").glob("*.safetensors"))) == members


def test_predictions_come_in_the_order_of_the_graphs_and_do_not_depend_on_the_batch(make_model, make_graphs):
    model, graphs = make_model(), make_graphs(12)
    together = model.predict(graphs, batch_size=5)
    alone = np.concatenate([model.predict([graph]) for graph in graphs])
    assert together == pytest.approx(alone, abs=1e-6)


def test_ensemble_is_the_mean_of_its_members(make_model, make_graphs):
    model, graphs = make_model(members=2), make_graphs(6)
    both = model.predict(graphs)
    single = []
    for member in model.members:
        model.members = [member]
        single.append(model.predict(graphs))
    assert not np.allclose(single[0], single[1])
    assert both == pytest.approx((single[0] + single[1]) / 2)


def test_probabilities_have_a_column_per_class(make_model, make_graphs):
    graphs = make_graphs(4)
    found = make_model().probabilities(graphs)
    assert found.shape == (4, 2)
    assert found.sum(1) == pytest.approx(1)
    assert found[:, 1] == pytest.approx(make_model().predict(graphs)[:, 0])
    model = make_model()
    model.reliability = Reliability((Calibration(2.0, (0.0, 1.0)),), 0.9, ((1.0, 1.0),), (0.5,))
    assert np.allclose(model.probabilities(graphs), Calibration(2.0, (0.0, 1.0))(found))
    assert np.array_equal(model.predict(graphs)[:, 0], found[:, 1]), "what the network says is as it was"
    model.reliability = Reliability((None,), 0.9, ((1.0, 1.0),), (0.5,))
    assert np.array_equal(model.probabilities(graphs), found)
    three = make_model(Task("multiclass", ("y",), ("a", "b", "c"))).probabilities(graphs)
    assert three.shape == (4, 3)
    assert three.sum(1) == pytest.approx(1)


def test_regression_predicts_in_the_unit_of_the_target(make_model, make_graphs):
    model = make_model(Task("regression", ("y",), ()))
    for parameter in model.members[0].parameters():
        nn.init.zeros_(parameter)
    assert model.predict(make_graphs(2)).tolist() == [[5.0], [5.0]]
    with pytest.raises(ValueError, match="expected a classification task, got 'regression'"):
        model.probabilities(make_graphs(2))


def test_no_graphs_give_no_predictions(make_model):
    assert make_model().predict([]).shape == (0, 1)


def test_missing_descriptors_are_named(make_model, make_graphs):
    with pytest.raises(ValueError, match="the graph at position 0 has none"):
        make_model(descriptors=2).predict(make_graphs(2))


def test_folder_says_what_the_model_is(make_model, tmp_path):
    model = make_model()
    model.record = {
        "split": {"rule": "scaffold", "seed": 1, "train": 8, "validation": 2, "test": 3},
        "metrics": {"graph transformer": {"ROC-AUC": {"value": 0.9, "low": 0.8, "high": float("nan")}}},
    }
    model.save(tmp_path)
    text = (tmp_path / "model.json").read_text()
    described = json.loads(text)
    assert "NaN" not in text
    assert described["task"]["classes"] == ["no", "yes"]
    assert described["features"]["atom"]["element"][:2] == ["0", "1"]
    assert {"graphattn", "torch", "rdkit", "python"} <= set(described["versions"])
    card = (tmp_path / "README.md").read_text()
    assert "positive class 'yes'" in card
    assert "split: scaffold" in card
    assert "| ROC-AUC | 0.900 [0.800, nan] |" in card


def edit(folder, **changes):
    path = folder / "model.json"
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, **changes}))


def test_another_format_is_refused(make_model, tmp_path):
    edit(make_model().save(tmp_path), format=7)
    with pytest.raises(
        ValueError, match=r"has format 7, graphattn .* reads formats 1 to 2; use the version that made it"
    ):
        load(tmp_path)


def test_other_features_are_refused(make_model, tmp_path):
    edit(make_model().save(tmp_path), features={"atom": {"element": ["H"]}, "bond": {}})
    with pytest.raises(ValueError, match=r"model.json: its atom features are not those of graphattn"):
        load(tmp_path, trust=True)


def test_a_folder_without_a_model_is_refused(tmp_path):
    expected = f"{tmp_path} holds no model: expected a folder made by 'graphattn train'"
    with pytest.raises(ValueError, match=re.escape(expected)):
        load(tmp_path)


def test_damaged_json_is_refused(make_model, tmp_path):
    make_model().save(tmp_path)
    (tmp_path / "model.json").write_text('{"format": 1,')
    with pytest.raises(ValueError, match=r"model.json is damaged: Expecting property name"):
        load(tmp_path)


def test_json_without_a_field_is_refused(make_model, tmp_path):
    make_model().save(tmp_path)
    (tmp_path / "model.json").write_text('{"format": 1, "task": {}}')
    with pytest.raises(ValueError, match=r"is damaged: it lacks architecture, recipe, target, features, weights"):
        load(tmp_path)


def test_json_with_an_unknown_setting_is_refused(make_model, tmp_path):
    edit(make_model().save(tmp_path), recipe={"epoch": 3})
    with pytest.raises(ValueError, match=r"model.json is damaged: TypeError .*'epoch'"):
        load(tmp_path, trust=True)


def test_missing_weights_are_named(make_model, tmp_path):
    make_model(members=2).save(tmp_path)
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(ValueError, match=r"is incomplete: model-2.safetensors is missing"):
        load(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"hello", lambda data: b""])
def test_damaged_weights_are_named(make_model, tmp_path, damage):
    path = make_model().save(tmp_path) / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"model.safetensors is damaged: "):
        load(tmp_path, trust=True)


@pytest.mark.parametrize("name", ["model.safetensors", "model-2.safetensors", "README.md", "model.json"])
def test_a_file_that_was_changed_is_named_and_loaded_only_if_trusted(make_model, tmp_path, name):
    model = make_model(members=2)
    file = model.save(tmp_path) / name
    file.write_bytes(file.read_bytes() + b"\n" if name != "model.safetensors" else file.read_bytes()[:-1] + b"\x3f")
    with pytest.raises(
        ValueError, match=f"{file} was changed since the model was saved: expected SHA-256 .*, got .*; to load"
    ):
        load(tmp_path)
    if "safetensors" not in name:
        assert load(tmp_path, trust=True).task == model.task
    file.unlink()
    if name != "model.json":
        with pytest.raises(ValueError, match=f"{tmp_path} is incomplete: {name} is missing"):
            load(tmp_path)


def test_folders_of_before_there_were_manifests_are_loaded_with_a_sentence(make_model, tmp_path, caplog):
    edit(make_model().save(tmp_path), format=1)
    (tmp_path / "manifest.json").unlink()
    load(tmp_path)
    assert f"{tmp_path} was saved without manifest.json, by an earlier version" in caplog.text


def test_a_folder_that_lost_its_manifest_is_incomplete(make_model, tmp_path):
    (make_model().save(tmp_path) / "manifest.json").unlink()
    with pytest.raises(ValueError, match=f"{tmp_path} is incomplete: manifest.json is missing; to load it as it is"):
        load(tmp_path)
    assert load(tmp_path, trust=True).members


@pytest.mark.parametrize("text", ["{", "[]", '{"sha256": 3}'])
def test_a_damaged_manifest_is_refused(make_model, tmp_path, text):
    (make_model().save(tmp_path) / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest.json is damaged: "):
        load(tmp_path)


def test_no_file_outside_the_folder_is_read(make_model, tmp_path):
    folder = make_model().save(tmp_path / "model")
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    edit(folder, weights=["../model.safetensors"])
    with pytest.raises(ValueError, match=r"expected weights inside the folder, got '\.\./model.safetensors'"):
        load(folder, trust=True)
    (folder / "manifest.json").write_text('{"sha256": {"../model.safetensors": ""}}')
    with pytest.raises(ValueError, match=r"is incomplete: \.\./model.safetensors is missing"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": "model.safetensors"}, "expected names of files as weights, got 'model.safetensors'"),
        ({"weights": []}, r"expected names of files as weights, got \[\]"),
        ({"target": {"mean": [1.0, 2.0], "deviation": [1.0]}}, "expected 1 means and deviations of targets"),
        ({"target": {"mean": [1.0], "deviation": [0.0]}}, r"expected deviations of targets above 0, got \[0.0\]"),
        ({"target": {"mean": [float("nan")], "deviation": [1.0]}}, "expected 1 means and deviations"),
        ({"chemistry": {"largest_fragment": "yes"}}, "expected true or false as options of the chemistry"),
        ({"validation": {"name": "AUC", "value": 0.5}}, "expected a validation score of R2, ROC-AUC, got"),
        ({"labels": ["no"]}, r"expected 2 labels, got \['no'\]"),
        ({"seen": "abc"}, "expected a list of texts as seen"),
        ({"recipe": {"epochs": 0}}, "epochs must be a whole number from 1 up, got 0"),
        ({"task": {"kind": "binary", "names": ["a"], "classes": ["b"]}}, "a binary task has two classes"),
        (
            {"kind": "graphs"},
            "describes a model of graphs: expected a model of molecules, in a folder made by 'graphattn train'",
        ),
        ({"format": True}, "has format True"),
    ],
)
def test_a_description_of_what_there_is_not_is_refused_in_words(make_model, tmp_path, changes, words):
    edit(make_model().save(tmp_path), **changes)
    with pytest.raises(ValueError, match=words):
        load(tmp_path, trust=True)


@pytest.mark.parametrize("sizes", [{"channels": 10**9}, {"channels": -1}, {"channels": 8.0}, {"channels": True}])
def test_a_description_builds_nothing_larger_than_its_weights(make_model, tmp_path, sizes):
    edit(make_model().save(tmp_path), architecture={"name": "Tiny", **sizes})
    with pytest.raises(ValueError, match="expected channels as a whole number from 0 to 65,536, got"):
        load(tmp_path, trust=True)


def test_weights_that_are_not_finite_or_of_another_type_are_refused(make_model, tmp_path):
    model, path = make_model(), tmp_path / "model.safetensors"
    weights = model.members[0].state_dict()
    for change, words in (
        (lambda weight: weight * torch.nan, "has values that are not finite"),
        (lambda weight: weight.half(), r"to be float32 \[.*\], got float16"),
    ):
        model.save(tmp_path)
        save_file({name: change(weight).contiguous() for name, weight in weights.items()}, path)
        with pytest.raises(ValueError, match=f"{path} is damaged.*{words}"):
            load(tmp_path, trust=True)


def test_a_pipe_in_place_of_a_file_does_not_stop_the_process(make_model, tmp_path):
    for name in ("model.safetensors", "manifest.json", "model.json"):
        folder = make_model().save(tmp_path / name)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(ValueError, match=r"is missing|holds no model"):
            load(folder)


def test_weights_of_another_network_are_refused(make_model, tmp_path):
    edit(make_model().save(tmp_path), architecture={"name": "Tiny", "channels": 16})
    with pytest.raises(
        ValueError,
        match=r"damaged or of another network: expected .* to be float32 \[.*\], got float32",
    ):
        load(tmp_path, trust=True)


def test_the_card_shows_names_as_texts(make_model, tmp_path):
    task = Task("binary", ("<img src=x onerror=alert(1)>",), ("a & b", "<script>"))
    make_model(task).save(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "<script>" not in card
    assert "<img" not in card
    assert "&lt;img src=x onerror=alert(1)&gt;" in card
    assert "positive class '&lt;script&gt;', negative 'a &amp; b'" in card


def test_folders_saved_without_reliability_load_and_know_none(make_model, tmp_path):
    folder = make_model().save(tmp_path / "model")
    assert load(folder).reliability is None
    path = folder / "model.json"
    described = json.loads(path.read_text())
    for damage in ({}, [], "x", {"coverage": 0.9}):
        path.write_text(json.dumps(described | {"reliability": damage}))
        with pytest.raises(ValueError, match=r"model\.json is damaged: "):
            load(folder, trust=True)


def test_what_the_head_reads_gives_the_prediction_and_stands_side_by_side(make_graphs):
    torch.manual_seed(0)
    words = Architecture(channels=8, heads=2, layers=1).to_dict()
    members: list[nn.Module] = [build(words, 1, 0).eval() for _ in range(2)]
    model = FittedModel(BINARY, words, MoleculeRecipe(members=2), members, (torch.zeros(1), torch.ones(1)))
    graphs = make_graphs(9)
    found = model.embed(graphs, batch_size=4)
    assert found.shape == (9, 32)
    for member, part, expected in zip(members, np.split(found, 2, axis=1), model.predict_each(graphs), strict=True):
        logits = member.head(torch.from_numpy(part))
        assert logits.sigmoid().detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_a_network_without_a_head_has_no_embedding(make_model, make_graphs):
    with pytest.raises(ValueError, match="expected a Network, with a head that reads an embedding, got Tiny"):
        make_model().embed(make_graphs(2))


@pytest.fixture
def forest_folder(tmp_path):
    """A model of one forest of three nodes."""
    arrays = {
        "children_": torch.tensor([[1, 2], [-1, -1], [-1, -1]]).int(),
        "feature": torch.tensor([7, -1, -1]).short(),
        "threshold": torch.tensor([0.5, 0.0, 0.0]),
        "value": torch.tensor([[0.0], [0.25], [0.75]]).double(),
        "start": torch.tensor([0]),
        "column": torch.tensor([0]),
    }
    forest = forest_of(arrays, 2048, "probabilities")
    part = ForestPart("extra trees", 2048, 1, 1)
    model = FittedModel(BINARY, {}, MoleculeRecipe(), [forest], (torch.zeros(1), torch.ones(1)), forest=part)
    return model.save(tmp_path / "model")


def test_a_forest_is_loaded_and_embeds_nothing(forest_folder, make_graphs):
    model, graphs = load(forest_folder), make_graphs(2)
    for graph, counts in zip(graphs, (0, 3), strict=True):
        graph.fingerprint = torch.full((1, 2048), counts).short()
    assert model.predict(graphs).tolist() == [[0.25], [pytest.approx(0.75)]]
    assert (model.reads_fingerprints, model.reads_descriptors, model.name) == (True, False, "extra trees")
    with pytest.raises(
        ValueError, match="expected a model with a graph network, which embeds molecules; got extra trees alone"
    ):
        model.embed(graphs)
    with pytest.raises(ValueError, match="the model reads fingerprints, but the graph at position 0 has none"):
        model.predict(make_graphs(1))
    with pytest.raises(ValueError, match="holds a forest alone: expected a model with a network to start from"):
        read_start(forest_folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "oaks"}, "expected a forest of extra trees or random forest, got 'oaks'"),
        ({"share": 0.0}, "expected a share of a forest above 0 and up to 1, got 0.0"),
        ({"share": "1"}, "expected a share of a forest above 0 and up to 1, got '1'"),
        ({"trees": 0}, "expected trees of a forest as a whole number from 1 up, got 0"),
        ({"leaf": True}, "expected leaf of a forest as a whole number from 1 up, got True"),
        ({"inputs": 5}, "expected a forest of 2048 columns and 0 descriptors, got 5 columns"),
        ({"kind": "x"}, "is damaged: TypeError"),
        ({"share": 0.5}, "expected weights that go with a forest of share 0.5, got 1 files"),
    ],
)
def test_forests_that_are_described_wrongly_are_refused(forest_folder, change, message):
    path = forest_folder / "model.json"
    described = json.loads(path.read_text())
    path.write_text(json.dumps(described | {"forest": described["forest"] | change}))
    with pytest.raises(ValueError, match=message):
        load(forest_folder, trust=True)


def test_forests_that_are_damaged_are_refused(forest_folder):
    path = forest_folder / "model.safetensors"
    arrays = load_file(path)
    for name, value, message in (
        ("children_", torch.zeros(3, 2).int(), "model.safetensors is damaged: expected children in a forest behind"),
        ("threshold", torch.tensor([0.5, float("nan"), 0.0]), "is damaged: threshold has values that are not finite"),
    ):
        save_file(arrays | {name: value}, path)
        with pytest.raises(ValueError, match=message):
            load(forest_folder, trust=True)
    two = {"start": torch.tensor([0, 2]), "column": torch.tensor([0, 1]), "feature": torch.full((3,), -1).short()}
    save_file(arrays | two, path)
    with pytest.raises(ValueError, match="expected a forest of 1 outputs, got 2"):
        load(forest_folder, trust=True)
