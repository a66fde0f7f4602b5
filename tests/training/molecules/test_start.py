import re

import pytest
import torch
from rdkit import Chem

from graphattn.data.molecules.embedded import load as load_table
from graphattn.data.molecules.rdkit2d import descriptors
from graphattn.data.molecules.smiles import parse_smiles, to_data
from graphattn.data.tasks import Task
from graphattn.models import MoleculeTransformer
from graphattn.training.molecules.ensemble import fit_molecules
from graphattn.training.molecules.packed import Packed
from graphattn.training.molecules.saved import load
from graphattn.training.molecules.start import TRANSFERRED, StartingWeights, read_start, shipped
from graphattn.training.pretraining import saved as pretrained
from graphattn.training.recipe import Architecture, MoleculeRecipe

SIZES = Architecture(channels=8, heads=2, layers=1).to_dict()
TASK = Task("binary", ("y",), ("0", "1"))
RECIPE = MoleculeRecipe(epochs=2, batch_size=8, average=0.0)


def start(**more):
    torch.manual_seed(3)
    weights = MoleculeTransformer(1, channels=8, heads=2, layers=1).state_dict()
    chosen = {name: weight for name, weight in weights.items() if name.startswith(TRANSFERRED)}
    return StartingWeights("first", SIZES, chosen, **more)


def fitted(make_graphs, begin, **more):
    graphs = make_graphs(24, descriptors=3)
    return fit_molecules(graphs[:16], graphs[16:], TASK, recipe=RECIPE, start=begin, **more)


def test_all_weights_but_those_of_the_predictions_are_taken():
    torch.manual_seed(4)
    network = MoleculeTransformer(2, channels=8, heads=2, layers=1, descriptors=5)
    before, begin = {name: weight.clone() for name, weight in network.state_dict().items()}, start()
    begin.into(network)
    for name, weight in network.state_dict().items():
        expected = begin.weights[name] if name.startswith(TRANSFERRED) else before[name]
        assert torch.equal(weight, expected), name
    assert all(weight.requires_grad for weight in network.parameters())


def test_frozen_weights_stay_in_training_and_the_others_do_not(make_graphs):
    begin = start(frozen=True)
    member = fitted(make_graphs, begin).members[0].state_dict()
    assert all(torch.equal(member[name], weight) for name, weight in begin.weights.items())
    moved = start()
    member = fitted(make_graphs, moved).members[0].state_dict()
    assert not torch.equal(member["trunk.norm.weight"], moved.weights["trunk.norm.weight"])


def test_the_model_says_what_it_started_from_and_has_its_architecture(make_graphs, tmp_path):
    begin = start()
    model = fitted(make_graphs, begin)
    assert model.architecture == SIZES
    assert model.record["start"] == begin.describe()
    model.descriptor_names = ("a", "b", "c")
    model.save(tmp_path)
    assert "- Started from: the weights of first (sha256" in (tmp_path / "README.md").read_text()
    assert load(tmp_path).record["start"]["frozen"] is False


def test_another_architecture_is_refused(make_graphs):
    with pytest.raises(
        ValueError, match=r"expected the architecture of first, \{.*'channels': 8.*got .*'channels': 64"
    ):
        fitted(make_graphs, start(), architecture=Architecture().to_dict())


def test_a_network_of_another_form_is_refused():
    wide = MoleculeTransformer(1, channels=16, heads=2, layers=1)
    expected = "first cannot be started from: expected edges.distance.weight of shape (22, 16), got (22, 8)"
    with pytest.raises(ValueError, match=re.escape(expected)):
        start().into(wide)


def test_another_start_is_no_resume(make_graphs, tmp_path, monkeypatch):
    fitted(make_graphs, start(), folder=tmp_path)
    with pytest.raises(ValueError, match="start was"):
        fitted(make_graphs, start(frozen=True), folder=tmp_path, resume=True)


def test_a_trained_models_folder_is_a_start_too(make_graphs, tmp_path):
    model = fitted(make_graphs, start())
    model.descriptor_names = ("a", "b", "c")
    model.save(tmp_path / "model")
    begin = read_start(tmp_path / "model", frozen=True)
    own = model.members[0].state_dict()
    assert begin.frozen
    assert begin.weights.keys() == {name for name in own if name.startswith(TRANSFERRED)}
    assert all(torch.equal(weight, own[name]) for name, weight in begin.weights.items())


def test_models_of_graphs_are_no_start(tmp_path):
    (tmp_path / "model.json").write_text('{"kind": "graphs", "format": 2}')
    with pytest.raises(ValueError, match="describes a model of graphs: expected a model of molecules"):
        read_start(tmp_path)


def test_predictions_depend_on_the_start(make_graphs):
    graph = to_data(parse_smiles("CCO"))
    graph.descriptors = torch.zeros(1, 3)
    first, second = fitted(make_graphs, start()), fitted(make_graphs, None, architecture=SIZES)
    assert first.predict([graph]) != pytest.approx(second.predict([graph]), abs=1e-6)


def test_the_shipped_network_guesses_descriptors_of_molecules_it_was_not_shown():
    made = pretrained.load(shipped())
    molecules = [Chem.MolFromSmiles(text) for text in load_table("bbb").smiles[:200]]
    batch = Packed.of([to_data(molecule) for molecule in molecules])[range(200)]
    truth = made.standardiser(torch.from_numpy(descriptors(molecules)))
    with torch.inference_mode():
        error = (made.network(batch).descriptors - truth).square().mean()
    assert error < 0.2 * truth.square().mean()
    assert sum(path.stat().st_size for path in shipped().iterdir()) < 10 * 2**20


def test_the_word_pretrained_is_the_shipped_network_unless_a_folder_has_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin = read_start("pretrained")
    assert (begin.name, begin.architecture["channels"]) == ("pretrained", 128)
    (tmp_path / "pretrained").mkdir()
    with pytest.raises(ValueError, match="pretrained holds no model"):
        read_start("pretrained")
