"""Cells of graphs, with what a model says of them, back into the programs that they came from."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphattn import files

Scores = Mapping[str, Tensor | NDArray[Any] | Sequence[float]]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#5f6b77", "#7e5ab5", "#8a6048")
"""Colours of types that people who see no red or green tell apart (Okabe and Ito 2008), and four more."""


def type_colors(graph: Data) -> dict[str, str]:
    """Colour of each type of cell, ``"#rrggbb"``: that of its file, else of :data:`PALETTE`."""
    given = graph.get("cell_type_colors") or {}
    names = graph.get("cell_type_names") or []
    return {name: given.get(name, PALETTE[at % len(PALETTE)]) for at, name in enumerate(names)}


def positions(graph: Data, *, pixels: bool = False) -> NDArray[np.float64]:
    """Where cells are, ``[N, 2]`` float64: in the unit of the graph, or in the pixels of its file.

    Raises:
        ValueError: pixels are asked for, and their size is not known.

    >>> positions(Data(pos=torch.zeros(1, 2), origin=torch.tensor([5.0, 6.0]), mpp=0.5, unit="um"), pixels=True).tolist()
    [[10.0, 12.0]]
    """
    there = graph["pos"].double().numpy() + (graph["origin"].double().numpy() if "origin" in graph else 0.0)
    if not pixels or graph.get("unit") != "um":
        return there
    mpp = graph.get("mpp")
    if mpp is None or not math.isfinite(mpp):
        raise ValueError(
            f"image {graph.get('image')!r} is in micrometres and says no pixel size; give mpp= when it is read"
        )
    return there / mpp


def write_geojson(graph: Data, path: str | Path, scores: Scores | None = None) -> Path:
    """Write cells as points for QuPath (File > Import objects): class, colour, and measurements with ``scores`` among them.

    Positions are pixels. An id that is no UUID becomes the name, as QuPath takes UUIDs alone; numbers that are not finite are
    left out.

    Args:
        graph: of :func:`read`.
        path: the file.
        scores: numbers of each cell to add, by name, each ``[N]``.

    Raises:
        ValueError: the size of pixels is not known, or scores are not one for each cell.

    >>> import tempfile
    >>> graph = Data(pos=torch.zeros(1, 2), origin=torch.tensor([5.0, 6.0]), unit="px", node_id=["7"], image="a")
    >>> path = write_geojson(graph, Path(tempfile.mkdtemp()) / "cells.geojson", {"score": [0.5]})
    >>> json.loads(path.read_text())["features"][0]["properties"]
    {'objectType': 'detection', 'name': '7', 'measurements': {'score': 0.5}}
    """
    places, added = positions(graph, pixels=True), _checked(graph, scores)
    measured, colors, types = _measurements(graph, added), type_colors(graph), _types(graph)
    features = []
    for at, ident in enumerate(_idents(graph)):
        properties: dict[str, Any] = {"objectType": "detection"}
        if not _UUID.fullmatch(ident):
            properties["name"] = ident
        if types[at]:
            rgb = [int(colors[types[at]][place : place + 2], 16) for place in (1, 3, 5)]
            properties["classification"] = {"name": types[at], "color": rgb}
        if values := {name: float(column[at]) for name, column in measured.items() if math.isfinite(column[at])}:
            properties["measurements"] = values
        features.append(
            {
                "type": "Feature",
                "id": ident
                if _UUID.fullmatch(ident)
                else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{graph.get('image')}/{ident}")),
                "geometry": {"type": "Point", "coordinates": places[at].tolist()},
                "properties": properties,
            }
        )
    content = {"type": "FeatureCollection", "graphattn": {"ids": "name"}, "features": features}
    return _write(path, json.dumps(content, allow_nan=False) + "\n")


def write_tiaviz(graph: Data, path: str | Path, scores: Scores | None = None) -> Path:
    """Write a graph as JSON for TIAToolbox's viewer: ``edge_index``, ``coordinates`` in pixels, ``feats`` and their names,
    ``score``.

    The first of ``scores`` is the score. Numbers that are not finite are written as 0, as the viewer knows no gaps.

    Raises:
        ValueError: the size of pixels is not known, or scores are not one for each cell.
    """
    added = _checked(graph, scores)
    measured = _measurements(graph, added)
    edges = torch.zeros(2, 0, dtype=torch.long) if graph.edge_index is None else graph["edge_index"]
    content: dict[str, Any] = {"edge_index": edges.tolist(), "coordinates": positions(graph, pixels=True).tolist()}
    table = np.stack(list(measured.values()), axis=1) if measured else np.empty((len(graph["pos"]), 0))
    content |= {"feats": np.nan_to_num(table, nan=0, posinf=0, neginf=0).tolist(), "feat_names": list(measured)}
    if added:
        content["score"] = np.nan_to_num(next(iter(added.values())), nan=0, posinf=0, neginf=0).tolist()
    return _write(path, json.dumps(content, allow_nan=False) + "\n")


def write_csv(graph: Data, path: str | Path, scores: Scores | None = None) -> Path:
    """Write a table, one row a cell: image, id, x and y in the unit of the graph, type, measurements and ``scores``.

    :func:`read` reads it back with the same cells and positions.

    Raises:
        ValueError: scores are not one for each cell.
    """
    measured, places, types = _measurements(graph, _checked(graph, scores)), positions(graph), _types(graph)
    unit = f" {graph['unit']}" if graph.get("unit") in ("um", "px") else ""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["image", "cell_id", f"x{unit}", f"y{unit}", *(["cell_type"] if any(types) else []), *measured])
    for at, ident in enumerate(_idents(graph)):
        numbers = [repr(float(column[at])) if math.isfinite(column[at]) else "" for column in measured.values()]
        kind = [types[at]] if any(types) else []
        writer.writerow([graph.get("image", ""), ident, *map(repr, places[at].tolist()), *kind, *numbers])
    return _write(path, lines.getvalue())


def write_h5ad(graphs: Sequence[Data], path: str | Path, scores: Sequence[Scores] | None = None) -> Path:
    """Write the cells of several images as AnnData: ``obs`` with image, type and ``scores``, ``obsm["spatial"]``, ``X``, and
    edges.

    Args:
        graphs: with the same measurements.
        path: the file.
        scores: those of each graph.

    Raises:
        ValueError: anndata is not installed, graphs have other measurements than the first, or scores are not one for each cell.
    """
    try:
        import anndata
    except ImportError:
        raise ValueError("AnnData files are written by the package anndata; pip install 'graphattn[tissue]'") from None
    import pandas as pd
    import scipy.sparse

    if not graphs or (scores is not None and (isinstance(scores, Mapping) or len(scores) != len(graphs))):
        got = "none" if scores is None else f"{len(scores)} in a {type(scores).__name__}"
        raise ValueError(
            f"expected at least one graph, and a list of scores for each, got {len(graphs)} graphs, scores: {got}"
        )
    names = [list(graph.get("feature_names") or []) for graph in graphs]
    if strange := next((at for at, each in enumerate(names) if each != names[0]), None):
        raise ValueError(
            f"expected the measurements {names[0]} of graph 0 in all, got {names[strange]} in graph {strange}"
        )
    x = [graph["x"].numpy() if names[0] else np.empty((len(graph["pos"]), 0), np.float32) for graph in graphs]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # anndata writes no texts that pandas keeps in Arrow.
        with pd.option_context("future.infer_string", False):
            variables = pd.DataFrame(index=pd.Index(names[0] if names else [], dtype=object))
            obs = _obs(graphs, scores or [{} for _ in graphs])
            content = anndata.AnnData(np.concatenate(x), obs=obs, var=variables)
            content.uns["graphattn"] = {"unit": str(graphs[0].get("unit", ""))}
            content.obsm["spatial"] = np.concatenate([positions(graph) for graph in graphs])
            if any(graph.edge_index is not None for graph in graphs):
                matrices = [_matrix(graph) for graph in graphs]
                content.obsp["spatial_connectivities"] = scipy.sparse.block_diag(matrices, format="csr")
            content.write_h5ad(partial)
    partial.replace(path)
    return path


def _obs(graphs: Sequence[Data], scores: Sequence[Scores]) -> Any:
    """A row a cell: its image, its type, and scores."""
    import pandas as pd

    frames = []
    for graph, added in zip(graphs, scores, strict=True):
        image = str(graph.get("image", ""))
        if taken := {"image", "cell_id", "cell_type"} & set(added):
            raise ValueError(f"expected scores of other names than image, cell_id and cell_type, got {sorted(taken)}")
        columns: dict[str, Any] = {"image": [image] * len(graph["pos"]), "cell_id": _idents(graph)}
        if any(types := _types(graph)):
            columns["cell_type"] = [kind or None for kind in types]
        index = pd.Index([f"{image}/{ident}" for ident in _idents(graph)], dtype=object)
        frames.append(pd.DataFrame({**columns, **_checked(graph, added)}, index=index))
    obs = pd.concat(frames)
    obs["cell_id"] = obs["cell_id"].astype(object)
    for column in {"image", "cell_type"} & set(obs):
        obs[column] = pd.Categorical(obs[column].astype(object))
    return obs


def _matrix(graph: Data) -> Any:
    """Entry ``[receiver, sender]`` for each edge."""
    import scipy.sparse

    sender, receiver = (torch.zeros(2, 0).long() if graph.edge_index is None else graph["edge_index"]).numpy()
    ones = np.ones(len(sender), dtype=np.float32)
    return scipy.sparse.coo_matrix((ones, (receiver, sender)), shape=(len(graph["pos"]), len(graph["pos"])))


def _write(path: str | Path, text: str) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text)
    return path


def _idents(graph: Data) -> list[str]:
    return list(graph.get("node_id") or map(str, range(len(graph["pos"]) or 0)))


def _types(graph: Data) -> list[str]:
    names = graph.get("cell_type_names")
    return (
        [names[at] if at >= 0 else "" for at in graph["cell_type"].tolist()]
        if names
        else [""] * (len(graph["pos"]) or 0)
    )


def _measurements(graph: Data, added: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    names = graph.get("feature_names") or []
    return {name: graph["x"][:, at].double().numpy() for at, name in enumerate(names)} | dict(added)


def _checked(graph: Data, scores: Scores | None) -> dict[str, NDArray[np.float64]]:
    found = {}
    if not isinstance(scores or {}, Mapping):
        raise TypeError(f"expected scores by name, as {{'risk': values}}, got {type(scores).__name__}")
    for name, values in (scores or {}).items():
        column = np.asarray(values.detach().cpu().double() if isinstance(values, Tensor) else values, dtype=np.float64)
        if column.shape != (len(graph["pos"]),):
            raise ValueError(f"expected {name} of shape ({len(graph['pos'])},), one for each cell, got {column.shape}")
        found[name] = column
    return found
