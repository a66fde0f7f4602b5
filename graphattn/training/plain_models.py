"""Models of tables that networks are compared with: linear models and forests of scikit-learn, and their outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graphattn.training.molecules.baselines import classification_forest, regression_forest

Floats = NDArray[np.float64]

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of the regularisation of linear models, of which validation chooses one."""


def linear_model(values: bool, strength: float) -> Any:
    """Logistic regression of standardised features, or ridge regression where values are learned."""
    learner = Ridge(1 / strength) if values else LogisticRegression(C=strength, max_iter=5000)
    return make_pipeline(filled(), StandardScaler(), learner)


def forest(values: bool, trees: int, seed: int) -> Any:
    """Random forest of scikit-learn, with missing numbers replaced."""
    return make_pipeline(filled(), (regression_forest if values else classification_forest)(trees, seed))


def filled() -> SimpleImputer:
    """Missing numbers become the mean of the training part."""
    return SimpleImputer(keep_empty_features=True)


def outputs_of(model: Any, features: Floats, outputs: int, values: bool) -> Floats:
    """Outputs of a fitted estimator: a column for each class, 0 or less for one it has not seen; a column of values."""
    if values:
        return np.asarray(model.predict(features), dtype=np.float64).reshape(-1, 1)
    classes = model.classes_.astype(int)
    if hasattr(model, "predict_proba"):
        answers, missing = model.predict_proba(features), 0.0
    else:
        answers, missing = model.decision_function(features), -np.inf
        answers = np.stack([-answers, answers], axis=1) if answers.ndim == 1 else answers
    table = np.full((len(features), outputs), missing if np.isfinite(missing) else answers.min(initial=0.0) - 1)
    table[:, classes] = answers
    return table
