"""What a model must be compared with: random forests on fingerprints, fitted on the same molecules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from graphattn.data.molecules.fingerprints import fingerprints
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.tasks import Task

TREES = 500


def regression_forest(trees: int, seed: int, threads: int | None = None) -> RandomForestRegressor:
    """Random forest of scikit-learn that tries a third of the features at a split (Breiman's rule, three times faster)."""
    return RandomForestRegressor(trees, max_features=1 / 3, n_jobs=threads, random_state=seed)


def classification_forest(trees: int, seed: int, threads: int | None = None) -> RandomForestClassifier:
    """Random forest of scikit-learn with its defaults: no class weights, as the votes of a forest rank well without."""
    return RandomForestClassifier(trees, n_jobs=threads, random_state=seed)


def baselines(
    task: Task,
    molecules: Sequence[Chem.Mol],
    y: NDArray,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    *,
    descriptors: NDArray[np.float32] | None = None,
    trees: int = TREES,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Predictions for ``test``, shaped as those of ``FittedModel.predict``, of forests fitted on ``train``, by name.

    A forest of 500 trees on ECFP4, another on ECFP4 and ``descriptors [N, D]``, RDKit's and any columns of the table behind
    them, where these are given. With several targets, each gets its own forest, from the molecules whose label is known.
    """
    bits = fingerprints(molecules)
    inputs = {"random forest, ECFP4": bits}
    if descriptors is not None:
        limit = np.finfo(np.float32).max / 2
        more = " + columns" if descriptors.shape[1] > len(DESCRIPTOR_NAMES) else ""
        inputs[f"random forest, ECFP4 + RDKit-2D{more}"] = np.hstack(
            [bits, np.clip(np.nan_to_num(descriptors), -limit, limit)]
        )
    return {name: _forest(task, x[train], y[train], x[test], trees, seed) for name, x in inputs.items()}


def _forest(task: Task, x: NDArray, y: NDArray, unseen: NDArray, trees: int, seed: int) -> NDArray[np.float64]:
    columns = []
    for target in y.T:
        known = ~np.isnan(target)
        if task.kind == "regression":
            forest = regression_forest(trees, seed, threads=-1).fit(x[known], target[known])
            columns.append(forest.predict(unseen)[:, None])
            continue
        classes = task.outputs if task.kind == "multiclass" else 2
        forest = classification_forest(trees, seed, threads=-1).fit(x[known], target[known].astype(int))
        probability = np.zeros((len(unseen), classes))
        probability[:, forest.classes_] = forest.predict_proba(unseen)
        columns.append(probability if task.kind == "multiclass" else probability[:, 1:])
    return np.hstack(columns)
