"""Cells of an image as a file gives them, and the graphs they become: one place for units, gaps, names and what is set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.labels import count_labels, is_number, key_of
from graphattn.data.tissue.edge_features import of_file
from graphattn.data.tissue.numbers import MISSING
from graphattn.data.wording import listed

Floats = NDArray[np.float64]
_FARTHEST = 1e6  # beyond, single precision tells cells apart by no less than 0.06
PerImage = float | Mapping[str, float] | None
"""A number for all images, or one for each of those named."""


class SetAside(NamedTuple):
    """What cannot be used: its file, its place there (``""`` for the whole file) and why.

    >>> str(SetAside("cells.csv", "line 4", "its position (nan, 3.0) is not finite"))
    'cells.csv, line 4: its position (nan, 3.0) is not finite'
    """

    file: str
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{', ' if self.place else ''}{self.place}: {self.reason}"


@dataclass
class ImageCells:
    """Cells of one image, in the coordinates of their file.

    Attributes:
        image: name of the image.
        file: name of the file.
        position: x to the right and y downwards, ``[N, 2]``; NaN where there is none.
        node_id: what the file calls each cell.
        feature_names: names of the measurements.
        features: measurements ``[N, F]``; NaN where there is none.
        cell_type: name of each cell's type; ``""`` where there is none.
        unit: ``"um"``, ``"px"``, or ``""`` where the file does not say.
        mpp: micrometres per pixel, where the file says so.
        edge_index: edges that the file holds, ``[2, E]`` of sender and receiver.
        colors: colour of a type, as ``"#rrggbb"``.
        texts: other names of each cell, such as that of its parent.
        label: label of the image, as written.
        patient: whose image it is.
        step: distance of neighbouring patches, in the unit of the positions.
        powers: for measurements in the unit of the positions, its power: 2 for an area.
        label_image: path of the label image that the cells are objects of.
        place: where a cell stands in the file, for messages.
        written: its position as the file has it, for messages.
    """

    image: str
    file: str
    position: Floats
    node_id: list[str]
    feature_names: tuple[str, ...] = ()
    features: Floats = field(default_factory=lambda: np.empty((0, 0)))
    cell_type: list[str] = field(default_factory=list)
    unit: str = ""
    mpp: float | None = None
    edge_index: NDArray[np.int64] | None = None
    colors: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    label: str | None = None
    patient: str | None = None
    step: float | None = None
    powers: dict[str, int] = field(default_factory=dict)
    label_image: str | None = None
    place: Callable[[int], str] = lambda row: f"cell {row}"
    written: Callable[[int], str] | None = None

    def __post_init__(self) -> None:
        count = len(self.position)
        if not self.feature_names:
            self.features = np.empty((count, 0))
        self.cell_type = self.cell_type or [""] * count


@dataclass
class FileCells:
    """What a reader found in one file: cells by image, what it set aside, and what it inferred, in sentences."""

    images: list[ImageCells]
    set_aside: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Tissue(NamedTuple):
    """Graphs of images, what was set aside, and what was inferred, in sentences.

    Attributes:
        graphs: a :class:`torch_geometric.data.Data` for each image; :func:`read` says what is in it.
        set_aside: cells, images and files that cannot be used, with the reason.
        notes: what was inferred or changed.
    """

    graphs: list[Data]
    set_aside: list[SetAside]
    notes: list[str]


def to_graphs(
    files: Sequence[FileCells],
    *,
    mpp: PerImage = None,
    unit: str | Mapping[str, str] | None = None,
    features: Sequence[str] | None = None,
) -> Tissue:
    """The graphs of all images, without edges but those of their files; features and types are the same in all.

    Raises:
        ValueError: a number of micrometres per pixel that is not positive, a unit other than ``"um"`` and ``"px"``, or features
            that no image has.
    """
    _check_options(mpp, unit)
    set_aside = [each for cells in files for each in cells.set_aside]
    notes = [note for cells in files for note in cells.notes]
    images = [_usable(image, set_aside, notes) for cells in files for image in cells.images]
    images = [image for image in images if len(image.position)]
    _name_once(images, notes)
    names = _features_of_all(images, features, notes)
    types = sorted({name for image in images for name in image.cell_type if name})
    scales = [_scale(image, mpp, unit, notes) for image in images]
    _unused(mpp, images, "mpp", notes)
    _unused(unit, images, "unit", notes)
    graphs = [_graph(image, scale, names, types) for image, scale in zip(images, scales, strict=True)]
    for image in images:
        if image.label is not None and image.label.lower() in MISSING | {"inf", "-inf"}:
            why = f"its label {image.label!r} looks like a missing value; it has none"
            set_aside.append(SetAside(image.file, f"image {image.image!r}", why))
            image.label = None
    _set_labels(graphs, [image.label for image in images])
    return Tissue(graphs, set_aside, list(dict.fromkeys(notes)))


def _check_options(mpp: PerImage, unit: str | Mapping[str, str] | None) -> None:
    for value in mpp.values() if isinstance(mpp, Mapping) else () if mpp is None else (mpp,):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < float("inf"):
            raise ValueError(f"expected micrometres per pixel above 0 as mpp, got {value!r}")
    for value in unit.values() if isinstance(unit, Mapping) else () if unit is None else (unit,):
        if value not in ("um", "px"):
            raise ValueError(f"expected 'um' or 'px' as the unit of positions, got {value!r}")


def _usable(image: ImageCells, set_aside: list[SetAside], notes: list[str]) -> ImageCells:
    """The cells that have a position; the others are set aside, each by its place."""
    finite = np.asarray(np.isfinite(image.position).all(axis=1))
    middle = np.median(image.position[finite], axis=0) if finite.any() else np.zeros(2)
    near = finite & (np.abs(np.where(finite[:, None], image.position, 0) - middle) <= _FARTHEST).all(axis=1)
    for row in np.flatnonzero(~near).tolist():
        written = image.written(row) if image.written else f"({image.position[row, 0]}, {image.position[row, 1]})"
        why = (
            f"is more than {_FARTHEST:,.0f} from the middle of the others"
            if finite[row]
            else "is not two finite numbers"
        )
        set_aside.append(SetAside(image.file, image.place(row), f"its position {written} {why}"))
    finite = near
    kept = np.flatnonzero(finite)
    if not len(kept):
        reason = "no cell has a position" if len(finite) else "no cells"
        set_aside.append(SetAside(image.file, f"image {image.image!r}" if image.image else "", reason))
    if image.edge_index is not None:
        image.edge_index = _edges_between(image.edge_index, finite)
    image.position = image.position[kept]
    image.node_id = _unique([image.node_id[row] for row in kept], image, notes)
    image.cell_type = [image.cell_type[row] for row in kept]
    image.texts = {name: [texts[row] for row in kept] for name, texts in image.texts.items()}
    image.features = image.features[kept]
    if len(set(image.feature_names)) < len(image.feature_names):
        image.feature_names = tuple(numbered(image.feature_names))
        notes.append(f"{image.file}: names of measurements repeat: the repeats have a number behind them")
    strange = np.isinf(image.features)
    if strange.any():
        image.features = np.where(strange, np.nan, image.features)
        notes.append(f"{image.file}: infinite measurements, taken as missing: {int(strange.sum()):,}")
    return image


def _edges_between(edge_index: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    number = np.cumsum(kept) - 1
    return number[edge_index[:, kept[edge_index].all(axis=0)]]


def numbered(names: Sequence[str]) -> list[str]:
    """Names with a number behind each that was there before.

    >>> numbered(["area", "area", "area.1"])
    ['area', 'area.2', 'area.1']
    """
    taken, seen = set(names), Counter[str]()
    unique = []
    for name in names:
        candidate = name
        while seen[name] and (candidate == name or candidate in taken):
            candidate = f"{name}.{seen[name]}"
            seen[name] += 1
        seen[name] = max(1, seen[name])
        unique.append(candidate)
        taken.add(candidate)
    return unique


def _unique(names: list[str], image: ImageCells, notes: list[str]) -> list[str]:
    """Names of cells with a number behind each repeated one."""
    if len(set(names)) == len(names):
        return names
    repeated = Counter(names)
    several = [name for name, count in repeated.items() if count > 1]
    notes.append(
        f"{image.file}: {len(several):,} names of cells repeat in image {image.image!r}, such as {several[0]!r}"
    )
    return numbered(names)


def _name_once(images: Sequence[ImageCells], notes: list[str]) -> None:
    """Two files may hold images of one name: the name of the file goes in front of each."""
    repeated = {name for name, count in Counter(image.image for image in images).items() if count > 1}
    for image in images:
        if image.image in repeated:
            notes.append(f"several images are called {image.image!r}: the name of the file was put in front")
            image.image = f"{image.file}/{image.image}"


def _features_of_all(images: Sequence[ImageCells], wanted: Sequence[str] | None, notes: list[str]) -> tuple[str, ...]:
    """Names of the measurements that every image has and that are not empty everywhere; of them those that are wanted."""
    if not images:
        return ()
    shared = set.intersection(*(set(image.feature_names) for image in images))
    some = dict.fromkeys(name for image in images for name in image.feature_names if name not in shared)
    if wanted is not None:
        if lacking := [name for name in wanted if name not in shared]:
            raise ValueError(
                f"not every image has the features {listed(lacking)}; all have {listed(sorted(shared)) or 'none'}"
            )
        shared, some = set(wanted), {}
    if some:
        notes.append(f"left out, as only some images have them: {listed(some)}")
    names, empty = [], []
    for name in images[0].feature_names:
        if name in shared:
            columns = [image.features[:, image.feature_names.index(name)] for image in images]
            missing = sum(int(np.isnan(column).sum()) for column in columns)
            total = sum(map(len, columns))
            (empty if missing == total else names).append(name)
            if 0 < missing < total:
                notes.append(f"{name}: {missing:,} of {total:,} values are missing")
    if empty:
        notes.append(f"left out, as they are empty: {listed(empty)}")
    return tuple(names)


class _Scale(NamedTuple):
    factor: float
    unit: str
    mpp: float


def _scale(image: ImageCells, mpp: PerImage, unit: str | Mapping[str, str] | None, notes: list[str]) -> _Scale:
    """What turns the positions of an image into micrometres, or their unit as it is where nothing says so."""
    given = mpp.get(image.image) if isinstance(mpp, Mapping) else mpp
    said = (unit.get(image.image) if isinstance(unit, Mapping) else unit) or image.unit
    per_pixel = float(given) if given else image.mpp
    if said == "um":
        return _Scale(1.0, "um", per_pixel or float("nan"))
    if per_pixel:
        source = "" if given else ", as the file says"
        notes.append(f"{image.file}: positions are in pixels of {per_pixel:g} um{source}")
        return _Scale(per_pixel, "um", per_pixel)
    if said == "px":
        notes.append(f"{image.file}: positions stay in pixels; give mpp=, micrometres per pixel, for micrometres")
    else:
        notes.append(
            f"{image.file}: nothing says in which unit positions are; they stay as they are. "
            "Give unit='um', or mpp=, micrometres per pixel"
        )
    return _Scale(1.0, said or "unknown", float("nan"))


def _unused(given: object, images: Sequence[ImageCells], name: str, notes: list[str]) -> None:
    strange = set(given) - {image.image for image in images} if isinstance(given, Mapping) else set()
    if strange:
        notes.append(f"{name} was given for images that are not there: {listed(sorted(strange))}")


def _graph(image: ImageCells, scale: _Scale, names: tuple[str, ...], types: Sequence[str]) -> Data:
    position = image.position * scale.factor
    origin = np.median(position, axis=0)
    graph = Data(
        pos=torch.from_numpy(position - origin).float(),
        origin=torch.from_numpy(origin),
        num_nodes=len(position),
        unit=scale.unit,
        mpp=scale.mpp,
        image=image.image,
        node_id=image.node_id,
    )
    if names:
        columns = [image.feature_names.index(name) for name in names]
        factors = np.array([scale.factor ** image.powers.get(name, 0) for name in names])
        graph.x = torch.from_numpy(image.features[:, columns] * factors).float()
        graph.feature_names = list(names)
    if types:
        number = {name: at for at, name in enumerate(types)} | {"": -1}
        graph.cell_type = torch.tensor([number[name] for name in image.cell_type])
        graph.cell_type_names = list(types)
        if image.colors:
            graph.cell_type_colors = {name: color for name, color in image.colors.items() if name in number}
    if image.patient is not None:
        graph.patient = image.patient
    if image.step:
        graph.step = image.step * scale.factor
    if image.label_image:
        graph.label_image = image.label_image
    for name, texts in image.texts.items():
        graph[name] = texts
    if image.edge_index is not None:
        graph.edge_index = torch.from_numpy(image.edge_index)
        graph = of_file(graph)
    return graph


def _set_labels(graphs: Sequence[Data], labels: Sequence[str | None]) -> None:
    """``y`` of each graph that has a label: the number of its class, or the number written. 1 and 1.0 are one label."""
    column = pd.Series([label for label in labels if label is not None], dtype=object)
    if not len(column):
        return
    counts, _ = count_labels(column, len(column), as_numbers=False)
    values = [float(label) if is_number(label) else None for label in counts]
    measured = None not in values and (len(counts) > 20 or any(value % 1 for value in cast("list[float]", values)))
    classes = sorted(counts, key=lambda label: (not is_number(label), float(label) if is_number(label) else 0.0, label))
    number = {key: at for at, label in enumerate(classes) for key in (label, key_of(label))}
    for graph, label in zip(graphs, labels, strict=True):
        if label is not None:
            graph.y = torch.tensor([float(label) if measured else number[label if label in number else key_of(label)]])
            if not measured:
                graph.class_names = classes


def with_labels(graphs: Sequence[Data], labels: Sequence[str | None]) -> list[Data]:
    """Copies of graphs with ``y``, and ``class_names`` where labels are classes."""
    copies = [graph.clone() for graph in graphs]
    _set_labels(copies, labels)
    return copies
