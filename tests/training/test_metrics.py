import numpy as np
import pytest
from sklearn import metrics as sklearn

from graphattn.data.tasks import Task
from graphattn.training.metrics import differences, figures, mcc, pr_auc, roc_auc

BINARY = Task("binary", ("y",), ("no", "yes"))


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 80)
    score = np.round(truth * 0.3 + generator.random(80), 1).clip(0, 1)
    weight = np.vstack([np.ones(80), generator.multinomial(80, np.full(80, 1 / 80), size=3)]).astype(float)
    return score, truth, weight


def test_weighted_measures_equal_scikit_learn_with_ties(sample):
    score, truth, weight = sample
    areas, precisions, correlations = (
        roc_auc(score, truth, weight),
        pr_auc(score, truth, weight),
        mcc(score > 0.6, truth, weight, 2),
    )
    for b, row in enumerate(weight):
        assert areas[b] == pytest.approx(sklearn.roc_auc_score(truth, score, sample_weight=row))
        assert precisions[b] == pytest.approx(sklearn.average_precision_score(truth, score, sample_weight=row))
        assert correlations[b] == pytest.approx(sklearn.matthews_corrcoef(truth, score > 0.6, sample_weight=row))


def test_binary_figures(sample):
    score, truth, _ = sample
    found = figures(BINARY, score[:, None], truth[:, None].astype(float), resamples=200)
    assert list(found) == ["ROC-AUC", "PR-AUC", "accuracy", "MCC"]
    assert found["ROC-AUC"].value == pytest.approx(sklearn.roc_auc_score(truth, score))
    assert found["PR-AUC"].base == pytest.approx(truth.mean())
    assert found["accuracy"].value == pytest.approx(((score > 0.5) == truth).mean())
    for figure in found.values():
        assert figure.low < figure.value < figure.high


def test_interval_is_the_bootstraps(sample):
    score, truth, _ = sample
    found = figures(BINARY, score[:, None], truth[:, None].astype(float), resamples=2000)["accuracy"]
    right = ((score > 0.5) == truth).mean()
    half = 1.96 * np.sqrt(right * (1 - right) / len(truth))
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)


def test_multiclass_figures_equal_scikit_learn():
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 3, 60)
    probability = generator.dirichlet(np.ones(3), 60) + 0.5 * np.eye(3)[truth]
    probability /= probability.sum(1, keepdims=True)
    found = figures(
        Task("multiclass", ("y",), ("a", "b", "c")), probability, truth[:, None].astype(float), resamples=50
    )
    assert found["ROC-AUC"].value == pytest.approx(sklearn.roc_auc_score(truth, probability, multi_class="ovr"))
    assert found["MCC"].value == pytest.approx(sklearn.matthews_corrcoef(truth, probability.argmax(1)))
    assert found["accuracy"].value == pytest.approx((probability.argmax(1) == truth).mean())


def test_several_targets_are_averaged_over_known_labels(sample):
    score, truth, _ = sample
    y = np.stack([truth, 1 - truth, np.ones(80)], 1).astype(float)
    y[:40, 1] = np.nan
    task = Task("multilabel", ("p", "q", "r"), ("0", "1"))
    found = figures(task, np.stack([score] * 3, 1), y, resamples=50)
    expected = [sklearn.roc_auc_score(truth, score), sklearn.roc_auc_score(1 - truth[40:], score[40:])]
    assert found["ROC-AUC"].value == pytest.approx(np.mean(expected))


def test_regression_figures_equal_scikit_learn():
    generator = np.random.default_rng(2)
    truth = generator.normal(3, 2, 50)
    prediction = truth + generator.normal(0, 1, 50)
    found = figures(Task("regression", ("y",), ()), prediction[:, None], truth[:, None], resamples=50)
    assert found["RMSE"].value == pytest.approx(sklearn.root_mean_squared_error(truth, prediction))
    assert found["MAE"].value == pytest.approx(sklearn.mean_absolute_error(truth, prediction))
    assert found["R2"].value == pytest.approx(sklearn.r2_score(truth, prediction))


@pytest.mark.parametrize("task", [BINARY, Task("regression", ("y",), ())])
def test_one_class_or_value_leaves_a_measure_undefined(task):
    found = figures(task, np.linspace(0, 1, 5)[:, None], np.ones((5, 1)), resamples=20)
    name = "R2" if task.kind == "regression" else "ROC-AUC"
    assert str(found[name]) == "undefined"
    assert np.isnan(found[name].low)


def test_figure_prints_its_interval_and_base_rate(sample):
    score, truth, _ = sample
    found = figures(BINARY, score[:, None], truth[:, None].astype(float), resamples=100)
    assert str(found["PR-AUC"]).endswith(f"] (base rate {truth.mean():.3f})")


def test_differences_are_paired(sample):
    score, truth, _ = sample
    y, better = truth[:, None].astype(float), np.clip(score + 0.05 * (2 * truth - 1), 0, 1)[:, None]
    found = differences(BINARY, better, score[:, None], y, resamples=300)["ROC-AUC"]
    apart = [figures(BINARY, prediction, y, resamples=300)["ROC-AUC"] for prediction in (better, score[:, None])]
    assert found.value == pytest.approx(apart[0].value - apart[1].value)
    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.5 * (apart[0].high - apart[0].low)
    same = differences(BINARY, score[:, None], score[:, None], y, resamples=50)["ROC-AUC"]
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_no_known_labels_give_no_figures():
    assert figures(BINARY, np.zeros((3, 1)), np.full((3, 1), np.nan), resamples=5) == {}


def test_rows_of_a_group_are_drawn_together(sample):
    score, truth, _ = sample
    rows = score[:, None], truth[:, None].astype(float)
    whole, grouped = figures(BINARY, *rows), figures(BINARY, *rows, groups=[str(k // 20) for k in range(80)])
    alone = figures(BINARY, *rows, groups=[f"{k:02}" for k in range(80)])
    assert alone == whole
    assert grouped["accuracy"].value == whole["accuracy"].value
    assert grouped["accuracy"].low != whole["accuracy"].low
    means = {(np.mean((score[rows] > 0.5) == truth[rows])) for rows in (np.arange(k, k + 20) for k in range(0, 80, 20))}
    assert min(means) - 1e-12 <= grouped["accuracy"].low <= grouped["accuracy"].high <= max(means) + 1e-12
    one = differences(BINARY, rows[0], 1 - rows[0], rows[1], groups=["all"] * 80)["accuracy"]
    assert one.low == one.value == one.high
