"""Centroids of shapes, from GeoJSON and from well-known binary."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_NOWHERE = np.full(2, np.nan)


def centroid(geometry: Any) -> Floats:
    """The centroid ``[2]`` of a GeoJSON geometry, NaN if it is empty; several parts count by their areas.

    Raises:
        ValueError: what is no geometry: the type is not one of GeoJSON's, or coordinates are no numbers.

    >>> centroid({"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 2], [0, 2], [0, 0]]]}).tolist()
    [2.0, 1.0]
    """
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection" and isinstance(geometry.get("geometries"), list):
        parts = [centroid(part) for part in geometry["geometries"]]
        return np.mean(parts, axis=0) if parts else _NOWHERE
    if kind not in ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"):
        raise ValueError(f"expected a geometry such as a Polygon or Point, got {_short(geometry)}")
    coordinates = geometry.get("coordinates")
    try:
        if kind == "Polygon":
            return _of_polygons([_listed(coordinates)])
        if kind == "MultiPolygon":
            return _of_polygons(_listed(coordinates))
        return _mean(_points(coordinates, kind))
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        raise ValueError(f"expected numbers as coordinates of a {kind}, got {_short(coordinates)}") from None


SHAPE = {"area": 2, "perimeter": 1, "circularity": 0}
"""Measurements of a shape, by the power of the unit of length that each has."""


def shape(ring: Any) -> tuple[float, float, float]:
    """Area, perimeter and circularity (4 pi area / perimeter squared) of a ring of points; NaN of fewer than three.

    >>> [round(value, 3) for value in shape([[0, 0], [4, 0], [4, 4], [0, 4]])]
    [16.0, 16.0, 0.785]
    """
    points = _points(ring, "LineString")
    if len(points) < 3:
        return float("nan"), float("nan"), float("nan")
    area = abs(_moments(points - points[0])[0])
    around = float(np.linalg.norm(points - np.roll(points, -1, axis=0), axis=1).sum())
    return area, around, 4 * np.pi * area / around**2 if around else float("nan")


def shapes(geometries: Sequence[Any]) -> Floats:
    """The :func:`shape` of the largest ring of each geometry, ``[N, 3]``; NaN of what is no polygon."""
    found = []
    for geometry in geometries:
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        coordinates = geometry.get("coordinates") if kind in ("Polygon", "MultiPolygon") else None
        polygons = [_listed(coordinates)] if kind == "Polygon" else _listed(coordinates)
        rings = [shape(polygon[0]) for polygon in polygons if len(polygon)]
        found.append(max(rings, default=(float("nan"),) * 3))
    return np.array(found).reshape(len(found), 3)


def parts(geometry: dict[str, Any]) -> list[dict[str, Any]]:
    """The polygons of a MultiPolygon, or the points of a MultiPoint."""
    single = {"MultiPolygon": "Polygon", "MultiPoint": "Point"}[geometry["type"]]
    return [{"type": single, "coordinates": each} for each in _listed(geometry.get("coordinates"))]


def _listed(coordinates: Any) -> Any:
    """Coordinates, which may be an array; an empty list where there are none."""
    return [] if coordinates is None else coordinates


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _points(coordinates: Any, kind: str) -> Floats:
    if kind == "Point":
        coordinates = [] if coordinates is None or not len(coordinates) else [coordinates]
    elif kind == "MultiLineString":
        coordinates = [point for line in coordinates or [] for point in line]
    if isinstance(coordinates, np.ndarray):
        return coordinates[:, :2].reshape(-1, 2)
    return np.array([point[:2] for point in coordinates or []], dtype=np.float64).reshape(-1, 2)


def _mean(points: Floats) -> Floats:
    return points.mean(axis=0) if len(points) else _NOWHERE


def _of_polygons(polygons: Sequence[Any]) -> Floats:
    """Centre of the area; of shapes without area, of the different points."""
    rings = [_points(ring, "LineString") for polygon in polygons for ring in polygon]
    holes = [at > 0 for polygon in polygons for at in range(len(polygon))]
    rings_and_holes = [(ring, hole) for ring, hole in zip(rings, holes, strict=True) if len(ring)]
    if not rings_and_holes:
        return _NOWHERE
    base = rings_and_holes[0][0][0]
    total, moment = 0.0, np.zeros(2)
    for ring, hole in rings_and_holes:
        area, around = _moments(ring - base)
        sign = -1.0 if (area < 0) != hole else 1.0
        total, moment = total + sign * area, moment + sign * around
    if total > 0 and np.isfinite(total):
        return base + moment / total
    return np.unique(np.concatenate([ring for ring, hole in rings_and_holes if not hole]), axis=0).mean(axis=0)


def _moments(ring: Floats) -> tuple[float, Floats]:
    """Signed area of a ring, and its centroid times this area."""
    following = np.roll(ring, -1, axis=0)
    cross = ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]
    return float(cross.sum() / 2), ((ring + following) * cross[:, None]).sum(axis=0) / 6


def from_wkb(blob: bytes) -> dict[str, Any]:
    """The GeoJSON geometry of a well-known binary: points, lines, polygons and several of these, in two dimensions or three.

    Raises:
        ValueError: it ends too early, or is of another kind.

    >>> from_wkb(bytes.fromhex("010100000000000000000008400000000000001040"))
    {'type': 'Point', 'coordinates': [3.0, 4.0]}
    """
    try:
        return _read_wkb(memoryview(blob), 0)[0]
    except (struct.error, IndexError, KeyError, RecursionError) as error:
        raise ValueError(f"damaged well-known binary of {len(blob)} bytes ({error})") from None


_KINDS = {1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon"}


def _read_wkb(data: memoryview, at: int) -> tuple[dict[str, Any], int]:
    order = {0: ">", 1: "<"}[data[at]]
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    at += 5 + 4 * bool(code & 0x20000000)
    dimensions = 2 + bool(code & 0x80000000) + bool(code & 0x40000000) + (0, 1, 1, 2)[(code & 0xFFFF) // 1000]
    kind = _KINDS[(code & 0xFFFF) % 1000]
    if kind == "Point":
        point, at = _read_points(data, at, order, dimensions, 1)
        return {"type": kind, "coordinates": point[0]}, at
    (count,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    if kind == "LineString":
        points, at = _read_points(data, at, order, dimensions, count)
        return {"type": kind, "coordinates": points}, at
    inside = []
    for _ in range(count):
        if kind == "Polygon":
            (points,) = struct.unpack_from(f"{order}I", data, at)
            ring, at = _read_points(data, at + 4, order, dimensions, points)
            inside.append(ring)
        else:
            part, at = _read_wkb(data, at)
            inside.append(part["coordinates"])
    return {"type": kind, "coordinates": inside}, at


def _read_points(data: memoryview, at: int, order: str, dimensions: int, count: int) -> tuple[list[list[float]], int]:
    if count * dimensions * 8 > len(data) - at:
        raise struct.error(f"{count} points from byte {at}")
    values = np.frombuffer(data, dtype=f"{order}f8", count=count * dimensions, offset=at).reshape(count, dimensions)
    return values[:, :2].tolist(), at + count * dimensions * 8
