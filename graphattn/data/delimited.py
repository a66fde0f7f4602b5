"""Lines to rows of cells: separators, what stands before the header, quotes that never close, cells that are too long."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from graphattn.data.wording import listed

# The comma last: of two that cut alike, it is the one inside numbers and names.
_DELIMITERS = ("\t", ";", "|", ",")
_SMILES_NAMES = re.compile(r"(canonical_?|isomeric_?)?smi(les)?", re.IGNORECASE)
_BLOCK = r"(?: +\|[^\s|][^|]*\|)?"
_SPACED_LINE = re.compile(rf"\s*[^\s,;]+{_BLOCK}(?: +[^\s,;|][^\t]*)?\s*")
_SPACED_CELL = re.compile(rf"\S+{_BLOCK}")
_LOOKED_AT = 20
_LONGEST_CELL = csv.field_size_limit()


class TextRow(NamedTuple):
    """Line, cells and fault of a row; a blank line has no cells."""

    line: int
    cells: list[str]
    fault: str = ""


class Start(NamedTuple):
    """Where a table begins: index of the line of its header, its delimiter if that is told, and what was passed over."""

    header: int
    delimiter: str | None
    notes: list[str]


def start_of(lines: Sequence[str]) -> Start:
    r"""Passes over blank lines, ``sep=;`` as Excel writes it, and lines of comments, which begin with ``#``.

    The last line of comments is the header if it has a column of SMILES and as many cells as the line after it.

    >>> start_of(["sep=;\n", "smiles;y\n", "C;1\n"])
    Start(header=1, delimiter=';', notes=["the first line says that cells are separated by ';'"])
    """
    index, delimiter, notes = _next(lines, 0), None, list[str]()
    if told := re.fullmatch(r'"?sep=(.)"?\s*', lines[index], re.IGNORECASE):
        delimiter, index = told[1], _next(lines, index + 1)
        notes.append(f"the first line says that cells are separated by {delimiter!r}")
    first = index
    while index < len(lines) and lines[index].startswith("#"):
        index = _next(lines, index + 1)
    if index > first and _is_header(lines, before := _previous(lines, index), index, delimiter):
        index = before
    skipped = sum(bool(line.strip()) for line in lines[first:index])
    if skipped:
        notes.append(f"{skipped:,} line{'s' * (skipped > 1)} of comments (#) before the column names passed over")
    return Start(index, delimiter, notes)


def _next(lines: Sequence[str], index: int) -> int:
    return next((i for i in range(index, len(lines)) if lines[i].strip()), len(lines))


def _previous(lines: Sequence[str], index: int) -> int:
    return next(i for i in range(index - 1, -1, -1) if lines[i].strip())


def _is_header(lines: Sequence[str], index: int, following: int, delimiter: str | None) -> bool:
    for mark in [delimiter] if delimiter else _DELIMITERS:
        names = [name.strip() for name in lines[index].lstrip("# ").split(mark)]
        if any(map(_SMILES_NAMES.fullmatch, names)):
            if len(names) == 1 and any(each in "".join(lines[following : following + 1]) for each in _DELIMITERS):
                continue
            below = lines[following].split(mark) if following < len(lines) else names
            return len(below) == len(names) and not any(_SMILES_NAMES.fullmatch(cell.strip()) for cell in below)
    names, below = lines[index].lstrip("# ").split(), _SPACED_CELL.findall("".join(lines[following : following + 1]))
    return bool(_SMILES_NAMES.fullmatch(names[0])) and len(below) == len(names) > 1 if names else False


def delimiter_of(lines: Sequence[str], suffix: str) -> str:
    """The separator that cuts the most rows into as many cells as the header, of equal ones that of the most cells."""
    head = list(itertools.islice(filter(str.strip, lines), _LOOKED_AT))
    if suffix in (".tsv", ".tab") and "\t" in head[0]:
        return "\t"

    def score(delimiter: str) -> tuple[int, int]:
        try:
            counts = [len(cells) for cells in csv.reader(head, delimiter=delimiter)]
        except csv.Error:
            counts = [len(line.split(delimiter)) for line in head]
        return (counts.count(counts[0]), counts[0]) if counts[0] > 1 else (0, 1)

    return max(_DELIMITERS, key=score)


def is_spaced(lines: Sequence[str]) -> bool:
    r"""Whether white space separates the cells: no tabs, and behind the first cell of a line no comma, semicolon or bar.

    >>> is_spaced(["C |&1:1,r| 1,2-diol\n", "CCO ethanol\n"]), is_spaced(["CCO, ethanol\n"]), is_spaced(["CCO\n"])
    (True, False, False)
    """
    head = list(itertools.islice(filter(str.strip, lines), _LOOKED_AT))
    return all(map(_SPACED_LINE.fullmatch, head)) and any(" " in line.strip() for line in head)


def spaced_rows(lines: Sequence[str], start: int, columns: int = 0) -> Iterator[TextRow]:
    """Every row from the line at ``start`` on, its cells between blanks; a CXSMILES block stays with its SMILES.

    The last of ``columns`` takes the rest of the line, if their number is given.

    >>> [row.cells for row in spaced_rows(["C |&1:1| acetic acid"], 0)]
    [['C |&1:1|', 'acetic', 'acid']]
    >>> [row.cells for row in spaced_rows(["C |&1:1| acetic acid"], 0, columns=2)]
    [['C |&1:1|', 'acetic acid']]
    """
    for number, line in enumerate(lines[start:], start=start + 1):
        found = list(_SPACED_CELL.finditer(line))
        cells = [cell[0] for cell in found]
        if 0 < columns < len(found):
            cells = [*cells[: columns - 1], line[found[columns - 1].start() :].strip()]
        yield TextRow(number, cells)


def rows_of(lines: Sequence[str], delimiter: str, start: int = 0) -> Iterator[TextRow]:
    r"""Every row from the line at ``start`` on. After a quote that never closes, the next line goes on.

    >>> list(rows_of(["a,b\n", "\n", '1,"2\n', "3,4\n"], ","))[2].fault
    'stray quote: it opens a cell and does not close it'
    """
    while start < len(lines):
        begin = start
        reader = csv.reader((lines[i] for i in range(begin, len(lines))), delimiter=delimiter)
        try:
            for cells in reader:
                end = begin + reader.line_num
                _check_quotes(lines[start:end], delimiter, is_last=end == len(lines))
                yield TextRow(start + 1, cells if len(cells) > 1 or any(map(str.strip, lines[start:end])) else [])
                start = end
        except csv.Error:
            yield _broken(lines[start], start + 1, delimiter)
            start += 1
    assert start == len(lines), f"{start} of {len(lines)} lines were read"


def _broken(text: str, line: int, delimiter: str) -> TextRow:
    cells = text.rstrip("\r\n").split(delimiter)
    longest = max(map(len, cells))
    if longest > _LONGEST_CELL:
        return TextRow(line, cells, f"a cell of {longest:,} characters, more than {_LONGEST_CELL:,}")
    return TextRow(line, cells, "stray quote: it opens a cell and does not close it")


def _check_quotes(lines: Sequence[str], delimiter: str, *, is_last: bool) -> None:
    """Raise ``csv.Error`` when a stray quote has joined lines, up to the next stray quote or the end of the file."""
    if len(lines) > 1 or is_last:
        try:
            list(csv.reader(lines, delimiter=delimiter, strict=True))
        except csv.Error as error:
            if len(lines) > 1 or "end of data" in str(error):
                raise


def rejoined(cells: list[str], most: int) -> list[str]:
    """Cells put together again that commas inside a CXSMILES extension, ``C |&1:1,r|``, have cut, if that makes ``most``.

    >>> rejoined(["C |&1:1", "r|", "7"], 2)
    ['C |&1:1,r|', '7']
    """
    joined = list[str]()
    for cell in cells:
        if joined and joined[-1].count("|") % 2 and " |" in joined[-1]:
            joined[-1] += f",{cell}"
        else:
            joined.append(cell)
    return joined if len(joined) == most else cells


def unique(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names with a number behind each repeated one, and a note about it."""
    found = dict[str, None]()
    for name in names:
        count = 0
        while (candidate := f"{name}.{count}" if count else name) in found:
            count += 1
        found[candidate] = None
    repeated = sorted({name for name in names if names.count(name) > 1})
    return list(found), [
        f"column {name!r} is there more than once; the repeats are called {name}.1, ..." for name in repeated
    ]


def nothing_below(columns: Sequence[str]) -> str:
    """What a table without rows has."""
    return f"has column names ({listed(columns)}) but no rows"
