import numpy as np
import pytest
import torch

from graphattn.data.tasks import Task
from graphattn.explain.molecules.explanation import atom_contributions, explain, meaning_of
from graphattn.explain.molecules.folder import explain_all
from graphattn.training.molecules.saved import FittedModel
from graphattn.training.recipe import MoleculeRecipe


class CountsOxygen(torch.nn.Module):
    """Logit of class or target k: (k + 1) * (oxygens - 1), as embedding index 9 of column 0 is element 8."""

    def __init__(self, outputs=1):
        super().__init__()
        self.outputs = outputs

    def forward(self, data):
        oxygen = (data.x[:, 0] == 9).float()
        count = torch.zeros(data.num_graphs).index_add(0, data.batch, oxygen) - 1
        return count[:, None] * torch.arange(1, self.outputs + 1)


def model(kind="binary", names=("y",), classes=("no", "yes"), **record):
    task = Task(kind, names, classes)
    target = torch.zeros(len(names)), torch.ones(len(names))
    return FittedModel(task, {}, MoleculeRecipe(), [CountsOxygen(task.outputs)], target, record=record)


def test_contribution_is_the_change_when_an_atom_is_masked():
    found = atom_contributions(model(), "CC(=O)O")
    one_more = torch.sigmoid(torch.tensor(1.0)) - torch.sigmoid(torch.tensor(0.0))
    assert found == pytest.approx([0, 0, float(one_more), float(one_more)])


def test_bonds_and_fragments_are_parts():
    found = explain(model(), "CC(=O)OC")
    assert [part.kind for part in found.parts].count("bond") == 4
    assert [part.name for part in found.parts if part.kind == "bond"] == ["C-C", "C=O", "C-O", "O-C"]
    (group,) = [part for part in found.parts if part.kind == "group"]
    assert (group.name, group.atoms) == ("O=CO", (1, 2, 3))
    both = torch.sigmoid(torch.tensor([1.0, -1.0]))
    assert group.contribution == pytest.approx(float(both[0] - both[1]))
    # A cut bond leaves all atoms.
    assert found.of("bond") == pytest.approx([0] * 4)
    assert found.members == 1
    assert {part.agreement for part in found.parts} == {1.0}


def test_agreement_is_that_of_the_members():
    fitted = model()
    fitted.members = [CountsOxygen(), CountsOxygen(), Opposite()]
    found = explain(fitted, "CO")
    assert found.members == 3
    assert [part.agreement for part in found.parts] == pytest.approx([1, 2 / 3, 1])


class Opposite(CountsOxygen):
    def forward(self, data):
        return -super().forward(data)


@pytest.mark.parametrize("smiles", ["C", "[Na+].[Cl-]", "[2H]OC", "C[N+](C)(C)C", "F/C=C/[C@H](Cl)O", "[NH4+].[O-]C=O"])
def test_odd_molecules_are_explained(smiles):
    found = explain(model(), smiles)
    assert len(found.contributions) == found.molecule.GetNumAtoms()
    assert len(found.of("bond")) == found.molecule.GetNumBonds()
    assert np.isfinite([part.contribution for part in found.parts]).all()


def test_classes_and_targets_are_named():
    positive = explain(model(), "CCO")
    assert positive.meaning == "probability of y"
    assert positive.prediction == pytest.approx(0.5)
    negative = explain(model(), "CCO", "no")
    assert negative.meaning == "probability of not y"
    assert negative.contributions == pytest.approx(-positive.contributions)
    three = model("multiclass", classes=("a", "b", "c"))
    assert explain(three, "OCO").meaning == "y: probability of c"
    assert explain(three, "OCO", "a").meaning == "y: probability of a"
    several = model("multilabel", ("p", "q"), ("0", "1"))
    assert explain(several, "OCO").meaning == "probability of p"
    assert explain(several, "OCO", "q").prediction == pytest.approx(1 / (1 + np.exp(-2)))
    value = explain(model("regression", classes=()), "OCO")
    assert (value.meaning, value.prediction) == ("y", 1.0)
    assert value.contributions == pytest.approx([1, 0, 1])


def test_unknown_target_and_unreadable_smiles_are_refused():
    with pytest.raises(ValueError, match="expected one of 'no', 'yes' to explain, got 'maybe'"):
        explain(model(), "CCO", "maybe")
    with pytest.raises(ValueError, match="RDKit cannot read SMILES 'C1CC'"):
        explain(model(), "C1CC")


def test_weak_models_are_said():
    assert explain(model(validation={"name": "ROC-AUC", "value": 0.9}), "C").notes == ()
    (note,) = explain(model(validation={"name": "ROC-AUC", "value": 0.6}), "C").notes
    assert note == "This model is weak (validation ROC-AUC 0.60, below 0.65): do not trust which atoms it names."
    assert explain(model(validation={"name": "ROC-AUC", "value": None}), "C").notes == ()


def test_classes_in_words():
    assert meaning_of(Task("binary", ("bbb",), ("inactive", "active")), "active") == "bbb: probability of active"
    assert meaning_of(Task("binary", ("toxic",), ("false", "true")), "false") == "probability of not toxic"


def test_every_readable_molecule_is_drawn(tmp_path):
    said = []
    files = explain_all(model(), ["CCO", "C1CC", "C"], tmp_path / "atoms", None, said.append)
    assert [path.name for path in files] == ["molecule-1.svg", "molecule-3.svg"]
    assert "'C1CC'" in said[0]
    assert len(list((tmp_path / "atoms").glob("*.png"))) == 2


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="none of the 2 SMILES can be read"):
        explain_all(model(), ["C1CC", "C1"], tmp_path / "atoms", None, print)
    assert not (tmp_path / "atoms").exists()
