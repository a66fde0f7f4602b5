"""Headers and numbers of tables of cells, in whatever alphabet, unit and decimal mark a program wrote them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data import labels

MISSING = labels.MISSING | labels.UNCLEAR | {"nil", "#na"}
"""Cells, in any case, that hold neither a number nor a name."""

_UNITS = {
    "um": "um",
    "micron": "um",
    "microns": "um",
    "micrometer": "um",
    "micrometers": "um",
    "micrometre": "um",
    "micrometres": "um",
    "px": "px",
    "pixel": "px",
    "pixels": "px",
    "pxl": "px",
}
_THOUSANDS = re.compile(r"\s*[-+\u2212]?[1-9]\d{0,2}(?:,\d{3})+\s*")
_COMMA = re.compile(r"\s*[-+\u2212]?\d+,\d+(?:[eE][-+]?\d+)?\s*%?\s*")
_POINT = re.compile(r"\s*[-+\u2212]?\d*\.\d+(?:[eE][-+]?\d+)?\s*%?\s*")
_LOOKED_AT = 2000
_SHARE = 0.9


class Header(NamedTuple):
    """Name of a column in plain words, and the unit at its end (``""`` if there is none)."""

    name: str
    unit: str


def plain_header(text: str) -> Header:
    r"""A header in lower case, without punctuation, with one spelling of the micrometre.

    >>> [" in ".join(plain_header(text)) for text in ("Centroid X \u00b5m", "Centroid.X.\u03bcm", "Centroid X \u00c2\u00b5m")]
    ['centroid x in um', 'centroid x in um', 'centroid x in um']
    """
    text = (
        unicodedata.normalize("NFKC", text.replace("\u00c2\u00b5", "\u00b5"))
        .replace("\u03bc", "u")
        .replace("\ufffdm", "um")
    )
    words = re.sub(r"[\W_]+", " ", text.lower()).split()
    unit = _UNITS.get(words[-1], "") if len(words) > 1 else ""
    return Header(" ".join(words[:-1] if unit else words), unit)


class Numbers(NamedTuple):
    """A column as numbers, NaN where there is none, and the cells that are neither numbers nor missing (``row: text``)."""

    values: NDArray[np.float64]
    strange: dict[int, str]


def decimal_comma(columns: Iterable[Sequence[str]]) -> bool:
    """Whether a table writes ``40,5`` for 40.5: some cell does, and more do than have a point. ``1,204`` may be thousands.

    >>> decimal_comma([["40,5", "38"], ["Tumor", "Stroma"]]), decimal_comma([["1,204", "40.5", "3.25"]])
    (True, False)
    """
    commas = points = 0
    for cells in columns:
        head = _sampled(cells)
        commas += sum(_COMMA.fullmatch(cell) is not None and _THOUSANDS.fullmatch(cell) is None for cell in head)
        points += sum(_POINT.fullmatch(cell) is not None for cell in head)
    return commas > points


def to_numbers(cells: Sequence[str], *, comma: bool = False, strict: bool = False) -> Numbers | None:
    """A column of text as numbers, or None if it is none: nine tenths of what is there must be numbers.

    Args:
        cells: the text of each cell; per cent signs are left out, and words for missing values are NaN.
        comma: whether the decimal mark is a comma.
        strict: whether it has to be a column of numbers; then it is one, whatever share of it is none.

    >>> to_numbers(["1.5", "", "NaN", "7"]).values.tolist()
    [1.5, nan, nan, 7.0]
    >>> to_numbers(["40,5", "3"], comma=True).values.tolist()
    [40.5, 3.0]
    >>> to_numbers(["Tumor", "Stroma"]) is None
    True
    """
    texts = [cell.strip() for cell in cells]
    if not strict and len(texts) > _LOOKED_AT and to_numbers(_sampled(texts), comma=comma) is None:
        return None
    values = np.asarray(pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce"), dtype=np.float64).copy()
    missing = 0
    strange: dict[int, str] = {}
    for row in np.flatnonzero(np.isnan(values)).tolist():
        text = texts[row]
        if text.lower() in MISSING:
            missing += 1
        elif (value := _number(text, comma=comma)) is not None:
            values[row] = value
        else:
            strange[row] = text
    if comma:
        _read_thousands(texts, values)
    too_few = not strict and len(strange) > (1 - _SHARE) * (len(values) - missing)
    return None if too_few else Numbers(values, strange)


def _sampled(cells: Sequence[str]) -> Sequence[str]:
    """At most so many cells, from all parts of a column."""
    return cells[:: -(-len(cells) // _LOOKED_AT)] if len(cells) > _LOOKED_AT else cells


def _read_thousands(texts: Sequence[str], values: NDArray[np.float64]) -> None:
    """Where commas are decimal marks, points are marks of thousands: 1.204 is 1204, unless a cell has a point elsewhere."""
    points = [row for row, text in enumerate(texts) if "." in text and "," not in text]
    if all(re.fullmatch(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+", texts[row]) for row in points):
        for row in points:
            values[row] = float(texts[row].replace(".", ""))


def _number(text: str, *, comma: bool) -> float | None:
    text = text.replace("\u2212", "-").replace("\u00a0", "").replace("\u202f", "").removesuffix("%").strip()
    text = (
        text.replace("'", "").replace("\u2019", "")
        if re.fullmatch(r"[-+]?\d{1,3}(?:['\u2019]\d{3})+(?:[.,]\d*)?", text)
        else text
    )
    if comma:
        text = text.replace(".", "").replace(",", ".") if "," in text else text
    elif re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", text):
        text = text.replace(",", "")
    if re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text):
        return float(text)
    return {"inf": np.inf, "+inf": np.inf, "infinity": np.inf, "-inf": -np.inf, "-infinity": -np.inf}.get(text.lower())


# Plain headers (`plain_header`) of x and y, the best first. A unit at the end of a header is read apart.
POSITIONS = (
    ("centroid x", "centroid y"),
    ("x centroid", "y centroid"),
    ("centerx global", "centery global"),
    ("centerx local", "centery local"),
    ("center x global", "center y global"),
    ("center x", "center y"),
    ("x center", "y center"),
    ("cell x position", "cell y position"),
    ("x", "y"),
    ("pos x", "pos y"),
    ("position x", "position y"),
    ("x position", "y position"),
    ("x coord", "y coord"),
    ("x coordinate", "y coordinate"),
    ("coord x", "coord y"),
    ("x location", "y location"),
    ("location center x", "location center y"),
    ("areashape center x", "areashape center y"),
    ("nucleus centroid x", "nucleus centroid y"),
    ("cell centroid x", "cell centroid y"),
    ("global x", "global y"),
    ("cx", "cy"),
    ("pxl col in fullres", "pxl row in fullres"),
    ("centroid 1", "centroid 0"),
    ("spatial 1", "spatial 2"),
    ("array col", "array row"),
)
BOXES = (("xmin", "xmax", "ymin", "ymax"), ("x min", "x max", "y min", "y max"), ("min x", "max x", "min y", "max y"))
IMAGES = (
    "image", "image name", "image id", "imageid", "imagename", "image location", "image file name", "filename",
    "file name", "image number", "sample name", "sample", "sample id", "sampleid", "slide", "slide id",
    "slide name", "library id", "library", "section", "core", "tma core", "region id",
)  # fmt: skip
IDS = (
    "object id", "cell id", "cellid", "entityid", "cell", "id", "node id", "nucleus id", "label id", "object",
    "object number", "objectnumber", "instance id", "barcode", "index", "", "unnamed 0",
)  # fmt: skip
TYPES = (
    "classification", "cell type", "celltype", "cell types", "phenotype", "class", "cell class", "classifier label",
    "cell phenotype", "type", "predicted class", "cell label", "cluster", "leiden", "annotation",
)  # fmt: skip
PATIENTS = (
    "patient", "patient id", "patientid", "case", "case id", "donor", "donor id", "subject", "subject id", "mouse",
)  # fmt: skip
# Numbers that are no measurement of a cell.
_NO_FEATURE = re.compile(
    r"(?:fov|z|path|roi|parent|name|object type|total cells|analysis region|algorithm name|analysis inputs"
    r"|.*codeword counts|.*control.* counts"
    r"|(?:cell |nucleus )?(?:centroid|center|centerx|centery|x|y)"
    r"(?: [xyz012]| global| local| centroid| position| coord| coordinate)*"
    r"|cell [xy] position|[xyz] ?(?:min|max)|(?:min|max) [xyz]|bbox.*"
    r"|pxl (?:row|col) in fullres|in tissue|array (?:row|col)|spatial \d)"
)


def is_measurement(header: str) -> bool:
    """Whether a column of numbers measures a cell, and does not say where it is or how it was found.

    >>> is_measurement("Nucleus: Area"), is_measurement("Centroid X px"), is_measurement("fov")
    (True, False, False)
    """
    name = plain_header(header).name
    return name not in IDS and not _NO_FEATURE.fullmatch(name)
