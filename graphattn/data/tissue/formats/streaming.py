"""GeoJSON read feature by feature: neither the text of a million polygons nor lists of their points are in memory at once."""

from __future__ import annotations

import codecs
import gzip
import json
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

_CHUNK = 1 << 20
_BLANK = " \t\n\r"
_OTHERS = ("nuc", "cells")
"""Keys of JSON files of cells that are no GeoJSON."""


class _NotStreamedError(Exception):
    """The file has another form, or is damaged; read whole, it says what is wrong."""


def stream_features(path: Path, most: int) -> Any | None:
    """The content of a GeoJSON file with points of shapes as arrays; none if it is no list of features, or is damaged.

    The content is that of ``json.load``, but for these arrays ``[points, dimensions]``, and equal classes, which are one object.

    Args:
        path: of a file, which may be gzipped.
        most: bytes that a gzipped file may hold.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            return _Reader(file.read, most).content()
    except (_NotStreamedError, UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile, RecursionError):
        return None


class _Reader:
    """A file of JSON, of which a bounded piece is held."""

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        self.read, self.left, self.text, self.at, self.ended = read, most, "", 0, False
        self.decode: Callable[..., str] = codecs.getincrementaldecoder("utf-8-sig")().decode
        self.scan = json.JSONDecoder(object_pairs_hook=_interned).raw_decode
        self.classes: dict[str, Any] = {}

    def content(self) -> Any:
        """All of it."""
        first = self.sign()
        if first == "[":
            found: Any = self.features()
        elif first == "{":
            found = self.collection()
        else:
            raise _NotStreamedError
        if self.sign():  # something behind the end
            raise _NotStreamedError
        return found

    def collection(self) -> dict[str, Any]:
        """A FeatureCollection: an object one of whose values is the list of features."""
        found: dict[str, Any] = {}
        self.at += 1
        while self.sign() != "}":
            key = self.value()
            if not isinstance(key, str) or key in _OTHERS or self.sign() != ":":
                raise _NotStreamedError
            self.at += 1
            found[key] = self.features() if key == "features" and self.sign() == "[" else self.value()
            self.separated("}")
        self.at += 1
        if not isinstance(found.get("features"), list):
            raise _NotStreamedError
        return found

    def features(self) -> list[Any]:
        """A list, each of whose features is made small when it is read."""
        found = []
        self.at += 1
        while self.sign() != "]":
            found.append(_slim(self.value(), self.classes))
            self.separated("]")
        self.at += 1
        return found

    def separated(self, end: str) -> None:
        """Go behind a comma, which no end may follow."""
        sign = self.sign()
        if sign == ",":
            self.at += 1
            if self.sign() != end:
                return
        elif sign == end:
            return
        raise _NotStreamedError

    def sign(self) -> str:
        """The next sign that is no blank; ``""`` at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _BLANK:
                self.at += 1
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        """The next value, for which the piece grows until it holds it whole."""
        self.sign()
        while True:
            with suppress(json.JSONDecodeError):
                value, end = self.scan(self.text, self.at)
                if end < len(self.text) or self.ended:  # a number at the end may go on
                    self.at = end
                    return value
            if not self.more():
                raise _NotStreamedError

    def more(self) -> bool:
        """Hold a further piece, as long as what is held already; false at the end of the file."""
        if self.ended:
            return False
        held = self.text[self.at :]
        raw = self.read(max(_CHUNK, len(held)))
        self.left -= len(raw)
        if self.left < 0:
            raise _NotStreamedError
        self.ended = not raw
        self.text, self.at = held + self.decode(raw, self.ended), 0
        return not self.ended


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Names of measurements and of keys are held once."""
    return {sys.intern(name): value for name, value in pairs}


def _slim(feature: Any, classes: dict[str, Any]) -> Any:
    """A feature whose rings are arrays and whose class is one object with all of its kind; also of those inside it."""
    if not isinstance(feature, dict):
        return feature
    properties = feature.get("properties")
    for holder in (feature, properties):
        if not isinstance(holder, dict):
            continue
        for name in ("geometry", "nucleusGeometry"):
            if isinstance(geometry := holder.get(name), dict) and "coordinates" in geometry:
                geometry["coordinates"] = _arrays(geometry["coordinates"])
        for name in ("childObjects", "children"):
            if isinstance(inside := holder.get(name), list):
                holder[name] = [_slim(child, classes) for child in inside]
    if isinstance(properties, dict) and isinstance(kind := properties.get("classification"), dict):
        properties["classification"] = classes.setdefault(json.dumps(kind), kind)
    return feature


def _arrays(coordinates: Any) -> Any:
    """Lists of points as arrays, in whatever lists they are; what is no list of points stays as it is."""
    if not isinstance(coordinates, list) or not coordinates or not isinstance(coordinates[0], list):
        return coordinates
    if coordinates[0] and isinstance(coordinates[0][0], list):
        return [_arrays(each) for each in coordinates]
    if not all(isinstance(each, int | float) for point in coordinates if isinstance(point, list) for each in point):
        return coordinates
    try:
        return np.array(coordinates, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return coordinates
