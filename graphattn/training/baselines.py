"""What a model must be compared with: random forests on fingerprints, fitted on the same molecules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from graphattn.data.tasks import Task

TREES = 500
BITS = 2048


def fingerprints(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """ECFP4 (Morgan of radius 2) folded to 2,048 bits, [N, 2048] of 0 and 1.

    >>> int(fingerprints([Chem.MolFromSmiles("CCO")]).sum())
    6
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    found = [generator.GetFingerprintAsNumPy(molecule) for molecule in molecules]
    return np.array(found, dtype=np.float32).reshape(len(found), BITS)


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
    """Predictions for `test`, shaped as `FittedModel.predict`'s, of forests fitted on `train`, by the forest's name.

    A forest of 500 trees on ECFP4, another on ECFP4 and RDKit-2D `descriptors` [N, D] where these are given. The trees
    are scikit-learn's with its defaults: no class weights, as the votes of a forest rank well without; a regression
    tries a third of the features at a split, not all (Breiman's rule, three times faster). Of several targets each gets
    its own forest, from the molecules whose label is known.
    """
    bits = fingerprints(molecules)
    inputs = {"random forest, ECFP4": bits}
    if descriptors is not None:
        limit = np.finfo(np.float32).max / 2
        inputs["random forest, ECFP4 + RDKit-2D"] = np.hstack(
            [bits, np.clip(np.nan_to_num(descriptors), -limit, limit)]
        )
    return {name: _forest(task, x[train], y[train], x[test], trees, seed) for name, x in inputs.items()}


def _forest(task: Task, x: NDArray, y: NDArray, unseen: NDArray, trees: int, seed: int) -> NDArray[np.float64]:
    columns = []
    for target in y.T:
        known = ~np.isnan(target)
        if task.kind == "regression":
            forest = RandomForestRegressor(trees, max_features=1 / 3, n_jobs=-1, random_state=seed)
            forest.fit(x[known], target[known])
            columns.append(forest.predict(unseen)[:, None])
            continue
        classes = task.outputs if task.kind == "multiclass" else 2
        forest = RandomForestClassifier(trees, n_jobs=-1, random_state=seed).fit(x[known], target[known].astype(int))
        probability = np.zeros((len(unseen), classes))
        probability[:, forest.classes_] = forest.predict_proba(unseen)
        columns.append(probability if task.kind == "multiclass" else probability[:, 1:])
    return np.hstack(columns)
