import numpy as np
import pytest
import torch

from graphattn.data.molecules.smiles import parse_smiles, to_data
from graphattn.data.tasks import Task
from graphattn.explain.molecules import atom_contributions, explain, explain_all, masked
from graphattn.training.molecules.packed import Standardiser
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


def test_masked_graphs_differ_in_one_atom():
    graph = to_data(parse_smiles("CCO"))
    before = graph.x.clone()
    copies = masked(graph)
    assert len(copies) == 3
    for atom, copy in enumerate(copies):
        assert (copy.x[atom] == 0).all()
        others = torch.arange(3) != atom
        assert torch.equal(copy.x[others], before[others])
    assert torch.equal(graph.x, before)


def test_classes_and_targets_are_named():
    positive = explain(model(), "CCO")
    assert positive.meaning == "y: probability of 'yes'"
    assert positive.prediction == pytest.approx(0.5)
    negative = explain(model(), "CCO", "no")
    assert negative.contributions == pytest.approx(-positive.contributions)
    three = model("multiclass", classes=("a", "b", "c"))
    assert explain(three, "OCO").meaning == "y: probability of 'c'"
    assert explain(three, "OCO", "a").meaning == "y: probability of 'a'"
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


def test_weak_models_and_fixed_descriptors_are_said():
    assert explain(model(validation={"name": "ROC-AUC", "value": 0.9}), "C").notes == ()
    (note,) = explain(model(validation={"name": "ROC-AUC", "value": 0.6}), "C").notes
    assert note == "This model is weak (validation ROC-AUC 0.60, below 0.65): do not trust which atoms it names."
    fitted = model(validation={"name": "ROC-AUC", "value": None})
    knots = torch.linspace(-3, 3, 5)[:, None].expand(5, 215)
    fitted.standardiser = Standardiser(knots, torch.zeros(215), torch.ones(215))
    assert explain(fitted, "C").notes == ("RDKit descriptors were held fixed while atoms were masked.",)


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
