"""Tables to CSV files that are whole or not there, and that every reader takes apart as they were put together."""

import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from graphattn import files
from graphattn.data.wording import STANDARD_STREAM

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], path: str | Path, escape: bool = False) -> None:
    """Write a table, which is there when its last row is: an exception, a full disk or a kill leaves the old file or none.

    Args:
        columns: names of the columns.
        rows: cells, texts or numbers; written as they come.
        path: file to write; ``-`` is standard output.
        escape: whether an apostrophe is put before cells that a spreadsheet takes for formulas (``=``, ``+``, ``-``, ``@``
            first, and no number). Cells are then no longer what they were.
    """
    path = Path(path)
    head = _line(columns, escape)
    if re.match(r"#|sep=", head, re.IGNORECASE):  # neither comment nor separator
        head = '"' + columns[0].replace('"', '""') + '"' + head.removeprefix(_line(columns[:1], escape)[:-1])
    with _opened(path) as file:
        file.write(head.encode())
        for row in rows:
            file.write(_line(row, escape).encode())


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    if str(path) == STANDARD_STREAM:
        return nullcontext(sys.stdout.buffer)
    # Nothing can take the place of a terminal or a pipe.
    return path.open("wb") if path.exists() and not path.is_file() else files.replacing(path)


def _line(cells: Sequence[object], escape: bool) -> str:
    if len(cells) == 1 and not str(cells[0]).strip():  # else a blank line
        return f'"{cells[0]}"\n'
    # Both characters end a line: cells that hold one of them are quoted.
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow([_escaped(cell) for cell in cells] if escape else cells)
    return buffer.getvalue()[:-2] + "\n"


def _escaped(cell: object) -> object:
    formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if formula else cell
