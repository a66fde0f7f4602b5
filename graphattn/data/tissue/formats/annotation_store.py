"""Cells of an annotation store of TIAToolbox, an SQLite file."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from graphattn.data.tissue.cells import FileCells, ImageCells, SetAside
from graphattn.data.tissue.formats.geometry import centroid, from_wkb
from graphattn.data.tissue.formats.tables import image_of

_MOST_BYTES = 64 << 20


def read_annotation_store(path: str | Path) -> FileCells:
    """The annotations of a store of TIAToolbox (.db); positions are centroids of their shapes, in pixels.

    The columns ``cx`` and ``cy`` are rounded down and serve only points, which have no shape. The key of each annotation is its
    name; numbers among its properties are measurements, ``type`` (or ``class``) is its type.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such store, or holds no annotations.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            about = dict(store.execute("SELECT key, value FROM metadata"))
            rows = store.execute("SELECT id, key, cx, cy, geometry, properties FROM annotations ORDER BY id").fetchall()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{path} is no annotation store of TIAToolbox: {error}") from None
    if not rows:
        raise ValueError(f"{path}: no objects in file")
    packed = str(about.get("compression") or "").strip('"') == "zlib"
    set_aside, notes, kept, positions, properties = [], [], [], [], []
    for number, key, cx, cy, blob, text in rows:
        try:
            positions.append(
                np.array([cx, cy], dtype=np.float64)
                if blob is None
                else centroid(from_wkb(_unpacked(blob, packed=packed)))
            )
            properties.append(_properties(text))
            kept.append((number, key))
        except (ValueError, TypeError, zlib.error) as error:
            del positions[len(kept) :], properties[len(kept) :]
            set_aside.append(SetAside(path.name, f"annotation {number}", str(error)))
    points = sum(row[4] is None for row in rows)
    if points:
        notes.append(f"{path.name}: {points:,} annotations are points, whose positions are whole pixels, rounded down")
    return FileCells([_image(path, kept, positions, properties)], set_aside, notes)


def _unpacked(blob: bytes, *, packed: bool) -> bytes:
    if not packed:
        return blob
    unpacking = zlib.decompressobj()
    shape = unpacking.decompress(blob, _MOST_BYTES)
    if not unpacking.eof:
        raise ValueError(f"its shape is cut short, or holds more than {_MOST_BYTES >> 20} MiB")
    return shape


def _properties(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"its properties are no JSON: {error}") from None
    return found if isinstance(found, dict) else {}


def _image(
    path: Path, kept: list[tuple[int, Any]], positions: list[np.ndarray], properties: list[dict[str, Any]]
) -> ImageCells:
    kinds = [
        next((str(each[name]) for name in ("type", "class") if each.get(name) is not None), "") for each in properties
    ]
    numbers = [
        {name: value for name, value in each.items() if _is_number(value) and name not in ("type", "class")}
        for each in properties
    ]
    names = tuple(dict.fromkeys(name for each in numbers for name in each))
    features = np.array([[each.get(name, np.nan) for name in names] for each in numbers], dtype=np.float64)
    return ImageCells(
        image_of(path),
        path.name,
        np.array(positions).reshape(-1, 2),
        [str(key or number) for number, key in kept],
        names,
        features.reshape(len(kept), len(names)),
        kinds,
        unit="px",
        place=lambda row: f"annotation {kept[row][0]}",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
