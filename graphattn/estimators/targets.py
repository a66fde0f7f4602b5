"""What is learned of samples: a label or values of each, or of each node of each graph; and which of them choose the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.class_weight import compute_sample_weight
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.splits import hold_out
from graphattn.models.by_name.network import Level

_MASKS = ("train_mask", "val_mask")


class Targets(NamedTuple):
    """Labels or values of each sample, a row for each graph or node, which rows choose the epoch, and how much they count."""

    rows: list[NDArray]
    level: Level = "graph"
    choosing: list[NDArray[np.bool_]] | None = None
    weights: list[NDArray] | None = None

    def of(self, positions: NDArray[np.int64]) -> Targets:
        """Those of some of the samples."""
        choosing, weights = (
            None if each is None else [each[i] for i in positions] for each in (self.choosing, self.weights)
        )
        return Targets([self.rows[i] for i in positions], self.level, choosing, weights)

    def weighted(self, sample_weight: ArrayLike | None, samples: str) -> Targets:
        """The same with the weight of each sample, which is that of all its nodes.

        Raises:
            ValueError: not as many weights as samples; weights that are negative or not finite, or all of them 0.

        >>> Targets([np.zeros((2, 1))]).weighted([3], "graphs").weights
        [array([3., 3.])]
        """
        if sample_weight is None:
            return self
        weight = np.asarray(sample_weight, dtype=np.float64)
        if weight.shape != (len(self.rows),):
            raise ValueError(f"expected a weight for each of {len(self.rows)} {samples}, got shape {weight.shape}")
        bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
        if len(bad):
            raise ValueError(f"expected weights of 0 or more, got {weight[bad[0]]} at position {bad[0]}")
        if not weight.any():
            raise ValueError(f"expected weights of which some are above zero, got {len(weight)} that are 0")
        return self._replace(weights=[np.full(len(row), w) for row, w in zip(self.rows, weight, strict=True)])

    def by_class(self, class_weight: Mapping[Any, float] | str | None, labels: NDArray, known: NDArray) -> Targets:
        """The same with weights of classes, by which those of samples are multiplied.

        Args:
            class_weight: by label, or ``balanced``, as scikit-learn takes it.
            labels: of all rows that have one.
            known: which rows have one, ``[N]``.
        """
        if class_weight is None:
            return self
        weight = np.ones(len(known))
        weight[known] = compute_sample_weight(class_weight, labels)
        if self.weights is not None:
            weight *= np.concatenate(self.weights)
        return self._replace(weights=np.split(weight, np.cumsum([len(row) for row in self.rows])[:-1]))


def of_nodes(graphs: Sequence[Any], y: Any, values: bool) -> list[NDArray] | None:
    """Labels of nodes, an array of objects for each graph; None where ``y`` is of graphs.

    Args:
        graphs: as they were given.
        y: one entry for each graph.
        values: whether numbers are learned; a table is then one of several values of each graph.

    Raises:
        ValueError: another number of labels than a graph has nodes.
    """
    if not hasattr(y, "__len__") or not len(y) or len(y) != len(graphs) or not all(map(_is_row, y)):
        return None
    rows = [np.asarray(each.tolist() if isinstance(each, Tensor) else each, dtype=object) for each in y]
    counts = [int(graph.num_nodes or 0) if isinstance(graph, Data) else None for graph in graphs]
    match = [count in (None, len(row)) for row, count in zip(rows, counts, strict=True)]
    lengths = {len(row) for row in rows}
    table = values and (isinstance(y, np.ndarray) or not all(isinstance(each, np.ndarray | Tensor) for each in y))
    if lengths == {1} or (len(lengths) == 1 and (table or not all(match))):
        return None
    if not all(match):
        k = match.index(False)
        raise ValueError(f"expected a label for each of the {counts[k]} nodes of graph {k}, got {len(rows[k])}")
    return [np.array([None if label == -100 else label for label in row], dtype=object) for row in rows]


def of_graphs_themselves(graphs: Sequence[Any], estimator: str) -> tuple[list[Any], list[NDArray[np.bool_]] | None]:
    """``y`` of graphs, and which of their nodes choose the epoch, ``val_mask``; nodes outside of both masks have no label.

    Args:
        graphs: as they were given.
        estimator: its name, for messages.

    Raises:
        ValueError: a graph without ``y``; masks of several divisions.
    """
    y, choosing, masked = list[Any](), list[NDArray[np.bool_]](), False
    for k, graph in enumerate(graphs):
        held = graph.y if isinstance(graph, Data) else None
        if held is None:
            why = f"{estimator} requires y to be passed, but the target y is None"
            raise ValueError(f"{why}: expected labels in each graph then, got none in graph {k}")
        row = np.asarray(held.tolist() if isinstance(held, Tensor) else held, dtype=object)
        row = row[0] if row.ndim == 2 and len(row) == 1 else row.reshape(-1)
        masks = {name: graph[name].numpy().astype(bool) for name in _MASKS if name in graph}
        for name, mask in masks.items():
            if mask.shape != row.shape:
                raise ValueError(f"expected {name} of {len(row)} nodes in graph {k}, got {list(mask.shape)}")
        if "train_mask" in masks:
            row[~np.logical_or.reduce(list(masks.values()))] = None
        choosing.append(masks.get("val_mask", np.zeros(len(row), dtype=bool)))
        masked |= "val_mask" in masks
        y.append(row)
    one = all(len(row) == 1 for row in y)
    return [row[0] for row in y] if one else y, choosing if masked and not one else None


def _is_row(each: Any) -> bool:
    if isinstance(each, np.ndarray | Tensor):
        return each.ndim == 1 and len(each) > 0
    return isinstance(each, list | tuple) and len(each) > 0 and not any(map(_is_row, each))


def nodes_held_out(
    known: list[NDArray[np.bool_]], choosing: list[NDArray[np.bool_]] | None, seed: int
) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.bool_]]]:
    """Which nodes of each graph are trained on, and which choose the epoch: those given, or a tenth; of very few all do both."""
    ends = np.cumsum([len(each) for each in known])[:-1]
    flat = np.concatenate(known)
    chosen = np.zeros(len(flat), dtype=bool) if choosing is None else np.concatenate(choosing) & flat
    if not chosen.any():
        rows = np.flatnonzero(flat)
        train, validation = hold_out(list(map(str, rows)), None, seed)
        if len(train) == len(rows):
            return known, known
        chosen[rows[validation]] = True
    return np.split(flat & ~chosen, ends), np.split(chosen, ends)
