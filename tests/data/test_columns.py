import re

import pytest

from graphattn.data.columns import guess_smiles, guess_split, guess_targets, pick

MANY = [f"{'C' * n}O" for n in range(1, 41)]


def columns(**cells):
    return cells


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["name", "SMILES"], "SMILES"),
        (["smiles_raw", "smiles"], "smiles"),
        (["Canonical_Smiles", "id"], "Canonical_Smiles"),
        (["rdkit smiles", "id"], "rdkit smiles"),
        (["smi", "smiles"], "smiles"),
    ],
)
def test_smiles_by_name(names, expected):
    assert guess_smiles({name: ["CCO"] for name in names}, "file") == expected


def test_smiles_by_content():
    table = columns(
        mol=["CCO", "c1ccccc1", "nonsense", "CC", "CCN"], name=["ethanol", "benzene", "x", "a", "b"], y=list("12345")
    )
    assert guess_smiles(table, "file") == "mol"


def test_letters_are_no_smiles():
    with pytest.raises(ValueError, match="file has no column of SMILES; name the one to read: 'class' or 'y'"):
        guess_smiles(columns(**{"class": ["C", "N", "B"], "y": ["1", "2", "3"]}), "file")


def test_one_name_alone_is_listed():
    with pytest.raises(ValueError, match=r"file has no column of SMILES; name the one to read: 'y'$"):
        guess_smiles(columns(y=["1"]), "file")


@pytest.mark.parametrize("names", [("mol", "structure"), ("raw_smiles", "clean_smiles")])
def test_two_columns_of_smiles_are_not_guessed(names):
    with pytest.raises(
        ValueError, match=f"several columns that may hold SMILES: '{names[0]}' and '{names[1]}'; name one"
    ):
        guess_smiles({name: ["CCO", "CC"] for name in names}, "file")


def test_a_file_without_column_names():
    with pytest.raises(
        ValueError, match=r"file begins with data \('CCO'\) instead of column names; add a first line such"
    ):
        guess_smiles({"CCO": ["CC", "CCN"], "1": ["0", "1"]}, "file")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (columns(label=["1"], other=["2"]), ("label",)),
        (columns(Activity=["a", "b"], mw=["1.5", "2.5"]), ("Activity",)),
        (columns(p_np=["1", "1"]), ("p_np",)),
        (columns(num=list("12"), name=["a", "b"], p_np=["0", "1"]), ("p_np",)),
        (columns(row=[str(n) for n in range(40)], p_np=["0", "1"] * 20), ("p_np",)),
        (columns(mol_id=["0", "1"] * 20, value=["0.5", "nan"] * 19 + ["1", "2"]), ("value",)),
        (columns(comment=MANY, toxicity=["low", "high"] * 20), ("toxicity",)),
        (columns(a=["0", "1", ""], b=["1.0", "0.0", "1.0"], name=["x", "y", "z"]), ("a", "b")),
        (columns(constant=["1", "1"], p_np=["0", "1"]), ("p_np",)),
    ],
)
def test_targets_that_are_obvious(table, expected):
    assert guess_targets({"smiles": MANY, **table}, {"smiles"}, "file") == expected


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (columns(mw=["1.5", "2.5"], logp=["1", "0"]), "file: the target may be 'mw' or 'logp'; name it"),
        (columns(label=["0", "1"], active=["0", "1"]), "file: the target may be 'label' or 'active'; name it"),
        (columns(name=["a", "b"], comment=["c", "d"]), "file: the target may be 'name' or 'comment'; name it"),
        (columns(), "file has no column of targets; it has 'smiles'"),
    ],
)
def test_targets_that_are_not_obvious(table, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        guess_targets({"smiles": MANY, **table}, {"smiles"}, "file")


def test_split_by_name_and_words():
    assert guess_split(columns(y=["test"], Split=["train", " Test ", "valid"]), [2, 3, 4], "x.csv") == "Split"
    assert guess_split(columns(fold=["0", "1", "2"]), [2, 3, 4], "x.csv") == "fold"
    assert guess_split(columns(y=["train", "test"]), [2, 3], "x.csv") is None
    with pytest.raises(
        ValueError, match=r"x.csv: column 'split' should say .*, but says 'train_val' in line 3; expected"
    ):
        guess_split(columns(split=["train", "train_val"]), [2, 3], "x.csv")


def test_pick_prefers_the_exact_name():
    assert pick(columns(Y=["1"], y=["2"]), "y", "file") == "y"
    assert pick(columns(Y=["1"], x=["2"]), " y ", "file") == "Y"
