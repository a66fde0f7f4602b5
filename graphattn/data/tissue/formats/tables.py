"""Tables of cells: QuPath's exports, those of Xenium, CosMx, MERSCOPE, MCMICRO, inForm and HALO, and plain ones, by one table of
synonyms for what columns mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data.columns import pick
from graphattn.data.reading import Records, read_records
from graphattn.data.tissue.cells import FileCells, Floats, ImageCells, SetAside
from graphattn.data.tissue.numbers import (
    BOXES,
    IDS,
    IMAGES,
    MISSING,
    PATIENTS,
    POSITIONS,
    TYPES,
    Numbers,
    decimal_comma,
    is_measurement,
    plain_header,
    to_numbers,
)
from graphattn.data.wording import listed

_NOT_CELLS = (
    "annotation",
    "tma core",
    "tmacore",
    "root",
    "root object",
    "image",
    "pathannotationobject",
    "tmacoreobject",
)


@dataclass
class Roles:
    """Which column of a table is what, by name; None where there is none."""

    positions: list[tuple[tuple[str, ...], str]]
    image: str | None
    ident: str | None
    kind: str | None
    patient: str | None
    label: str | None
    notes: list[str] = field(default_factory=list)
    kept: tuple[str, ...] = ()

    @property
    def taken(self) -> set[str]:
        """The columns that are no measurement."""
        named = (self.image, self.ident, self.kind, self.patient, self.label, *self.kept)
        return {name for name in named if name} | {name for names, _ in self.positions for name in names}


def read_table(
    path: str | Path,
    *,
    image: str | None = None,
    cell_type: str | None = None,
    label: str | None = None,
    patient: str | None = None,
    keep: Sequence[str] = (),
) -> FileCells:
    """The cells of a table: CSV, TSV or text, also gzipped, in any encoding; Parquet.

    Columns are found by name, in the words of QuPath, Xenium, CosMx, MERSCOPE, MCMICRO, inForm, HALO, CellProfiler and
    scikit-image; the decimal mark is told by what the cells hold. Other columns of numbers are measurements.

    Args:
        path: the file.
        image: column that names the image of each cell; ``""`` if all cells are of one.
        cell_type: column of cell types.
        label: column of the label of the image; the cells of an image must have the same.
        patient: column of the patient.
        keep: further columns, kept as texts of the cells.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table, lacks a column that was named, or has no columns of positions.
    """
    path = Path(path)
    records = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else read_records(path)
    columns = dict(zip(records.columns, map(list, zip(*records.cells, strict=True)), strict=True))
    given = {"image": image, "cell_type": cell_type, "label": label, "patient": patient}
    roles = replace(find_roles(columns, path, given), kept=tuple(pick(columns, name, path) for name in keep))
    whole = [row for row in range(len(records.cells)) if row not in records.faults]
    set_aside = [SetAside(path.name, f"line {records.lines[row]}", why) for row, why in records.faults.items()]
    if len(whole) < len(records.cells):
        columns = {name: [cells[row] for row in whole] for name, cells in columns.items()}
    table = _Table(path, columns, [records.lines[row] for row in whole], roles)
    notes = [f"{path.name}: {note}" for note in (*records.notes, *roles.notes)]
    cells = table.images(notes, set_aside)
    return FileCells(cells, set_aside, notes)


def _parquet(path: Path) -> Records:
    """A Parquet file as text; numbers are written so that they are read back the same."""
    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise ValueError(f"{path}: Parquet files are read by pyarrow; pip install 'graphattn[tissue]'") from error
    except Exception as error:
        raise ValueError(f"{path} is no Parquet file: {' '.join(str(error).split())}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=frame.index.name or "index")
    texts = {str(name): [_text(value) for value in frame[name].tolist()] for name in frame.columns}
    cells = [list(row) for row in zip(*texts.values(), strict=True)]
    if not cells:
        raise ValueError(f"{path} has columns ({listed(texts)}) but no rows")
    return Records(list(texts), cells, list(range(1, len(cells) + 1)), {}, [])


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def find_roles(columns: Mapping[str, Sequence[str]], path: Path, given: Mapping[str, str | None]) -> Roles:
    """What the columns of a table are: those ``given`` by name, the others by the words that programs use.

    Raises:
        ValueError: a column that was given is not there, or none holds positions.
    """
    plain = {name: plain_header(name) for name in columns}
    named = {what: pick(columns, name, path) for what, name in given.items() if name}
    found = {
        what: named.get(what) or _first(plain, words)
        for what, words in (("image", IMAGES), ("ident", IDS), ("cell_type", TYPES), ("patient", PATIENTS))
    }
    if given.get("image") == "":
        found["image"] = None
    positions = _positions(plain)
    if not positions:
        raise ValueError(f"{path} has no columns of positions such as x and y; it has {listed(columns)}")
    if found["ident"] is None and plain[positions[0][0][0]].name == "centroid 1":  # scikit-image's table of regions
        found["ident"] = _first(plain, ("label",))
    if found["ident"] in (found["image"], found["cell_type"], named.get("label")):
        found["ident"] = None
    local = any("local" in plain[names[0]].name for names, _ in positions[:1])
    if found["image"] is None and local:
        found["image"] = _first(plain, ("fov",))
    roles = Roles(positions, found["image"], found["ident"], found["cell_type"], found["patient"], named.get("label"))
    guesses = [("positions", " and ".join(map(repr, positions[0][0])))]
    guesses += [
        (what, repr(found[what])) for what in ("image", "cell_type", "patient") if found[what] and what not in named
    ]
    roles.notes.append("; ".join(f"{what.replace('_', ' ')} from {name}" for what, name in guesses))
    return roles


def _first(plain: Mapping[str, tuple[str, str]], words: Sequence[str]) -> str | None:
    return next((name for word in words for name, header in plain.items() if header[0] == word and not header[1]), None)


def _positions(plain: Mapping[str, tuple[str, str]]) -> list[tuple[tuple[str, ...], str]]:
    """Pairs of columns of positions, in micrometres before pixels, with the unit; or the four sides of boxes."""
    for words in POSITIONS:
        pairs = []
        for unit in ("um", "px", ""):
            both = [next((name for name, header in plain.items() if header == (word, unit)), None) for word in words]
            if both[0] is not None and both[1] is not None:
                pairs.append(((both[0], both[1]), unit or _unit_of_program(plain, words)))
        if pairs:
            return pairs
    for words in BOXES:
        sides = tuple(name for word in words for name, header in plain.items() if header[0] == word)
        if len(sides) == 4:
            return [(sides, _unit_of_program(plain, words))]
    return []


def _unit_of_program(plain: Mapping[str, tuple[str, str]], words: Sequence[str]) -> str:
    """The unit of positions whose headers have none, by the other columns that a program writes."""
    names = {header[0] for header in plain.values()}
    if words[0] == "x centroid":
        return "um" if "transcript counts" in names else "px" if "cellid" in names else ""
    if words[0] == "center x" and {"entityid", "volume"} & names:
        return "um"
    if words[0] == "cell x position":
        return "px" if any(header[1] == "px" for header in plain.values()) else "um"
    return (
        "px"
        if words[0] in ("xmin", "centroid 1", "areashape center x", "location center x", "pxl col in fullres")
        else ""
    )


class _Table:
    """A table of text whose columns have roles, taken apart into images."""

    def __init__(self, path: Path, columns: Mapping[str, list[str]], lines: Sequence[int], roles: Roles) -> None:
        self.path, self.columns, self.lines, self.roles = path, columns, lines, roles
        self.rows = len(lines)
        free = [name for name in columns if name not in roles.taken]
        measured = [name for name in free if is_measurement(name)]
        sides = [name for names, _ in roles.positions for name in names]
        self.comma = decimal_comma([columns[name] for name in (*sides, *measured)])
        self.measured = measured

    def images(self, notes: list[str], set_aside: list[SetAside]) -> list[ImageCells]:
        """The cells of each image, in the order in which images appear."""
        if self.comma:
            notes.append(f"{self.path.name}: the decimal mark is a comma")
        position, units = self._position()
        names, features = self._features(notes)
        kinds = self._words(self.roles.kind)
        idents = self._idents(notes)
        texts, found = {name: self._words(name) for name in self.roles.kept}, []
        for name, rows in self._rows_by_image(set_aside).items():
            rows, unit = self._of_one_unit(name, rows, units, set_aside)
            found.append(
                ImageCells(
                    image=name,
                    file=self.path.name,
                    position=position[rows],
                    node_id=[idents[row] for row in rows],
                    feature_names=names,
                    features=features[rows],
                    cell_type=[kinds[row] for row in rows],
                    unit=unit,
                    label=self._shared("label", self.roles.label, name, rows, set_aside),
                    patient=self._shared("patient", self.roles.patient, name, rows, set_aside),
                    texts={name: [kept[row] for row in rows] for name, kept in texts.items()},
                    place=lambda row, rows=rows: f"line {self.lines[rows[row]]}",
                    written=lambda row, rows=rows: self._written(rows[row]),
                )
            )
        return found

    def _position(self) -> tuple[Floats, NDArray[np.str_]]:
        """Positions, and the unit of each: of several pairs of columns the first that has both numbers."""
        position, units = np.full((self.rows, 2), np.nan), np.full(self.rows, self.roles.positions[0][1], dtype="U2")
        for names, unit in self.roles.positions:
            sides = [self._numbers(name) for name in names]
            pair = sides if len(sides) == 2 else [(sides[0] + sides[1]) / 2, (sides[2] + sides[3]) / 2]
            here = np.isnan(position).any(axis=1) & ~np.isnan(pair[0]) & ~np.isnan(pair[1])
            position[here] = np.stack(pair, axis=1)[here]
            units[here] = unit
        return position, units

    def _numbers(self, name: str) -> Floats:
        numbers = to_numbers(self.columns[name], comma=self.comma, strict=True)
        return np.full(self.rows, np.nan) if numbers is None else numbers.values

    def _features(self, notes: list[str]) -> tuple[tuple[str, ...], Floats]:
        read: dict[str, Numbers] = {}
        words = []
        for name in self.measured:
            numbers = to_numbers(self.columns[name], comma=self.comma)
            if numbers is None:
                words.append(name)
            else:
                read[name] = numbers
                for row, text in list(numbers.strange.items())[:1]:
                    more = f" and {len(numbers.strange) - 1:,} more" if len(numbers.strange) > 1 else ""
                    notes.append(
                        f"{self.path.name}: {name} on line {self.lines[row]} is {text!r}{more}: no number, taken as missing"
                    )
        quality = [name for name in self.columns if re.search(r"(?:control|codeword).*counts", plain_header(name).name)]
        if quality:
            notes.append(f"{self.path.name}: left out, as they count controls: {listed(quality)}")
        if words:
            notes.append(f"{self.path.name}: left out, as they hold words: {listed(words)}")
        return tuple(read), np.stack([numbers.values for numbers in read.values()], axis=1) if read else np.empty(
            (self.rows, 0)
        )

    def _words(self, name: str | None) -> list[str]:
        """The cells of a column, ``""`` for missing ones."""
        if name is None:
            return [""] * self.rows
        return ["" if cell.strip().lower() in MISSING else cell.strip() for cell in self.columns[name]]

    def _idents(self, notes: list[str]) -> list[str]:
        """Names of the cells: numbers within a field of view get its number in front; none: the line."""
        if self.roles.ident is None:
            notes.append(f"{self.path.name}: no column names the cells: they are called by their rows")
            return [str(row) for row in range(self.rows)]
        names = [
            cell.strip() or f"line {line}"
            for cell, line in zip(self.columns[self.roles.ident], self.lines, strict=True)
        ]
        views = next((name for name in self.columns if plain_header(name).name == "fov"), None)
        if views and views != self.roles.image and len(set(names)) < len(names):
            return [f"{view.strip()}_{name}" for view, name in zip(self.columns[views], names, strict=True)]
        return names

    def _rows_by_image(self, set_aside: list[SetAside]) -> dict[str, list[int]]:
        """The cells of each image, by name; folders are left out of names that differ without them."""
        kept = self._cells(set_aside)
        if self.roles.image is None:
            return {image_of(self.path): kept}
        names = [cell.strip() for cell in self.columns[self.roles.image]]
        short = {name: PureWindowsPath(name).name or name for name in set(names)}
        if len(set(short.values())) < len(short):
            short = {name: name for name in short}
        rows: dict[str, list[int]] = {}
        for row in kept:
            if names[row].lower() in MISSING:
                set_aside.append(SetAside(self.path.name, f"line {self.lines[row]}", "it names no image"))
            else:
                rows.setdefault(short[names[row]], []).append(row)
        return rows

    def _cells(self, set_aside: list[SetAside]) -> list[int]:
        """The rows that are cells: QuPath exports annotations and cores as well, and says so in a column."""
        kinds = next((name for name in self.columns if plain_header(name).name == "object type"), None)
        if kinds is None:
            return list(range(self.rows))
        words = [cell.strip().lower() for cell in self.columns[kinds]]
        others = [row for row, word in enumerate(words) if word in _NOT_CELLS]
        if len(others) == self.rows:
            raise ValueError(f"{self.path}: no cells, only {listed(sorted(set(words)))}; export detections")
        reasons = {row: f"of type {words[row]!r}, not a cell" for row in others}
        set_aside += [SetAside(self.path.name, f"line {self.lines[row]}", why) for row, why in reasons.items()]
        return [row for row, word in enumerate(words) if word not in _NOT_CELLS]

    def _of_one_unit(
        self, image: str, rows: list[int], units: NDArray[np.str_], set_aside: list[SetAside]
    ) -> tuple[list[int], str]:
        """The rows of an image whose unit most share; the others are set aside."""
        here = units[rows]
        names, counts = np.unique(here, return_counts=True)
        unit = str(names[counts.argmax()])
        for row, other in zip(rows, here, strict=True):
            if other != unit:
                reason = f"its position is in {other}, those of image {image!r} are in {unit}"
                set_aside.append(SetAside(self.path.name, f"line {self.lines[row]}", reason))
        return [row for row, other in zip(rows, here, strict=True) if other == unit], unit

    def _shared(
        self, what: str, name: str | None, image: str, rows: Sequence[int], set_aside: list[SetAside]
    ) -> str | None:
        """What all cells of an image have in a column; none, and said, if they differ."""
        cells = self._words(name) if name else []
        different = sorted({cells[row] for row in rows if cells[row]}) if cells else []
        if len(different) > 1:
            reason = f"its cells have several values of {what}: {listed(different)}; it has none"
            set_aside.append(SetAside(self.path.name, f"image {image!r}", reason))
        return different[0] if len(different) == 1 else None

    def _written(self, row: int) -> str:
        return "(" + ", ".join(repr(self.columns[name][row]) for name in self.roles.positions[0][0]) + ")"


def image_of(path: Path) -> str:
    """Name of the image of a file: its own, without what segmentation programs put behind it.

    >>> image_of(Path("exemplar-001--unmicst_cell.csv")), image_of(Path("slide.ome.csv.gz"))
    ('exemplar-001', 'slide.ome')
    """
    return _without_suffix(path).split("--")[0]


def _without_suffix(path: Path) -> str:
    """Name of a file without the suffixes that files of cells have."""
    name = _SUFFIX.sub("", path.name)
    return name if name == path.name else _without_suffix(path.with_name(name))


_SUFFIX = re.compile(r"\.(?:gz|geojson|json|csv|tsv|txt|tab|parquet|pq|db|h5ad|h5|npy|npz|tiff?|png)$", re.IGNORECASE)
