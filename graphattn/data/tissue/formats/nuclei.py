"""Nuclei of HoVer-Net and CellViT, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphattn.data.tissue.cells import FileCells, ImageCells, SetAside
from graphattn.data.tissue.formats.geojson import load_json
from graphattn.data.tissue.formats.geometry import SHAPE, centroid, shape
from graphattn.data.tissue.formats.tables import image_of


def read_hovernet(path: str | Path) -> FileCells:
    """The nuclei of a JSON file of HoVer-Net, by their numbers; positions are pixels at the magnification that it names.

    Types are numbers, as the file has no names; type 0 is none. A nucleus without a centroid is placed by its contour.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not of HoVer-Net, or holds no nuclei.
    """
    path = Path(path)
    return nuclei_of_hovernet(load_json(path), path)


def nuclei_of_hovernet(content: Any, path: Path) -> FileCells:
    """The nuclei of what was read from a JSON file of HoVer-Net."""
    nuclei = content.get("nuc") if isinstance(content, dict) else None
    if not isinstance(nuclei, dict):
        raise ValueError(f"{path} is no JSON of HoVer-Net: it has no 'nuc'")
    notes = [f"{path.name}: positions are pixels at magnification {content['mag']}"] if content.get("mag") else []
    names = content.get("type_info") or content.get("type_map") or {}
    return _nuclei(
        path,
        {str(ident): nucleus for ident, nucleus in nuclei.items()},
        "nucleus",
        _numbers_to_names(names),
        None,
        notes,
    )


def read_cellvit(path: str | Path) -> FileCells:
    """The cells of a JSON file of CellViT or CellViT++, called by their positions in it; it says micrometres per pixel.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not of CellViT, or holds no cells.
    """
    path = Path(path)
    return cells_of_cellvit(load_json(path), path)


def cells_of_cellvit(content: Any, path: Path) -> FileCells:
    """The cells of what was read from a JSON file of CellViT."""
    cells = content.get("cells") if isinstance(content, dict) else None
    if isinstance(cells, dict):
        cells = list(cells.values())
    if not isinstance(cells, list):
        raise ValueError(f"{path} is no JSON of CellViT: it has no 'cells'")
    about = content.get("wsi_metadata")
    mpp = about.get("base_mpp") if isinstance(about, dict) else None
    names = _numbers_to_names(content.get("type_map") or {})
    return _nuclei(path, {str(at): cell for at, cell in enumerate(cells)}, "cell", names, _positive(mpp), [])


def _positive(value: Any) -> float | None:
    try:
        number = float(value) if not isinstance(value, bool) else 0.0
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 < number < float("inf") else None


def _numbers_to_names(given: Any) -> dict[int, str]:
    """Names of types by number, of a map in either direction; ``{"1": ["neopla", [255, 0, 0]]}``, too."""
    found: dict[int, str] = {}
    for key, value in given.items() if isinstance(given, dict) else ():
        value = value[0] if isinstance(value, list) and value else value
        for number, name in ((key, value), (value, key)):
            if isinstance(number, int) or (isinstance(number, str) and number.isdecimal()):
                found[int(number)] = str(name)
                break
    return found


def _nuclei(
    path: Path, nuclei: dict[str, Any], word: str, names: dict[int, str], mpp: float | None, notes: list[str]
) -> FileCells:
    if not nuclei:
        raise ValueError(f"{path}: no objects in file")
    set_aside, idents, positions, kinds, measured = [], [], [], [], []
    for ident, nucleus in nuclei.items():
        try:
            where = _position(nucleus)
            outline = _outline(nucleus.get("contour"))
        except (ValueError, TypeError, OverflowError) as error:
            set_aside.append(SetAside(path.name, f"{word} {ident}", str(error)))
            continue
        idents.append(ident)
        positions.append(where)
        kinds.append(_type(nucleus.get("type"), names))
        measured.append((*outline, _positive(nucleus.get("type_prob")) or float("nan")))
    if not any(kinds):
        notes.append(f"{path.name}: no {word} has a type")
    image = ImageCells(
        image_of(path),
        path.name,
        np.array(positions).reshape(-1, 2),
        idents,
        (*SHAPE, "type probability"),
        np.array(measured).reshape(-1, 4),
        kinds,
        unit="px",
        mpp=mpp,
        powers=SHAPE,
        place=lambda row: f"{word} {idents[row]}",
    )
    return FileCells([image], set_aside, notes)


def _outline(contour: Any) -> tuple[float, float, float]:
    """The shape of a contour, NaN of what is none: a nucleus with a centroid needs no contour."""
    try:
        return shape(contour or [])
    except (TypeError, ValueError, OverflowError, IndexError):
        return shape([])


def _position(nucleus: Any) -> np.ndarray:
    if not isinstance(nucleus, dict):
        raise ValueError(f"expected an object, got {type(nucleus).__name__}")
    given, contour = nucleus.get("centroid"), nucleus.get("contour")
    if isinstance(given, list) and len(given) >= 2:
        return np.array(given[:2], dtype=np.float64)
    if isinstance(contour, list) and contour:
        return centroid({"type": "Polygon", "coordinates": [contour]})
    raise ValueError("it has neither a centroid nor a contour")


def _type(number: Any, names: dict[int, str]) -> str:
    if not isinstance(number, int) or isinstance(number, bool):
        return number if isinstance(number, str) else ""
    return names.get(number, "" if number == 0 else str(number))
