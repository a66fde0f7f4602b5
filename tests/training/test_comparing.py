"""Baselines that see the training part alone, and sentences about a model beside them."""

import numpy as np
import pytest

from graphattn.data.splits import Split
from graphattn.data.tasks import Task
from graphattn.training.comparing import by_folds, by_patients, judge_of
from graphattn.training.tissue.baselines import baselines

BINARY = Task("binary", ("y",), ("no", "yes"))
THREE = Task("multiclass", ("y",), ("a", "b", "c"))
NUMBER = Task("regression", ("y",))
SPLIT = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))


def labelled(classes):
    return (np.arange(60) % classes).astype(np.float32)[:, None]


@pytest.mark.parametrize(("task", "classes", "columns"), [(BINARY, 2, 1), (THREE, 3, 3), (NUMBER, 5, 1)])
def test_baselines_learn_what_is_there(task, classes, columns):
    y = labelled(classes)
    tables = {"composition": y.astype(float) + 0.01, "noise": np.random.default_rng(0).random((60, 2))}
    found = baselines(task, tables, y, SPLIT, trees=20)
    kind = "ridge regression" if task is NUMBER else "logistic regression"
    assert list(found) == [f"{model} on {name}" for name in tables for model in (kind, "forest")]
    assert {each.shape for each in found.values()} == {(10, columns)}
    truth, said = y[SPLIT.test], found["forest on composition"]
    if task is NUMBER:
        assert np.abs(said - truth).max() < 0.5
    else:
        assert (
            ((said[:, 0] > 0.5) == (truth[:, 0] == 1)).all()
            if task is BINARY
            else (said.argmax(1) == truth[:, 0]).all()
        )


def test_baselines_look_at_no_label_of_the_test_part():
    y, table = labelled(2), {"noise": np.random.default_rng(0).random((60, 3))}
    other = y.copy()
    other[SPLIT.test] = 1 - other[SPLIT.test]
    for name, said in baselines(BINARY, table, y, SPLIT, trees=20).items():
        assert np.array_equal(said, baselines(BINARY, table, other, SPLIT, trees=20)[name])


def test_what_is_missing_in_all_images_is_no_obstacle():
    y, table = labelled(2), np.full((60, 2), np.nan)
    table[:, 0] = y[:, 0]
    both = SPLIT._replace(validation=SPLIT.train)  # all train and choose
    assert (
        (baselines(BINARY, {"t": table}, y, both, trees=20)["logistic regression on t"] > 0.5) == y[SPLIT.test]
    ).all()


def test_a_model_beside_baselines_by_patients():
    y = labelled(2)
    good, bad = np.where(y == 1, 0.9, 0.1), np.full((60, 1), 0.2)
    patients = [str(k // 2) for k in range(60)]
    found, said = by_patients(judge_of(BINARY), {"net": good, "same": good, "guess": bad}, y, patients)
    assert found["net"]["ROC-AUC"].value == 1
    assert said == (
        "A baseline is as good as the network: net equals same (0.000 [0.000, 0.000]); beats guess by 0.500 [0.500, 0.500]. "
        "(ROC-AUC; intervals of 95 % from 30 patients drawn with replacement)"
    )
    assert "A baseline is better than the network: net loses to net by 0.500" in by_patients(
        judge_of(BINARY), {"net": bad, "net ": good}, y, patients
    )[1].replace("net  by", "net by")


def test_few_patients_decide_nothing():
    y = labelled(2)
    said = by_patients(
        judge_of(BINARY), {"net": np.where(y == 1, 0.9, 0.1), "guess": np.full((60, 1), 0.2)}, y, ["a", "b"] * 30
    )[1]
    assert said.startswith("net is not shown to differ from guess (0.")


def test_smaller_errors_are_better():
    y = labelled(5)
    said = by_patients(judge_of(NUMBER), {"net": y + 0.1, "far": y + 2.0}, y, [str(k) for k in range(60)])[1]
    assert said.startswith("net beats far by 1.900 [1.900, 1.900]. (RMSE")


def test_a_model_beside_baselines_over_folds():
    y = [labelled(2)[k : k + 10].astype(float) for k in range(0, 60, 10)]
    good, bad = [np.where(each == 1, 0.9, 0.1) for each in y], [np.full_like(each, 0.2) for each in y]
    said = by_folds(judge_of(BINARY), {"net": good, "same": good, "guess": bad}, y, ratio=0.2)
    assert said == (
        "A baseline is as good as the network: net equals same (0.000 [0.000, 0.000]); beats guess by 0.500 [0.500, 0.500]. "
        "(ROC-AUC; intervals of 95 % from 6 folds, corrected for their overlap; findings after Holm over 2 comparisons)"
    )
    one_class = [np.ones((4, 1)), np.zeros((4, 1)), np.ones((4, 1))]
    said = by_folds(judge_of(BINARY), {"net": one_class, "guess": [np.ones((4, 1))] * 3}, one_class, ratio=0.5)
    assert "accuracy; intervals" in said
    assert said.startswith("net is not shown to differ from guess (0.333 [")
