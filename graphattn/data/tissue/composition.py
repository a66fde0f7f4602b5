"""What a tissue graph consists of, without a network: how many cells, which, how spread and spaced, and who neighbours whom.

Baselines that every model of tissue has to be compared with. Letters: ``N`` cells, ``F`` measurements, ``T`` types of cells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch_geometric.data import Data

Floats = NDArray[np.float64]


def cell_count(graph: Data) -> Floats:
    """Logarithm of the number of cells, ``[1]``.

    >>> import torch
    >>> cell_count(Data(pos=torch.zeros(1, 2))).tolist()
    [0.0]
    """
    return np.log([float(len(graph["pos"]))])


def composition(graph: Data) -> Floats:
    """Mean of each measurement, and the share of each type among all cells, ``[F + T]``; NaN where no cell has a value.

    >>> import torch
    >>> graph = Data(x=torch.tensor([[1.0], [3.0]]), cell_type=torch.tensor([1, -1]), cell_type_names=["b", "t"])
    >>> composition(graph).tolist()
    [2.0, 0.0, 0.5]
    """
    x = _measurements(graph)
    known = ~np.isnan(x)
    sums = np.where(known, x, 0).sum(axis=0)
    means = np.divide(sums, known.sum(axis=0), out=np.full(x.shape[1], np.nan), where=known.any(axis=0))
    return np.concatenate([means, _types(graph).mean(axis=0)])


def spread(graph: Data) -> Floats:
    """:func:`composition`, the standard deviation of each measurement, and mean and standard deviation of the distance to the
    nearest cell, ``[2 F + T + 2]``.

    >>> import torch
    >>> spread(Data(pos=torch.tensor([[0.0, 0.0], [0.0, 5.0]]), x=torch.tensor([[1.0], [3.0]]))).tolist()
    [2.0, 1.0, 5.0, 0.0]
    """
    x = _measurements(graph)
    known = ~np.isnan(x)
    count = known.sum(axis=0)
    mean = np.where(known, x, 0).sum(axis=0) / np.maximum(count, 1)
    square = np.where(known, (x - mean) ** 2, 0).sum(axis=0) / np.maximum(count, 1)
    return np.concatenate([composition(graph), np.where(count > 0, np.sqrt(square), np.nan), _spacing(graph)])


def mixing(graph: Data) -> Floats:
    """Share of each pair of types among the edges between cells with a type, in either order, ``[T (T + 1) / 2]``.

    Pairs go by the number of the types: (0, 0), (0, 1), ..., (1, 1), ...; NaN without such edges.

    >>> import torch
    >>> pair = torch.tensor([[0, 1, 0], [1, 0, 2]])
    >>> mixing(Data(cell_type=torch.tensor([0, 1, 0]), cell_type_names=["b", "t"], edge_index=pair)).round(2).tolist()
    [0.33, 0.67, 0.0]
    """
    number = len(graph.get("cell_type_names") or ())
    pairs = np.zeros((number, number))
    if number and graph.edge_index is not None:
        ends = np.sort(graph["cell_type"].numpy()[graph["edge_index"].numpy()], axis=0)
        low, high = ends[:, ends[0] >= 0]
        np.add.at(pairs, (low, high), 1)
    shares = pairs[np.triu_indices(number)]
    return shares / shares.sum() if shares.sum() else np.full(len(shares), np.nan)


SUMMARIES: dict[str, Callable[[Data], Floats]] = {
    "number of cells": cell_count,
    "composition": composition,
    "composition with spread and spacing": spread,
    "type mixing": mixing,
}
"""By name."""


def summaries(graphs: list[Data]) -> dict[str, Floats]:
    """Tables ``[graphs, columns]`` of :data:`SUMMARIES`, without those that no graph has anything for."""
    tables = {name: np.stack([summary(graph) for graph in graphs]) for name, summary in SUMMARIES.items()}
    return {name: table for name, table in tables.items() if table.shape[1] and np.isfinite(table).any()}


def _measurements(graph: Data) -> Floats:
    return np.empty((len(graph["pos"]) if "pos" in graph else 0, 0)) if graph.x is None else graph.x.double().numpy()


def _types(graph: Data) -> Floats:
    """A column of 0 and 1 for each type."""
    names = graph.get("cell_type_names") or ()
    return (
        np.eye(len(names))[graph["cell_type"].numpy()] * (graph["cell_type"].numpy() >= 0)[:, None]
        if names
        else np.empty((graph.num_nodes or 0, 0))
    )


def _spacing(graph: Data) -> Floats:
    places = graph["pos"].double().numpy()
    if len(places) < 2:
        return np.full(2, np.nan)
    nearest = np.asarray(KDTree(places).query(places, k=2)[0])[:, 1]
    return np.array([nearest.mean(), nearest.std()])
