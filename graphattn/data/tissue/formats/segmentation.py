"""Objects of label images, as Cellpose, StarDist and all others write them: 0 is background, each other number an object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphattn.data.tissue.cells import FileCells, ImageCells
from graphattn.data.tissue.formats.tables import image_of
from graphattn.data.wording import listed

SHAPE = {
    "area": 2,
    "perimeter": 1,
    "axis_major_length": 1,
    "axis_minor_length": 1,
    "eccentricity": 0,
    "solidity": 0,
    "extent": 0,
}


def read_labels(path: str | Path) -> FileCells:
    """The objects of a label image: TIFF, PNG, or an array in .npy or .npz; called by their numbers, measured by scikit-image.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no image of whole numbers in two dimensions, or all background.
    """
    path = Path(path)
    labels, notes = load_labels(path)
    measured = _measured(labels)
    numbers = measured.pop("label").astype(np.int64)
    position = np.stack([measured.pop("centroid-1"), measured.pop("centroid-0")], axis=1).astype(np.float64)
    split = _in_parts(labels, numbers)
    if split:
        named = listed(map(str, split), most=5)
        notes.append(
            f"{path.name}: {len(split):,} {'object has' if len(split) == 1 else 'objects have'} several parts: {named}"
        )
    features = np.stack([measured[name] for name in SHAPE], axis=1).astype(np.float64)
    image = ImageCells(
        image_of(path),
        path.name,
        position,
        [str(number) for number in numbers],
        tuple(SHAPE),
        features,
        unit="px",
        powers=SHAPE,
        label_image=str(path.resolve()),
        place=lambda row: f"object {numbers[row]}",
    )
    return FileCells([image], [], notes)


def load_labels(path: Path) -> tuple[NDArray[np.integer[Any]], list[str]]:
    """The array ``[height, width]`` of a label image, and what was said about it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as :func:`read_labels`.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if path.name.lower().endswith("_seg.npy"):
        raise ValueError(
            f"{path} is a pickle of Cellpose, which is not opened; export label images, *_cp_masks.tif or .png (io.save_masks)"
        )
    labels = _array(path)
    if labels.ndim != 2:
        raise ValueError(f"{path} is no label image: {_shape(labels)}")
    notes = []
    if labels.dtype.kind == "f":
        if not (np.isfinite(labels) & (labels == np.round(labels))).all():
            strange = labels[~(np.isfinite(labels) & (labels == np.round(labels)))][0]
            raise ValueError(f"{path} is no label image: expected whole numbers, got {strange}")
        labels = labels.astype(np.int64)
        notes.append(f"{path.name}: its numbers are floats, all of them whole")
    if labels.dtype.kind not in "iub":
        raise ValueError(f"{path} is no label image: expected whole numbers, got {labels.dtype}")
    labels = labels.astype(np.int64)
    if (labels < 0).any():
        raise ValueError(f"{path} is no label image: expected numbers from 0, got {labels.min()}")
    if not labels.any():
        raise ValueError(f"{path} is all background: no objects in file")
    return labels, notes


def _shape(labels: NDArray[Any]) -> str:
    if labels.ndim == 3 and labels.shape[-1] in (3, 4):
        return f"the shape {labels.shape} is that of a colour picture; export the labels, not an overlay"
    if labels.ndim == 3:
        return f"the shape {labels.shape} is that of a stack; project it, or give one plane"
    return f"expected the shape (height, width), got {labels.shape}"


def _array(path: Path) -> NDArray[Any]:
    try:
        if path.suffix.lower() in (".npy", ".npz"):
            found = np.load(path, allow_pickle=False)
            return _only(found, path) if isinstance(found, np.lib.npyio.NpzFile) else found
        if path.suffix.lower() in (".tif", ".tiff"):
            import tifffile

            return np.asarray(tifffile.imread(path)).squeeze()
        from PIL import Image

        with path.open("rb") as file, Image.open(file) as image:
            return np.asarray(image)
    except ImportError as error:
        raise ValueError(f"{path}: label images are read by {error.name}; pip install 'graphattn[tissue]'") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        reason = (
            "it is a pickle, which is not opened; export label images (.tif or .png)"
            if "allow_pickle" in reason
            else reason
        )
        raise ValueError(f"{path} cannot be read as a label image: {reason}") from None


def _only(found: Any, path: Path) -> NDArray[Any]:
    names = [name for name in ("labels", "masks", "label", "mask") if name in found.files] or found.files
    if len(names) != 1 and names[0] not in ("labels", "masks"):
        raise ValueError(f"several arrays: {listed(found.files)}; keep one, called labels")
    return found[names[0]]


def _measured(labels: NDArray[np.integer[Any]]) -> dict[str, NDArray[Any]]:
    try:
        from skimage.measure import regionprops_table
    except ImportError:
        raise ValueError(
            "objects of label images are measured by scikit-image; pip install 'graphattn[tissue]'"
        ) from None
    return regionprops_table(labels, properties=("label", "centroid", *SHAPE))


def _in_parts(labels: NDArray[np.integer[Any]], numbers: NDArray[np.int64]) -> list[int]:
    """The objects that are not connected, corners included."""
    from skimage.measure import label

    connected = np.asarray(label(labels, background=0, connectivity=2))
    inside = labels > 0
    pairs = np.unique(np.stack([labels[inside], connected[inside]]), axis=1)
    found, counts = np.unique(pairs[0], return_counts=True)
    return found[counts > 1].tolist() if len(found) == len(numbers) else []
