import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from graphattn.training.molecules.forests.arrays import as_forest, rounded_down


def table(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and small counts, as descriptors and fingerprints are."""
    generator = np.random.default_rng(5)
    x = generator.normal(size=(rows, 12)).astype(np.float32)
    x[:, 6:] = x[:, 6:].round()
    return x, x[:, 0] + x[:, 7] + generator.normal(size=rows)


@pytest.mark.parametrize("kind", [ExtraTreesClassifier, RandomForestClassifier])
@pytest.mark.parametrize("leaf", [1, 4])
def test_probabilities_are_those_of_scikit_learn(kind, leaf):
    x, y = table()
    fitted = kind(30, min_samples_leaf=leaf, random_state=1).fit(x[:200], y[:200] > 0)
    found = as_forest([fitted], "probabilities", 1, 12).predict(torch.from_numpy(x)).numpy()
    assert np.abs(found[:, 0] - fitted.predict_proba(x)[:, 1]).max() < 1e-12


@pytest.mark.parametrize("kind", [ExtraTreesRegressor, RandomForestRegressor])
def test_values_of_several_targets_are_those_of_scikit_learn(kind):
    x, y = table()
    fitted = [kind(10, random_state=seed).fit(x[:200], scale * y[:200]) for seed, scale in enumerate((1, 1000))]
    found = as_forest(fitted, "values", 2, 12).predict(torch.from_numpy(x)).numpy()
    for column, forest in enumerate(fitted):
        assert np.abs(found[:, column] - forest.predict(x)).max() < 1e-12 * 10 ** (3 * column)


def test_classes_are_those_of_scikit_learn_and_one_that_was_not_met_has_none():
    x, y = table()
    fitted = ExtraTreesClassifier(30, random_state=1).fit(x[:200], np.digitize(y[:200], [-1, 1]) + (y[:200] > 1))
    assert fitted.classes_.tolist() == [0, 1, 3]
    found = as_forest([fitted], "classes", 4, 12).predict(torch.from_numpy(x)).numpy()
    assert np.abs(found[:, [0, 1, 3]] - fitted.predict_proba(x)).max() < 1e-12
    assert (found[:, 2] == 0).all()


def test_one_class_alone_has_its_probability():
    x, _ = table()
    for label in (0, 1):
        fitted = ExtraTreesClassifier(3, random_state=1).fit(x, np.full(len(x), label))
        assert (as_forest([fitted], "probabilities", 1, 12).predict(torch.from_numpy(x)) == label).all()


def test_thresholds_rounded_down_decide_alike():
    generator = np.random.default_rng(0)
    threshold = np.concatenate(
        [generator.normal(size=1000) * 10.0 ** generator.integers(-30, 30, 1000), [0.1, -0.1, 1.0]]
    )
    down = rounded_down(threshold)
    for near in (down, np.nextafter(down, np.float32(np.inf)), np.nextafter(down, np.float32(-np.inf))):
        assert ((near.astype(np.float64) <= threshold) == (near <= down)).all()
