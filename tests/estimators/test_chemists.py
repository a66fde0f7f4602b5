"""What chemists hand to the estimators: molecules of RDKit, gaps of pandas, models of the command line, bad SMILES."""

import warnings

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from graphattn import MoleculeClassifier, MoleculeRegressor

SMILES = [f"{'C' * n}{end}" for n in range(1, 9) for end in "ON"]
SIZES = {"channels": 8, "layers": 1, "epochs": 1, "descriptors": False}
NUMBERS = [float(len(text)) for text in SMILES]


def test_molecules_of_rdkit_are_their_smiles():
    molecules = [Chem.MolFromSmiles(text) for text in SMILES]
    labels = ["O" in text for text in SMILES]
    ours, theirs = (MoleculeClassifier(**SIZES).fit(given, labels) for given in (SMILES, molecules))
    np.testing.assert_array_equal(ours.predict_proba(SMILES), theirs.predict_proba(molecules))
    with_hydrogens = ours.predict_proba([Chem.AddHs(molecule) for molecule in molecules])
    np.testing.assert_allclose(with_hydrogens, ours.predict_proba(SMILES), atol=1e-6)


def test_gaps_of_pandas_are_gaps():
    with pytest.raises(ValueError, match="every molecule needs a label; position 1 has none"):
        MoleculeClassifier(**SIZES).fit(["C", "CC"], pd.array([1, None], dtype="Int64"))
    with pytest.raises(ValueError, match="every molecule needs a finite value, got nan at position 1"):
        MoleculeRegressor(**SIZES).fit(["C", "CC"], pd.Series([1.5, None], dtype="Float64"))
    both = pd.DataFrame({"a": pd.array([1.0, None] * 8, dtype="Float64"), "b": NUMBERS})
    assert MoleculeRegressor(**SIZES).fit(SMILES, both).predict(["CCO"]).shape == (1, 2)


def test_labels_with_a_fraction_are_values():
    with pytest.raises(ValueError, match=r"got 3 different floats in y, such as 0\.5 and 1: MoleculeRegressor learns"):
        MoleculeClassifier(**SIZES).fit(["C", "CC", "CCC", "CCCC"], [0.5, 1.0, 2.0, 1.0])
    assert MoleculeClassifier(**SIZES).fit(SMILES, [0.0, 1.0] * 8).classes_.tolist() == [0.0, 1.0]


def test_classes_of_the_command_line_compare_with_labels_of_a_file(tmp_path):
    model = MoleculeClassifier(**SIZES).fit(SMILES, [0, 1] * 8)
    model.model_.record.pop("labels", None)
    folder = model.model_.save(tmp_path / "of_the_command_line")
    loaded = MoleculeClassifier.load(folder)
    assert loaded.classes_.tolist() == [0, 1]
    assert loaded.score(SMILES, [0, 1] * 8) == model.score(SMILES, [0, 1] * 8)


def test_one_bad_smiles_costs_no_fold():
    given, labels = [*SMILES, "C1CC"], [*(int("O" in text) for text in SMILES), 1]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        classes = cross_val_score(MoleculeClassifier(**SIZES), given, labels, cv=2)
        values = cross_val_score(MoleculeRegressor(**SIZES), given, [*NUMBERS, 4.0], cv=2)
    assert np.isfinite(classes).all()
    assert np.isfinite(values).all()
    assert any("left out of the score: position" in str(each.message) for each in said)
    model = MoleculeClassifier(**SIZES).fit(SMILES, labels[:-1])
    with pytest.warns(UserWarning, match="left out of the score: position 1"):
        assert model.score(["CO", "C1CC"], [1, 1], sample_weight=[2.0, 1.0]) in (0.0, 1.0)


@pytest.mark.parametrize("kind", [MoleculeClassifier, MoleculeRegressor])
def test_tags_say_that_samples_are_texts(kind):
    tags = kind(**SIZES).__sklearn_tags__().input_tags
    assert (tags.string, tags.one_d_array, tags.two_d_array) == (True, True, False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # For input that is no table of numbers scikit-learn runs the check of cloning alone (_yield_all_checks returns).
        found = check_estimator(kind(**SIZES), on_skip=None)
    assert {each["status"] for each in found} == {"passed"}
