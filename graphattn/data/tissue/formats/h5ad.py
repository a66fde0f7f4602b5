"""Cells of AnnData files, of squidpy, spatialdata, steinbock and scimap."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphattn.data.columns import pick
from graphattn.data.tissue.cells import FileCells, Floats, ImageCells, SetAside
from graphattn.data.tissue.formats.tables import image_of
from graphattn.data.tissue.numbers import (
    IMAGES,
    PATIENTS,
    POSITIONS,
    TYPES,
    decimal_comma,
    is_measurement,
    plain_header,
    to_numbers,
)
from graphattn.data.wording import listed

_MOST_VARIABLES = 1000


def read_h5ad(
    path: str | Path,
    *,
    image: str | None = None,
    cell_type: str | None = None,
    label: str | None = None,
    patient: str | None = None,
    features: Sequence[str] | None = None,
    keep: Sequence[str] = (),
) -> FileCells:
    """The cells of an AnnData file (.h5ad), which the package anndata reads.

    Positions are ``obsm["spatial"]``, or columns of ``obs`` such as steinbock's ``centroid-1`` and ``centroid-0``; edges are
    those of ``spatial_connectivities`` or ``adj``, never those of neighbours in expression. Measurements are the variables, and
    the numbers in ``obs``.

    Args:
        path: the file.
        image: column of ``obs`` that names the image of each cell; inferred from ``uns`` or by name, ``""`` if all cells are of
            one.
        cell_type: column of cell types.
        label: column of the label of the image.
        patient: column of the patient.
        features: the variables to read; all if not given, none if there are more than 1,000.
        keep: further columns of ``obs``, kept as texts of the cells.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no AnnData, anndata is not installed, a column that was named is not there, or nothing says where
            cells are.
    """
    path = Path(path)
    content, notes = _load(path), []
    roles = _roles(content, {"image": image, "cell_type": cell_type, "label": label, "patient": patient}, notes, path)
    position, unit = _position(content, path, notes)
    kept = [pick({str(name): () for name in content.obs.columns}, name, path) for name in keep]
    names, values = _features(content, {*roles.values(), *kept}, features, notes, path)
    edges = _edges(content, notes, path)
    idents_of, unit = _written_by_us(content, unit)
    obs, found, set_aside = content.obs, [], []
    for name, rows in _by_image(obs, roles["image"], image_of(path)).items():
        if not name:
            set_aside += [SetAside(path.name, str(obs.index[row]), "it names no image") for row in rows]
            continue
        idents = [str(idents_of[row]) for row in rows]
        cells = ImageCells(name, path.name, position[rows], idents, names, values[rows], unit=unit)
        cells.cell_type = _texts(obs, roles["cell_type"], rows)
        cells.texts = {column: _texts(obs, column, rows) for column in kept}
        for what in ("label", "patient"):
            where = SetAside(path.name, f"image {name!r}", f"its cells have several values of {what}")
            setattr(cells, what, _shared(obs, roles[what], rows, where, set_aside))
        cells.edge_index = None if edges is None else _within(edges, rows, len(obs))
        cells.place = idents.__getitem__
        found.append(cells)
    if edges is not None:
        across = edges.shape[1] - sum(cells.edge_index.shape[1] for cells in found)
        notes += [f"{path.name}: {across:,} edges between images were left out"] if across else []
    return FileCells(found, set_aside, notes)


def _written_by_us(content: Any, unit: str) -> tuple[Sequence[Any], str]:
    """Names of cells and the unit of positions; those that :func:`write_h5ad` wrote are in a column and in ``uns``."""
    about = content.uns.get("graphattn")
    if not isinstance(about, Mapping) or "cell_id" not in content.obs:
        return content.obs.index, unit
    return content.obs["cell_id"].astype(object).tolist(), str(about.get("unit", unit))


def _roles(content: Any, given: Mapping[str, str | None], notes: list[str], path: Path) -> dict[str, str | None]:
    """The columns of ``obs`` that are given, those that ``uns`` names, or those that have the words of programs as names."""
    plain = {str(name): plain_header(str(name)).name for name in content.obs.columns}
    known = {"image": IMAGES, "cell_type": TYPES, "patient": PATIENTS, "label": ()}
    columns = dict.fromkeys(plain, ())
    roles = {}
    for what, words in known.items():
        wanted = given[what]
        found = pick(columns, wanted, path) if wanted else None
        if wanted is None:
            found = (_image_column(content, notes, path) if what == "image" else None) or next(
                (name for word in words for name in plain if plain[name] == word), None
            )
        roles[what] = found
    return roles


def _load(path: Path) -> Any:
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        import anndata
    except ImportError:
        raise ValueError(
            f"{path}: AnnData files are read by the package anndata; pip install 'graphattn[tissue]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return anndata.read_h5ad(path)
    except Exception as error:
        raise ValueError(f"{path} is no AnnData file: {' '.join(str(error).split())[:200]}") from None


def _position(content: Any, path: Path, notes: list[str]) -> tuple[Floats, str]:
    """Positions ``[N, 2]`` and their unit (``""`` if unknown)."""
    obs, plain = content.obs, {plain_header(str(name)): str(name) for name in content.obs.columns}
    rows_and_columns = [plain.get(plain_header(name)) for name in ("centroid-0", "centroid-1")]
    if "spatial" in content.obsm:
        spatial = np.asarray(content.obsm["spatial"], dtype=np.float64)
        if spatial.ndim != 2 or spatial.shape[1] not in (2, 3):
            raise ValueError(f"{path}: expected obsm['spatial'] of 2 or 3 columns, got the shape {spatial.shape}")
        if spatial.shape[1] == 3:
            depths = np.unique(spatial[np.isfinite(spatial[:, 2]), 2])
            more = (
                "" if len(depths) < 2 else f"; cells are at {len(depths):,} depths: give image= if these are sections"
            )
            notes.append(f"{path.name}: z was left out{more}")
        spatial = spatial[:, :2]
        if None not in rows_and_columns and np.allclose(
            spatial, obs[rows_and_columns].to_numpy(np.float64), equal_nan=True
        ):
            notes.append(
                f"{path.name}: obsm['spatial'] holds row and column (centroid-0, centroid-1): x and y were exchanged"
            )
            spatial = spatial[:, ::-1].copy()
        return spatial, "px" if None not in rows_and_columns else ""
    for words in POSITIONS:
        for unit in ("um", "px", ""):
            pair = [next((plain[header] for header in plain if header == (word, unit)), None) for word in words]
            if None not in pair:
                notes.append(f"{path.name}: positions from obs, {listed(map(str, pair))}")
                return np.stack([_numbers(obs[name]) for name in pair], axis=1), unit or (
                    "px" if words[0] == "centroid 1" else ""
                )
    raise ValueError(
        f"{path}: nothing says where cells are: expected obsm['spatial'], or columns of obs such as x and y. obsm has "
        f"{listed(map(str, content.obsm.keys())) or 'nothing'}, obs has {listed(map(str, obs.columns)) or 'nothing'}"
    )


def _numbers(column: pd.Series) -> Floats:
    """A column as numbers, also if it holds texts; NaN of what is no number."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64)
    texts = ["" if pd.isna(value) else str(value) for value in column.astype(object).tolist()]
    numbers = to_numbers(texts, comma=decimal_comma([texts]), strict=True)
    return np.full(len(texts), np.nan) if numbers is None else numbers.values


def _image_column(content: Any, notes: list[str], path: Path) -> str | None:
    """The column of images that ``uns`` names: spatialdata's region key, or the one whose values squidpy's keys are."""
    about, library = content.uns.get("spatialdata_attrs"), content.uns.get("spatial")
    column = str(about.get("region_key")) if isinstance(about, Mapping) else None
    if column is None and isinstance(library, Mapping):
        keys = set(map(str, library))
        words = [name for name in content.obs.columns if set(map(str, content.obs[name].dropna().unique())) == keys]
        column = str(words[0]) if words else None
    if column not in content.obs.columns:
        return None
    notes.append(f"{path.name}: images from column {column!r} of obs, as uns says")
    return column


def _by_image(obs: pd.DataFrame, column: str | None, otherwise: str) -> dict[str, list[int]]:
    if column is None:
        return {otherwise: list(range(len(obs)))}
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(obs[column].astype(object).tolist()):
        rows.setdefault("" if pd.isna(name) else str(name), []).append(row)
    return rows


def _texts(obs: pd.DataFrame, column: str | None, rows: Sequence[int]) -> list[str]:
    if column is None:
        return [""] * len(rows)
    return ["" if pd.isna(value) else str(value) for value in obs[column].astype(object).iloc[list(rows)].tolist()]


def _shared(
    obs: pd.DataFrame, column: str | None, rows: Sequence[int], where: SetAside, set_aside: list[SetAside]
) -> str | None:
    """What all cells of an image have in a column; none, and said, if they differ."""
    different = sorted(set(_texts(obs, column, rows)) - {""})
    if len(different) > 1:
        set_aside.append(where._replace(reason=f"{where.reason}: {listed(different)}; it has none"))
    return different[0] if len(different) == 1 else None


def _features(
    content: Any, taken: set[str | None], wanted: Sequence[str] | None, notes: list[str], path: Path
) -> tuple[tuple[str, ...], Floats]:
    """Names and values of the variables, and of the columns of ``obs`` that are measurements."""
    variables = [str(name) for name in content.var_names]
    chosen = [at for at, name in enumerate(variables) if wanted is None or name in wanted]
    if wanted is None and len(variables) > _MOST_VARIABLES:
        notes.append(f"{path.name}: its {len(variables):,} variables were left out; name those to read with features=")
        chosen = []
    matrix: Any = content.X[:, chosen] if content.X is not None and chosen else np.empty((content.n_obs, 0))
    matrix = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    chosen = chosen if matrix.shape[1] else []
    frame = content.obs
    measured = [
        str(name)
        for name in frame.columns
        if name not in taken
        and pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and is_measurement(str(name))
    ]
    numbers = frame[measured].to_numpy(np.float64) if measured else np.empty((len(frame), 0))
    return (*(variables[at] for at in chosen), *measured), np.concatenate([matrix.astype(np.float64), numbers], axis=1)


def _edges(content: Any, notes: list[str], path: Path) -> NDArray[np.int64] | None:
    """Edges between neighbours in space; entry ``[receiver, sender]``."""
    about = content.uns.get("spatial_neighbors")
    key = str(about.get("connectivities_key")) if isinstance(about, Mapping) else "spatial_connectivities"
    name = next((name for name in (key, "spatial_connectivities", "adj") if name in content.obsp), None)
    if name is None:
        return None
    matrix: Any = content.obsp[name]
    receiver, sender = matrix.nonzero()
    notes.append(f"{path.name}: {len(receiver):,} edges from obsp[{name!r}]")
    return np.stack([sender, receiver]).astype(np.int64)


def _within(edges: NDArray[np.int64], rows: Sequence[int], count: int) -> NDArray[np.int64]:
    number = np.full(count, -1)
    number[list(rows)] = np.arange(len(rows))
    ends = number[edges]
    return ends[:, (ends >= 0).all(axis=0)]
