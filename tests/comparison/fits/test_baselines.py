import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from sklearn.metrics import r2_score
from torch_geometric.data import Data

from graphattn.comparison.fits.baselines import baselines, counts, outputs_of, pooled, reached, side_by_side
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.settings import Settings
from graphattn.data.splits import Split

SETTINGS = Settings(trees=20)
NO_EDGES = torch.zeros(2, 0, dtype=torch.long)
SPLIT = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))


def graph(x, y):
    return Data(x=torch.as_tensor(x), edge_index=NO_EDGES, y=torch.as_tensor(y).reshape(-1))


def composed(target="binary", equal=False):
    """The mean of the nodes decides, with no edges at all."""
    generator = np.random.default_rng(0)
    graphs = []
    for k in range(60):
        x = generator.normal(size=(3 if equal else 1 + k % 4, 2)).astype(np.float32)
        x[:, 0] += k % 2
        graphs.append(graph(x, float(x.mean(0)[0]) if target == "regression" else k % 2))
    return Problem("composed", graphs, target, () if target == "regression" else ("no", "yes"))


def test_what_a_graph_is_made_of_by_hand():
    numbers = Problem("n", [graph([[1.0], [3.0]], 0), graph([[5.0]], 1)], "binary", ("a", "b"))
    assert pooled(numbers).tolist() == [[2, 4], [5, 5]]
    categories = Problem("c", [graph([[2, 0], [4, 0]], 0), graph([[4, 1]], 1)], "binary", ("a", "b"))
    assert pooled(categories)[:, 5:].tolist() == [[1, 0, 1, 2, 0], [0, 0, 1, 0, 1]]
    alone = Problem("one", [graph([[1.0], [3.0]], [0, 1])], "binary", ("a", "b"), "node")
    assert pooled(alone).tolist() == [[1], [3]]


def test_missing_numbers_are_counted_and_the_others_averaged():
    nan = float("nan")
    held = Problem("n", [graph([[1.0, nan], [3.0, 2.0]], 0), graph([[5.0, nan]], 1)], "binary", ("a", "b"))
    assert pooled(held).tolist() == [[2, 2, 0.5, 4, 2, 1], [5, 0, 1, 5, 0, 1]]


@pytest.mark.parametrize("level", ["graph", "node"])
def test_linear_baselines_learn_with_missing_numbers(level):
    problem = composed(equal=True)
    for k, each in enumerate(problem.graphs):
        each.x[k % 3, 1] = float("nan")
        if level == "node":
            each.y = each.y.repeat(3)
    problem = Problem("composed", problem.graphs, "binary", ("no", "yes"), level)
    for name in {"logistic regression", "SVC"} & set(baselines(problem)):
        assert np.isfinite(reached(problem, name, SPLIT, SETTINGS, 0).score)


def test_pixels_stand_side_by_side():
    images = Problem("i", [graph([[1.0, 2], [3, 4]], 0), graph([[5.0, 6], [7, 8]], 1)], "binary", ("a", "b"))
    assert side_by_side(images).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_counts_are_those_of_rdkit():
    smiles = ["CCCCO", "c1ccccc1"]
    problem = Problem("m", [graph([[1.0]], k) for k in (0, 1)], "binary", ("a", "b"), smiles=smiles)
    found = counts(problem)
    assert found.shape == (2, 2048)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = [generator.GetCountFingerprint(Chem.MolFromSmiles(each)).GetNonzeroElements() for each in smiles]
    assert [dict(zip(row.nonzero()[0].tolist(), row[row > 0].tolist(), strict=True)) for row in found] == expected
    assert found.max() > 1


def test_there_are_those_that_the_data_allow():
    molecules = Problem("m", [graph([[1.0]] * (k + 1), k) for k in (0, 1)], "binary", ("a", "b"), smiles=["C", "CC"])
    assert list(baselines(molecules)) == ["majority", "random forest", "logistic regression"]
    assert list(baselines(composed(equal=True))) == ["majority", "logistic regression", "SVC"]
    assert list(baselines(composed("regression", equal=True))) == ["mean", "ridge", "SVR"]
    nodes = Problem("n", [graph([[1.0], [2.0]], [0, 1])], "binary", ("a", "b"), "node")
    assert list(baselines(nodes)) == ["majority", "logistic regression"]


@pytest.mark.parametrize("target", ["binary", "regression"])
@pytest.mark.parametrize("equal", [True, False])
def test_what_is_simple_is_learned_and_the_majority_knows_nothing(target, equal):
    problem = composed(target, equal)
    found = {name: reached(problem, name, SPLIT, SETTINGS, seed=0) for name in baselines(problem)}
    nothing = "mean" if target == "regression" else "majority"
    assert found[nothing].score <= (0.5 if target == "binary" else 0.0)
    linear = found["ridge" if target == "regression" else "logistic regression"]
    assert linear.score > 0.75
    assert linear.chosen["C"] in (0.01, 0.1, 1.0, 10.0)
    assert all(each.rows_per_second > 0 for each in found.values())


def test_the_validation_part_chooses_and_the_test_part_is_not_looked_at():
    problem = composed()
    first = reached(problem, "logistic regression", SPLIT, SETTINGS, seed=0)
    turned = composed()
    for row in SPLIT.test:
        turned.graphs[row].y = 1 - turned.graphs[row].y
    second = reached(turned, "logistic regression", SPLIT, SETTINGS, seed=0)
    assert (second.validation, second.chosen) == (first.validation, first.chosen)
    assert second.score == pytest.approx(1 - first.score)


def test_nodes_that_are_not_asked_are_left_out():
    y = torch.arange(60) % 2
    x = torch.stack([y.float(), torch.rand(60)], dim=1)
    y[::3] = -100
    problem = Problem("nodes", [graph(x, y)], "binary", ("a", "b"), "node")
    assert reached(problem, "logistic regression", SPLIT, SETTINGS, seed=0).score == 1.0
    several = Problem(
        "nodes", [graph(x[k : k + 2], y[k : k + 2]) for k in range(0, 60, 2)], "binary", ("a", "b"), "node"
    )
    split = Split(np.arange(20), np.arange(20, 25), np.arange(25, 30))
    assert reached(several, "logistic regression", split, SETTINGS, seed=0).score == 1.0


def test_a_class_that_was_not_seen_is_never_said():
    class Two:
        classes_ = np.array([0, 2])

        def predict_proba(self, features):
            return np.array([[0.25, 0.75]])

    assert outputs_of(Two(), np.zeros((1, 1)), 3, values=False).tolist() == [[0.25, 0.0, 0.75]]


def test_predictions_are_recorded():
    problem = composed("regression")
    found = reached(problem, "ridge", SPLIT, Settings(), 0)
    assert found.predictions["row"] == SPLIT.test.tolist()
    assert r2_score(found.predictions["true"], found.predictions["predicted"]) == pytest.approx(found.score, abs=1e-4)


def test_a_baseline_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="expected a baseline among majority, logistic regression, got 'SVC'"):
        reached(composed(), "SVC", SPLIT, SETTINGS, seed=0)
