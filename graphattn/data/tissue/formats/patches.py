"""Patches of slides with their features, as CLAM and TRIDENT write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphattn.data.tissue.cells import FileCells, ImageCells
from graphattn.data.tissue.formats.tables import image_of


def read_patches(path: str | Path) -> FileCells:
    """The patches of an HDF5 file with ``coords`` ``[N, 2]``, their upper left corners at level 0, and ``features`` ``[N, F]``.

    Positions are the centres; the distance of neighbours is the attribute ``patch_size_level0``, else that of the grid.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file, h5py is not installed, or it holds no patches.
    """
    path = Path(path)
    coords, features, about = _load(path)
    if coords.ndim != 2 or coords.shape[1] != 2:
        raise ValueError(f"{path}: expected coords of the shape (patches, 2), got {coords.shape}")
    if not len(coords):
        raise ValueError(f"{path}: no tissue was found on this slide: no objects in file")
    features = np.empty((len(coords), 0)) if features is None else features.reshape(-1, features.shape[-1])
    if len(features) != len(coords):
        raise ValueError(f"{path}: it has {len(coords)} coords and {len(features)} rows of features")
    notes, step = [], _number(about.get("patch_size_level0"))
    if step is None:
        step = _step(coords)
        notes.append(
            f"{path.name}: neighbouring patches are {step:g} px apart, as the grid shows"
            if step
            else f"{path.name}: one patch, whose size is not known"
        )
    if about.get("level0_magnification"):
        notes.append(
            f"{path.name}: level 0 has magnification {about['level0_magnification']}; that is no pixel size: give mpp="
        )
    image = ImageCells(
        str(about.get("name") or image_of(path)),
        path.name,
        coords + (step or 0) / 2,
        [str(at) for at in range(len(coords))],
        tuple(f"feature {at}" for at in range(features.shape[1])),
        features.astype(np.float64),
        unit="px",
        step=step,
        place=lambda row: f"patch {row}",
    )
    return FileCells([image], [], notes)


def _load(path: Path) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        import h5py
    except ImportError:
        raise ValueError(f"{path}: HDF5 files are read by h5py; pip install 'graphattn[tissue]'") from None
    try:
        with h5py.File(path, "r") as file:
            if "coords" not in file:
                raise ValueError(f"it has no 'coords'; it has {', '.join(file) or 'nothing'}")
            coords: Any = file["coords"]
            features: Any = file.get("features", None)
            about = dict(coords.attrs) | (
                {} if features is None else {k: v for k, v in features.attrs.items() if k == "name"}
            )
            return (
                np.asarray(coords[()], dtype=np.float64),
                None if features is None else np.asarray(features[()]),
                about,
            )
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no file of patches: {' '.join(str(error).split())}") from None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None


def _step(coords: np.ndarray) -> float | None:
    """The least distance of two columns or two rows of patches."""
    gaps = np.concatenate([np.diff(np.unique(side)).astype(np.float64) for side in coords.T])
    return float(gaps.min()) if len(gaps) else None
