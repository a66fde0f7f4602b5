import numpy as np
import pytest
import torch

from graphattn.data.tasks import Task
from graphattn.explain.molecules.explanation import atom_contributions, explain, meaning_of
from graphattn.training.molecules.reliability.assessment import Reliability
from graphattn.training.molecules.reliability.calibration import Calibration


def test_contribution_is_the_change_when_an_atom_is_masked(model):
    found = atom_contributions(model(), "CC(=O)O")
    one_more = torch.sigmoid(torch.tensor(1.0)) - torch.sigmoid(torch.tensor(0.0))
    assert found == pytest.approx([0, 0, float(one_more), float(one_more)])


def test_bonds_and_fragments_are_parts(model):
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


def test_agreement_is_that_of_the_members(model):
    found = explain(model(signs=(1, 1, -1)), "CO")
    assert found.members == 3
    assert [part.agreement for part in found.parts] == pytest.approx([1, 2 / 3, 1])


@pytest.mark.parametrize("smiles", ["C", "[Na+].[Cl-]", "[2H]OC", "C[N+](C)(C)C", "F/C=C/[C@H](Cl)O", "[NH4+].[O-]C=O"])
def test_odd_molecules_are_explained(model, smiles):
    found = explain(model(), smiles)
    assert len(found.contributions) == found.molecule.GetNumAtoms()
    assert len(found.of("bond")) == found.molecule.GetNumBonds()
    assert np.isfinite([part.contribution for part in found.parts]).all()


def test_classes_and_targets_are_named(model):
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


def test_the_probability_is_calibrated_and_contributions_are_of_what_the_network_says(model):
    plain, fitted = explain(model(), "COCO"), model()
    assert plain.uncalibrated is None
    doubled = Calibration(2.0, (0.0, 0.0))
    fitted.reliability = Reliability((doubled,), 0.9, ((1.0, 1.0),), (0.5,))
    for target, sign in (("yes", 2.0), ("no", -2.0)):
        found = explain(fitted, "COCO", target)
        assert found.uncalibrated == pytest.approx(1 / (1 + np.exp(-sign / 2)))
        assert found.prediction == pytest.approx(1 / (1 + np.exp(-sign)))
        assert found.contributions == pytest.approx(np.sign(sign) * plain.contributions)
    several = model("multilabel", ("p", "q"), ("0", "1"))
    several.reliability = Reliability((None, doubled), 0.9, ((1.0, 1.0),) * 2, (0.5, 0.5))
    assert explain(several, "COCO", "p").uncalibrated is None
    found = explain(several, "COCO", "q")
    assert (found.prediction, found.uncalibrated) == pytest.approx((1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2))))


def test_unknown_target_and_unreadable_smiles_are_refused(model):
    with pytest.raises(ValueError, match="expected one of 'no', 'yes' to explain, got 'maybe'"):
        explain(model(), "CCO", "maybe")
    with pytest.raises(ValueError, match="RDKit cannot read SMILES 'C1CC'"):
        explain(model(), "C1CC")


def test_weak_models_are_said(model):
    assert explain(model(validation={"name": "ROC-AUC", "value": 0.9}), "C").notes == ()
    (note,) = explain(model(validation={"name": "ROC-AUC", "value": 0.6}), "C").notes
    assert note == "This model is weak (validation ROC-AUC 0.60, below 0.65): do not trust which atoms it names."
    assert explain(model(validation={"name": "ROC-AUC", "value": None}), "C").notes == ()


def test_classes_in_words():
    assert meaning_of(Task("binary", ("bbb",), ("inactive", "active")), "active") == "bbb: probability of active"
    assert meaning_of(Task("binary", ("toxic",), ("false", "true")), "false") == "probability of not toxic"
