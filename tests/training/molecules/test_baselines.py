import numpy as np
import pytest
from rdkit import Chem

from graphattn.data.molecules.fingerprints import fingerprints
from graphattn.data.tasks import Task
from graphattn.training.molecules.baselines import baselines

SMILES = ["CCO", "CCCO", "CCCCO", "OCCO", "CC(C)O", "CCN", "CCCN", "CCCCN", "NCCN", "CC(C)N"]
MOLECULES = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
OXYGEN = np.array([[float("O" in smiles)] for smiles in SMILES])
TRAIN, TEST = np.array([0, 1, 2, 5, 6, 7]), np.array([3, 4, 8, 9])


def test_fingerprints_are_bits():
    bits = fingerprints(MOLECULES)
    assert bits.shape == (10, 2048)
    assert set(np.unique(bits)) == {0.0, 1.0}
    assert fingerprints([]).shape == (0, 2048)


def test_forests_learn_from_the_training_part():
    descriptors = np.where(np.random.default_rng(0).random((10, 4)) < 0.2, np.nan, np.float32(3e38))
    found = baselines(
        Task("binary", ("y",), ("0", "1")), MOLECULES, OXYGEN, TRAIN, TEST, descriptors=descriptors, trees=20
    )
    assert list(found) == ["random forest, ECFP4", "random forest, ECFP4 + RDKit-2D"]
    for prediction in found.values():
        assert prediction.shape == (4, 1)
        assert prediction[:2].min() > prediction[2:].max()


def test_classes_missing_in_training_get_probability_zero():
    y = np.array([[0.0], [0], [0], [0], [0], [2], [2], [2], [2], [2]])
    found = baselines(Task("multiclass", ("y",), ("a", "b", "c")), MOLECULES, y, TRAIN, TEST, trees=20)
    prediction = found["random forest, ECFP4"]
    assert prediction.shape == (4, 3)
    assert prediction[:, 1].tolist() == [0.0] * 4
    assert prediction.sum(1) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_every_target_has_its_own_forest_from_known_labels(kind):
    y = np.hstack([OXYGEN, 1 - OXYGEN])
    y[0, 1] = np.nan
    task = Task(kind, ("p", "q"), ("0", "1") if kind == "multilabel" else ())
    prediction = baselines(task, MOLECULES, y, TRAIN, TEST, trees=20)["random forest, ECFP4"]
    assert prediction.shape == (4, 2)
    assert prediction[:2, 0].min() > prediction[2:, 0].max()
    assert prediction[:2, 1].max() < prediction[2:, 1].min()


def test_equal_seeds_give_equal_forests():
    task = Task("binary", ("y",), ("0", "1"))
    first, second = (baselines(task, MOLECULES, OXYGEN, TRAIN, TEST, trees=5, seed=3) for _ in range(2))
    assert np.array_equal(first["random forest, ECFP4"], second["random forest, ECFP4"])
