"""scikit-learn's own checks of estimators, on rows of numbers as graphs of one node."""

import warnings
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator
from torch_geometric.data import Data

from graphattn.estimators import GraphClassifier, GraphRegressor

EXPECTED = {
    "check_fit1d": "the rows here are graphs of a node, and one number is a graph of a node with one feature",
    "check_sample_weight_equivalence_on_dense_data": "steps are on random batches of the graphs that are not held out",
    "check_methods_subset_invariance": "float32 sums differ by up to 1e-6 in batches of other sizes; the check asks for 1e-7",
}


class Rows:
    """Rows of numbers as graphs of one node."""

    def _listed(self, given):
        if hasattr(given, "toarray"):
            raise TypeError("sparse data are not supported")
        rows = np.asarray(given)
        rows = rows if np.iscomplexobj(rows) else rows.astype(np.float64)
        return [Data(x=torch.tensor(rows[k : k + 1])) for k in range(len(rows))]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


class RowClassifier(Rows, GraphClassifier):
    pass


class RowRegressor(Rows, GraphRegressor):
    pass


@pytest.mark.parametrize("kind", [RowClassifier, RowRegressor])
def test_estimators_do_what_scikit_learn_asks(kind):
    model = kind(layer="mlp", topology="none", channels=8, layers=1, epochs=20, learning_rate=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(model, expected_failed_checks=EXPECTED, on_skip=None)
    status = Counter(each["status"] for each in found)
    assert status["passed"] >= 55
    assert status["passed"] + status["xfail"] + status["skipped"] == len(found)


@pytest.mark.filterwarnings("ignore:Can't test estimator")
def test_a_list_of_graphs_is_no_table():
    for kind in (GraphClassifier, GraphRegressor):
        tags = kind().__sklearn_tags__()
        assert (tags.input_tags.two_d_array, tags.input_tags.allow_nan) == (False, True)
        assert tags.target_tags.multi_output == (kind is GraphRegressor)
        assert {each["status"] for each in check_estimator(kind(), on_skip=None)} == {"passed"}
