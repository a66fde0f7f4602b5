"""Cells of a folder of steinbock: regionprops, intensities and neighbors, a table for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from graphattn.data.tissue.cells import FileCells, ImageCells, SetAside
from graphattn.data.wording import listed

# scikit-image renamed these.
_RENAMED = {"axis_major_length": "major_axis_length", "axis_minor_length": "minor_axis_length"}
_POWERS = {"area": 2, "major_axis_length": 1, "minor_axis_length": 1}


def is_steinbock(path: Path) -> bool:
    """Whether a folder is one of steinbock."""
    return (path / "regionprops").is_dir()


def read_steinbock(path: str | Path) -> FileCells:
    """The cells of a folder of steinbock, joined by the number of the object, with its neighbours as edges.

    Positions are ``centroid-1`` and ``centroid-0``, in pixels, which are micrometres in imaging mass cytometry: give ``mpp=1.0``.

    Raises:
        ValueError: the folder holds no tables of regionprops.
    """
    path = Path(path)
    tables = sorted((path / "regionprops").glob("*.csv")) if is_steinbock(path) else []
    if not tables:
        raise ValueError(f"{path} is no folder of steinbock: it has no regionprops/*.csv")
    set_aside: list[SetAside] = []
    notes: list[str] = []
    images = []
    for table in tables:
        try:
            images.append(_image(path, table.name, set_aside, notes))
        except (ValueError, KeyError, OSError) as error:
            set_aside.append(SetAside(f"{path.name}/regionprops/{table.name}", "", str(error).strip("'\"")))
    without = {each.name for each in (path / "intensities").glob("*.csv")} - {each.name for each in tables}
    set_aside += [
        SetAside(f"{path.name}/intensities/{name}", "", "its image has no regionprops") for name in sorted(without)
    ]
    return FileCells(images, set_aside, notes)


def _image(folder: Path, name: str, set_aside: list[SetAside], notes: list[str]) -> ImageCells:
    shapes = _table(folder / "regionprops" / name).rename(columns=_RENAMED)
    for side in ("centroid-0", "centroid-1"):
        if side not in shapes:
            raise ValueError(f"it has no column {side!r}; it has {listed(map(str, shapes.columns))}")
    file = f"{folder.name}/{name}"
    measured = shapes.drop(columns=["centroid-0", "centroid-1"])
    if (folder / "intensities" / name).exists():
        intensities = _table(folder / "intensities" / name)
        alone = intensities.index.difference(shapes.index)
        set_aside += [SetAside(file, f"object {number}", "it has no regionprops") for number in alone]
        unmeasured = shapes.index.difference(intensities.index)
        notes += [f"{file}: object {number} has no intensities: they are missing values" for number in unmeasured]
        measured = intensities.reindex(shapes.index).join(measured)
    measured = measured.select_dtypes("number")
    idents = [str(number) for number in shapes.index]
    return ImageCells(
        Path(name).stem,
        file,
        shapes[["centroid-1", "centroid-0"]].to_numpy(np.float64),
        idents,
        tuple(map(str, measured.columns)),
        measured.to_numpy(np.float64),
        unit="px",
        powers=_POWERS,
        edge_index=_edges(folder / "neighbors" / name, shapes.index, file, notes),
        place=lambda row: f"object {idents[row]}",
    )


def _table(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    if "Object" not in frame:
        raise ValueError(
            f"{path.parent.name}/{path.name} has no column 'Object'; it has {listed(map(str, frame.columns))}"
        )
    repeated = frame.loc[frame.duplicated("Object"), "Object"].tolist()
    if repeated:
        raise ValueError(f"{path.parent.name}/{path.name} has object {repeated[0]} more than once")
    return frame.set_index("Object")


def _edges(path: Path, objects: pd.Index, file: str, notes: list[str]) -> np.ndarray | None:
    """Edges from each neighbour to its object; those of objects that are not there are left out."""
    if not path.exists():
        return None
    table = pd.read_csv(path)
    for side in ("Object", "Neighbor"):
        if side not in table:
            raise ValueError(f"neighbors/{path.name} has no column {side!r}; it has {listed(map(str, table.columns))}")
    ends = np.stack([objects.get_indexer(pd.Index(table["Neighbor"])), objects.get_indexer(pd.Index(table["Object"]))])
    there = (ends >= 0).all(axis=0)
    if not there.all():
        notes.append(f"{file}: {int((~there).sum()):,} edges of objects that are not there were left out")
    return ends[:, there].astype(np.int64)
