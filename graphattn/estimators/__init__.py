"""scikit-learn estimators: molecules as SMILES, or PyG graphs, in; labels or values out.

They work where scikit-learn's own do: ``cross_val_score``, ``GridSearchCV``, ``Pipeline``, ``clone``, joblib.

A sample that cannot be used (a SMILES that cannot be read, a graph without nodes) is left out of ``fit`` with a warning that
names its position. In prediction its row is NaN, with a warning as well; ``predict`` of a classifier has no label for
"unknown" and raises instead. ``score`` leaves such samples out; other scorers of scikit-learn are given the NaN of
``predict_proba``, which most of them refuse: filter the samples first, or score with ``score``.
"""

from graphattn.estimators.graphs import GraphClassifier, GraphRegressor
from graphattn.estimators.molecules import MoleculeClassifier, MoleculeRegressor

__all__ = ["GraphClassifier", "GraphRegressor", "MoleculeClassifier", "MoleculeRegressor"]
