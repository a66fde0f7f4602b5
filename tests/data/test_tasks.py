import json
import re

import numpy as np
import pandas as pd
import pytest

from graphattn.data.tasks import Task, guess_task


def frame(*labels, name="label"):
    return pd.DataFrame({name: labels})


def task_of(*labels, **options):
    return guess_task(frame(*labels), **options)[0]


@pytest.mark.parametrize(
    ("negative", "positive"),
    [
        ("0", "1"),
        ("-1", "1"),
        ("1", "2"),
        ("9", "10"),
        ("no", "yes"),
        ("False", "True"),
        ("n", "y"),
        ("inactive", "active"),
        ("Inactive", "Active"),
        ("nontoxic", "toxic"),
        ("non-toxic", "toxic"),
        ("non-binder", "binder"),
        ("not active", "active"),
        ("insoluble", "soluble"),
        ("impermeable", "permeable"),
        ("unstable", "stable"),
        ("negative", "positive"),
        ("BBB-", "BBB+"),
        ("low", "high"),
        ("miss", "hit"),
        ("control", "case"),
        ("apple", "pear"),
    ],
)
def test_the_positive_class_is_the_larger_label_or_says_yes(negative, positive):
    assert task_of(*[negative, positive] * 2) == Task("binary", ("label",), (negative, positive))
    assert task_of(*[positive, negative] * 2) == Task("binary", ("label",), (negative, positive))


def test_positive_overrides_the_order():
    assert task_of("a", "b", "a", "b", positive="a").classes == ("b", "a")
    assert task_of("a", "b", "a", "b", positive="B").classes == ("a", "b")
    assert task_of("0", "1", "0", "1", positive="0.0").classes == ("1", "0")


def test_labels_that_differ_in_case_or_notation_are_one():
    task = task_of("Yes", "no", "YES", "No")
    assert task.classes == ("no", "Yes")
    assert task_of("1", "0.0", "1.0", "0").classes == ("0", "1")
    assert task.encode(frame("yes", "NO ", " Yes"))[0].tolist() == [[1], [0], [1]]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["0", "1"] * 3, "binary"),
        (["0.5", "1.5"] * 3, "binary"),
        (["1", "2", "3"] * 2, "multiclass"),
        (["1", "2", "3"], "regression"),
        (["1.5", "2", "3"] * 2, "regression"),
        ([str(n) for n in range(11)] * 2, "regression"),
        ([str(n) for n in range(10)] * 2, "multiclass"),
        (["low", "medium", "high"] * 2, "multiclass"),
        (["0", "1", "unclear"] * 2, "multiclass"),
        ([*[f"{n / 7}" for n in range(1, 30)], "<0.1"], "regression"),
    ],
)
def test_kinds_are_guessed(labels, kind):
    assert task_of(*labels).kind == kind


def test_multiclass_orders_numbers_then_words():
    assert task_of(*["10", "9", "B", "a", "2"] * 2).classes == ("2", "9", "10", "a", "B")


def test_several_targets_of_the_same_two_labels_are_multilabel():
    targets = pd.DataFrame({"a": ["1", "0", "", "1"], "b": ["0.0", "nan", "NA", "1.0"]})
    task, sentence = guess_task(targets)
    assert task == Task("multilabel", ("a", "b"), ("0", "1"))
    assert sentence == "2 targets (a, b) are binary, 1 is positive; 3 of 8 labels are missing"
    labels, reasons = task.encode(targets)
    np.testing.assert_array_equal(labels, np.array([[1, 0], [0, np.nan], [np.nan] * 2, [1, 1]], np.float32))
    assert reasons == [(2, "no label")]


def test_several_targets_of_numbers_are_a_regression():
    task, sentence = guess_task(pd.DataFrame({"a": ["1", "2", "3"], "b": ["0.5", "2", "3"]}))
    assert task == Task("regression", ("a", "b"))
    assert sentence == "2 targets (a, b) are numbers: regression"


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            ["no", "yes", "no", "yes", ""],
            "target 'label' is binary: yes (2, positive) and no (2); 1 of 5 labels are missing",
        ),
        (["c", "a", "b"] * 2000, "target 'label' has 3 classes: a (2,000), b (2,000), c (2,000)"),
        (["-1.5", "2.25", "0"], "target 'label' is a number from -1.5 to 2.25: regression"),
    ],
)
def test_sentences(labels, sentence):
    assert guess_task(frame(*labels))[1] == sentence


def test_kind_overrides_the_guess():
    labels = ["1", "2", "3"] * 2
    assert task_of(*labels, kind="regression") == Task("regression", ("label",))
    assert task_of("0", "1", "0", "1", kind="multiclass").classes == ("0", "1")
    assert task_of("0", "1", "0", "1", kind="multilabel") == Task("multilabel", ("label",), ("0", "1"))
    assert task_of("0.5", "1.5", kind="regression").classes == ()


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (["", "NA", "nan"], {}, "target 'label' has no labels"),
        (["1", "1.0", ""], {}, "target 'label' has one class only: '1' in all 2 labelled rows"),
        (
            [f"name {n}" for n in range(40)],
            {},
            "has 40 different labels in 40 rows ('name 0', 'name 1', 'name 2', 'name 3', 'name 4' and 35 more): too many",
        ),
        (["a", "b", "c"], {}, "a class needs two rows or more; target 'label' has 3 classes in 3 labelled rows"),
        (
            ["a", "b", "c"] * 2,
            {"kind": "binary"},
            "a binary task needs two classes; target 'label' has 'a', 'b' and 'c'",
        ),
        (["a", "a"], {"kind": "multiclass"}, "a multiclass task needs two or more classes; target 'label' has 'a'"),
        (["", ""], {"kind": "binary"}, "a binary task needs two classes; target 'label' has no labels"),
        (
            ["a", "b"] * 2,
            {"kind": "regression"},
            "a regression needs different numbers; target 'label' has 'a' and 'b'",
        ),
        (["1", "1"], {"kind": "regression"}, "a regression needs different numbers; target 'label' has '1'"),
        (
            ["a", "b"] * 2,
            {"positive": "c"},
            "the positive class is one of two; got 'c', and target 'label' has 'a' and 'b'",
        ),
        (
            ["a", "b", "c"] * 2,
            {"positive": "c"},
            "the positive class is one of two; got 'c', and target 'label' has 'a', ",
        ),
    ],
)
def test_targets_that_are_no_task(labels, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        guess_task(frame(*labels), **options)


def test_targets_that_are_not_alike():
    targets = pd.DataFrame({"a": ["1", "0", "1"], "b": ["x", "y", "z"]})
    with pytest.raises(ValueError, match=r"the same two labels; 'b' has 'x', 'y' and 'z'\. Name one target"):
        guess_task(targets)


def test_encode_says_what_cannot_be_used():
    binary = Task("binary", ("label",), ("no", "yes"))
    labels, reasons = binary.encode(frame("yes", "maybe", "", "no", None))
    np.testing.assert_array_equal(labels[:, 0], np.array([1, np.nan, np.nan, 0, np.nan], dtype=np.float32))
    assert reasons == [
        (1, "unusable label: 'maybe' of label is none of the classes no, yes"),
        (2, "no label"),
        (4, "no label"),
    ]


def test_encode_numbers():
    regression = Task("regression", ("label",))
    labels, reasons = regression.encode(frame("-1.5", "1e-3", "inf", "-inf", "1e300", "<5", "0,5", "NaN"))
    np.testing.assert_allclose(labels[:2, 0], [-1.5, 1e-3], rtol=1e-6)
    assert labels.dtype == np.float32
    assert reasons == [
        (2, "unusable label: 'inf' of label is not a finite number"),
        (3, "unusable label: '-inf' of label is not a finite number"),
        (4, "unusable label: '1e300' of label is too large a number"),
        (5, "unusable label: '<5' of label is not a number (a qualifier)"),
        (6, "unusable label: '0,5' of label is not a number (decimals take a point)"),
        (7, "no label"),
    ]


def test_encode_classes_and_values_that_are_no_text():
    task = Task("multiclass", ("label",), ("0", "1", "2"))
    assert task.outputs == 3
    assert task.encode(frame(2, 0.0, "1.00"))[0].tolist() == [[2], [0], [1]]
    assert task.encode(frame(float("nan"), 1.0))[1] == [(0, "no label")]
    assert Task("binary", ("label",), ("False", "True")).encode(frame(True, False))[0].tolist() == [[1], [0]]


def test_one_bad_label_of_several_is_a_gap():
    task = Task("multilabel", ("a", "b"), ("0", "1"))
    assert task.outputs == 2
    labels, faulty = task.encode(pd.DataFrame({"a": ["1", "1", ""], "b": ["2", "", "2"]}))
    np.testing.assert_array_equal(labels, [[1, np.nan], [1, np.nan], [np.nan, np.nan]])
    assert faulty == [(2, "unusable label: '2' of b is none of the classes 0, 1")]


def test_encode_needs_the_targets():
    with pytest.raises(ValueError, match="the table has no target 'label'; it has 'smiles' and 'activity'"):
        Task("regression", ("label",)).encode(pd.DataFrame(columns=["smiles", "activity"]))


@pytest.mark.parametrize(
    "task",
    [
        Task("binary", ("y",), ("no", "yes")),
        Task("multiclass", ("y",), ("a", "b", "c")),
        Task("multilabel", ("p", "q"), ("0", "1")),
        Task("regression", ("p", "q")),
    ],
)
def test_tasks_survive_json(task):
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize(("values", "found"), [({}, "nothing"), ({"kind": "binary", "names": []}, "kind, names")])
def test_from_dict_refuses_other_keys(values, found):
    with pytest.raises(ValueError, match=f"a task has kind, names and classes; got {found}"):
        Task.from_dict(values)


@pytest.mark.parametrize(
    ("names", "classes"), [(["y"], ["0", -1]), ([None], ["0", "1"]), ("y", ["0", "1"]), (["y"], 3)]
)
def test_from_dict_refuses_names_that_are_no_texts(names, classes):
    name, given = ("classes", classes) if names == ["y"] else ("names", names)
    with pytest.raises(ValueError, match=re.escape(f"expected a list of texts as {name} of a task, got {given!r}")):
        Task.from_dict({"kind": "binary", "names": names, "classes": classes})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ranking", ("y",)), "a task is one of binary, multiclass, multilabel, regression; got 'ranking'"),
        (("binary", ("p", "q"), ("0", "1")), "a binary task has one target; got 2: p, q"),
        (("regression", ()), "a regression task has one target; got 0: "),
        (("binary", ("y",), ("0", "1", "2")), r"a binary task has two classes; got \('0', '1', '2'\)"),
        (("multiclass", ("y",), ("0",)), r"a multiclass task has two or more classes; got \('0',\)"),
        (("multilabel", ("y",)), r"a multilabel task has two classes; got \(\)"),
        (("regression", ("y",), ("0", "1")), r"a regression task has no classes; got \('0', '1'\)"),
    ],
)
def test_tasks_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        Task(*arguments)


def test_words_that_say_what_1_and_0_say_are_joined_with_them_and_said():
    task, sentence = guess_task(frame("1", "0", "TRUE", "FALSE", "1.0", "True"))
    assert (task.kind, task.classes) == ("binary", ("0", "1"))
    assert sentence == (
        "target 'label' is binary: 1 (4, positive) and 0 (2); 3 cells say 'TRUE', 'FALSE' and 'True', read as '0' and '1'"
    )
    assert task.encode(frame("TRUE", "1", "no", "0", "maybe"))[0][:4].ravel().tolist() == [1, 1, 0, 0]
    assert task.encode(frame("maybe"))[1] == [(0, "unusable label: 'maybe' of label is none of the classes 0, 1")]
    assert guess_task(frame("yes", "no", "TRUE", "FALSE"))[0].classes == ("0", "1")
    assert guess_task(frame("TRUE", "FALSE", "TRUE", "FALSE"))[0].classes == ("FALSE", "TRUE")
    assert guess_task(frame("1", "2", "TRUE", "1", "2", "TRUE"))[0].classes == ("1", "2", "TRUE")
    with pytest.raises(ValueError, match="target 'label' has one class only: '1' in all 2 labelled rows"):
        guess_task(frame("1", "TRUE"))
