"""Random forests on fingerprints: what chemists try first."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors

from benchmarks.molecules.model import Outcome, Problem
from benchmarks.records import Spent, timed, versions
from graphattn.data.molecules.fingerprints import fingerprints
from graphattn.data.splits import Split
from graphattn.training.molecules.baselines import TREES, classification_forest

Featurise = Callable[[Sequence[Chem.Mol]], NDArray[np.float32]]


@dataclass
class Forest:
    """A random forest of 500 trees on fixed features, otherwise with scikit-learn's defaults; nothing is chosen.

    The features of all molecules are computed once and reused for every split; their time is reported with each.
    """

    featurise: Featurise
    threads: int = 1
    _known: tuple[list[str], NDArray[np.float32], Spent] | None = field(default=None, repr=False)

    def __call__(self, problem: Problem, split: Split, seed: int) -> Outcome:
        features, preparing = self._features(problem.smiles)
        forest = classification_forest(TREES, seed, self.threads)
        with timed() as training:
            forest.fit(features[split.train], problem.labels[split.train])
        validation = np.asarray(forest.predict_proba(features[split.validation])) if len(split.validation) else None
        test = np.asarray(forest.predict_proba(features[split.test]))
        return Outcome(validation, test, training, preparing, versions(["scikit-learn", "rdkit", "numpy"]))

    def _features(self, smiles: list[str]) -> tuple[NDArray[np.float32], Spent]:
        if self._known is None or self._known[0] != smiles:
            with timed() as spent:
                features = self.featurise([Chem.MolFromSmiles(text) for text in smiles])
            self._known = (smiles, features, spent)
        return self._known[1:]


def ecfp4_and_descriptors(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """ECFP4 beside all of RDKit's 2D descriptors; what RDKit cannot compute is 0, what float32 cannot hold is cut.

    >>> ecfp4_and_descriptors([Chem.MolFromSmiles("CCO"), Chem.MolFromSmiles("[Na+]")]).shape[1] > 2248
    True
    """
    limit = float(np.finfo(np.float32).max)
    with rdBase.BlockLogs():
        rows = [list(Descriptors.CalcMolDescriptors(molecule, missingVal=math.nan).values()) for molecule in molecules]
    values = np.nan_to_num(np.array(rows), nan=0.0, posinf=limit, neginf=-limit).clip(-limit, limit)
    return np.hstack([fingerprints(molecules), values.astype(np.float32)])
