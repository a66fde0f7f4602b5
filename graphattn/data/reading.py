"""Files to records of text: CSV, TSV and SDF, also compressed, in whatever encoding and shape people keep them."""

import csv
import difflib
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rdkit import Chem, rdBase

from graphattn.data.molecules import molecule_problem
from graphattn.data.wording import listed

# The comma last: of two that cut alike, it is the one inside numbers and names.
_DELIMITERS = ("\t", ";", "|", ",")
_SPREADSHEET = b"PK\x03\x04"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Records(NamedTuple):
    """Rows of cells as text, the editor's line on which each starts, and the rows that are broken, with the reason."""

    columns: list[str]
    cells: list[list[str]]
    lines: list[int]
    faults: dict[int, str]
    notes: list[str]


def read_records(path: Path) -> Records:
    """The records of a CSV, TSV or SDF file, which may be gzipped.

    A row with too many cells, a quote that never closes or a mol block that RDKit cannot read is a fault of that row;
    the others are read. Raises `FileNotFoundError` for a missing file and `ValueError` when the file is a folder,
    empty, not text, a spreadsheet or a damaged gzip, or has column names but no rows.
    """
    text, notes = _text(path)
    if not text.replace('"', "").strip():
        raise ValueError(f"{path} is empty")
    structures = {".sdf", ".sd", ".mol"} & {suffix.lower() for suffix in path.suffixes}
    records = _sdf(text) if structures or "\n$$$$" in text else _table(text, path)
    if not records.cells:
        raise ValueError(f"{path} has column names ({listed(records.columns)}) but no rows")
    return records._replace(notes=notes + records.notes)


def _text(path: Path) -> tuple[str, list[str]]:
    raw = _bytes(path)
    if raw.startswith(_SPREADSHEET):
        raise ValueError(f"{path} is a spreadsheet or zip file, not a CSV; save it as CSV")
    if raw.startswith(_UTF16):
        raw = raw.decode("utf-16", errors="replace").encode()
    if b"\0" in raw:
        raise ValueError(f"{path} holds binary data; expected a CSV, TSV or SDF file")
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return raw.decode("latin-1"), [f"{path.name} is not UTF-8 and was read as Latin-1"]


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a CSV, TSV or SDF file")
    if not path.exists():
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*")], n=1)
        raise FileNotFoundError(f"there is no file {path}" + (f"; did you mean {near[0]}?" if near else ""))
    raw = path.read_bytes()
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from None


def _table(text: str, path: Path) -> Records:
    lines = list(io.StringIO(text, newline=""))
    rows = _rows(lines, _delimiter(lines, path))
    columns, notes = _unique([cell.strip() for cell in next(rows)[1]])
    records = Records(columns, [], [], {}, notes)
    for line, cells, fault in rows:
        surplus = cells[len(columns) :]
        if any(cell.strip() for cell in surplus):
            fault = fault or f"too many cells: {len(cells)} where the header has {len(columns)}"
        if fault:
            records.faults[len(records.cells)] = fault
        records.cells.append((cells + [""] * len(columns))[: len(columns)])
        records.lines.append(line)
    return records


def _delimiter(lines: list[str], path: Path) -> str:
    """The separator that cuts the most rows into as many cells as the header, of equal ones that of the most cells."""
    head = list(itertools.islice(filter(str.strip, lines), 20))
    if {".tsv", ".tab"} & set(path.suffixes) and "\t" in head[0]:
        return "\t"

    def score(delimiter: str) -> tuple[int, int]:
        counts = [len(cells) for cells in csv.reader(head, delimiter=delimiter)]
        return (counts.count(counts[0]), counts[0]) if counts[0] > 1 else (0, 1)

    return max(_DELIMITERS, key=score)


def _rows(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Line, cells and fault of each row that is not blank. After a quote that never closes, the next line goes on."""
    start = 0
    while start < len(lines):
        reader = csv.reader(lines[start:], delimiter=delimiter)
        begin = start
        try:
            for cells in reader:
                end = start + reader.line_num
                _check_quotes(lines[begin:end], delimiter, is_last=end == len(lines))
                if len(cells) > 1 or "".join(cells).strip():
                    yield begin + 1, cells, ""
                begin = end
            return
        except csv.Error:
            cells = next(csv.reader([lines[begin]], delimiter=delimiter, quoting=csv.QUOTE_NONE))
            yield begin + 1, cells, "stray quote: it opens a cell and does not close it"
            start = begin + 1


def _check_quotes(lines: list[str], delimiter: str, *, is_last: bool) -> None:
    """Raise `csv.Error` when a stray quote has joined lines, up to the next stray quote or the end of the file."""
    if len(lines) > 1 or is_last:
        try:
            list(csv.reader(lines, delimiter=delimiter, strict=True))
        except csv.Error as error:
            if len(lines) > 1 or "end of data" in str(error):
                raise


def _unique(names: list[str]) -> tuple[list[str], list[str]]:
    """Names with a number behind each repeated one, and a note about it."""
    unique: list[str] = []
    for name in names:
        count = 0
        while (candidate := f"{name}.{count}" if count else name) in unique:
            count += 1
        unique.append(candidate)
    repeated = sorted({name for name in names if names.count(name) > 1})
    return unique, [
        f"column {name!r} is there more than once; the repeats are called {name}.1, ..." for name in repeated
    ]


def _sdf(text: str) -> Records:
    blocks: list[list[str]] = [[]]
    starts = [1]
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.startswith("$$$$"):
            blocks.append([])
            starts.append(number + 1)
        else:
            blocks[-1].append(line.rstrip("\r\n"))
    kept = [(start, block) for start, block in zip(starts, blocks, strict=True) if any(map(str.strip, block))]
    fields = [_fields(block) for _, block in kept]
    names = list(dict.fromkeys(name for field in fields for name in field))
    columns, _ = _unique(["smiles", "name", *names])
    smiles, problems = zip(*(_smiles(block) for _, block in kept), strict=True)
    cells = [
        [text, block[0].strip(), *(field.get(name, "") for name in names)]
        for text, (_, block), field in zip(smiles, kept, fields, strict=True)
    ]
    faults = {row: f"unreadable mol block: record {row + 1}, {why}" for row, why in enumerate(problems) if why}
    return Records(columns, cells, [start for start, _ in kept], faults, [])


def _fields(block: list[str]) -> dict[str, str]:
    """The data items of an SDF record: `> <NAME>`, the lines of the value, a blank line."""
    fields: dict[str, str] = {}
    name = ""
    for line in block:
        if title := re.match(r">.*?<(.+)>", line):
            name = title[1]
            fields[name] = ""
        elif name:
            fields[name] = f"{fields[name]}\n{line}".strip()
            name = name if line.strip() else ""
    return fields


def _smiles(block: list[str]) -> tuple[str, str]:
    """Canonical SMILES of a mol block, or why there is none."""
    text = "\n".join(block)
    with rdBase.BlockLogs():
        molecule = Chem.MolFromMolBlock(text)
        if molecule is not None:
            return Chem.MolToSmiles(molecule), "" if molecule.GetNumAtoms() else "no atoms"
        unchecked = Chem.MolFromMolBlock(text, sanitize=False)
        return "", molecule_problem(unchecked) if unchecked is not None else "not a mol block"
