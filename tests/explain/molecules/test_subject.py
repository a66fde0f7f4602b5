from dataclasses import replace

import numpy as np
import pytest
import torch
from rdkit import Chem
from torch_geometric.data import Data

from graphattn.data.molecules.chemistry import Chemistry, attach, describe, read
from graphattn.data.molecules.fingerprints import count_fingerprints
from graphattn.data.molecules.smiles import DESCRIPTOR_NAMES, parse_smiles, to_data
from graphattn.data.tasks import Task
from graphattn.explain import Masking, attribute
from graphattn.explain.molecules.subject import descriptors_of, molecule_of, molecule_subject
from graphattn.explain.subject import Mask
from graphattn.models.forest import forest_of
from graphattn.training.molecules.forests.arrays import ForestPart
from graphattn.training.molecules.packed import Standardiser
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import MoleculeRecipe


class ReadsWeight(torch.nn.Module):
    """The molecular weight that descriptors say, standardised, and the number of atoms that are known."""

    def forward(self, data):
        known = (data.x[:, 0] > 0).float()
        atoms = torch.zeros(data.num_graphs).index_add(0, data.batch, known)
        return torch.stack([data.descriptors[:, DESCRIPTOR_NAMES.index("MolWt")], atoms], dim=1)


def described():
    knots = torch.linspace(0, 100, 32)[:, None].expand(32, len(DESCRIPTOR_NAMES))
    statistics = Standardiser(knots, torch.zeros(len(DESCRIPTOR_NAMES)), torch.ones(len(DESCRIPTOR_NAMES)))
    task, target = Task("regression", ("weight", "atoms")), (torch.zeros(2), torch.ones(2))
    return FittedModel(task, {}, MoleculeRecipe(), [ReadsWeight()], target, statistics, DESCRIPTOR_NAMES)


def test_descriptors_are_those_with_carbon_in_place_of_what_is_hidden():
    model = described()
    found = read(["CCO", "CCC", "C.CO", "CC.O"])
    attach(found.graphs, describe(found.molecules))
    weight = model.predict(found.graphs)[:, 0]
    found = attribute(model, "CCO", Masking(edges=True), target="weight", groups=[(1, 2)])
    assert found.prediction == pytest.approx(weight[0])
    assert found.nodes.tolist() == pytest.approx([0, 0, weight[0] - weight[1]])
    assert found.groups.tolist() == pytest.approx([weight[0] - weight[1]])
    pairs = [weight[0] - weight[2]] * 2 + [weight[0] - weight[3]] * 2
    assert sorted(found.edges.tolist()) == pytest.approx(sorted(pairs))
    assert attribute(model, "CCO", target="atoms").nodes.tolist() == [1, 1, 1]


def test_of_nothing_descriptors_are_missing():
    found = descriptors_of([Chem.Mol(), Chem.MolFromSmiles("CO")])
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx(describe([Chem.MolFromSmiles("CO")])[0], nan_ok=True)
    assert attribute(described(), "S(F)(F)(F)(F)(F)F", target="atoms").nodes.tolist() == [1] * 7


SMILES = [
    "OCC",
    "C",
    "[Na+].[Cl-]",
    "F/C=C/[C@H](Cl)Br",
    "C[C@H](O)[C@@H](O)C",
    "OC(=O)c1ccccc1O",
    "[2H]C([2H])O",
    "C[N+](C)(C)CC(=O)[O-]",
    "*CC",
    "O=[N+]([O-])c1ccc2c(c1)[nH]c1ccccc12",
]


@pytest.mark.parametrize("smiles", SMILES)
def test_the_molecule_of_a_graph_has_its_atoms_in_order(smiles):
    generator = np.random.default_rng(0)
    molecule = parse_smiles(smiles)
    order = generator.permutation(molecule.GetNumAtoms()).tolist()
    shuffled = Chem.RenumberAtoms(molecule, order)
    graph = to_data(shuffled)
    found = to_data(molecule_of(graph))
    for name in ("x", "edge_index", "edge_attr", "distance"):
        assert torch.equal(found[name], graph[name]), name


def test_graphs_smiles_and_molecules_have_the_same_contributions():
    model, molecule = described(), parse_smiles("OC(C)c1ccccc1")
    assert Chem.MolToSmiles(molecule) != "OC(C)c1ccccc1"
    attach(graphs := [to_data(molecule)], describe([molecule]))
    expected = attribute(model, "OC(C)c1ccccc1", target=0).nodes.tolist()
    assert attribute(model, molecule, target=0).nodes.tolist() == pytest.approx(expected)
    assert attribute(model, graphs[0], target=0).nodes.tolist() == pytest.approx(expected)


def test_explicit_hydrogens_of_a_chemistry_are_explained():
    model = described()
    model.record["chemistry"] = {"largest_fragment": False, "explicit_hydrogens": True, "max_atoms": 50}
    assert model.chemistry == Chemistry(explicit_hydrogens=True, max_atoms=50)
    assert attribute(model, "CO", target="atoms").nodes.tolist() == [1] * 6
    graph = to_data(Chem.AddHs(Chem.MolFromSmiles("CO")))
    assert attribute(model, graph, target="atoms").nodes.tolist() == [1] * 6


def test_graphs_that_are_not_their_smiles_are_refused():
    with pytest.raises(ValueError, match="expected a graph with its smiles"):
        molecule_of(Data(x=torch.zeros(1, 19).long()))
    graph = to_data(parse_smiles("CO"))
    graph.x[0] = 0
    with pytest.raises(ValueError, match="expected the atoms of 'CO' as nodes, got others"):
        molecule_of(graph)


def test_copies_are_made_a_batch_at_a_time(monkeypatch):
    subject = molecule_subject(described())
    sizes = []
    made = subject.masked
    counted = lambda graph, masks: sizes.append(len(masks)) or made(graph, masks)  # noqa: E731
    monkeypatch.setattr("graphattn.explain.subject.MOST_PAIRS", 5 * 9)
    object.__setattr__(subject, "masked", counted)
    graph = subject.read("CCO")
    subject.answers(graph, [Mask()] * 12)
    assert sizes == [5, 5, 2]


def test_a_forest_is_explained_by_masking_and_a_blend_by_its_shares():
    """One tree that asks whether oxygen is there: hidden, it is a carbon, of which there are then more."""
    oxygen = int((count_fingerprints([Chem.MolFromSmiles("O")])[0] > 0).argmax())
    forest = forest_of(
        {
            "children_": torch.tensor([[1, 2], [-1, -1], [-1, -1]]).int(),
            "feature": torch.tensor([oxygen, -1, -1]).short(),
            "threshold": torch.tensor([0.5, 0.0, 0.0]),
            "value": torch.tensor([[0.0], [2.0], [5.0]]).double(),
            "start": torch.tensor([0]),
            "column": torch.tensor([0]),
        },
        2048,
        "values",
    )
    part, task = ForestPart("extra trees", 2048, 1, 1), Task("regression", ("y",))
    model = FittedModel(task, {}, MoleculeRecipe(), [forest], (torch.zeros(1), torch.ones(1)), forest=part)
    found = attribute(model, "O", Masking(edges=True))
    assert (found.prediction, found.nodes.tolist()) == (5, [3])
    model.members, model.forest = [CountsAtoms(), forest], replace(part, share=0.25)
    found = attribute(model, "O")
    assert found.prediction == pytest.approx(0.75 * 1 + 0.25 * 5)
    assert found.nodes.tolist() == pytest.approx([0.75 * 1 + 0.25 * 3])
    assert found.agreement.nodes.tolist() == [1]
    with pytest.raises(
        ValueError, match="gradients need features that are numbers, or a network with a module called embedding"
    ):
        attribute(model, "O", "saliency")


class CountsAtoms(torch.nn.Module):
    """The number of atoms that are known."""

    def forward(self, data):
        return torch.zeros(data.num_graphs).index_add(0, data.batch, (data.x[:, 0] > 0).float())[:, None]
