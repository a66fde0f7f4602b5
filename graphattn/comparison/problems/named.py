"""Anything to a problem: a name, a file, a list of PyG graphs, a PyG dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch_geometric.data import Batch, Data, Dataset
from torch_geometric.utils import remove_self_loops

from graphattn.comparison.problems.base import Problem, Target
from graphattn.comparison.problems.graphs import problem_of_graphs
from graphattn.comparison.problems.molecules import problem_of_molecules
from graphattn.comparison.problems.saved import holds_graphs, problem_of_saved
from graphattn.data.generated import digit_images, distant, motif, shuffled_edges, sparse_and
from graphattn.data.graphs import plain
from graphattn.data.groups import group_keys
from graphattn.data.images import patches
from graphattn.data.molecules import embedded
from graphattn.models.by_name.layers import LAYERS
from graphattn.models.by_name.whole import architectures
from graphattn.topology import Line


def problem(
    data: str | Path | Problem | Data | Iterable[Any],
    *,
    target: str | int | None = None,
    smiles: str | None = None,
    task: Target | None = None,
    groups: ArrayLike | None = None,
    layers: Sequence[str] | None = None,
    count: int | None = None,
    seed: int = 0,
) -> Problem:
    """What layers are compared on.

    Args:
        data: a name (:data:`NAMES`: an embedded data set or data made by rule), a CSV, TSV or SDF file of molecules, a folder of
            saved graphs, a list of PyG graphs, a PyG dataset, one graph with labels of nodes, or a problem, which is left as it
            is.
        target: a column of a file by name, one of several targets in ``y`` by number; not needed where there is one.
        smiles: the column of SMILES in a file; guessed if not given.
        task: ``binary``, ``multiclass`` or ``regression``; guessed if not given.
        groups: a column of a file, an attribute of PyG graphs, or a label for each graph; what has one label (a patient, a batch)
            is in one part. All are free if not given.
        layers: names of those that will be compared; features of edges are demanded of all PyG graphs only where one of them
            reads these. All if not given.
        count: maximum number of graphs, drawn by ``seed``; data made by rule are so many.
        seed: of what is drawn or made.

    Raises:
        FileNotFoundError: neither a name nor a file.
        ValueError: bad input, with what is wrong and where; options that this kind of data does not have.
        TypeError: something else.

    >>> made = problem("sparse_and", count=20)
    >>> made.target, made.measure, made.graphs[0]
    ('binary', 'ROC-AUC', Data(x=[80, 2], edge_index=[2, 158], y=[1]))
    """
    if count is not None and count < 1:
        raise ValueError(f"expected a count of 1 or more, got {count}")
    if isinstance(data, Problem):
        return _fewer(data if groups is None else _grouped(replace(data, groups=_labels(data, groups))), count, seed)
    if isinstance(data, str | Path):
        return _by_name(data, target, smiles, task, groups, count, seed)
    if isinstance(data, Data):
        data = data.to_data_list() if isinstance(data, Batch) else [data]
    if not isinstance(data, Iterable):
        raise TypeError(f"expected a name, a file, PyG graphs or a Problem, got {type(data).__name__}")
    if isinstance(target, str) or smiles is not None:
        raise ValueError(f"expected a target by number and no smiles for PyG graphs, got {target=} and {smiles=}")
    name = str(getattr(data, "name", type(data).__name__)) if isinstance(data, Dataset) else "graphs"
    reads = frozenset().union(
        *(each.reads for each in architectures(LAYERS if layers is None else layers, ["edges", "full"]))
    )
    return _fewer(_grouped(problem_of_graphs(data, name, target, task, reads, groups)), count, seed)


def _by_name(
    data: str | Path,
    target: str | int | None,
    smiles: str | None,
    task: Target | None,
    groups: ArrayLike | None,
    count: int | None,
    seed: int,
) -> Problem:
    name = str(data)
    if isinstance(target, int):
        raise ValueError(f"expected a target by name, such as 'label', for {name!r}, got {target}")
    if not isinstance(groups, str | None):
        raise ValueError(f"expected groups as the name of a column of {name!r}, got {type(groups).__name__}")
    if name in _MADE and not Path(data).exists():
        if (target, smiles, task, groups) != (None, None, None, None):
            given = f"{target=}, {smiles=}, {task=} and {groups=}"
            raise ValueError(f"{name!r} has one target and no columns; got {given}")
        return _MADE[name](count, seed)
    if holds_graphs(name):
        if (target, smiles) != (None, None):
            raise ValueError(f"{name!r} holds graphs, whose y is learned, and no columns; got {target=} and {smiles=}")
        return _fewer(_grouped(problem_of_saved(name, task, groups)), count, seed)
    try:
        return _fewer(_grouped(problem_of_molecules(data, target, smiles, task, groups)), count, seed)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error} (made by rule: {', '.join(_MADE)})") from None


def _labels(made: Problem, groups: ArrayLike) -> list[str] | None:
    if isinstance(groups, str):
        raise ValueError(f"expected a group for each graph of the problem {made.name!r}, got the name {groups!r}")
    return group_keys(groups, made.graphs, "graphs")


def _grouped(made: Problem) -> Problem:
    """The problem, with a note about its groups."""
    if made.groups is None:
        return made
    note = f"what is of one group stays in one part: {len(set(made.groups)):,} groups of {len(made.graphs):,} graphs"
    return replace(made, notes=(*made.notes, note))


def _digits(count: int | None, seed: int) -> Problem:
    images, labels = digit_images()
    made = problem_of_graphs(map(_without_loops, patches(images, size=2, y=labels, radius=1)), "digits")
    note = "images of 8 x 8 pixels, cut into 16 patches; x are the 4 pixels of a patch, pos is its row and column"
    joined = "neighbours in all 8 directions are joined"
    return _fewer(replace(made, notes=(note, joined)), count, seed)


def _sparse_and(count: int | None, seed: int) -> Problem:
    # So few graphs for so many bits that the three are not found by every network (Edelman et al. 2022).
    graphs = [_bits(data) for data in sparse_and(count or 400, bits=80, seed=seed)]
    note = "80 bits, of which 3 decide: x are a bit and its place; neighbours in the row are joined"
    return Problem("sparse_and", graphs, "binary", ("0", "1"), notes=(note,))


def _motif(count: int | None, seed: int) -> Problem:
    note = "is there a path of three colours? Edges decide; colours without edges say nothing"
    return _posed("motif", motif(count or 1000, seed=seed), note)


def _distant(count: int | None, seed: int) -> Problem:
    note = "has the other marked node, 6 hops away, my colour? What lies nearer says nothing"
    return _posed("distant", distant(count or 1000, seed=seed), note)


def _shuffled_edges(count: int | None, seed: int) -> Problem:
    note = "the mean of the nodes decides; edges are drawn at random and must not help"
    return _posed("shuffled_edges", shuffled_edges(count or 1000, seed=seed), note)


def _posed(name: str, graphs: Sequence[Data], note: str) -> Problem:
    return replace(problem_of_graphs(graphs, name), classes=("no", "yes"), notes=(note,))


def _bits(data: Data) -> Data:
    count = data["token"].numel()
    x = torch.stack([data["token"], torch.arange(count)], dim=1)
    return plain(_without_loops(Data(x=x, edge_index=Line([count]).edge_index()))).update({"y": data["y"]})


def _without_loops(data: Data) -> Data:
    data.edge_index = remove_self_loops(data["edge_index"])[0]
    return data


def _fewer(made: Problem, count: int | None, seed: int) -> Problem:
    """At most ``count`` graphs, each with its group, its SMILES and its part."""
    if count is None or count >= len(made.graphs):
        return made
    rows = np.sort(np.random.default_rng(seed).permutation(len(made.graphs))[:count])
    parts = [split._make(np.flatnonzero(np.isin(rows, part)) for part in split) for split in made.splits or ()]
    return replace(
        made,
        graphs=[made.graphs[row] for row in rows],
        groups=made.groups and [made.groups[row] for row in rows],
        smiles=made.smiles and [made.smiles[row] for row in rows],
        tables={name: table[rows] for name, table in made.tables.items()},
        splits=parts or None,
        notes=(*made.notes, f"{count} of {len(made.graphs)} graphs, drawn by seed {seed}"),
    )


_MADE: dict[str, Callable[[int | None, int], Problem]] = {
    "digits": _digits,
    "sparse_and": _sparse_and,
    "motif": _motif,
    "distant": _distant,
    "shuffled_edges": _shuffled_edges,
}

NAMES = (*embedded.names(), *_MADE)
"""Names that :func:`problem` knows."""
