"""Parts of images: patients apart, folds, columns, and what is refused."""

import numpy as np
import pytest

from graphattn.training.tissue.dividing import Images, divide, parts_lacking, rule_of

PATIENTS = [f"p{k // 2:02}" for k in range(40)]
CLASSES = np.array([(k // 2) % 2 for k in range(40)])
IMAGES = Images(PATIENTS, CLASSES)


def patients_of(rows):
    return {PATIENTS[row] for row in rows}


def parts_are_apart(split):
    train, validation, test = map(patients_of, split)
    assert not test & (train | validation)
    assert not train & validation or train == validation


@pytest.mark.parametrize("seed", range(5))
def test_patients_are_apart_and_classes_alike(seed):
    (split,) = divide(IMAGES, "patients", seed).splits
    parts_are_apart(split)
    assert sorted(np.concatenate(split).tolist()) == list(range(40))
    assert [len(part) for part in split] == [32, 4, 4]
    assert {CLASSES[row] for row in split.test} == {CLASSES[row] for row in split.validation} == {0, 1}
    assert divide(IMAGES, "patients", seed).splits[0].test.tolist() == split.test.tolist()


@pytest.mark.parametrize("classes", [CLASSES, None])
@pytest.mark.parametrize(("rule", "count"), [("folds:5", 5), ("leave-one-patient-out", 20)])
def test_folds_test_each_image_once_without_its_patient(rule, count, classes):
    division = divide(Images(PATIENTS, classes), rule, 0)
    assert (len(division.splits), division.folds) == (count, True)
    assert sorted(row for split in division.splits for row in split.test) == list(range(40))
    for split in division.splits:
        parts_are_apart(split)
        assert len(split.validation)


def test_three_patients_suffice_however_many_images_they_have():
    (split,) = divide(Images(["a"] * 9 + ["b", "c"]), "patients", 0).splits
    assert sorted(map(len, split)) == [1, 1, 9]


def test_columns_of_words_folds_and_groups():
    words = ["test" if k >= 30 else "train" for k in range(40)]
    (split,) = divide(IMAGES._replace(cells=words), "column", 0).splits
    assert split.test.tolist() == list(range(30, 40))
    parts_are_apart(split)
    folds = [str(k // 10) for k in range(40)]
    (split,) = divide(IMAGES._replace(cells=folds), "column", 0).splits
    assert (split.validation[0], split.test[0]) == (20, 30)
    division = divide(IMAGES._replace(cells=folds), "column folds", 0)
    assert [split.test.tolist() for split in division.splits] == [list(range(k, k + 10)) for k in range(0, 40, 10)]
    for split in division.splits:
        parts_are_apart(split)


@pytest.mark.parametrize("rule", ["random", "stratified", "column"])
def test_parts_that_divide_a_patient_are_refused_unless_asked_for(rule):
    images = IMAGES._replace(cells=["train", "test"] * 20)
    with pytest.raises(
        ValueError, match=r"puts images of \d+ patients in several parts, such as those of 'p\d\d' in the .*--divide"
    ):
        divide(images, rule, 0)
    (split,) = divide(images, rule, 0, divide_patients=True).splits
    assert len(split.test)


@pytest.mark.parametrize(
    ("images", "rule", "said"),
    [
        (
            Images(["a", "a", "b"]),
            "patients",
            r"expected 3 patients or more for three parts; .*leave-one-patient-out, got 2",
        ),
        (Images(["a", "a"]), "leave-one-patient-out", "expected 2 patients or more to leave one out, got 1"),
        (IMAGES, "folds:21", "got 20 patients for 21 folds: use folds:20 or leave-one-patient-out"),
        (IMAGES, "folds:1", "expected a number of folds from 2 behind folds:, got '1'"),
        (IMAGES, "folds:", "expected a number of folds from 2 behind folds:, got ''"),
        (IMAGES, "scaffold", "there is no split 'scaffold': expected patients, random"),
        (Images(["a", "b"]), "random", "expected 3 images or more for three parts, got 2"),
        (IMAGES._replace(cells=["1"] * 40), "column folds", "expected two folds or more in the column, got '1'"),
    ],
)
def test_what_cannot_be_divided_says_what_works(images, rule, said):
    with pytest.raises(ValueError, match=said):
        divide(images, rule, 0)


def test_lacking_classes_are_named():
    (split,) = divide(IMAGES, "patients", 0).splits
    assert parts_lacking(CLASSES, ["no", "yes"], split) == []
    only = CLASSES.copy()
    only[split.test] = 1
    assert parts_lacking(only, ["no", "yes"], split) == ["warning: the test part has no 'no'"]
    only[split.train] = 0
    with pytest.raises(
        ValueError, match=r"the training part \(32 images\) has one class only, 'no'; try another --split"
    ):
        parts_lacking(only, ["no", "yes"], split)


def test_rules_are_told_from_columns():
    assert rule_of("patients") == ("patients", None)
    assert rule_of("folds:0") == ("folds:0", None)
    assert rule_of("folds") == ("folds", None)
    assert rule_of("folds:site") == ("column folds", "site")
    assert rule_of("site") == ("column", "site")
