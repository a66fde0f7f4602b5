"""A problem from a list of PyG graphs or a PyG dataset, of graphs or of nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem, Target
from graphattn.comparison.problems.targets import read_targets
from graphattn.data import splits
from graphattn.data.graphs import READ_BY_SOME, Form, gaps, misfits, plain, set_aside
from graphattn.data.groups import group_keys
from graphattn.data.splits import Split

_WEIGHTS = (
    "edges have weights: gcn multiplies by them on edges, edges+hub and shuffled; edge_attention reads them as a feature of "
    "edges that have no categories; the other layers, and gcn on full, do not use them"
)
_MASKS = ("train_mask", "val_mask", "test_mask")


def problem_of_graphs(
    graphs: Iterable[Any],
    name: str = "graphs",
    target: int | None = None,
    task: Target | None = None,
    reads: Collection[str] = READ_BY_SOME,
    groups: ArrayLike | None = None,
) -> Problem:
    """The problem that graphs pose by their ``y``. Single graphs that cannot be used are set aside and named in the notes.

    Nodes of one graph with ``train_mask``, ``val_mask`` and ``test_mask`` (``[n]`` or ``[n, folds]``) have given parts.

    Args:
        graphs: a list, or a PyG dataset. They are not changed.
        name: as in tables.
        target: which of several targets in ``y``, from 0.
        task: what they are, see :func:`~graphattn.comparison.problems.targets.read_targets`.
        reads: what the layers read of edges, and so what is demanded of graphs, see
            :attr:`~graphattn.models.by_name.topologies.Configuration.reads`.
        groups: a label for each graph, or the name of an attribute of graphs; graphs of one group stay in one part.

    Raises:
        ValueError: half of the graphs or more cannot be used, and as :class:`Problem` and ``read_targets`` do.

    >>> graphs = [Data(x=torch.rand(2, 3), y=torch.tensor([k % 2])) for k in range(4)]
    >>> problem_of_graphs(graphs).notes
    ('graphs have no edge_index: no edges',)
    """
    held = list(graphs)
    if not held:
        raise ValueError("expected graphs to learn from, got none")
    keys = group_keys(groups, held, "graphs")
    common, problems = misfits(held)
    if problems:
        common, problems = misfits(held, reads=reads)
    else:
        reads = READ_BY_SOME
    usable = {position: cast(Data, graph) for position, graph in enumerate(held) if position not in problems}
    read = read_targets(usable, target, task)
    problems = dict(sorted((problems | read.problems).items()))
    kept = [usable[position] for position in read.y]
    notes = set_aside(problems, len(held)) + lacking(common) + gaps(kept, reads)
    copies = [plain(graph, common, reads) for graph in kept]
    for copy, y in zip(copies, read.y.values(), strict=True):
        copy.y = y
    given, more = (), ()
    if read.level == "node" and len(copies) == 1:
        given, more = _given(next(iter(usable.values())), read.y[next(iter(read.y))])
    kept_groups = None if keys is None else [keys[position] for position in read.y]
    parts = given or None
    return Problem(name, copies, read.target, read.classes, read.level, kept_groups, splits=parts, notes=notes + more)


def lacking(common: Form | None) -> tuple[str, ...]:
    """Notes about what all graphs lack, and about weights, which few layers use."""
    without = "" if common is None or common.x else "nodes have no x: each is the number 1"
    alone = "" if common is None or common.edge_index else "graphs have no edge_index: no edges"
    weights = "" if common is None or not common.edge_weight else _WEIGHTS
    return tuple(filter(None, (without, alone, weights)))


def completed(split: Split, names: Sequence[str]) -> tuple[Split, tuple[str, ...]]:
    """A split with a validation part, and a note if that had to be drawn; what has one name stays together."""
    if len(split.validation):
        return split, ()
    drawn = splits.random([names[int(i)] for i in split.train], fractions=(0.9, 0.1, 0.0))
    note = "the given parts have no validation part: it is a tenth of the training part, drawn by seed 0"
    return Split(split.train[drawn.train], split.train[drawn.validation], split.test), (note,)


def _given(graph: Data, y: Tensor) -> tuple[tuple[Split, ...], tuple[str, ...]]:
    """The parts that masks of nodes name, without nodes that have no label."""
    if not all(name in graph for name in ("train_mask", "test_mask")):
        return (), ()
    known = ~(y.isnan() if y.is_floating_point() else y == -100)
    masks = [graph[name] if name in graph else torch.zeros_like(graph["test_mask"]) for name in _MASKS]
    tables = [(mask.bool().view(len(y), -1) & known[:, None]).numpy() for mask in masks]
    folds = max(table.shape[1] for table in tables)
    drawn = [Split(*(np.flatnonzero(table[:, fold % table.shape[1]]) for table in tables)) for fold in range(folds)]
    names = [str(node) for node in range(len(y))]
    parts, notes = zip(*(completed(split, names) for split in drawn), strict=True)
    return parts, notes[0]
