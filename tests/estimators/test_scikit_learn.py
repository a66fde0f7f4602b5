"""scikit-learn's own checks of estimators, on rows of numbers as graphs of one node."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator
from torch_geometric.data import Data

from graphattn.estimators.graphs import _Graphs
from graphattn.estimators.kinds import Classifier, Regressor

NO_TABLE = "graphs are no table: the form of each is compared, and none is refused for all"
EXPECTED = {
    "check_n_features_in": NO_TABLE,
    "check_n_features_in_after_fitting": NO_TABLE,
    "check_classifiers_train": f"{NO_TABLE}; rows of other width are NaN with a warning",
    "check_estimators_empty_data_messages": NO_TABLE,
    "check_fit1d": NO_TABLE,
    "check_fit2d_predict1d": NO_TABLE,
    "check_complex_data": "the rows here drop the imaginary part before the estimator sees them",
    "check_estimators_nan_inf": "missing numbers are replaced, graphs with infinite ones are left out with a warning",
    "check_fit2d_1sample": "one sample has one class: the message says so in other words",
    "check_classifiers_regression_target": "many floats are refused in words that name the regressor",
    "check_supervised_y_2d": "a column is taken without a warning",
    "check_requires_y_none": "without y labels are those of the graphs: the message says that there are none",
    "check_sample_weight_equivalence_on_dense_data": "steps are on random batches of the graphs that are not held out",
    "check_methods_subset_invariance": "float32 sums of batches of other sizes differ in the last bits",
}


class Rows(_Graphs):
    """Rows of numbers as graphs of one node."""

    def _listed(self, given):
        if hasattr(given, "toarray"):
            raise TypeError("sparse data are not supported")
        return [Data(x=torch.tensor(np.asarray(row, dtype=np.float64).reshape(1, -1))) for row in np.asarray(given)]


class RowClassifier(Classifier, Rows):
    pass


class RowRegressor(Regressor, Rows):
    pass


@pytest.mark.parametrize("kind", [RowClassifier, RowRegressor])
def test_estimators_do_what_scikit_learn_asks(kind):
    model = kind(layer="mlp", topology="none", channels=8, layers=1, epochs=20, learning_rate=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(model, expected_failed_checks=EXPECTED, on_skip=None)
    assert sum(each["status"] == "passed" for each in found) >= 39
