"""Cells of GeoJSON files: QuPath's objects of all versions, and the classes of CellViT as one shape each."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tissue.cells import FileCells, ImageCells, SetAside
from graphattn.data.tissue.formats.geometry import SHAPE, centroid, parts, shapes
from graphattn.data.tissue.formats.streaming import stream_features
from graphattn.data.tissue.formats.tables import image_of
from graphattn.data.wording import listed

# QuPath before 0.3 wrote the name of the Java class as the id.
_JAVA = {
    "PathCellObject": "cell",
    "PathDetectionObject": "detection",
    "PathTileObject": "tile",
    "PathAnnotationObject": "annotation",
    "TMACoreObject": "tmaCore",
    "PathRootObject": "root",
}
_NODES = (("cell", "detection"), ("tile",))
_MOST_BYTES = 8 * 2**30


class _Object(NamedTuple):
    place: str
    kind: str
    feature: dict[str, Any]
    parent: str
    parent_class: str


def load_json(path: Path) -> Any:
    """The content of a JSON file, which may be gzipped; features of GeoJSON are read one by one, with their points as arrays.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, with the place in the file.
    """
    streamed = stream_features(path, _MOST_BYTES)
    if streamed is not None:
        return streamed
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as file:
                raw = file.read(_MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}") from None
        if len(raw) > _MOST_BYTES:
            raise ValueError(f"{path} holds more than {_MOST_BYTES >> 30} GiB when it is unpacked")
    try:
        return json.loads(_decoded(raw))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is no complete JSON: {error.msg} at character {error.pos:,} of {len(error.doc):,}"
        ) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON text: {error}") from None


def _decoded(raw: bytes) -> str:
    """UTF-8 or UTF-16; Latin-1, which all bytes are, where it is neither."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read_geojson(path: str | Path, *, position: Literal["cell", "nucleus"] = "cell") -> FileCells:
    """The cells of a GeoJSON file of QuPath, or of CellViT, which holds all cells of a class as one annotation.

    A FeatureCollection, an array of features, or one feature; objects inside others, with the name and class of the parent.
    Positions are centroids, in pixels: QuPath writes no pixel size into GeoJSON.

    Args:
        path: the file.
        position: the centroid of the ``"cell"``, or of its ``"nucleus"`` where it has one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no GeoJSON, or holds no cells; the message says what to export.
    """
    path = Path(path)
    return cells_of_geojson(load_json(path), path, position=position)


def cells_of_geojson(content: Any, path: Path, *, position: Literal["cell", "nucleus"] = "cell") -> FileCells:
    """The cells of what was read from a GeoJSON file; see :func:`read_geojson`."""
    features = _features(content)
    if features is None:
        raise ValueError(f"{path} is no GeoJSON: expected features, got {_described(content)}")
    set_aside: list[SetAside] = []
    objects = list(_objects(features, path.name, set_aside))
    wanted = next((kinds for kinds in _NODES if any(each.kind in kinds for each in objects)), ())
    notes: list[str] = []
    if not wanted and objects and all(_is_class(each) for each in objects):
        notes.append(f"{path.name}: each annotation is a class, and each of its parts a cell, as CellViT writes them")
        objects = [_Object(f"{each.place}, part {at}", "cell", {**each.feature, "geometry": part, "id": None}, "", "")
                   for each in objects for at, part in enumerate(parts(each.feature["geometry"]))]  # fmt: skip
        wanted = ("cell",)
    others = [each for each in objects if each.kind not in wanted]
    if not wanted:
        raise ValueError(f"{path}: {_nothing(others)}")
    set_aside += [SetAside(path.name, each.place, f"{_article(each.kind)}, not a cell") for each in others]
    cells = [each for each in objects if each.kind in wanted]
    if isinstance(content, dict) and content.get("graphattn") == {"ids": "name"}:  # written by write_geojson
        cells = [each._replace(feature={**each.feature, "id": _name_or_id(each.feature)}) for each in cells]
    return FileCells([_image(path, cells, position, set_aside, notes)], set_aside, notes)


def _name_or_id(feature: dict[str, Any]) -> Any:
    return (feature.get("properties") or {}).get("name") or feature.get("id")


def _features(content: Any) -> list[Any] | None:
    if isinstance(content, dict):
        if content.get("type") == "Feature":
            return [content]
        content = (
            content.get("features") if content.get("type") == "FeatureCollection" or "features" in content else None
        )
    return content if isinstance(content, list) else None


def _described(content: Any) -> str:
    return (
        f"an object with {listed(map(str, content), most=5) or 'nothing in it'}"
        if isinstance(content, dict)
        else type(content).__name__
    )


def _nothing(others: list[_Object]) -> str:
    if not others:
        return "no objects in file"
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(each.kind for each in others).items())
    return f"no cells, only {counts}; in QuPath, export all objects or select detections (File > Export objects as GeoJSON)"


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def _objects(features: list[Any], file: str, set_aside: list[SetAside]) -> Iterator[_Object]:
    """Every object with its place, those inside others after them."""
    waiting = [(f"feature {at}", feature, "", "") for at, feature in enumerate(features)][::-1]
    while waiting:
        place, feature, parent, parent_class = waiting.pop()
        if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
            set_aside.append(SetAside(file, place, f"expected a feature, got {type(feature).__name__}"))
            continue
        properties = feature.get("properties") or {}
        yield _Object(place, _kind(feature, properties), feature, parent, parent_class)
        inside = (
            properties.get("childObjects")
            or feature.get("childObjects")
            or properties.get("children")
            or feature.get("children")
        )
        name, kind = str(properties.get("name") or ""), _class_name(properties.get("classification"))
        inside = inside if isinstance(inside, list) else []
        waiting += [(f"{place}, child {at}", child, name, kind) for at, child in enumerate(inside)][::-1]


def _kind(feature: dict[str, Any], properties: dict[str, Any]) -> str:
    """What an object is; annotations need not say so."""
    legacy = _JAVA.get(str(feature.get("id")))
    named = (properties.get(key) for key in ("objectType", "object_type", "type"))
    return legacy or next((str(name) for name in named if name), "annotation")


def _is_class(found: _Object) -> bool:
    geometry = found.feature.get("geometry")
    if found.kind != "annotation" or not isinstance(geometry, dict):
        return False
    return geometry.get("type") in ("MultiPolygon", "MultiPoint") and isinstance(
        geometry.get("coordinates"), list | np.ndarray
    )


def _class_name(classification: Any) -> str:
    """``Tumor: Positive`` of a name, of names, or of a class derived from another; ``""`` where there is none."""
    if isinstance(classification, str):
        return classification.strip()
    if isinstance(classification, list):
        return ": ".join(map(str, classification))
    if not isinstance(classification, dict):
        return ""
    names = classification.get("names")
    if isinstance(names, list) and names:
        return ": ".join(map(str, names))
    above = _class_name(classification.get("parentClass"))
    name = classification.get("name")
    return ": ".join(filter(None, (above, str(name).strip() if name else "")))


def _color(classification: Any) -> str | None:
    """``#rrggbb`` of three numbers, or of Java's packed integer."""
    if not isinstance(classification, dict):
        return None
    color, packed = classification.get("color"), classification.get("colorRGB")
    if (
        isinstance(color, list)
        and len(color) >= 3
        and all(isinstance(part, int) and 0 <= part < 256 for part in color[:3])
    ):
        return "#{:02x}{:02x}{:02x}".format(*color[:3])
    return f"#{packed & 0xFFFFFF:06x}" if isinstance(packed, int) else None


def _image(
    path: Path, objects: list[_Object], position: str, set_aside: list[SetAside], notes: list[str]
) -> ImageCells:
    placed = _placed(objects, position, path.name, set_aside)
    kept = [each for each, _ in placed]
    properties = [each.feature.get("properties") or {} for each in kept]
    classes = [_class_name(each.get("classification")) for each in properties]
    colored = zip(classes, (_color(each.get("classification")) for each in properties), strict=True)
    names, features, powers = _features_of(kept, properties)
    places = [each.place for each in kept]
    cells = ImageCells(
        image_of(path), path.name, np.array([where for _, where in placed]).reshape(-1, 2), [], unit="px"
    )
    cells.node_id = _idents(kept, path.name, notes)
    cells.feature_names, cells.features, cells.powers = names, features, powers
    cells.cell_type, cells.colors = classes, {name: color for name, color in colored if name and color}
    if any(each.parent or each.parent_class for each in kept):
        cells.texts = {"parent": [each.parent for each in kept], "parent_class": [each.parent_class for each in kept]}
    cells.place = places.__getitem__
    return cells


def _placed(
    objects: list[_Object], position: str, file: str, set_aside: list[SetAside]
) -> list[tuple[_Object, NDArray[np.float64]]]:
    """Objects with their centroids; those without a geometry are set aside."""
    placed = []
    for each in objects:
        geometry = each.feature.get("geometry")
        nucleus = each.feature.get("nucleusGeometry") or (each.feature.get("properties") or {}).get("nucleusGeometry")
        try:
            placed.append((each, centroid(nucleus if position == "nucleus" and nucleus else geometry)))
        except ValueError as error:
            set_aside.append(SetAside(file, each.place, str(error)))
    return placed


def _features_of(
    kept: list[_Object], properties: list[dict[str, Any]]
) -> tuple[tuple[str, ...], NDArray[np.float64], dict[str, int]]:
    """Names and values of measurements, and which are lengths or areas; those of the shapes where the file has none."""
    measured = [_measurements(each.get("measurements", each.get("measurementList"))) for each in properties]
    names = tuple(dict.fromkeys(name for each in measured for name in each))
    if not names:
        return tuple(SHAPE), shapes([each.feature.get("geometry") for each in kept]), SHAPE
    table = np.array([[each.get(name, math.nan) for name in names] for each in measured], dtype=np.float64)
    return names, table.reshape(len(kept), len(names)), {}


def _idents(kept: list[_Object], file: str, notes: list[str]) -> list[str]:
    """The ids of objects; of those without, the place. QuPath before 0.3 wrote the kind of an object as its id."""
    idents = ["" if (ident := each.feature.get("id")) is None else str(ident) for each in kept]
    made = [not ident or ident in _JAVA for ident in idents]
    if any(made):
        notes.append(f"{file}: {sum(made):,} objects have no id: they are called by their place")
    return [
        each.place.replace("feature ", "") if new else ident
        for each, ident, new in zip(kept, idents, made, strict=True)
    ]


def _measurements(given: Any) -> dict[str, float]:
    """Measurements by name, of an object or of a list of names and values."""
    if isinstance(given, list):
        given = {str(each.get("name")): each.get("value") for each in given if isinstance(each, dict)}
    return {str(name): _float(value) for name, value in given.items()} if isinstance(given, dict) else {}


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
