"""Parquet and Excel files hold what a CSV file of the same table holds, with the numbers of their rows."""

import datetime
import decimal
import gzip
import io
import re
import sys
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from graphattn.data import typed_tables
from graphattn.data.molecules.prepare import collect
from graphattn.data.molecules.table import read_table
from graphattn.data.reading import read_records
from graphattn.data.tasks import Task


def workbook(path, rows, **more):
    book = openpyxl.Workbook()
    book.active.title = "Molecules"
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            if value is not None:
                book.active.cell(number, column, value)
    for title, sheet in more.items():
        book.create_sheet(title).append(sheet)
    book.save(path)
    return path


def test_rows_of_a_sheet_have_the_numbers_that_excel_shows(tmp_path):
    rows = [
        [None],
        ["smiles", "y"],
        ["CCO", 1],
        [None, None],
        ["C1CC", 0],
        ["CCN", "x", "more"],
        ["CC", None],
        ["C", 0.0],
    ]
    table = read_table(workbook(tmp_path / "a.xlsx", rows, Other=["a"]), targets="y")
    assert table.line.tolist() == [3, 5, 6, 7, 8]
    assert table.smiles == ["CCO", "C1CC", "CCN", "CC", "C"]
    assert table.frame["y"].tolist() == ["1", "0", "x", "", "0"]
    assert table.notes[0] == "lines are rows of sheet 'Molecules'; 1 more sheets are not read"
    found = collect(table, Task("binary", ("y",), ("0", "1")))
    assert found.row.tolist() == [0, 4]
    assert [(one.line, one.reason.partition(":")[0]) for one in found.rejected] == [
        (5, "unreadable SMILES"),
        (6, "too many cells"),
        (7, "no label"),
    ]


def test_cells_are_what_a_csv_file_has(tmp_path):
    columns = {
        "smiles": ["CCO", "CC", "C"],
        "whole": [1, None, 3],
        "number": [0.1, float("nan"), 1e-7],
        "flag": [True, None, False],
        "day": [datetime.datetime(2024, 1, 2), None, datetime.datetime(2024, 1, 2, 3, 4)],
        "word": ["01", "#N/A", "#VALUE!"],
    }
    expected = [
        ["CCO", "1", "0.1", "True", "2024-01-02", "01"],
        ["CC", "", "", "", "", "#N/A"],
        ["C", "3", "1e-07", "False", "2024-01-02 03:04:00", "#VALUE!"],
    ]
    frame = pd.DataFrame(columns).astype({"whole": "Int64", "flag": "boolean"})
    frame.to_parquet(tmp_path / "a.parquet")
    frame["number32"] = frame["number"].astype(np.float32)
    frame["price"] = [decimal.Decimal("1.50"), None, decimal.Decimal("2.00")]
    frame.set_index("smiles").to_parquet(tmp_path / "indexed.parquet")
    rows = [
        list(columns),
        *(
            [None if cell is pd.NaT or cell != cell else cell for cell in row]
            for row in zip(*columns.values(), strict=True)
        ),
    ]
    for path in (tmp_path / "a.parquet", workbook(tmp_path / "a.xlsx", rows)):
        records = read_records(path)
        assert (records.columns, records.cells) == (list(columns), expected)
    records = read_records(tmp_path / "indexed.parquet")
    assert [row[-2:] for row in records.cells] == [["0.1", "1.50"], ["", ""], ["1e-07", "2.00"]]
    assert [row[0] for row in records.cells] == columns["smiles"]
    assert records.lines == [1, 2, 3]
    assert records.notes == ["lines are rows of the Parquet file, counted from 1"]


def test_a_row_of_missing_cells_is_a_row_of_a_parquet_file(tmp_path):
    pd.DataFrame({"smiles": ["CCO", None], "y": ["1", None]}).to_parquet(tmp_path / "a.parquet")
    found = collect(read_table(tmp_path / "a.parquet", targets=()))
    assert [(one.line, one.reason) for one in found.rejected] == [(2, "empty SMILES")]


def test_names_that_are_there_twice_and_gzip(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["smiles", "y", "y"], ["C", 1, 2]])
    (tmp_path / "a.xlsx.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_records(tmp_path / "a.xlsx.gz").columns == ["smiles", "y", "y.1"]


def test_standard_input_is_read_by_its_first_bytes(tmp_path, monkeypatch):
    pd.DataFrame({"smiles": ["CCO"]}).to_parquet(tmp_path / "a.parquet")
    for raw in ((tmp_path / "a.parquet").read_bytes(), b"smiles\nCCO\n", gzip.compress(b"smiles\nCCO\n")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert read_table("-", targets=()).smiles == ["CCO"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(ValueError, match="standard input is empty"):
        read_table("-")


@pytest.mark.parametrize(
    ("name", "library"),
    [("a.parquet", "Parquet files are read by pyarrow"), ("a.xlsx", "Excel files are read by openpyxl")],
)
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, name, library):
    pd.DataFrame({"smiles": ["CCO"]}).to_parquet(tmp_path / "a.parquet")
    path = workbook(tmp_path / "a.xlsx", [["smiles"], ["C"]]).with_name(name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        ImportError, match=rf"{name}: {library}, which is not installed: pip install 'graphattn\[tables\]'"
    ):
        read_records(path)


def test_columns_of_one_name_are_numbered(tmp_path):
    path = tmp_path / "a.parquet"
    columns = [pyarrow.array(["C", "CC"]), pyarrow.array([1, 2]), pyarrow.array([3, None])]
    pyarrow.parquet.write_table(pyarrow.table(columns, names=["smiles", "y", "y"]), path)
    found = read_records(path)
    assert found.columns == ["smiles", "y", "y.1"]
    assert found.cells == [["C", "1", "3"], ["CC", "2", ""]]
    assert "column 'y' is there more than once; the repeats are called y.1, ..." in found.notes


def test_a_title_above_the_header_is_understood(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["Compounds"], [], ["smiles", "y"], ["C", 1], ["CC", 0]])
    told = (
        "a.xlsx: sheet 'Molecules': row 1, 'Compounds', has fewer cells than most rows (2): the header seems to be in row 3; "
        "delete the rows above it, or name all columns in row 1"
    )
    with pytest.raises(ValueError, match=re.escape(told)):
        read_records(path)
    path = workbook(tmp_path / "a.xlsx", [["smiles"], ["C"], ["CC", "a note"], ["CCC"]])
    assert len(read_records(path).faults) == 1, "one row with a note is a fault of that row"


def test_damaged_files_are_refused_in_words(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"a.parquet is a damaged Parquet file: "):
        read_records(path)
    pd.DataFrame({"smiles": []}).to_parquet(path)
    with pytest.raises(ValueError, match=r"a.parquet has column names \('smiles'\) but no rows"):
        read_records(path)
    path = workbook(tmp_path / "a.xlsx", [])
    with pytest.raises(ValueError, match=r"a.xlsx: sheet 'Molecules' is empty"):
        read_records(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("xl/workbook.xml", "none")
    with pytest.raises(ValueError, match=r"a.xlsx is a damaged Excel file: "):
        read_records(path)
    monkeypatch.setattr(typed_tables, "_LARGEST_UNPACKED", 3)
    with pytest.raises(ValueError, match=r"a.xlsx unpacks to more than 0 MiB, which no table does"):
        read_records(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0 old")
    with pytest.raises(ValueError, match=r"a.xlsx is a file of Excel before 2007, or has a password"):
        read_records(path)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match=r"a.xlsx is a spreadsheet or zip file, not a CSV"):
        read_records(path)
