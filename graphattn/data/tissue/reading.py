"""Files of cells of any format to graphs, in one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch_geometric.data import Data

from graphattn.data.tissue.cells import FileCells, PerImage, SetAside, Tissue, to_graphs
from graphattn.data.tissue.formats.annotation_store import read_annotation_store
from graphattn.data.tissue.formats.geojson import cells_of_geojson, load_json
from graphattn.data.tissue.formats.h5ad import read_h5ad
from graphattn.data.tissue.formats.nuclei import cells_of_cellvit, nuclei_of_hovernet
from graphattn.data.tissue.formats.patches import read_patches
from graphattn.data.tissue.formats.segmentation import read_labels
from graphattn.data.tissue.formats.steinbock import is_steinbock, read_steinbock
from graphattn.data.tissue.formats.tables import read_table
from graphattn.data.tissue.labels import label_images
from graphattn.data.wording import listed

Paths = str | Path | Iterable[str | Path]

_LOGGER = logging.getLogger("graphattn")
_TABLES = (".csv", ".tsv", ".txt", ".tab", ".parquet", ".pq")
_IMAGES = (".tif", ".tiff", ".png", ".npy", ".npz")
_PICKLES = (".dat", ".pt", ".pth", ".pkl", ".pickle", ".joblib")
_REFUSED = {
    ".zarr": "Zarr stores are not read; export the table of cells as .h5ad or .csv",
    ".qpdata": "QuPath's own files are not read; in QuPath, File > Export objects as GeoJSON",
    ".snappy": "files compressed by snappy are not read; write GeoJSON or JSON without compression",
    **dict.fromkeys(
        (".svs", ".ndpi", ".mrxs", ".czi", ".scn", ".qptiff", ".vsi", ".bif"),
        "a slide holds no cells; give what found them: QuPath's GeoJSON, a label image, a table",
    ),
    **dict.fromkeys((".jpg", ".jpeg"), "a JPEG is no label image, as it changes numbers; export .tif or .png"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "a spreadsheet; save it as CSV"),
}

_OWN = {"pos", "origin", "unit", "mpp", "image", "node_id", "x", "feature_names", "cell_type", "cell_type_names"} | {
    *("patient", "step", "label_image", "edge_index", "edge_attr", "y", "class_names", "num_nodes", "builder"),
    *("edge_feature_names", "cell_type_colors", "label_columns", "batch", "ptr", "adj_t"),
}
"""Attributes of graphs."""


@dataclass(frozen=True)
class _Columns:
    """Which columns mean what, where a file has columns."""

    image: str | None
    cell_type: str | None
    label: str | None
    patient: str | None
    features: Sequence[str] | None
    position: Literal["cell", "nucleus"]
    keep: Sequence[str]


def read(
    paths: Paths,
    *,
    mpp: PerImage = None,
    unit: str | Mapping[str, str] | None = None,
    image: str | None = None,
    cell_type: str | None = None,
    label: str | None = None,
    patient: str | None = None,
    features: Sequence[str] | None = None,
    labels: str | Path | None = None,
) -> list[Data]:
    r"""A graph of the cells of each image, in micrometres, without edges but those of its file.

    Formats are told by suffix and content: QuPath (GeoJSON, tables), HoVer-Net, CellViT, TIAToolbox (.db), AnnData (.h5ad),
    label images, patch features (.h5), steinbock's folders, and tables of cells (CSV, Parquet) of Xenium, CosMx, MERSCOPE,
    MCMICRO, inForm, HALO or anything else. What was inferred and what was set aside is logged; :func:`survey` returns it.

    Each :class:`~torch_geometric.data.Data` holds ``pos`` ``[N, 2]`` float32 relative to ``origin`` ``[2]`` float64, so that
    ``origin + pos`` is x to the right and y downwards in ``unit`` (``"um"``, or ``"px"`` or ``"unknown"`` where nothing gives
    the size of a pixel); ``mpp``, micrometres per pixel, NaN if unknown; ``image``; ``node_id``, the name of each cell; and
    where there are any ``x`` ``[N, F]`` float32 with ``feature_names`` (NaN where missing), ``cell_type`` ``[N]`` int64 with
    ``cell_type_names`` (-1 where missing), ``patient``, ``y`` ``[1]`` with ``class_names``, ``edge_index``.

    Args:
        paths: a file or folder, or several.
        mpp: micrometres per pixel of the coordinates, for all images or by name.
        unit: the unit of positions, ``"um"`` or ``"px"``, where files do not say it.
        image: column that names the image of each cell, where a table holds several; ``""`` for one.
        cell_type: column of cell types.
        label: column of the label of the image.
        patient: column of the patient.
        features: measurements to keep; those that all images have if not given.
        labels: a table ``image, patient, y``; see :func:`label_images`.

    Raises:
        FileNotFoundError: a path that is not there.
        ValueError: nothing can be used, with the reasons; a column, feature or unit that is not there.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "cells.csv"
    >>> _ = path.write_text("x,y,type,area\n10,20,tumor,31.5\n14,23,stroma,27.0\n")
    >>> (graph,) = read(path, mpp=0.5)
    >>> graph.unit, (graph.origin + graph.pos).tolist(), graph.cell_type_names
    ('um', [[5.0, 10.0], [7.0, 11.5]], ['stroma', 'tumor'])
    """
    tissue = survey(
        paths,
        mpp=mpp,
        unit=unit,
        image=image,
        cell_type=cell_type,
        label=label,
        patient=patient,
        features=features,
        labels=labels,
    )
    for note in tissue.notes:
        _LOGGER.info(note)
    for each in tissue.set_aside[:20]:
        _LOGGER.warning("set aside: %s", each)
    if len(tissue.set_aside) > 20:
        _LOGGER.warning("set aside: %d more", len(tissue.set_aside) - 20)
    return tissue.graphs


def survey(
    paths: Paths,
    *,
    mpp: PerImage = None,
    unit: str | Mapping[str, str] | None = None,
    image: str | None = None,
    cell_type: str | None = None,
    label: str | None = None,
    patient: str | None = None,
    features: Sequence[str] | None = None,
    labels: str | Path | None = None,
    position: Literal["cell", "nucleus"] = "cell",
    keep: Sequence[str] = (),
) -> Tissue:
    """The graphs of :func:`read`, with what was set aside and what was inferred.

    Args:
        paths: as all others, those of :func:`read`.
        position: for QuPath's GeoJSON, the centroid of the ``"cell"`` or of its ``"nucleus"``.
        keep: further columns of tables and of AnnData, such as a compartment, which graphs have by name as lists of texts.

    Raises:
        FileNotFoundError: a path that is not there.
        ValueError: nothing can be used, with the reasons; a column, feature or unit that is not there.
    """  # fmt: skip
    if taken := _OWN & set(keep):
        raise ValueError(
            f"expected columns to keep of other names than {listed(sorted(taken))}, which graphs have already"
        )
    columns = _Columns(image, cell_type, label, patient, features, position, keep)
    files, failed = [], []
    for path in _listed(paths):
        try:
            files.append(_read_file(path, columns))
        except (ValueError, OSError, MemoryError) as error:
            failed.append(SetAside(str(path), "", _without_path(str(error) or type(error).__name__, path)))
        except Exception as error:  # whatever a library raises over a file is why that file cannot be read
            failed.append(SetAside(str(path), "", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"))
    if not files:
        raise ValueError("; ".join(map(str, failed)) if failed else "no files were given")
    tissue = to_graphs(files, mpp=mpp, unit=unit, features=features)
    tissue.set_aside.extend(failed)
    if not tissue.graphs:
        raise ValueError(f"no cells can be used: {'; '.join(map(str, tissue.set_aside[:5]))}")
    if labels is None:
        return tissue
    labelled = label_images(tissue.graphs, labels)
    if not labelled.graphs:
        raise ValueError(f"no image has a label: {'; '.join(map(str, labelled.set_aside[:5]))}")
    return Tissue(labelled.graphs, tissue.set_aside + labelled.set_aside, tissue.notes + labelled.notes)


def _listed(paths: Paths) -> list[Path]:
    """Files and folders to read; a folder that is none of a program stands for the files in it."""
    found = []
    for path in [paths] if isinstance(paths, (str, Path)) else list(paths):
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"there is no file {path}")
        if path.is_dir() and not is_steinbock(path) and path.suffix.lower() not in _REFUSED:
            inside = sorted(each for each in path.iterdir() if not each.name.startswith("."))
            found += [
                each for each in inside if each.is_file() or is_steinbock(each) or each.suffix.lower() in _REFUSED
            ]
        else:
            found.append(path)
    return found


def _without_path(text: str, path: Path) -> str:
    """What an error says of a file, without its name in front."""
    for name in (str(path), path.name):
        if text.startswith(name):
            text = text[len(name) :]
            return text[1:].strip() if text.startswith(":") else f"it{text}"
    return text


def _read_file(path: Path, columns: _Columns) -> FileCells:
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if path.is_dir() and is_steinbock(path):
        return read_steinbock(path)
    if suffix in _REFUSED:
        raise ValueError(f"{path}: {_REFUSED[suffix]}")
    if suffix in _PICKLES:
        raise ValueError(
            f"{path} is a pickle, which is not opened, as it may run anything; export JSON, GeoJSON, .h5 or a table"
        )
    reader = _reader(suffix)
    if reader is None:
        raise ValueError(
            f"{path}: the format {suffix or 'without a suffix'} is not known; expected GeoJSON, JSON, CSV, Parquet, .h5ad, "
            ".h5, .db, or a label image"
        )
    return reader(path, columns)


def _reader(suffix: str) -> Callable[[Path, _Columns], FileCells] | None:
    if suffix in (".geojson", ".json"):
        return _read_json
    if suffix in _TABLES:
        return lambda path, columns: read_table(
            path,
            image=columns.image,
            cell_type=columns.cell_type,
            label=columns.label,
            patient=columns.patient,
            keep=columns.keep,
        )
    if suffix in _IMAGES:
        return lambda path, columns: read_labels(path)
    if suffix in (".h5ad", ".h5", ".hdf5"):
        return _read_hdf5
    if suffix in (".db", ".sqlite", ".sqlite3"):
        return lambda path, columns: read_annotation_store(path)
    return None


def _read_json(path: Path, columns: _Columns) -> FileCells:
    content = load_json(path)
    if isinstance(content, dict) and "nuc" in content:
        return nuclei_of_hovernet(content, path)
    if isinstance(content, dict) and "cells" in content:
        return cells_of_cellvit(content, path)
    return cells_of_geojson(content, path, position=columns.position)


def _read_hdf5(path: Path, columns: _Columns) -> FileCells:
    if path.suffix.lower() != ".h5ad":
        return read_patches(path)
    return read_h5ad(
        path,
        image=columns.image,
        cell_type=columns.cell_type,
        label=columns.label,
        patient=columns.patient,
        features=columns.features,
        keep=columns.keep,
    )
