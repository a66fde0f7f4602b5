"""What layers are compared on: graphs, what is to be learned of them, and what is known about the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.splits import Split
from graphattn.models.by_name.network import Level

Target = Literal["binary", "multiclass", "regression"]


@final
@dataclass(frozen=True)
class Problem:
    """Graphs and what is to be learned of them.

    Each graph is a PyG ``Data``: ``x`` are numbers ``[n, F]`` (float) or categories ``[n, columns]`` (int64);
    ``edge_index [2, K]`` in both directions of an undirected edge, without self-loops; optionally ``edge_attr``, numbers or
    categories as well, ``pos [n, D]``, and ``true_edge [K]`` (bool), the edges that decide, where that is known. ``y`` is ``[1]``
    or, for nodes, ``[n]``: a class number (int64) or a value (float); a node with ``y`` -100 or NaN has no label.

    Args:
        name: as in tables.
        graphs: all of them, of every part.
        target: ``binary``, ``multiclass`` or ``regression``.
        classes: their names, in order of their numbers; none for regression.
        level: whether labels are of graphs or of nodes.
        groups: graphs of one group stay in one part (a patient); none if all are free.
        smiles: of the molecules, for fingerprints; none if the graphs are something else.
        splits: given parts, numbers of graphs (of nodes where :attr:`transductive`); none if parts are drawn.
        tables: features ``[graphs, columns]`` of whole graphs by name, on which further baselines are fitted.
        notes: what a reader has to know: rows that were set aside and why, where the data come from.

    Raises:
        ValueError: no graph; another number of labels, groups or SMILES than of graphs; groups of one graph whose nodes are
            divided; fewer classes than two, a class of which there is none, a number that is no class; a regression with classes
            or with one value only; a given part that is empty, that shares something with another, or that names what there is
            not.

    >>> pair = torch.tensor([[0, 1], [1, 0]])
    >>> graphs = [Data(x=torch.rand(2, 3), edge_index=pair, y=torch.tensor([k % 2])) for k in range(4)]
    >>> problem = Problem("pairs", graphs, "binary", ("no", "yes"))
    >>> problem.outputs, problem.measure, problem.labels()
    (2, 'ROC-AUC', array([0., 1., 0., 1.]))
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
    tables: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.graphs):
            raise ValueError(f"expected graphs to learn from, got none in {self.name!r}")
        tables = [(f"rows of {name!r}", table) for name, table in self.tables.items()]
        for what, held in (("groups", self.groups), ("SMILES", self.smiles), *tables):
            if held is not None and len(held) != len(self.graphs):
                raise ValueError(f"expected as many {what} as graphs, got {len(held)} for {len(self.graphs)}")
        if self.transductive and self.groups is not None:
            raise ValueError(
                f"expected graphs to keep together in groups, got one graph, {self.name}, whose nodes are divided"
            )
        labels = self.labels()
        if self.level == "graph" and len(labels) != len(self.graphs):
            raise ValueError(f"expected one y for each of {len(self.graphs)} graphs, got {len(labels)}")
        _check_answers(self.target, self.classes, self.known_labels())
        for number, split in enumerate(self.splits or ()):
            _check_split(number, split, len(labels) if self.transductive else len(self.graphs))

    @property
    def transductive(self) -> bool:
        """Whether parts are of nodes, those of the only graph there is. Else they are of whole graphs."""
        return self.level == "node" and len(self.graphs) == 1

    @property
    def outputs(self) -> int:
        """Number of outputs for each graph or node: one for each class, or one value."""
        return 1 if self.target == "regression" else len(self.classes)

    @property
    def measure(self) -> str:
        """The score of tables; more is better."""
        return {"binary": "ROC-AUC", "multiclass": "accuracy", "regression": "R2"}[self.target]

    def labels(self) -> NDArray[np.float64]:
        """``y`` of all graphs, ``[graphs]``, or of all nodes one graph behind the other, ``[N]``."""
        return np.concatenate([data["y"].reshape(-1).double().numpy() for data in self.graphs])

    def known_labels(self) -> NDArray[np.float64]:
        """Labels that are known: neither NaN nor, for classes, -100."""
        labels = self.labels()
        return labels[~np.isnan(labels) & ((labels != -100) | (self.target == "regression"))]


def _check_answers(target: Target, classes: Sequence[str], known: NDArray[np.float64]) -> None:
    if target == "regression":
        if classes or len(np.unique(known)) < 2:
            values = ", ".join(f"{value:g}" for value in np.unique(known)[:2]) or "none"
            raise ValueError(f"expected values that differ and no classes, got values {values} and classes {classes}")
        return
    if len(classes) < 2 or (target == "binary" and len(classes) > 2):
        wanted = "two classes" if target == "binary" else "two classes or more"
        raise ValueError(f"expected {wanted}, got {len(classes)}: {', '.join(classes)}")
    unknown = known[~np.isin(known, np.arange(len(classes)))]
    if len(unknown):
        raise ValueError(f"expected class numbers below {len(classes)}, got {unknown[0]:g}")
    absent = sorted(set(range(len(classes))) - set(known.astype(int).tolist()))
    if absent:
        raise ValueError(f"expected examples of every class, got none of {', '.join(classes[k] for k in absent)}")


def _check_split(number: int, split: Split, count: int) -> None:
    rows, times = np.unique(np.concatenate(split), return_counts=True)
    strange, twice = rows[(rows < 0) | (rows >= count)], rows[times > 1]
    if len(strange) or len(twice) or not all(map(len, split)):
        found = f"{strange[0]}" if len(strange) else f"{twice[0]} twice" if len(twice) else "an empty part"
        raise ValueError(f"expected parts of the given split {number} to share the numbers below {count}, got {found}")
