"""What layers are compared on: graphs, what is to be learned of them, and what is known about the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.splits import Split

Target = Literal["binary", "multiclass", "regression"]
Level = Literal["graph", "node"]


@final
@dataclass(frozen=True)
class Problem:
    """Graphs and what is to be learned of them.

    Each graph is a PyG ``Data``: ``x`` are numbers ``[n, F]`` (float) or categories ``[n, columns]`` (int64); ``edge_index [2, K]``
    in both directions of an undirected edge, without self-loops; optionally ``edge_attr``, numbers or categories as well,
    ``pos [n, D]``, and ``true_edge [K]`` (bool), the edges that decide, where that is known. ``y`` is ``[1]`` or, for nodes,
    ``[n]``: a class number (int64) or a value (float); a node with ``y`` -100 or NaN is not asked.

    Args:
        name: as in tables.
        graphs: all of them, of every part.
        target: ``binary``, ``multiclass`` or ``regression``.
        classes: their names, in order of their numbers; none for regression.
        level: whether whole graphs or nodes are asked.
        groups: graphs of one group stay in one part (a scaffold); none if all are free.
        smiles: of the molecules, for fingerprints; none if the graphs are something else.
        splits: given parts; none if parts are drawn.
        notes: what a reader has to know: rows that were set aside and why, where the data come from.

    Raises:
        ValueError: no graph; a class of which there is none or only one class; as many groups, SMILES, ... as there are graphs
            are expected.
    """

    name: str
    graphs: Sequence[Data]
    target: Target
    classes: tuple[str, ...] = ()
    level: Level = "graph"
    groups: Sequence[str] | None = None
    smiles: Sequence[str] | None = None
    splits: Sequence[Split] | None = None
    notes: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Numbers that a network says about each graph or node: one for each class, one value."""
        return 1 if self.target == "regression" else len(self.classes)

    @property
    def measure(self) -> str:
        """The score of tables; more is better."""
        return {"binary": "ROC-AUC", "multiclass": "accuracy", "regression": "R2"}[self.target]

    def labels(self) -> NDArray[np.float64]:
        """``y`` of all graphs, ``[graphs]``, or of all nodes one graph behind the other, ``[N]``."""
        return np.concatenate([data["y"].reshape(-1).double().numpy() for data in self.graphs])
