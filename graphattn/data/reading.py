"""Files to records of text: CSV, TSV, SDF, Parquet, Excel, also compressed, in whatever encoding and shape people keep them."""

import difflib
import io
import re
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

from graphattn.data.columns import smiles_share
from graphattn.data.delimited import (
    Start,
    TextRow,
    delimiter_of,
    is_spaced,
    nothing_below,
    rejoined,
    rows_of,
    spaced_rows,
    start_of,
    unique,
)
from graphattn.data.molecules.sdf import is_sdf, read_sdf
from graphattn.data.typed_tables import is_parquet, is_workbook, read_parquet, read_workbook
from graphattn.data.wording import STANDARD_STREAM, shortened

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_STRUCTURES = (".sdf", ".sd", ".mol")
_LINES_OF_SMILES = (".smi", ".smiles", ".ism")
_FREE_NAMES = ("name", "title")
_TABLES = (".csv", ".tsv", ".tab", *_LINES_OF_SMILES)
_LARGEST_UNPACKED = 256 * 2**20
_DENSEST = 100
_STEP = 2**20


class Records(NamedTuple):
    """Rows of cells as text, the editor's line on which each starts, and the rows that are broken, with the reason."""

    columns: list[str]
    cells: list[list[str]]
    lines: list[int]
    faults: dict[int, str]
    notes: list[str]


def read_records(path: Path) -> Records:
    """The records of a CSV, TSV, SMILES, SDF, Parquet or Excel file, which may be gzipped; ``-`` is standard input.

    The first bytes tell Parquet and Excel; of texts the suffix says which they are, without a known one the structure. A row
    with too many cells, a quote that never closes or a mol block that RDKit cannot read is a fault of that row; the others are
    read.

    Raises:
        FileNotFoundError: no such file.
        ImportError: what reads Parquet or Excel is not installed.
        ValueError: a folder; a file that is empty, not text, damaged, unpacks to more than a table does, or has no rows.
    """
    raw, path = _bytes(path), named(path)
    if is_parquet(raw) or is_workbook(raw):
        names, rows, said = (read_parquet if is_parquet(raw) else read_workbook)(raw, path)
        return _filled(_records(names, rows, "", said), path)
    text, notes = _text(raw, path)
    if not text.replace('"', "").strip():
        raise ValueError(f"{path} is empty")
    suffix = next((each.lower() for each in reversed(path.suffixes) if each.lower() != ".gz"), "")
    if suffix in _STRUCTURES or (suffix not in _TABLES and is_sdf(text)):
        return Records(*read_sdf(text), notes)
    records = _filled(_table(list(io.StringIO(text, newline="")), suffix, path), path)
    return records._replace(notes=notes + records.notes)


def named(path: Path) -> Path:
    """What a file is called in messages."""
    return Path("standard input") if str(path) == STANDARD_STREAM else path


def _filled(records: Records, path: Path) -> Records:
    if not records.cells:
        raise ValueError(f"{path} {nothing_below(records.columns)}")
    return records


def _text(raw: bytes, path: Path) -> tuple[str, list[str]]:
    if raw.startswith(_ZIP):
        raise ValueError(f"{path} is a spreadsheet or zip file, not a CSV; save it as CSV or .xlsx")
    if raw.startswith(_OLD_EXCEL):
        raise ValueError(f"{path} is a file of Excel before 2007, or has a password; save it as CSV or .xlsx")
    if raw.startswith(_UTF16):
        raw = raw.decode("utf-16", errors="replace").encode()
    if b"\0" in raw:
        raise ValueError(f"{path} holds binary data; expected a CSV, TSV or SDF file")
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return raw.decode("latin-1"), [f"{path.name} is not UTF-8 and was read as Latin-1"]


def _bytes(path: Path) -> bytes:
    if str(path) == STANDARD_STREAM:
        raw = sys.stdin.buffer.read()
        return _unpacked(raw, named(path)) if raw.startswith(_GZIP) else raw
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a CSV, TSV or SDF file")
    if not path.exists():
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*")], n=1)
        raise FileNotFoundError(f"there is no file {path}" + (f"; did you mean {near[0]}?" if near else ""))
    raw = path.read_bytes()
    return _unpacked(raw, path) if raw.startswith(_GZIP) else raw


def _unpacked(raw: bytes, path: Path) -> bytes:
    """What a gzip file holds, read in steps, so that a small file cannot fill the memory."""
    parts, size, rest = list[bytes](), 0, raw
    try:
        while rest.startswith(_GZIP):
            stream = zlib.decompressobj(wbits=31)
            while not stream.eof:
                part = stream.decompress(rest, _STEP)
                rest = stream.unconsumed_tail
                if not part and not rest and not stream.eof:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
                parts.append(part)
                size += len(part)
                if size > max(_LARGEST_UNPACKED, _DENSEST * len(raw)):
                    limit = f"{_LARGEST_UNPACKED >> 20} MiB and {_DENSEST} times its size"
                    raise ValueError(f"{path} unpacks to more than {limit}, which no table does; unpack it yourself")
            rest = stream.unused_data
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None
    return b"".join(parts)


def _table(lines: list[str], suffix: str, path: Path) -> Records:
    start = start_of(lines)
    if start.header == len(lines):
        raise ValueError(f"{path} has nothing but comments: expected column names and rows")
    if suffix in _LINES_OF_SMILES:
        headless = not _may_be_header(lines[start.header])
        if not headless and "smi" not in lines[start.header].lower():
            start.notes.append(f"the first line is taken for column names: {shortened(lines[start.header].strip())!r}")
    else:
        headless = False
    if not start.delimiter and suffix in _LINES_OF_SMILES and is_spaced(lines[start.header :]):
        return _spaced(lines, start, headless)
    delimiter = start.delimiter or delimiter_of(lines[start.header :], suffix)
    if headless:
        delimiter = "\t" if "\t" in lines[start.header] or " " in lines[start.header].strip() else delimiter
    rows = list(rows_of(lines, delimiter, start.header))
    if headless:
        return _headless(rows, delimiter, start.notes)
    names = [cell.strip() for cell in rows[0].cells]
    names[0] = names[0].lstrip("# ") or names[0]
    return _records(names, rows[1:], delimiter, list(start.notes))


def _may_be_header(line: str) -> bool:
    """Whether the first line of a file of SMILES has names: one of SMILES, or first a word of letters that is no molecule."""
    first = re.split(r"[\s,;|]", line.strip())[0]
    if smiles_share([first], least=1) == 1:
        return False
    return "smi" in line.lower() or re.fullmatch(r"#?[A-Za-z_]+", first) is not None


def _spaced(lines: list[str], start: Start, headless: bool) -> Records:
    """A table whose cells white space separates; names of molecules may hold blanks where they come last."""
    notes = [*start.notes, "white space separates the cells"]
    if headless:
        rows = list(spaced_rows(lines, start.header))
        if len({len(row.cells) for row in rows if len(row.cells) > 1}) > 1:
            rows = list(spaced_rows(lines, start.header, columns=2))
            notes.append("lines differ in their number of words: all that is behind the SMILES is the name")
        return _headless(rows, " ", notes)
    names = lines[start.header].lstrip("# ").split()
    is_last_free = len(names) == 1 or names[-1].lower() in _FREE_NAMES
    rows = list(spaced_rows(lines, start.header + 1, columns=len(names) if is_last_free else 0))
    return _records(names, rows, " ", notes)


def _headless(rows: list[TextRow], delimiter: str, notes: list[str]) -> Records:
    """A table of molecules without column names."""
    width = max(len(row.cells) for row in rows)
    names = ["smiles", "name", *(f"column {number}" for number in range(3, width + 1))][:width]
    what = "a molecule" if smiles_share(rows[0].cells[:1], least=1) == 1 else "no header"
    said = f"the first line is {what}: columns are called {', '.join(names)}"
    return _records(names, rows, delimiter, [*notes, said])


def _records(names: list[str], rows: list[TextRow], delimiter: str, notes: list[str]) -> Records:
    rows = [_without_header(row, names) for row in _counted(rows, len(names))]
    if delimiter == ",":
        joined = [row._replace(cells=rejoined(row.cells, len(names))) for row in rows]
        changed = sum(new != old for new, old in zip(joined, rows, strict=True))
        if changed:
            rows = joined
            notes.append(f"commas inside the CXSMILES of {changed:,} rows do not separate cells")
    if _lacks_a_name(names, rows):
        names = ["row names", *names]
        notes.append("the column names are one fewer than the cells of each row, as R writes: the first are row names")
    columns, repeats = unique(names)
    records = Records(columns, [], [], {}, notes + repeats)
    for line, cells, fault in rows:
        surplus = cells[len(columns) :]
        if not fault and any(cell.strip() for cell in surplus):
            fault = f"too many cells: {len(cells)} where the header has {len(columns)}"
        if fault:
            records.faults[len(records.cells)] = fault
        records.cells.append((cells + [""] * len(columns))[: len(columns)])
        records.lines.append(line)
    return records


def _counted(rows: list[TextRow], width: int) -> list[TextRow]:
    """Rows without blank lines; where there is one column only, a blank line between rows is an empty cell."""
    last = max((number for number, row in enumerate(rows) if row.cells), default=-1)
    return [row for number, row in enumerate(rows) if row.cells or (width == 1 and number < last)]


def _without_header(row: TextRow, names: list[str]) -> TextRow:
    """The row, at fault where it says the column names again, as in files that were joined."""
    said = [cell.strip().lstrip("\ufeff# ").casefold() for cell in row.cells]
    again = said[: len(names)] == [name.casefold() for name in names] and not any(said[len(names) :])
    return row._replace(fault="repeated header") if again and not row.fault else row


def _lacks_a_name(names: list[str], rows: list[TextRow]) -> bool:
    """Whether all rows have one cell more than there are names, and the first cell of each is another and no molecule."""
    sound = [row.cells for row in rows if not row.fault]
    if not sound or any(len(cells) != len(names) + 1 or not cells[-1].strip() for cells in sound):
        return False
    first = [cells[0] for cells in sound]
    return len(set(first)) == len(first) and smiles_share(first) < 0.5
