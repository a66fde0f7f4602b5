"""Parquet and Excel files to rows of text, as a CSV file of the same table has them; the extra ``tables`` reads them."""

import datetime
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from graphattn.data.delimited import TextRow, unique
from graphattn.data.wording import shortened

_LARGEST_UNPACKED = 2**30


class TypedTable(NamedTuple):
    """Names of the columns, rows of text with their numbers, and what there is to say about them."""

    names: list[str]
    rows: list[TextRow]
    notes: list[str]


def is_parquet(raw: bytes) -> bool:
    """Whether a file is a Parquet file by its first bytes."""
    return raw.startswith(b"PAR1")


def is_workbook(raw: bytes) -> bool:
    """Whether a file is an Excel file of 2007 or later: a zip file with a workbook in it."""
    if not raw.startswith(b"PK\x03\x04"):
        return False
    try:
        return "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(raw)).namelist()
    except zipfile.BadZipFile:
        return False


def read_parquet(raw: bytes, path: Path) -> TypedTable:
    """The rows of a Parquet file, numbered from 1; an index of names or numbers that are not counted is a column.

    Of columns of one name the repeats get a number, as in CSV files.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: a damaged file.
    """
    try:
        from pyarrow.parquet import ParquetFile

        held = ParquetFile(io.BytesIO(raw)).read()
        names, notes = unique(held.column_names)
        renamed = held.rename_columns(names).replace_schema_metadata(held.schema.metadata)  # which names the index
        frame = renamed.to_pandas(types_mapper=pd.ArrowDtype)
    except ImportError:
        raise ImportError(
            f"{path}: Parquet files are read by pyarrow, which is not installed: pip install 'graphattn[tables]'"
        ) from None
    except Exception as error:
        raise ValueError(f"{path} is a damaged Parquet file: {' '.join(str(error).split())}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    texts = [_texts(frame.iloc[:, column]) for column in range(frame.shape[1])]
    rows = [TextRow(number, list(cells)) for number, cells in enumerate(zip(*texts, strict=True), start=1)]
    return TypedTable(
        list(map(str, frame.columns)), rows, ["lines are rows of the Parquet file, counted from 1", *notes]
    )


def read_workbook(raw: bytes, path: Path) -> TypedTable:
    """The rows of the first sheet of an Excel file, with the numbers that Excel shows; the first that is not blank has the names.

    Raises:
        ImportError: openpyxl is not installed.
        ValueError: a damaged file, one that unpacks to more than a gigabyte, a blank sheet, or one with a title above the header.
    """
    if sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(raw)).infolist()) > _LARGEST_UNPACKED:
        raise ValueError(
            f"{path} unpacks to more than {_LARGEST_UNPACKED >> 20} MiB, which no table does; save it as CSV"
        )
    try:
        sheets, rows = _sheet(raw)
    except ImportError:
        raise ImportError(
            f"{path}: Excel files are read by openpyxl, which is not installed: pip install 'graphattn[tables]'"
        ) from None
    except Exception as error:
        raise ValueError(f"{path} is a damaged Excel file: {' '.join(str(error).split())}") from None
    filled = [position for position, row in enumerate(rows) if row.cells]
    if not filled:
        raise ValueError(f"{path}: sheet {sheets[0]!r} is empty")
    _refuse_title(rows, filled, f"{path}: sheet {sheets[0]!r}")
    header = rows[filled[0]]
    names = [name.strip() for name in header.cells]
    others = f"; {len(sheets) - 1} more sheets are not read" if len(sheets) > 1 else ""
    notes = [f"lines are rows of sheet {sheets[0]!r}{others}"]
    return TypedTable(names, _as_wide(rows[filled[0] + 1 :], len(names)), notes)


def _sheet(raw: bytes) -> tuple[list[str], list[TextRow]]:
    """Names of all sheets, and the rows of the first without the empty cells behind the last filled one."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    sheet: Any = book.worksheets[0]
    sheet.reset_dimensions()  # programs write wrong ones
    rows = [
        TextRow(number, _filled(map(_text, cells))) for number, cells in enumerate(sheet.iter_rows(values_only=True), 1)
    ]
    return [each.title for each in book.worksheets], rows


def _refuse_title(rows: list[TextRow], filled: list[int], sheet: str) -> None:
    """Refuse a sheet whose first row has fewer cells than most of the others: it is a title, and no row would fit its names."""
    counts = [sum(map(bool, map(str.strip, rows[position].cells))) for position in filled]
    width = len(rows[filled[0]].cells)
    if 2 * sum(len(rows[position].cells) > width for position in filled) <= len(filled):
        return
    most = max(set(counts), key=counts.count)
    first, header = rows[filled[0]], rows[filled[counts.index(most)]]
    title = shortened(" ".join(first.cells).strip())
    raise ValueError(
        f"{sheet}: row {first.line}, {title!r}, has fewer cells than most rows ({most}): the header seems to be in row "
        f"{header.line}; delete the rows above it, or name all columns in row {first.line}"
    )


def _filled(cells: Iterator[str]) -> list[str]:
    texts = list(cells)
    while texts and not texts[-1].strip():
        texts.pop()
    return texts


def _as_wide(rows: list[TextRow], width: int) -> list[TextRow]:
    """Rows with as many cells as there are names; those without any are blank."""
    return [row._replace(cells=row.cells + [""] * (width - len(row.cells))) if row.cells else row for row in rows]


def _texts(column: pd.Series) -> list[str]:
    """Cells of a column as text; float32 numbers in the digits that they have."""
    if str(column.dtype) == "float[pyarrow]":
        return [_text(value) for value in column.to_numpy(dtype=np.float32, na_value=np.nan)]
    return [_text(value) for value in column.tolist()]


def _text(value: Any) -> str:
    """A value as a CSV file has it: missing ones empty, dates without a time where it is midnight."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float | np.floating) and np.isnan(value))
    ):
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return str(value)
