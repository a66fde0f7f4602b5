import datetime
import pickle
import re
from decimal import Decimal
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from graphattn.data.molecules.chemistry import attach_fingerprints, label, read
from graphattn.data.tasks import Task
from graphattn.estimators import MoleculeClassifier, MoleculeRegressor
from graphattn.estimators.checking import numbers
from graphattn.training.molecules.forests import fitting
from graphattn.training.molecules.forests.fitting import fit_forest

ALCOHOLS = [f"{'C' * n}O" for n in range(1, 13)]
AMINES = [f"{'C' * n}N" for n in range(1, 13)]
THIOLS = [f"{'C' * n}S" for n in range(1, 13)]
SMILES = ALCOHOLS + AMINES
LABELS = np.array(["alcohol"] * 12 + ["amine"] * 12)
LENGTHS = np.array([float(len(smiles)) for smiles in SMILES])
SMALL = {"channels": 16, "layers": 1, "dropout": 0.0, "epochs": 8, "learning_rate": 0.01, "descriptors": False}


@pytest.fixture(scope="module")
def classifier():
    return MoleculeClassifier(**SMALL).fit(SMILES, LABELS)


@pytest.fixture(scope="module")
def regressor():
    return MoleculeRegressor(**{**SMALL, "epochs": 30}).fit(SMILES, LENGTHS)


def test_classifier_learns(classifier):
    assert classifier.classes_.tolist() == ["alcohol", "amine"]
    assert classifier.score(SMILES, LABELS) > 0.9
    probability = classifier.predict_proba(["CCCCCCCO", "CCCCCCCN"])
    assert probability.sum(1) == pytest.approx(1)
    assert probability[0, 0] > 0.5 > probability[1, 0]
    assert classifier.predict(["CCCCCCCN"]).tolist() == ["amine"]


def test_regressor_learns(regressor):
    assert regressor.score(SMILES, LENGTHS) > 0.8
    assert regressor.predict(SMILES).shape == (24,)


def test_three_classes_and_descriptors():
    labels = ["o"] * 12 + ["n"] * 12 + ["s"] * 12
    model = MoleculeClassifier(**{**SMALL, "descriptors": True, "epochs": 12}).fit(ALCOHOLS + AMINES + THIOLS, labels)
    assert model.classes_.tolist() == ["n", "o", "s"]
    assert model.predict_proba(["CCO"]).shape == (1, 3)
    assert model.score(ALCOHOLS + AMINES + THIOLS, labels) > 0.8


@pytest.mark.parametrize("labels", [[0, 1], [True, False], [2.5, 7.0], ["b", "a"]])
def test_labels_come_back_in_their_own_type(labels):
    y = np.array([labels[0]] * 12 + [labels[1]] * 12)
    model = MoleculeClassifier(**{**SMALL, "epochs": 1}).fit(SMILES, y)
    assert model.classes_.dtype == y.dtype
    assert model.classes_.tolist() == sorted(labels)
    assert set(model.predict(SMILES).tolist()) <= set(labels)


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, lambda x: np.array(x, dtype=object)[:, None]])
def test_smiles_come_in_any_container(classifier, container):
    assert np.array_equal(classifier.predict_proba(container(SMILES)), classifier.predict_proba(SMILES))


def test_several_values_with_missing_ones():
    y = np.stack([LENGTHS, -LENGTHS], 1)
    y[3, 1] = np.nan
    model = MoleculeRegressor(**{**SMALL, "epochs": 2}).fit(SMILES, y)
    assert model.predict(SMILES[:5]).shape == (5, 2)


def test_equal_seeds_give_equal_models(classifier):
    again = MoleculeClassifier(**SMALL).fit(SMILES, LABELS)
    assert np.array_equal(again.predict_proba(SMILES), classifier.predict_proba(SMILES))
    other = MoleculeClassifier(**SMALL, seed=1).fit(SMILES, LABELS)
    assert not np.array_equal(other.predict_proba(SMILES), classifier.predict_proba(SMILES))


def test_ensemble_has_that_many_members():
    model = MoleculeClassifier(**{**SMALL, "epochs": 1}, ensemble=2).fit(SMILES, LABELS)
    assert len(model.model_.members) == 2


def test_parameters_and_clone():
    model = MoleculeClassifier(**SMALL)
    assert model.get_params() == {**SMALL, "ensemble": 1, "seed": 0, "class_weight": "balanced"}
    copy = clone(model.set_params(layers=2))
    assert copy.layers == 2
    assert not hasattr(copy, "model_")
    assert is_classifier(model)
    assert is_regressor(MoleculeRegressor())


def test_both_estimators_take_the_same_arguments():
    assert {**MoleculeRegressor().get_params(), "class_weight": "balanced"} == MoleculeClassifier().get_params()


def test_cross_validation_and_search():
    model = MoleculeClassifier(**{**SMALL, "epochs": 4})
    scores = cross_val_score(model, SMILES, LABELS, cv=3, scoring="roc_auc")
    assert scores.shape == (3,)
    assert scores.mean() > 0.7
    assert cross_val_predict(model, SMILES, LABELS, cv=2, method="predict_proba").shape == (24, 2)
    learner = MoleculeClassifier(**{**SMALL, "epochs": 20})
    search = GridSearchCV(learner, {"learning_rate": [1e-9, 0.01]}, cv=2, scoring="roc_auc").fit(SMILES, LABELS)
    assert search.best_params_ == {"learning_rate": 0.01}
    assert search.predict(["CCO"]).shape == (1,)


def test_pipeline():
    strip = FunctionTransformer(lambda texts: [text.strip() for text in texts])
    pipeline = Pipeline([("strip", strip), ("model", MoleculeClassifier(**{**SMALL, "epochs": 1}))])
    assert pipeline.fit([f" {smiles} " for smiles in SMILES], LABELS).predict([" CCO "]).shape == (1,)
    pipeline.set_params(model__epochs=2)
    assert pipeline.get_params()["model__epochs"] == 2


def test_joblib_keeps_and_shares_the_model(classifier, tmp_path):
    expected = classifier.predict_proba(SMILES)
    joblib.dump(classifier, tmp_path / "model.joblib")
    assert np.array_equal(joblib.load(tmp_path / "model.joblib").predict_proba(SMILES), expected)
    assert np.array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(SMILES), expected)
    halves = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(classifier.predict_proba)(part) for part in (SMILES[:12], SMILES[12:])
    )
    assert np.allclose(np.vstack(halves), expected)


def test_saved_classifier_is_the_same(classifier, tmp_path):
    again = MoleculeClassifier.load(classifier.save(tmp_path / "model"))
    assert np.array_equal(again.predict_proba(SMILES), classifier.predict_proba(SMILES))
    assert again.get_params() == classifier.get_params()
    assert again.predict(SMILES).tolist() == classifier.predict(SMILES).tolist()


def test_saved_regressor_is_the_same(regressor, tmp_path):
    again = MoleculeRegressor.load(regressor.save(tmp_path / "model"))
    assert np.array_equal(again.predict(SMILES), regressor.predict(SMILES))


def test_a_model_of_another_task_is_refused(classifier, regressor, tmp_path):
    with pytest.raises(ValueError, match="holds a regression model; expected binary or multiclass"):
        MoleculeClassifier.load(regressor.save(tmp_path / "values"))
    with pytest.raises(ValueError, match="holds a binary model; expected regression"):
        MoleculeRegressor.load(classifier.save(tmp_path / "classes"))


def test_unreadable_smiles_are_left_out_of_training_with_a_warning():
    smiles, labels = ["C1CC", *SMILES, None], ["amine", *LABELS, "alcohol"]
    with pytest.warns(UserWarning, match=r"left out of training: position 0: .*'C1CC'.*; position 25: expected SMILES"):
        model = MoleculeClassifier(**{**SMALL, "epochs": 1}).fit(smiles, labels)
    expected = MoleculeClassifier(**{**SMALL, "epochs": 1}).fit(SMILES, LABELS)
    assert np.array_equal(model.predict_proba(SMILES), expected.predict_proba(SMILES))


def test_unreadable_smiles_are_nan_in_probabilities_and_values(classifier, regressor):
    with pytest.warns(UserWarning, match=r"NaN for SMILES that cannot be read: position 1: .*'C1CC'"):
        probability = classifier.predict_proba(["CCO", "C1CC", "CCN"])
    assert np.isnan(probability[1]).all()
    assert np.array_equal(probability[[0, 2]], classifier.predict_proba(["CCO", "CCN"]))
    with pytest.warns(UserWarning, match=r"position 0: "):
        assert np.isnan(regressor.predict(["C1CC", "CC"])).tolist() == [True, False]


def test_unreadable_smiles_have_no_class(classifier):
    with pytest.raises(ValueError, match=r"no class for SMILES that cannot be read .*: position 1: .*'C1CC'"):
        classifier.predict(["CCO", "C1CC"])


def test_only_unreadable_smiles_are_refused():
    with pytest.raises(ValueError, match=r"none of the 2 SMILES can be read: position 0: .*'C1CC'"):
        MoleculeClassifier(**SMALL).fit(["C1CC", "C1C"], [0, 1])


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"a classifier needs two classes or more, got one class: 'amine'"):
        MoleculeClassifier(**SMALL).fit(AMINES, ["amine"] * 12)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels_are_refused(missing):
    labels = [*LABELS[:23], missing]
    with pytest.raises(ValueError, match=re.escape("every molecule needs a label; position 23 has none (1 in all)")):
        MoleculeClassifier(**SMALL).fit(SMILES, labels)


def test_infinite_and_missing_values_are_refused():
    for value in (float("inf"), 1e39, float("nan")):
        with pytest.raises(
            ValueError, match=rf"every molecule needs a finite value, got {re.escape(str(value))} at position 2"
        ):
            MoleculeRegressor(**SMALL).fit(["C", "CC", "CCC"], [1.0, 2.0, value])


def test_unequal_lengths_are_refused():
    for estimator in (MoleculeClassifier(**SMALL), MoleculeRegressor(**SMALL)):
        with pytest.raises(ValueError, match="expected as many labels as SMILES, got 2 labels for 3 SMILES"):
            estimator.fit(["C", "CC", "CCC"], [0, 1])


def test_one_text_is_refused(classifier):
    with pytest.raises(TypeError, match=re.escape("expected a list of SMILES, got one text 'CCO'; write ['CCO']")):
        classifier.predict("CCO")


def test_a_table_is_refused(classifier):
    with pytest.raises(ValueError, match=re.escape("expected one value per molecule, got an array of shape (2, 2)")):
        classifier.predict(np.array([["C", "C"], ["C", "C"]]))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"channels": 18}, ValueError, "expected channels to be a multiple of 4, got 18"),
        ({"layers": 0}, ValueError, "expected layers of 1 or more, got 0"),
        ({"dropout": -0.1}, ValueError, "expected dropout of at least 0 and below 1, got -0.1"),
        ({"epochs": 0}, ValueError, "expected epochs of 1 or more, got 0"),
        ({"learning_rate": -1}, ValueError, "expected learning_rate above 0, got -1"),
        ({"ensemble": 0}, ValueError, "expected ensemble of 1 or more, got 0"),
        ({"seed": 0.5}, TypeError, "expected an integer as seed, got 0.5"),
        ({"descriptors": "yes"}, TypeError, "expected True or False as descriptors, got 'yes'"),
    ],
)
def test_options_that_do_not_fit_are_refused(change, error, message):
    for kind in (MoleculeClassifier, MoleculeRegressor):
        with pytest.raises(error, match=re.escape(message)):
            kind(**{**SMALL, **change}).fit(SMILES, LENGTHS)


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), "'2020-01-01T00:00:00"),
        (np.array(["2020-01-01"] * 2, dtype="datetime64[D]"), "'2020-01-01' (datetime64) at position 0"),
        (
            pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True),
            "'2020-01-01 00:00:00+00:00' (Timestamp) at position 0",
        ),
        (np.array([1, 2], dtype="timedelta64[s]"), "'1 seconds' (timedelta64) at position 0"),
        ([1.5, datetime.date(2020, 1, 2)], "'2020-01-02' (date) at position 1"),
        (["1.5", "high"], "'high' (str) at position 1"),
        ([[1.0, 2.0], [3.0, "high"]], "'high' (str) at position 1"),
        ([1.0, 2j], "'(1+0j)' (complex128) at position 0"),
    ],
)
def test_values_that_are_no_numbers_are_named(y, got):
    with pytest.raises(ValueError, match=re.escape(f"expected numbers as values, got {got}")):
        MoleculeRegressor(**SMALL).fit(["C", "CC"], y)


def test_classes_that_are_dates_are_named():
    message = "expected labels that are numbers or texts, got Timestamp('2020-01-01 00:00:00') (Timestamp)"
    with pytest.raises(ValueError, match=re.escape(message)):
        MoleculeClassifier(**SMALL).fit(["C", "CC"], pd.to_datetime(["2020-01-01", "2020-01-02"]))


def test_texts_and_decimals_that_are_numbers_are_values():
    assert numbers(["1.5", " 2 ", "", "NA"]).tolist()[:2] == [1.5, 2.0]
    assert np.isnan(numbers(["1.5", "NA"])[1])
    assert numbers([Decimal("1.5"), True, None]).tolist()[:2] == [1.5, 1.0]
    assert numbers(np.array([[1, 2]], dtype=object)).tolist() == [[1.0, 2.0]]


def test_labels_that_are_values_are_refused_and_the_regressor_is_named():
    with pytest.raises(ValueError, match=r"got 24 different floats in y, .*: MoleculeRegressor learns values"):
        MoleculeClassifier(**SMALL).fit(SMILES, np.arange(24) / 7)
    with pytest.raises(ValueError, match=re.escape("expected labels of one type, got 'a' (str) and 1 (number)")):
        MoleculeClassifier(**SMALL).fit(["C", "CC"], ["a", 1])
    with pytest.raises(
        ValueError, match=re.escape("expected labels written in one way, got '1', '0', 'TRUE', 'FALSE'")
    ):
        MoleculeClassifier(**SMALL).fit(["C", "CC", "O", "N"], ["1", "0", "TRUE", "FALSE"])


def test_no_molecules_are_refused():
    with pytest.raises(ValueError, match="expected SMILES to learn from, got none"):
        MoleculeClassifier(**SMALL).fit([], [])


def test_only_classes_of_readable_molecules_are_learned():
    with pytest.warns(UserWarning, match="left out of training: position 24"):
        model = MoleculeClassifier(**{**SMALL, "epochs": 1}).fit([*SMILES, "C1CC"], [*LABELS, "thiol"])
    assert model.classes_.tolist() == ["alcohol", "amine"]


def test_molecules_of_a_group_are_held_out_together(monkeypatch):
    from graphattn.estimators import molecules

    seen = []

    def fit(train, validation, *given, **more):
        seen.append((train, validation))
        return SimpleNamespace()

    monkeypatch.setattr(molecules, "fit_molecules", fit)
    # Of equal molecules in two groups both stay together.
    smiles, groups = [*SMILES, "CO"], [*(f"batch {k % 8}" for k in range(24)), "batch 5"]
    MoleculeClassifier(**SMALL).fit(smiles, [*LABELS, "alcohol"], groups=groups)
    train, validation = ([smiles.index(data.smiles) for data in part] for part in seen.pop())
    assert len(train) + len(validation) == 25
    apart = [{"batch 5" if groups[k] == "batch 0" else groups[k] for k in part} for part in (train, validation)]
    assert validation
    assert not apart[0] & apart[1]
    with pytest.raises(ValueError, match="expected as many groups as SMILES, got 1 groups for 24 SMILES"):
        MoleculeClassifier(**SMALL).fit(SMILES, LABELS, groups=["a"])
    with pytest.raises(ValueError, match="MoleculeClassifier requires y to be passed, but the target y is None"):
        MoleculeClassifier(**SMALL).fit(SMILES)


def test_a_forest_of_the_command_line_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "TREES", 5)
    found = read(smiles := ["CCO", "CCN", "CO", "CN"] * 5)
    attach_fingerprints(found.graphs, found.molecules)
    label(found.graphs, np.array([["N" in text] for text in smiles], dtype=np.float32))
    fit_forest(found.graphs, found.graphs, Task("binary", ("y",), ("alcohol", "amine"))).save(tmp_path)
    model = MoleculeClassifier.load(tmp_path)
    assert model.predict(["CCO", "CCN"]).tolist() == ["alcohol", "amine"]
    assert model.predict_proba(["CCO"])[0, 0] > 0.5
    assert (model.channels, model.descriptors) == (MoleculeClassifier().channels, False)
