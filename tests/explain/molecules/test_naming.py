import numpy as np
import pandas as pd
import pytest

from graphattn.data.molecules.table import MoleculeTable
from graphattn.explain.molecules.naming import file_names, name_column, names_of, written_name


def table(**columns):
    frame = pd.DataFrame(columns, dtype=str)
    return MoleculeTable(frame, np.arange(2, 2 + len(frame)), "smiles")


def test_files_of_different_molecules_never_have_one_name():
    names = ["CCO", "cco", "a/b", "a_b", "a?b", "a-2", "a", "A", "x" * 90, "x" * 91, "", " ", "...", "con", "grid-3"]
    found = file_names(names)
    assert len({name.casefold() for name in found}) == len(names)
    assert all(name and not name.startswith(".") and "/" not in name and len(name) < 90 for name in found)
    assert found[-2:] == ["molecule-con", "molecule-grid-3"]


def test_names_cannot_leave_the_folder():
    assert file_names(["../../etc/passwd", "C:\\x"]) == ["etc_passwd", "C_x"]


def test_letters_of_all_scripts_stay():
    assert file_names(["caféine 2", "咖啡因"]) == ["caféine_2", "咖啡因"]


def test_the_column_of_names_is_inferred_or_named():
    frame = table(smiles=["CO"], ID=["7"], other=["x"])
    assert name_column(frame) == "ID"
    assert name_column(frame, "Other") == "other"
    assert name_column(frame, "smiles") == "smiles"
    assert name_column(table(smiles=["CO"], other=["x"])) is None
    assert name_column(table(smiles=["CO"], id=["1"], Name=["methanol"])) == "Name"
    with pytest.raises(ValueError, match="the table has no column 'nme'; it has 'smiles', 'ID' and 'other'"):
        name_column(frame, "nme")


def test_rows_without_a_name_are_named_by_their_smiles():
    frame = table(smiles=[" CO ", "CC"], name=["", "ethane"])
    assert names_of(frame, "name") == ["CO", "ethane"]
    assert names_of(frame, None) == ["CO", "CC"]
    assert written_name("CCO |$a$| x") == ""
